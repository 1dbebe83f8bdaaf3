"""Every transport in every direction between Flumen and both versions of Flume, at once.

One process for each version of Flume and two of Flumen: each has a source for each transport (`receives`), and an exec
source with a sink for each transport and peer (`sends`). Nothing fails on the way, so each event has to arrive once.
"""

from agents import FLUME, VERSIONS, Agent, Config, Failure
from harness import net
from harness.process import wait_until
from ledger import Arrivals, lines
from transports import TRANSPORTS

EVENTS = 2000
ARRIVE_S = 120
CHANNEL = {"type": "memory", "capacity": 100000, "transactionCapacity": 10000, "keep-alive": 10}
EXEC = {"type": "exec", "batchSize": 200, "interceptors": "from n", "interceptors.from.type": "static",
        "interceptors.from.key": "from", "interceptors.n.type": "regex_extractor",
        "interceptors.n.regex": r"^(\\d+)", "interceptors.n.serializers": "s", "interceptors.n.serializers.s.name": "n"}
FILES = {"type": "file_roll", "sink.rollInterval": 0, "sink.serializer": "HEADER_AND_TEXT"}


class Station:
    """What one agent receives: a port for each transport, a folder of files for each."""

    def __init__(self, kind, work):
        self.kind, self.folder = kind, work / f"receives-{kind}"
        self.ports = {t.name: net.free_port() for t in TRANSPORTS}
        self.arrivals = {}
        for t in TRANSPORTS:
            folder = self.folder / t.name
            folder.mkdir(parents=True)
            self.arrivals[t.name] = Arrivals(folder)

    def configure(self, config, stores):
        for t in TRANSPORTS:
            source = {"bind": "127.0.0.1", "port": self.ports[t.name], **t.source(stores)}
            config.source(f"r_{t.name}", f"cr_{t.name}", **source)
            config.channel(f"cr_{t.name}", **CHANNEL)
            config.sink(f"kr_{t.name}", f"cr_{t.name}", **FILES, **{"sink.directory": self.folder / t.name})


class Matrix:
    """The processes, and what has to arrive where."""

    def __init__(self, work, stores, flumen, flume_only):
        self.work, self.stores = work, stores
        kinds = VERSIONS if flume_only else [*VERSIONS, "flumen"]
        self.stations = {k: Station(k, work) for k in kinds}
        self.sent = []  # (sender, station, transport)
        self.agents = {}
        for kind in kinds:
            config = Config()
            self.stations[kind].configure(config, stores)
            for peer in kinds:
                # Flume has no way to talk to the other version with both TLS and compression.
                if peer == "flumen" or kind == "flumen" or flume_only:
                    self._sends(config, kind, peer)
            command = [flumen] if kind == "flumen" else [str(FLUME)]
            self.agents[kind] = Agent(kind, work / kind, config, command)

    def _sends(self, config, kind, peer):
        for t in TRANSPORTS:
            if not (t.deflate and t.store):
                self._sends_by(config, kind, peer, t)
            elif kind == peer == "flumen":
                self._sends_by(config, kind, peer, t)
                self._sends_by(config, kind, peer, t, order="1.11.0")
            elif "flumen" in (kind, peer) or kind == peer:
                self._sends_by(config, kind, peer, t)

    def _sends_by(self, config, kind, peer, t, order=None):
        sender = f"{kind}/{t.name}{'_as_' + order if order else ''}/{peer}".replace(".", "_")
        name = sender.replace("/", "_")
        path = self.work / f"{name}.txt"
        path.write_text(lines(sender, EVENTS))
        config.source(f"s_{name}", f"cs_{name}", command=f"cat {path}", **EXEC, **{"interceptors.from.value": sender})
        config.channel(f"cs_{name}", **CHANNEL)
        port = self.stations[peer].ports[t.name]
        config.sink(f"ks_{name}", f"cs_{name}", hostname="localhost", port=port, **t.sink(self.stores, order or peer))
        self.sent.append((sender, peer, t.name))

    def start(self):
        for agent in self.agents.values():
            agent.start()
        for kind, agent in self.agents.items():
            agent.wait_ports(self.stations[kind].ports.values())

    def run(self, report):
        wait_until(self._complete, ARRIVE_S, poll_s=0.25)
        for sender, peer, transport in self.sent:
            report(sender, self.stations[peer].arrivals[transport].problems(sender, EVENTS))

    def _complete(self):
        for agent in self.agents.values():
            if not agent.child.alive():
                raise Failure(f"{agent.kind} ended early: {agent.log}")
        for station in self.stations.values():
            for arrivals in station.arrivals.values():
                arrivals.read()
        return all(self.stations[peer].arrivals[t].count(sender) >= EVENTS for sender, peer, t in self.sent)

    def stop(self):
        for agent in self.agents.values():
            agent.stop()
