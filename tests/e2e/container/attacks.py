"""What an agent might try from inside, each attempt made for real. Prints one JSON object:

  own   the looks into a process, made at one of the agent's own: they work, so they are real
  nest  the same at Nest, by its pid
  undo  attempts to take the wall or Nest's own files apart: true where one worked
  tokens  files and process entries where something like the owner's token was found
"""
import ctypes
import json
import os
import re
import socket
import subprocess
import time

IN_CELL = "IN_CELL" in os.environ
libc = ctypes.CDLL(None, use_errno=True)


class IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def environment(pid):
    return len(open(f"/proc/{pid}/environ", "rb").read()) > 0


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd")) > 0


def memory(pid):
    start = int(open(f"/proc/{pid}/maps").readline().split("-")[0], 16)
    with open(f"/proc/{pid}/mem", "rb") as file:
        file.seek(start)
        return len(file.read(8)) == 8


def trace(pid):
    # PTRACE_SEIZE: attaches without a stop.
    return libc.ptrace(0x4206, pid, 0, 0) == 0


def copy_memory(pid):
    buffer = ctypes.create_string_buffer(8)
    here = IoVec(ctypes.addressof(buffer), 8)
    there = IoVec(4096, 8)
    libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    # EFAULT: allowed, but nothing is at that address.
    return ctypes.get_errno() == 14


def steal_descriptor(pid):
    pidfd = libc.syscall(434, pid, 0)
    return libc.syscall(438, pidfd, 0, 0) >= 0


def attempt(action, *arguments):
    try:
        return bool(action(*arguments))
    except (OSError, ValueError):
        return False


def look_into(pid):
    looks = (environment, descriptors, memory, trace, copy_memory, steal_descriptor)
    return {look.__name__: attempt(look, pid) for look in looks}


def nest_pid():
    for name in filter(str.isdigit, os.listdir("/proc")):
        line = attempt_read(f"/proc/{name}/cmdline")
        if b"/opt/nest/src/main.ts\0serve" in line and b"tini" not in line:
            return int(name)
    raise SystemExit("no Nest")


def attempt_read(path):
    try:
        with open(path, "rb") as file:
            return file.read(10_000_000)
    except OSError:
        return b""


UNDO = """
iptables -F
iptables -P OUTPUT ACCEPT
iptables -t nat -F
ip6tables -F
nft flush ruleset
ip route add 10.0.0.0/8 dev eth0
ip link set eth0 down
unshare --net --map-root-user true
unshare --user --map-root-user iptables -F
sysctl -w net.ipv6.conf.all.disable_ipv6=0
echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6
echo 0 >/proc/sys/net/ipv4/ip_forward
echo >>/opt/nest/container/entrypoint.sh
echo >>/opt/nest/src/main.ts
touch /opt/nest/node_modules/x
rm /opt/nest/.container-image
echo >>/usr/local/bin/nest
echo >>/usr/local/bin/bun
echo >>/usr/bin/setpriv
echo >>/etc/passwd
echo >>/config/config.yaml
mv /config/config.yaml /config/x
mv /config/sessions /config/x
mkdir /config/secrets/x /config/secrets
mount -t tmpfs tmpfs /mnt
chroot / true
""".strip().splitlines()


def shell(command):
    return subprocess.run(["sh", "-c", command], capture_output=True, timeout=10).returncode == 0


def raw(family, kind, protocol):
    return socket.socket(family, kind, protocol).fileno() >= 0


def setuid_gains():
    """Runs every program with a setuid or setgid bit, and a copy of sh with one that the agent made itself."""
    # The cell's files are those of the machine, which are not ours to judge.
    found = [] if IN_CELL else subprocess.run(
        "find / -xdev -type f -perm /6000 2>/dev/null", shell=True, capture_output=True, text=True
    ).stdout.split()
    own = f"{os.environ.get('HOME', '/tmp')}/own-setuid"
    subprocess.run(f"cp /usr/bin/id {own} && chmod 6777 {own}", shell=True)
    ids = subprocess.run([own, "-u"], capture_output=True, text=True).stdout.strip()
    os.remove(own)
    return len(found) > 0 or ids != str(os.getuid())


def tokens():
    # As the first start prints it: nest_ and 43 characters of base64url. In pieces, or this file would be found.
    pattern = re.compile(b"nest" + b"_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
    paths = [
        f"/proc/{name}/{entry}"
        for name in filter(str.isdigit, os.listdir("/proc"))
        for entry in ("environ", "cmdline", "status", "fd/0", "fd/1", "fd/2", "fd/3")
        if not (entry.startswith("fd/") and int(name) in (os.getpid(), os.getppid()))
        and (not entry.startswith("fd/") or os.path.isfile(f"/proc/{name}/{entry}"))
    ]
    tops = ["/config", "/vault", "/home/agent", "/tmp", "/nix", "/opt/nest/src"]
    for top in tops if IN_CELL else [*tops, "/home", "/run", "/var", "/etc", "/root", "/srv", "/usr/local"]:
        for folder, _, files in os.walk(top):
            paths += [p for p in (f"{folder}/{file}" for file in files) if os.path.isfile(p)]
    return [path for path in paths if pattern.search(attempt_read(path))]


own = subprocess.Popen(["sleep", "60"])
try:
    # Until it is what it will be.
    while not attempt_read(f"/proc/{own.pid}/cmdline").startswith(b"sleep"):
        time.sleep(0.01)
    nest = nest_pid()
    result = {
        "own": look_into(own.pid),
        "nest": look_into(nest),
        "undo": {
            **{command: attempt(shell, command) for command in UNDO},
            "packet socket": attempt(raw, socket.AF_PACKET, socket.SOCK_RAW, 0),
            "raw socket": attempt(raw, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
            "setuid": attempt(setuid_gains),
        },
        "tokens": tokens(),
    }
finally:
    own.kill()
print(json.dumps(result))
