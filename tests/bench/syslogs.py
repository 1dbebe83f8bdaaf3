"""S7: syslog messages over one TCP connection, into a file. S7m: the same with multiport_syslogtcp.

Beside them Debian's rsyslogd does the same work: imtcp, one main queue, one file in its usual format.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from errors import BenchError
from harness import net
from harness.process import Child, Idle, cpu_s, wait_until
from tools import tool

SYSLOG_EVENTS = {"S7": 2_000_000, "S7m": 2_000_000}
PREFIX = "<13>Oct 11 22:14:15 host1 "
LINE_BYTES = 200
STALL_S = 20

RSYSLOG_CONF = """\
global(workDirectory="{dir}")
module(load="imtcp" MaxSessions="10")
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="all")
ruleset(name="all") {{ action(type="omfile" file="{dir}/out/messages") }}
"""


def loader(data, port, events):
    return [tool("netload", data), str(port), str(events), str(LINE_BYTES), PREFIX]


def out_bytes(folder):
    return sum(entry.stat().st_size for entry in os.scandir(folder))


class SyslogScenarios:
    """The scenarios of an agent."""

    def s7(self):
        self.idle_after_start()
        target = self.events * (LINE_BYTES - len(PREFIX) + 1)
        cpu_before, started = cpu_s(self.child.pid), time.monotonic()
        load = subprocess.Popen(loader(self.data, self.port, self.events), stdout=subprocess.PIPE)
        try:
            half, written, grown = None, -1, started
            while written < target:
                time.sleep(0.005)
                self.still_alive()
                size, now = out_bytes(self.dir / "out"), time.monotonic()
                if size != written:
                    written, grown = size, now
                if half is None and written >= target / 2:
                    half = now, cpu_s(self.child.pid), written
                if now - grown > STALL_S:
                    raise BenchError(f"{written} of {target} bytes came out: {self.dir}")
        finally:
            load.kill()
            load.wait()
        figures = self.rates(grown - started, cpu_s(self.child.pid) - cpu_before)
        if half and grown - half[0] > 0.05:
            share = self.events * (written - half[2]) / target
            figures["half2_events_per_s"] = round(share / (grown - half[0]))
            figures["half2_cpu_s_per_million"] = round((cpu_s(self.child.pid) - half[1]) / share * 1e6, 4)
        return figures

    s7m = s7


def rsyslogd(data, events):
    """What rsyslogd takes for the same messages; None, said aloud, where there is none."""
    program = shutil.which("rsyslogd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not program:
        print("# SKIP rsyslogd: not here (Debian: apt-get install rsyslog)")
        return None
    folder = Path(tempfile.mkdtemp(prefix="flumen-bench.rsyslogd."))
    (folder / "out").mkdir()
    port = net.free_port()
    (folder / "rsyslog.conf").write_text(RSYSLOG_CONF.format(dir=folder, port=port))
    child = Child([program, "-n", "-iNONE", "-f", str(folder / "rsyslog.conf")], folder / "log", cwd=folder)
    try:
        if not wait_until(lambda: net.listening("tcp", port), 30):
            raise BenchError(f"rsyslogd does not listen: {folder}/log")
        idle = Idle(child.pid)
        wait_until(lambda: idle.quiet_s() > 0.5, 30)
        before, started = cpu_s(child.pid), time.monotonic()
        subprocess.check_call(loader(data, port, events), stdout=subprocess.DEVNULL)
        idle.touch()
        if not wait_until(lambda: idle.quiet_s() > 1, 300):
            raise BenchError("rsyslogd does not come to rest")
        used, wall = cpu_s(child.pid) - before, time.monotonic() - started - 1
        with open(folder / "out" / "messages", "rb") as f:
            lines = sum(piece.count(b"\n") for piece in iter(lambda: f.read(1 << 20), b""))
        if lines != events:
            raise BenchError(f"rsyslogd wrote {lines} of {events} messages: {folder}")
    finally:
        child.kill()
    shutil.rmtree(folder)
    return {"wall_s": round(wall, 3), "cpu_s": round(used, 3), "cpu_s_per_million": round(used / events * 1e6, 4)}
