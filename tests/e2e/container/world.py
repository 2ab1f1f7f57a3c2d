"""Answers with its name: HTTP on 80 and 8080 (IPv4 and IPv6), UDP on 9999. Ends when its namespace is torn down."""
import http.server
import socket
import sys
import threading

name = sys.argv[1].encode()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        # A file, for what downloads something.
        body = name
        if len(sys.argv) > 2 and self.path != "/":
            try:
                body = open(f"{sys.argv[2]}/{self.path.split('/')[-1]}", "rb").read()
            except OSError:
                self.send_error(404)
                return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


# The router leaves 80 to the proxy under test.
for port in (8080,) if name == b"host" else (80, 8080):
    threading.Thread(target=Server(("::", port), Answer).serve_forever, daemon=True).start()
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
udp.bind(("::", 9999))
while True:
    _, peer = udp.recvfrom(100)
    udp.sendto(name, peer)
