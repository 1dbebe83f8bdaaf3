"""Agents of both kinds: their configurations, their processes."""

import os
from pathlib import Path

from harness import net
from harness.process import Child, wait_until

HERE = Path(__file__).resolve().parent
FLUME = HERE.parent / "bench/flume/flume-ng"
VERSIONS = ["1.9.0", "1.11.0"]
READY_S = 90  # A JVM with many components on a machine that is busy.


class Failure(Exception):
    """The test cannot be carried through; the text says at which step."""


class Config:
    """The properties of one agent `a1`."""

    def __init__(self):
        self.names = {"sources": [], "channels": [], "sinks": []}
        self.lines = []

    def source(self, name, channel, **options):
        self._add("sources", name, {**options, "channels": channel})

    def channel(self, name, **options):
        self._add("channels", name, options)

    def sink(self, name, channel, **options):
        self._add("sinks", name, {**options, "channel": channel})

    def _add(self, kind, name, options):
        self.names[kind].append(name)
        self.lines += [f"a1.{kind}.{name}.{k} = {v}" for k, v in options.items()]

    def text(self):
        lists = [f"a1.{kind} = {' '.join(names)}" for kind, names in self.names.items()]
        return "".join(line + "\n" for line in [*lists, *self.lines])


class Agent:
    """One process with one agent. `kind` is a version of Flume, or `flumen`."""

    def __init__(self, kind, folder, config, command):
        self.kind, self.command = kind, command
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.conf, self.log = folder / "agent.conf", folder / "agent.log"
        self.conf.write_text(config.text())
        self.child = None

    def start(self):
        self.child = Child([*self.command, "agent", "-n", "a1", "-f", str(self.conf)], self.log, self.folder, environment(self.kind))
        return self

    def wait_ports(self, ports):
        """Waits until the agent listens at all of them."""
        missing = lambda: [p for p in ports if not net.listening("tcp", p)]  # noqa: E731
        if not wait_until(lambda: not self.child.alive() or not missing(), READY_S, poll_s=0.1) or missing():
            raise Failure(f"{self.kind} does not listen at {missing()}: {self.log}")

    def kill(self):
        self.child.kill()

    def stop(self):
        if self.kind != "flumen":
            self.kill()  # Flume takes its time, and how it ends is not what is tested.
        elif not self.child.stop():
            raise Failure(f"{self.kind} does not end after SIGTERM: {self.log}")


def environment(kind):
    # A JVM or a shell may set other zones and languages.
    env = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC", FLUME_XMX="512m")
    if kind != "flumen":
        # Short runs: the compiler that is done at once, and one thread of the collector.
        env |= {"FLUME_VERSION": kind, "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    return env
