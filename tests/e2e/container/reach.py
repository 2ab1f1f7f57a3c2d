"""Tries to reach what it is told to, all at the same time, and prints what answered as one JSON object.

Argument: JSON list of [name, kind, target]; kind is http, udp, ping or dns. Nothing waits longer than 2 s.
"""
import json
import socket
import sys
import threading

QUERY = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\6public\4test\0\0\1\0\1"


def http(target):
    host, _, port = target.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=2) as connection:
        connection.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    return answer.partition(b"\r\n\r\n")[2].decode()


def datagram(target, payload, protocol=0):
    host, _, port = target.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, protocol) as client:
        client.settimeout(2)
        client.sendto(payload, (host, int(port)))
        return client.recv(512)


KINDS = {
    "http": http,
    "udp": lambda target: datagram(target, b"x").decode(),
    # By the kind of socket that needs no privilege (icmp(7), IPPROTO_ICMP).
    "ping": lambda target: "pong" if datagram(f"{target}:0", b"\x08" + b"\0" * 7, socket.IPPROTO_ICMP) else "",
    "dns": lambda target: "answer" if len(datagram(target, QUERY)) > len(QUERY) else "",
}

answers = {}


def attempt(name, kind, target):
    try:
        answers[name] = KINDS[kind](target)
    except OSError as error:
        answers[name] = f"refused: {error}"


threads = [threading.Thread(target=attempt, args=row) for row in json.loads(sys.argv[1])]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(answers))
