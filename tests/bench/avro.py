"""The scenarios of the avro source and sink; avroload.c is both ends of all of them.

    S5-100   avro -> memory -> null   batches of 100, 4 connections
    S5-1000  the same                 batches of 1000
    S5hop    avro -> memory -> avro   batches of 1000 on both sides
    S5-conns  avro -> memory -> null   batches of 10 over 1000 connections: memory, fairness

Bodies of 200 bytes and one header, `host`, in each event. A connection has one batch under way, as Flume's own clients.
CPU counts from the first batch that is sent to an agent which has gone quiet after its start.
"""

import subprocess

from errors import BenchError
from harness.process import cpu_s
from tools import tool

AVRO_EVENTS = {"S5-100": 3_000_000, "S5-1000": 5_000_000, "S5hop": 3_000_000, "S5-conns": 3_000_000}
BODY_BYTES = 200
CONNECTIONS = 4
MANY = 1000


class AvroScenarios:
    """A part of `Bench`."""

    def s5_100(self):
        return self.sent(batch=100, connections=CONNECTIONS)

    def s5_1000(self):
        return self.sent(batch=1000, connections=CONNECTIONS)

    def s5_conns(self):
        return self.sent(batch=10, connections=MANY)

    def s5hop(self):
        drain = self.tool("drain", self.port2, self.events)
        try:
            said(drain, "listens")
            idle = self.idle_after_start()
            before = cpu_s(self.child.pid)
            load = self.load(batch=1000, connections=CONNECTIONS)
            said(drain, "half")
            half = cpu_s(self.child.pid)
            self.loaded(load)
            said(drain, "done")
            idle.touch()
            self.wait(lambda: idle.quiet_s() > 0.3, "is idle after its load")
            return self.cpu_figures(before, half)
        finally:
            drain.kill()
            drain.wait()

    def sent(self, batch, connections):
        """Sends all events and waits until the agent rests again."""
        idle = self.idle_after_start()
        before = cpu_s(self.child.pid)
        load = self.load(batch, connections)
        said(load, "half")
        half = cpu_s(self.child.pid)
        wall_s, least, most = self.loaded(load)
        idle.touch()
        self.wait(lambda: idle.quiet_s() > 0.3, "is idle after its load")
        figures = {"events_per_s": round(self.events / wall_s), **self.cpu_figures(before, half)}
        if connections == MANY:
            figures["fairness_pct"] = round(least / most * 100, 1)
        return figures

    def load(self, batch, connections):
        return self.tool("send", self.port, self.events, BODY_BYTES, batch, connections)

    def tool(self, *arguments):
        command = [tool("avroload", self.data), *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def loaded(self, load):
        """The seconds that all took, and the events of the connection with the fewest and of that with the most."""
        out, _ = load.communicate()
        fields = out.strip().rsplit("\n", 1)[-1].split()
        if load.returncode or int(fields[1]) < self.events or int(fields[2]):
            raise BenchError(f"not all was acknowledged: {out.strip() or 'no answer'}: {self.dir}/agent.log")
        return float(fields[0]), int(fields[3]), int(fields[4])

    def cpu_figures(self, before, half):
        end = cpu_s(self.child.pid)
        return {
            "cpu_s": round(end - before, 3),
            "cpu_s_per_million": round((end - before) / self.events * 1e6, 4),
            # Without the warm-up of a JVM.
            "half2_cpu_s_per_million": round((end - half) / self.events * 2e6, 4),
        }


def said(process, word):
    """Waits for a line of a tool."""
    line = process.stdout.readline().strip()
    if line != word:
        process.kill()
        raise BenchError(f"avroload said `{line}` and not `{word}`")
