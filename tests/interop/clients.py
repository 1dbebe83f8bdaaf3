"""Programs that send: Flume's RPC clients out of both SDKs, its avro-client, Flume 0.9's events, and Flumen's own client
against both Flumes.

Flumen's part is three agents: one with a source for each transport, and two with file channels (`Twins`) that a client
with several hosts sends to.
"""

import subprocess

from agents import FLUME, HERE, VERSIONS, Agent, Config, Failure, environment
from harness import net
from harness.process import wait_until
from ledger import Arrivals, lines
from matrix import FILES, Station
from transports import TRANSPORTS

EVENTS = 500
KILLED_EVENTS = 40_000
ARRIVE_S = 90
CLIENT_S = 150


class Twins:
    """Two agents with an avro source and a file channel each."""

    def __init__(self, kind, work, command):
        self.ports = [net.free_port(), net.free_port()]
        self.agents, self.arrivals = [], []
        for i, port in enumerate(self.ports):
            folder = work / f"twin{i}"
            out = folder / "out"
            out.mkdir(parents=True)
            config = Config()
            config.source("r", "c", type="avro", bind="127.0.0.1", port=port)
            config.channel("c", type="file", checkpointDir=folder / "check", dataDirs=folder / "data", capacity=200_000)
            config.sink("k", "c", **FILES, **{"sink.directory": out})
            self.agents.append(Agent(kind, folder, config, command).start())
            self.arrivals.append(Arrivals(out))

    def wait_ports(self):
        for agent, port in zip(self.agents, self.ports):
            agent.wait_ports([port])

    def counts(self, sender):
        return [a.read().count(sender) for a in self.arrivals]

    def together(self, sender, count, twice=False):
        """Waits until all events are at one or the other; what is wrong then."""
        whole = Arrivals(None)

        def complete():
            for a in self.arrivals:
                a.read()
            whole.seen = {sender: sum((a.seen.get(sender, whole.none) for a in self.arrivals), whole.none)}
            return whole.count(sender) >= count

        wait_until(complete, ARRIVE_S, poll_s=0.2)
        return whole.problems(sender, count, twice), sum(whole.seen[sender].values()) - whole.count(sender)


class Clients:
    """Sends with all clients and reports on each."""

    def __init__(self, matrix, work, flumen, flume_only):
        self.matrix, self.work, self.stores = matrix, work, matrix.stores
        self.kind = "1.11.0" if flume_only else "flumen"
        self.command = [str(FLUME)] if flume_only else [flumen]
        self.station: Station = matrix.stations[self.kind]
        self.flumen = None if flume_only else flumen

    def run(self, report):
        twins = Twins(self.kind, self.work / "twins", self.command)
        twins.wait_ports()
        for version in VERSIONS:
            sdk = Sdk(version)
            self._transports(sdk, report)
            self._two_hosts(sdk, twins, report)
            self._killed_host(sdk, twins, report)
            sdk.close()
            self._avro_client(version, report)
        self._log4j_appender(report)
        for agent in twins.agents:
            agent.stop()
        if self.flumen:
            self._own_avro_client(report)
            self._legacy(report)

    def _transports(self, sdk, report):
        for t in TRANSPORTS:
            if t.deflate and t.store and self.kind not in ("flumen", sdk.version):
                continue
            kind = "thrift" if t.protocol == "thrift" else "default"
            hosts = {"client.type": kind, "hosts": "h1", "hosts.h1": f"localhost:{self.station.ports[t.name]}"}
            sender = f"sdk_{sdk.version}_{t.name}".replace(".", "_")
            problems = sdk.send(sender, EVENTS, {**hosts, **t.client(self.stores)})
            report(sender, problems or self._arrived(self.station, t.name, sender))

    def _two_hosts(self, sdk, twins, report):
        both = [f"127.0.0.1:{p}" for p in twins.ports]
        dead = f"127.0.0.1:{net.free_port()}"
        cases = {
            "failover_from_a_dead_host": ({"client.type": "default_failover", "max-attempts": 2}, [dead, both[1]], False),
            "load_balance_round_robin": ({"client.type": "default_loadbalance", "host-selector": "round_robin"}, both, True),
            "load_balance_random_past_a_dead_host": (
                {"client.type": "default_loadbalance", "host-selector": "random", "backoff": "true"}, [*both, dead], True),
        }
        for name, (properties, hosts, spread) in cases.items():
            sender = f"sdk_{sdk.version}_{name}".replace(".", "_")
            problems = sdk.send(sender, EVENTS, {**properties, **named(hosts)})
            problems = problems or twins.together(sender, EVENTS)[0]
            counts = twins.counts(sender)
            if spread and not all(counts):
                problems.append("one of the two got nothing")
            report(sender, problems, f"{counts[0]} and {counts[1]} events")

    def _killed_host(self, sdk, twins, report):
        """The first host is killed while the client sends to it, and comes back afterwards."""
        sender = f"sdk_{sdk.version}_failover_from_a_killed_host".replace(".", "_")
        hosts = named(f"127.0.0.1:{p}" for p in twins.ports)
        sdk.begin(sender, KILLED_EVENTS, {"client.type": "default_failover", "max-attempts": 2, **hosts})
        wait_until(lambda: twins.counts(sender)[0] > EVENTS or not sdk.alive(), CLIENT_S)
        twins.agents[0].kill()
        problems = sdk.end(sender, KILLED_EVENTS)
        twins.agents[0].start()
        twins.wait_ports()
        if not problems:
            problems, twice = twins.together(sender, KILLED_EVENTS, twice=True)
            counts = twins.counts(sender)
            if not counts[1]:
                problems.append("all was sent before the kill")
            report(sender, problems, f"{counts[0]} and {counts[1]} events, {twice} twice")
        else:
            report(sender, problems)

    def _avro_client(self, version, report):
        sender = f"avro_client_{version}".replace(".", "_")
        port = self.station.ports["plain"]
        arguments = ["-H", "localhost", "-p", port, *self._files(sender)]
        problems = run_client([str(FLUME), "avro-client", *arguments], version, self.work / f"{sender}.log")
        report(sender, problems or self._arrived(self.station, "plain", sender))

    def _log4j_appender(self, report):
        """A program that logs with Log4j 1 through Flume's appender."""
        sender, version = "log4j_appender_1_9_0", "1.9.0"
        port = self.station.ports["plain"]
        program = [str(FLUME), "java", str(HERE / "Log4j.java"), sender, EVENTS, port]
        problems = run_client(program, version, self.work / f"{sender}.log")
        report(sender, problems or self._arrived(self.station, "plain", sender))

    def _legacy(self, report):
        """Flume's own classes for the events of Flume 0.9. (Flume itself does not keep their fields.)"""
        port, out = net.free_port(), self.work / "legacy" / "out"
        out.mkdir(parents=True)
        config = Config()
        config.source("r", "c", type="org.apache.flume.source.avroLegacy.AvroLegacySource", host="127.0.0.1", port=port)
        config.channel("c", type="memory", capacity=10_000)
        config.sink("k", "c", **FILES, **{"sink.directory": out})
        agent = Agent(self.kind, out.parent, config, self.command).start()
        agent.wait_ports([port])
        arrivals = Arrivals(out)
        for how in ("known", "stranger"):
            sender = f"flume_0_9_avro_{how}"
            program = [str(FLUME), "java", str(HERE / "Legacy.java"), sender, EVENTS, port, how]
            problems = run_client(program, "1.11.0", self.work / f"{sender}.log")
            report(sender, problems or self._all_of(arrivals, sender))
        agent.stop()

    def _own_avro_client(self, report):
        for version in VERSIONS:
            station = self.matrix.stations[version]
            for t in TRANSPORTS:
                sender = f"flumen_avro_client_{t.name}_{version}".replace(".", "_")
                arguments = self._files(sender)
                properties = {k: v for k, v in t.sink(self.stores, version).items() if k != "type"}
                if not properties:
                    arguments += ["-H", "localhost", "-p", station.ports[t.name]]
                else:
                    # As in Flume, the properties name the hosts too.
                    properties |= named([f"localhost:{station.ports[t.name]}"])
                    properties["client.type"] = "thrift" if t.protocol == "thrift" else "default"
                    path = self.work / f"{sender}.properties"
                    path.write_text("".join(f"{k} = {v}\n" for k, v in properties.items()))
                    arguments += ["-P", path]
                log = self.work / f"{sender}.log"
                problems = run_client([self.flumen, "avro-client", *arguments], "flumen", log)
                report(sender, problems or self._arrived(station, t.name, sender))

    def _files(self, sender):
        data, headers = self.work / f"{sender}.txt", self.work / f"{sender}.headers"
        data.write_text(lines(sender, EVENTS))
        headers.write_text(f"from = {sender}\n")
        return ["-F", data, "-R", headers]

    def _arrived(self, station, transport, sender):
        return self._all_of(station.arrivals[transport], sender)

    @staticmethod
    def _all_of(arrivals, sender):
        wait_until(lambda: arrivals.read().count(sender) >= EVENTS, ARRIVE_S, poll_s=0.1)
        return arrivals.problems(sender, EVENTS)


def named(hosts):
    hosts = list(hosts)
    names = [f"h{i}" for i in range(len(hosts))]
    return {"hosts": ",".join(names), **{f"hosts.{n}": h for n, h in zip(names, hosts)}}


def run_client(command, kind, log):
    with open(log, "wb") as out:
        try:
            status = subprocess.call([*map(str, command)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment(kind), timeout=CLIENT_S)
        except subprocess.TimeoutExpired:
            return [f"did not end within {CLIENT_S} s: {log}"]
    return [f"ended with status {status}: {log}"] if status else []


class Sdk:
    """Clients.java with the SDK of one version: one JVM for all jobs."""

    def __init__(self, version):
        self.version = version
        program = str(HERE / "Clients.java")
        env = environment(version) | {"FLUME_LOG_LEVEL": "ERROR"}
        self.process = subprocess.Popen([str(FLUME), "java", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def send(self, name, count, properties):
        """What went wrong."""
        self.begin(name, count, properties)
        return self.end(name, count)

    def begin(self, name, count, properties):
        words = [name, str(count), *(f"{k}={v}" for k, v in properties.items())]
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def end(self, name, count):
        # Flume's log goes to the same place.
        for line in self.process.stdout:
            if line.startswith(f"{name} acknowledged {count},"):
                return []
            if line.startswith(f"{name} failed"):
                return [line.strip()]
        raise Failure(f"the clients of {self.version} ended early")

    def alive(self):
        return self.process.poll() is None

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)
