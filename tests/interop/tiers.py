"""Three tiers with file channels, each killed again and again while numbered events go through.

    AvroClient ──▶ flumen ──▶ Flume ──▶ flumen ──▶ files       (with --flume-only: three Flumes)

The ledger is outside of all agents: what the client got acknowledged, and what the files hold at the end. An event that
was acknowledged and did not arrive is a failure. Kills make duplicates: a batch whose answer was lost is sent again.
"""

import random
import threading
import time

from agents import FLUME, Agent, Config
from harness import net
from harness.avro_rpc import AvroClient
from harness.process import wait_until

EVENTS, NIGHTLY_EVENTS = 100_000, 1_000_000
KILLS, NIGHTLY_KILLS = {"flumen": 3, "flume": 2}, {"flumen": 15, "flume": 8}
BATCH_MAX = 1000
CLIENTS = 3
BODY_BYTES = 100
STALL_S = 90
TIER_NAMES = ["first", "second", "third"]


class Tiers:
    """The agents, the clients, the killer and the account."""

    def __init__(self, work, version, o):
        self.work = work
        self.events = NIGHTLY_EVENTS if o.nightly else EVENTS
        self.random = random.Random(o.seed)
        self.seed = o.seed
        self.ports = [net.free_port() for _ in TIER_NAMES]
        self.out = work / "out"
        self.out.mkdir(parents=True)
        kinds = [version] * 3 if o.flume_only else ["flumen", version, "flumen"]
        self.agents = [self._agent(i, kind, o.agent) for i, kind in enumerate(kinds)]
        kills = NIGHTLY_KILLS if o.nightly else KILLS
        self.kills = [kills["flumen" if k == "flumen" else "flume"] for k in kinds]
        self.acknowledged = bytearray(self.events)
        self.next = 0
        self.lock = threading.Lock()
        self.resent = 0
        self.seen = bytearray(self.events)  # How often, up to 255.
        self.bad = []
        self.offsets = {}

    def _agent(self, tier, kind, flumen):
        folder = self.work / TIER_NAMES[tier]
        config = Config()
        config.source("r", "c", type="avro", bind="127.0.0.1", port=self.ports[tier])
        sizes = {"capacity": self.events + 100_000, "transactionCapacity": 10_000}
        config.channel("c", type="file", checkpointDir=folder / "checkpoint", dataDirs=folder / "data", **sizes)
        if tier == 2:
            roll = {"sink.rollInterval": 0, "sink.directory": self.out, "sink.batchSize": 500}
            config.sink("k", "c", type="file_roll", **roll)
        else:
            config.sink("k", "c", type="avro", hostname="127.0.0.1", port=self.ports[tier + 1], **{"batch-size": 500})
        return Agent(kind, folder, config, [flumen] if kind == "flumen" else [str(FLUME)])

    def run(self, report):
        started = time.monotonic()
        for agent, port in zip(self.agents, self.ports):
            agent.start()
        for agent, port in zip(self.agents, self.ports):
            agent.wait_ports([port])
        clients = [threading.Thread(target=self._send, daemon=True) for _ in range(CLIENTS)]
        for c in clients:
            c.start()
        done = self._kill_until_all_arrived()
        problems = self._problems(done)
        for agent in self.agents:
            agent.stop()
        took = time.monotonic() - started
        path = " → ".join(a.kind for a in self.agents)
        twice = sum(n - 1 for n in self.seen if n)
        note = f"{path}, {sum(done)} of {sum(self.kills)} kills, {self.resent} sent again, {twice} arrived twice, {took:.0f} s, seed {self.seed}"
        report(f"tiers: {self.events:,} acknowledged events survive kill -9 of every tier", problems, note)

    # ---- the clients ----

    def _send(self):
        client = None
        while numbers := self._take_numbers():
            bodies = [body(n) for n in numbers]
            while True:
                sent = False
                try:
                    client = client or AvroClient(self.ports[0])
                    sent = True
                    if client.append_batch(bodies):
                        break
                except OSError:
                    client = None
                    time.sleep(0.05)  # The agent is dead or starts; a client waits as well.
                if sent:
                    with self.lock:
                        self.resent += len(bodies)
            for n in numbers:
                self.acknowledged[n] = 1

    def _take_numbers(self):
        with self.lock:
            first = self.next
            self.next = min(self.events, first + self.random.randint(1, BATCH_MAX))
        return range(first, self.next)

    # ---- the killer ----

    def _kill_until_all_arrived(self):
        """Kills when a random share of the events has been acknowledged (first tier) or has arrived (the others)."""
        plan = sorted((self.random.uniform(0.02, 0.95), tier) for tier, n in enumerate(self.kills) for _ in range(n))
        done = [0, 0, 0]
        grown, last = time.monotonic(), None
        while time.monotonic() - grown < STALL_S:
            arrived = self._read()
            state = (sum(self.acknowledged), arrived)
            if state != last:
                grown, last = time.monotonic(), state
            if arrived == self.events and state[0] == self.events:
                break
            for share, tier in plan:
                if state[0 if tier == 0 else 1] >= share * self.events:
                    plan.remove((share, tier))
                    self.agents[tier].kill()
                    self.agents[tier].start()
                    done[tier] += 1
                    break
            time.sleep(self.random.uniform(0.01, 0.1))
        return done

    # ---- the account ----

    def _read(self):
        """Reads what the files got; the number of different events that have arrived."""
        for path in self.out.iterdir():
            with open(path, "rb") as f:
                f.seek(self.offsets.get(path, 0))
                data = f.read()
            end = data.rfind(b"\n") + 1
            self.offsets[path] = self.offsets.get(path, 0) + end
            for line in data[:end].splitlines():
                self._line(line)
        return self.events - self.seen.count(0)

    def _line(self, line):
        number = int(line[:10]) if line[:10].isdigit() else -1
        if not 0 <= number < self.events or line != body(number):
            self.bad.append(line[:150])
        elif self.seen[number] < 255:
            self.seen[number] += 1

    def _problems(self, done):
        found = []
        lost = [n for n in range(self.events) if self.acknowledged[n] and not self.seen[n]]
        if lost:
            found.append(f"{len(lost)} ACKNOWLEDGED EVENTS ARE LOST, the first {lost[0]}, the last {lost[-1]}")
        if missing := self.events - sum(self.acknowledged):
            found.append(f"{missing} were never acknowledged")
        if self.bad:
            found.append(f"{len(self.bad)} lines are not ours, the first {self.bad[0]!r}")
        if done != self.kills:
            found.append(f"killed {done} times, not {self.kills}")
        return found


def body(number):
    head = b"%010d " % number
    return head + b"abcdefghij"[number % 10:number % 10 + 1] * (BODY_BYTES - len(head))
