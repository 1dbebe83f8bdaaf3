"""The load tools, compiled when they are missing or older than their source."""

import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


def tool(name, data):
    """The path of NAME, made of NAME.c."""
    source, binary = HERE / f"{name}.c", data / name
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        data.mkdir(parents=True, exist_ok=True)
        subprocess.check_call(["gcc", "-O2", "-o", str(binary), str(source)])
    return str(binary)
