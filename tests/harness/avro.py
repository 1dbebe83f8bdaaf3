"""Reads Avro containers of Flume events, written for the tests alone: no library that an agent could share."""

import io
import json
import zlib


def container_text(data):
    """Reads an Avro container of the record `Event`; what is not complete yet is left out."""
    try:
        return read_container(io.BytesIO(data))
    except IndexError:
        return b""


def read_container(f):
    if f.read(4) != b"Obj\x01":
        return b""
    meta = read_map(f)
    sync = f.read(16)
    codec = meta.get(b"avro.codec", b"null").decode()
    schema = json.dumps(json.loads(meta[b"avro.schema"]), sort_keys=True)
    lines = [f"codec {codec}", f"schema {schema}"]
    while f.read(1):
        f.seek(-1, 1)
        count, size = read_long(f), read_long(f)
        block = f.read(size)
        assert f.read(16) == sync
        events = io.BytesIO(zlib.decompress(block, -15) if codec == "deflate" else block)
        for _ in range(count):
            headers = {k.decode(): v.decode() for k, v in read_map(events).items()}
            lines.append(f"event {sorted(headers.items())} {read_bytes(events)}")
    return "".join(line + "\n" for line in lines).encode()


def read_long(f):
    value = shift = 0
    while True:
        byte = f.read(1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)
        shift += 7


def read_bytes(f):
    return f.read(read_long(f))


def read_map(f):
    entries = {}
    while count := read_long(f):
        if count < 0:
            count = -count
            read_long(f)  # The size of the block in bytes.
        for _ in range(count):
            key = read_bytes(f)
            entries[key] = read_bytes(f)
    return entries
