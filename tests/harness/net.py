"""Sockets of tests: free ports, who listens, and small clients that behave as nc and curl do."""

import http.client
import random
import socket
import threading
import time

# Below the range from which the kernel takes the ports of outgoing connections (32768 on), so that no client
# of a parallel case can sit on a port that was found free a moment ago.
PORT_MIN, PORT_MAX = 15000, 32000
_handed_out = set()
_lock = threading.Lock()


def free_port():
    """A port free for TCP and UDP that this process has not handed out before."""
    with _lock:
        for _ in range(1000):
            port = random.randint(PORT_MIN, PORT_MAX)
            if port not in _handed_out and _can_bind(port):
                _handed_out.add(port)
                return port
    raise RuntimeError(f"no free port between {PORT_MIN} and {PORT_MAX}")


def _can_bind(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind(("", port))
            except OSError:
                return False
    return True


def listening(kind, port):
    """True when some process listens on the port; looks instead of connecting, so the agent sees no client."""
    suffix = f":{port:04X}"
    for family in ("", "6"):
        try:
            with open(f"/proc/net/{kind}{family}") as f:
                rows = [line.split() for line in f.readlines()[1:]]
        except OSError:
            continue  # A kernel without IPv6.
        if any(r[1].endswith(suffix) and (kind == "udp" or r[3] == "0A") for r in rows):
            return True
    return False


def tcp_exchange(port, data, idle_s=20.0):
    """Sends `data`, closes the sending side, and returns all that comes back until the peer closes.

    A refused connection gives an empty answer, as `nc` piped into a file does. A reset after some answer
    keeps that answer: netcat sources close early on over-long lines.
    """
    try:
        s = socket.create_connection(("127.0.0.1", port), timeout=idle_s)
    except ConnectionRefusedError:
        return b""
    with s:
        sender = threading.Thread(target=_send_and_close, args=(s, data), daemon=True)
        sender.start()
        reply = bytearray()
        try:
            while chunk := s.recv(65536):
                reply += chunk
        except (ConnectionResetError, TimeoutError):
            pass
        sender.join(idle_s)
        return bytes(reply)


def _send_and_close(s, data):
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # The reader sees what the peer did.


def udp_send(port, datagrams):
    """One packet each. The pause is not for the agent: loopback reorders nothing, but a full buffer drops."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for d in datagrams:
            s.sendto(d, ("127.0.0.1", port))
            time.sleep(0.005)


def http_post(port, body, content_type="application/json"):
    """Returns (status, body) of a POST to /."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        c.request("POST", "/", body=body, headers={"Content-Type": content_type})
        r = c.getresponse()
        return r.status, r.read()
    finally:
        c.close()
