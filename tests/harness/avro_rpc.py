"""A client of Flume's Avro protocol, written for the tests alone: no library that an agent could share.

    with AvroClient(port) as client:
        client.append_batch([b"body", ...])       True when the answer was OK

The bytes are those of Flume's own client: two buffers a request, the handshake in the first request only.
"""

import socket
import struct

# The MD5 of Flume's AvroSourceProtocol; both sides know it, so its text is never sent.
PROTOCOL_HASH = bytes.fromhex("86aadae2c45474c0fe93ffd0f2350a65")
HANDSHAKE = PROTOCOL_HASH + b"\x00" + PROTOCOL_HASH + b"\x02\x00"
NO_METADATA = b"\x00"


class AvroClient:
    """One connection, one request at a time. An end of the connection is an OSError."""

    def __init__(self, port, timeout_s=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.serial = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def append_batch(self, bodies, headers=None):
        """True for OK, False for FAILED or an exception."""
        events = map_of(headers or {})
        block = b"".join([long(len(bodies)), *(events + long(len(b)) + b for b in bodies), b"\x00"])
        return self._call(text("appendBatch"), block)

    def _call(self, method, parameters):
        greeting = b"" if self.serial else HANDSHAKE
        self.serial += 1
        head = greeting + NO_METADATA + method
        frame = struct.pack(">III", self.serial, 2, len(head)) + head + struct.pack(">I", len(parameters)) + parameters
        self.socket.sendall(frame)
        payload = self._answer()
        if greeting:
            if payload[:4] != b"\x00\x00\x00\x00":
                raise OSError(f"the handshake was answered with {payload[:64]!r}")
            payload = payload[4:]
        # No metadata, no error, the status.
        return payload == b"\x00\x00\x00"

    def _answer(self):
        serial, count = struct.unpack(">II", self._read(8))
        if serial != self.serial or count > 16:
            raise OSError(f"answer {serial} in {count} buffers to request {self.serial}")
        return b"".join(self._read(struct.unpack(">I", self._read(4))[0]) for _ in range(count))

    def _read(self, length):
        data = b""
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            if not piece:
                raise ConnectionError("the agent closed the connection")
            data += piece
        return data


def long(n):
    """A positive Avro long."""
    n <<= 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def text(value):
    encoded = value.encode()
    return long(len(encoded)) + encoded


def map_of(entries):
    block = long(len(entries)) + b"".join(text(k) + text(v) for k, v in entries.items()) if entries else b""
    return block + b"\x00"
