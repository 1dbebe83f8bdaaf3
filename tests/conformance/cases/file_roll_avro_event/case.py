"""The Avro container: its schema, codec and events (the sync marker is random, so not byte by byte)."""

from harness.avro import container_text


def collect(run, files):
    files["k1.txt"] = container_text(files["k1.txt"])
