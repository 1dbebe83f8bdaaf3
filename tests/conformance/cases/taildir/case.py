"""Appended lines, a line written in two parts, a file that appears later; positions kept in JSON."""

import json

READY = "none"
SORT = ["k1"]


def prepare(run):
    (run.dir / "in" / "a.log").write_bytes(run.input)
    (run.dir / "in" / "b1.log").write_bytes(b"b1 one\nb1 two\n")
    (run.dir / "in" / "c.log").write_bytes(b"other\n")


def append(run, name, data):
    with open(run.dir / "in" / name, "ab") as f:
        f.write(data)


def drive(run):
    run.wait_output("k1", 8)
    append(run, "a.log", b"appended\npartial")
    run.wait_output("k1", 9)
    append(run, "a.log", b" now whole\n")
    append(run, "b2.log", b"new file\n")


def collect(run, files):
    try:
        entries = json.loads((run.dir / "pos" / "taildir.json").read_text())
    except (OSError, ValueError):
        entries = []  # Not written yet, or being written.
    rows = [f"{e['pos']} {e['file']} {sorted(e)}\n" for e in sorted(entries, key=lambda e: e["file"])]
    files["positions.txt"] = "".join(rows).encode()
