"""The scenarios: each runs one agent once and returns what it cost as a dict.

    S0  netcat -> memory -> null, idle   start time, memory at rest
    S1  stress -> memory -> null         500-byte events, the channel alone
    S2  netcat -> memory -> null         200-byte lines over one connection, without replies
    S3  exec cat -> memory -> file_roll  200-byte lines
    S4  exec cat -> file -> file_roll    200-byte lines, each batch durable before the next is read
    S5  avro -> memory -> null, and its variants: see avro.py
    S4stress and S9 with their variants: see durable.py
    S6  S3 with regex_filter, search_replace and timestamp
    S7  syslogtcp -> memory -> file_roll, and S7m with multiport_syslogtcp: see syslogs.py
    S8  http -> memory -> null           JSON arrays of 100 events of 200 bytes over 8 connections

Batches of 1000 wherever there is a setting, memory channel of 100000 events, file channel of
1000000 (conf/*.conf).
CPU is the agent process alone (not its `cat`); S1, S3, S4 and S6 count from exec, S2 and S8 from the first byte sent.
"""

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from avro import AVRO_EVENTS, AvroScenarios
from durable import DURABLE, DURABLE_EVENTS, with_sources
from errors import BenchError
from harness import net
from harness.process import Child, Idle, cpu_s, memory_mib, wait_until
from syslogs import SYSLOG_EVENTS, SyslogScenarios
from tools import tool

HERE = Path(__file__).resolve().parent
LINE_BYTES = 200
EVENTS = {"S0": 0, "S1": 20_000_000, "S2": 5_000_000, "S3": 5_000_000, "S4": 1_000_000, **AVRO_EVENTS, "S6": 3_000_000, **SYSLOG_EVENTS, "S8": 4_000_000, **DURABLE_EVENTS}
# What a run without names measures.
BY_DEFAULT = [name for name in EVENTS if name not in DURABLE]
# How much longer an event comes out: in S6 `user=bob` becomes `user=****`.
EXTRA_BYTES = {"S6": 1}
STALL_S = 60  # Output that has not grown for so long will not be complete. Derby takes half a minute to begin.
IDLE_S = 10
# S8: what one request holds, and how many are under way.
HTTP_EVENTS, HTTP_CONNECTIONS = 100, 8


class Bench(AvroScenarios, SyslogScenarios):
    """One agent under one scenario in a folder of its own."""

    def __init__(self, scenario, command, events, data, on_start=None):
        self.scenario, self.command, self.events, self.data = scenario, command, events, data
        self.on_start = on_start
        self.dir = Path(tempfile.mkdtemp(prefix=f"flumen-bench.{scenario}."))
        (self.dir / "out").mkdir()
        self.port, self.port2 = net.free_port(), net.free_port()
        self.input = lines_file(data, events) if scenario in ("S3", "S4", "S6") else None
        batch, sources, _ = DURABLE.get(scenario, (1, 1, 0))
        self.events -= self.events % (batch * sources)
        text = with_sources((HERE / "conf" / f"{scenario.split('-')[0]}.conf").read_text(), sources)
        for mark, value in {"PORT": self.port, "PORT2": self.port2, "DIR": self.dir, "INPUT": self.input, "N": self.events // sources, "BATCH": batch}.items():
            text = text.replace(f"@{mark}@", str(value))
        self.conf = self.dir / "agent.conf"
        self.conf.write_text(text)
        self.child = None

    def run(self, measure=None):
        """Starts the agent, measures (the scenario's own way, if nothing else is asked), stops it."""
        own = "s3" if self.scenario in DURABLE else self.scenario.lower().replace("-", "_")
        measure = measure or getattr(self, own)
        env = dict(os.environ, FLUME_LOG_LEVEL="WARN")
        command = [*self.command, "agent", "-n", "a1", "-f", str(self.conf)]
        self.started = time.monotonic()
        self.child = Child(command, self.dir / "agent.log", cwd=self.dir, env=env)
        try:
            if self.on_start:
                self.on_start(self.child.pid)
            figures = measure()
            figures["peak_rss_mib"] = round(memory_mib(self.child.pid, "VmHWM"), 2)
            if not self.child.stop():
                raise BenchError(f"SIGTERM does not end the agent: {self.dir}/agent.log")
        finally:
            self.child.kill()
        subprocess.call(["rm", "-rf", str(self.dir)])
        return figures

    # ---- scenarios ----

    def s0(self):
        start_s = self.first_ok_s()
        start_cpu_s = cpu_s(self.child.pid)
        time.sleep(IDLE_S)  # The figure is the rest after this time, there is nothing to wait for.
        before = cpu_s(self.child.pid)
        time.sleep(IDLE_S)
        return {
            "start_ms": round(start_s * 1e3, 2),
            "start_cpu_ms": round(start_cpu_s * 1e3, 2),
            "idle_rss_mib": round(memory_mib(self.child.pid, "VmRSS"), 2),
            "idle_cpu_pct": round((cpu_s(self.child.pid) - before) / IDLE_S * 100, 3),
        }

    def s1(self):
        # The source just stops after its last event: done is when the agent began to rest. A resting JVM still
        # wakes up now and then, so a window counts as busy from a fifth of a core on.
        window_s, busy_share, rest_s = 0.02, 0.2, 1.5
        then, cpu_then = time.monotonic(), 0.0
        last_busy, last_cpu = then, 0.0
        while then - last_busy < rest_s:
            time.sleep(window_s)
            self.still_alive()
            now, cpu_now = time.monotonic(), cpu_s(self.child.pid)
            if cpu_now - cpu_then > busy_share * (now - then):
                last_busy, last_cpu = now, cpu_now
            then, cpu_then = now, cpu_now
        return self.rates(last_busy - self.started, last_cpu)

    def s2(self):
        idle = self.idle_after_start()
        before = cpu_s(self.child.pid)
        loader = [tool("netload", self.data), str(self.port), str(self.events), str(LINE_BYTES)]
        wall_s, _, failed = subprocess.check_output(loader).decode().split()
        idle.touch()
        self.wait(lambda: idle.quiet_s() > 0.3, "is idle after its load")
        figures = self.rates(float(wall_s), cpu_s(self.child.pid) - before)
        if int(failed):
            raise BenchError(f"{failed} lines were refused")
        return figures

    def s8(self):
        idle = self.idle_after_start()
        # A tenth in front warms a JVM up: what is measured is an agent that runs for months.
        self.post(self.events // 10)
        idle.touch()
        self.wait(lambda: idle.quiet_s() > 0.3, "is idle after its warm-up")
        before = cpu_s(self.child.pid)
        wall_s = self.post(self.events)
        idle.touch()
        self.wait(lambda: idle.quiet_s() > 0.3, "is idle after its load")
        return self.rates(wall_s, cpu_s(self.child.pid) - before)

    def post(self, events):
        """Posts events and says how many seconds it took until the last request was answered."""
        requests = max(events // HTTP_EVENTS, 1)
        sizes = [requests, HTTP_EVENTS, LINE_BYTES, HTTP_CONNECTIONS]
        loader = [tool("httpload", self.data), str(self.port), *map(str, sizes)]
        wall_s, _, failed = subprocess.check_output(loader).decode().split()
        if int(failed):
            raise BenchError(f"{failed} requests were refused")
        return float(wall_s)

    def s3(self):
        target = self.events * (LINE_BYTES + EXTRA_BYTES.get(self.scenario, 0))
        half, written, grown = None, -1, time.monotonic()
        while written < target:
            time.sleep(0.005)
            self.still_alive()
            size, now = sum(e.stat().st_size for e in os.scandir(self.dir / "out")), time.monotonic()
            if size != written:
                written, grown = size, now
            if half is None and written >= target / 2:
                half = now, cpu_s(self.child.pid), written
            if now - grown > STALL_S:
                raise BenchError(f"{written} of {target} bytes came out: {self.dir}")
        figures = self.rates(grown - self.started, cpu_s(self.child.pid))
        if half and grown - half[0] > 0.05:
            # The second half: without start and warm-up.
            share = self.events * (written - half[2]) / target
            figures["half2_events_per_s"] = round(share / (grown - half[0]))
            figures["half2_cpu_s_per_million"] = round((cpu_s(self.child.pid) - half[1]) / share * 1e6, 4)
        return figures

    s4 = s3
    s6 = s3

    # ---- parts ----

    def idle_after_start(self):
        """Waits until the agent listens and has gone quiet."""
        self.wait(lambda: net.listening("tcp", self.port), "listens")
        idle = Idle(self.child.pid)
        self.wait(lambda: idle.quiet_s() > 0.5, "is idle after its start")
        return idle

    def first_ok_s(self):
        """From exec to the first OK: connects without pause, so the figure is finer than a millisecond."""
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=60) as s:
                    s.sendall(b"hello\n")
                    if s.recv(3) == b"OK\n":
                        return time.monotonic() - self.started
            except ConnectionRefusedError:
                self.still_alive()
                time.sleep(0.0001)

    def rates(self, wall_s, cpu):
        return {
            "wall_s": round(wall_s, 3),
            "events_per_s": round(self.events / wall_s),
            "cpu_s": round(cpu, 3),
            "cpu_s_per_million": round(cpu / self.events * 1e6, 4),
        }

    def still_alive(self):
        if not self.child.alive():
            raise BenchError(f"the agent ended early with status {self.child.status()}: {self.dir}/agent.log")

    def wait(self, condition, what):
        if not wait_until(lambda: not self.child.alive() or condition(), 120, poll_s=0.001):
            raise BenchError(f"waited in vain until the agent {what}: {self.dir}/agent.log")
        self.still_alive()


def start_times_ms(command, runs, data):
    """Start time alone, many times: it is short and scatters."""
    times = []
    for _ in range(runs):
        bench = Bench("S0", command, 0, data)
        times.append(bench.run(lambda b=bench: {"start_ms": b.first_ok_s() * 1e3})["start_ms"])
    return times


def cat_cpu_s(data, events):
    """CPU seconds of `cat FILE | cat > out`: what the kernel takes to move these bytes through a pipe."""
    path = lines_file(data, events)
    with tempfile.NamedTemporaryFile(prefix="flumen-bench.cat.") as out:
        first = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
        second = subprocess.Popen(["cat"], stdin=first.stdout, stdout=out)
        first.stdout.close()
        used = [os.wait4(p.pid, 0)[2] for p in (first, second)]
        first.returncode = second.returncode = 0
    return sum(u.ru_utime + u.ru_stime for u in used)


def lines_file(data, events):
    """Numbered lines of LINE_BYTES with the line end, made once and read into the page cache."""
    path = data / f"lines-{events}.txt"
    if not path.exists():
        data.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        filler = "x" * (LINE_BYTES - 21)
        with open(part, "w") as f:
            for first in range(0, events, 10_000):
                numbers = range(first, min(first + 10_000, events))
                f.write("".join(f"{n:010d} user=bob {filler}\n" for n in numbers))
        part.rename(path)
    with open(path, "rb") as f:
        while f.read(1 << 24):
            pass
    return path
