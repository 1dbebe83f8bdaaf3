"""One conformance case: reads its folder, runs an agent through it, collects what came out.

A case is a folder in cases/:
    conf            the agent's configuration; @PORT@ @PORT2@ @PORT3@ @DIR@ @CASE@ are filled in
    input.txt       what is sent (optional)
    case.py         settings and steps that differ from the defaults (optional, see `Case`)
    expected/       what Apache Flume 1.11 gives, recorded by `run --record`
    expected.flumen/  what Flumen gives where it differs on purpose (listed in differences.tsv)

What is collected, all compared byte by byte:
    <sink>.txt      the files of @DIR@/out/<sink>/ in the order of their names
    logger.txt      the events that the logger sink printed
    reply.txt ...   what the clients of the case got back
    status.txt      with STATUS: whether the agent is still alive, else its exit status
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

from harness import net
from harness.process import Child, Idle, wait_until

READY_S = 60  # A Flume on a busy machine needs up to 10 s to listen.
STOP_S = 30
DRIVE_S = 60
SETTLE_S = 60  # A sink that retries for ever is never idle.
LOGGER_EVENT = re.compile(rb"Event: \{ headers:.*(?:\n[0-9A-F]{8} .*)*")


class CaseError(Exception):
    """The case could not be carried through; the text says at which step."""


class Case:
    """The files of a case and the settings of its case.py."""

    def __init__(self, folder):
        self.name = folder.name
        self.folder = folder
        names = {"__doc__": None}
        script = folder / "case.py"
        if script.exists():
            exec(compile(script.read_text(), str(script), "exec"), names)  # noqa: S102 (our own file)
        # tcp, udp: wait until @PORT@ listens before driving; none: drive at once.
        self.ready = names.get("READY", "tcp")
        self.agent_name = names.get("AGENT_NAME", "a1")
        # The agent's state at the end is part of the result: it may end, or must stay.
        self.status = names.get("STATUS", False)
        # Collected files whose lines come in no fixed order.
        self.sort = names.get("SORT", [])
        # (pattern, replacement) pairs for what differs in each run: times, random ids, addresses.
        self.normalise = [(re.compile(p.encode()), r.encode()) for p, r in names.get("NORMALISE", [])]
        # Steps: before the start, the client's part, and changes of the collected files.
        self.prepare = names.get("prepare", lambda run: None)
        self.drive = names.get("drive", drive_default)
        self.collect = names.get("collect", lambda run, files: None)

    def expected(self, which="expected"):
        """name -> bytes of expected/, or None when it was never recorded."""
        folder = self.folder / which
        return {p.name: p.read_bytes() for p in folder.iterdir()} if folder.is_dir() else None


def drive_default(run):
    """Sends input.txt to @PORT@ in one go and keeps the replies."""
    if run.case.ready == "tcp":
        run.send(run.input)


class Run:
    """One run of a case. The public methods and fields are what a case.py may use."""

    def __init__(self, case, agent, avro_client):
        self.case = case
        self.agent = agent
        self.avro_client = avro_client
        self.port, self.port2, self.port3 = (net.free_port() for _ in range(3))
        self.work = Path(tempfile.mkdtemp(prefix=f"flumen-case.{case.name}."))
        self.dir = self.work / "d"
        self.conf = self.work / "agent.conf"
        self.log = self.work / "agent.log"
        self.files = {}  # What the clients of the case got: name -> bytes.
        self.child = None
        self.expected_end = case.status
        self.resources = contextlib.ExitStack()
        path = case.folder / "input.txt"
        self.input = path.read_bytes() if path.exists() else b""

    # ---- for case.py ----

    def send(self, data, name="reply", port=None):
        """Netcat client: sends, waits for the agent to close, keeps the replies as <name>.txt."""
        self.keep(name, net.tcp_exchange(port or self.port, data))

    def send_lines_udp(self, data):
        """One datagram per line, its line end included."""
        net.udp_send(self.port, [line + b"\n" for line in data.split(b"\n") if line])

    def post(self, body, content_type="application/json"):
        """HTTP client: the statuses of all posts come to reply.txt, one a line."""
        status, _ = net.http_post(self.port, body, content_type)
        self.keep("reply", self.files.get("reply.txt", b"") + b"%d\n" % status)

    def keep(self, name, data):
        self.files[f"{name}.txt"] = data

    def output(self, sink):
        """What the sink wrote so far."""
        files = [p for p in (self.dir / "out" / sink).rglob("*") if p.is_file() and not p.name.startswith(".")]
        return b"".join(p.read_bytes() for p in sorted(files, key=natural_order))

    def wait(self, what, condition):
        """Waits for a condition of the case; `what` completes the sentence 'waited in vain until'."""
        if not wait_until(lambda: not self.child.alive() or condition(), DRIVE_S) or not condition():
            raise CaseError(f"waited in vain until {what}")

    def wait_output(self, sink, lines):
        """Waits until the sink has written that many lines."""
        self.wait(f"{sink} has {lines} lines", lambda: self.output(sink).count(b"\n") >= lines)

    def wait_listen(self, port, kind="tcp"):
        self.wait(f"port {port} listens", lambda: net.listening(kind, port))

    def hold_port(self, port):
        """Occupies a port; close() of the result frees it."""
        s = self.resources.enter_context(socket.socket())
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen()
        return s

    def kill(self):
        """kill -9: what the agent has not made safe is lost."""
        self.child.stop(signal.SIGKILL)

    def start(self):
        """Starts the agent (again) and waits as READY says."""
        # A JVM or a shell may set other zones and languages; the expected files know only these.
        env = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC", JCASE="1")
        command = [*self.agent, "agent", "-n", self.case.agent_name, "-f", str(self.conf)]
        self.child = Child(command, self.log, cwd=self.work, env=env)
        if self.case.ready != "none":
            up = lambda: not self.child.alive() or net.listening(self.case.ready, self.port)  # noqa: E731
            if not wait_until(up, READY_S):
                raise CaseError(f"port {self.port} does not listen after {READY_S} s")

    # ---- for the runner ----

    def execute(self, expected, idle_needed_s, idle_max_s):
        """Prepares, starts, drives, waits for the result, stops. Returns the collected files.

        expected: what to wait for, or None to wait until the agent has been idle for `idle_max_s`.
        idle_needed_s: how long an agent must be idle to count as staying alive, or as giving nothing.
        """
        try:
            self._prepare()
            self.start()
            self.case.drive(self)
            self._settle(expected, idle_needed_s, idle_max_s)
            self._note_status()
            if not self.child.stop(timeout_s=STOP_S):
                raise CaseError(f"the agent does not end within {STOP_S} s after SIGTERM")
            return self._collect()
        finally:
            if self.child:
                self.child.kill()
            self.resources.close()

    def _prepare(self):
        (self.dir / "in").mkdir(parents=True)
        text = (self.case.folder / "conf").read_text()
        for mark, value in self._marks():
            text = text.replace(mark, value)
        self.conf.write_text(text)
        # Sinks write to @DIR@/out/<sink>, which Flume wants to exist; other folders are the case's affair.
        for sink in re.findall(re.escape(f"{self.dir}/out/") + r"([\w.-]+)", text):
            (self.dir / "out" / sink).mkdir(parents=True, exist_ok=True)
        self.case.prepare(self)

    def _marks(self):
        ports = [("@PORT@", str(self.port)), ("@PORT2@", str(self.port2)), ("@PORT3@", str(self.port3))]
        return [*ports, ("@DIR@", str(self.dir)), ("@CASE@", str(self.case.folder))]

    def _settle(self, expected, idle_needed_s, idle_max_s):
        idle = Idle(self.child.pid)
        # "Stays alive" and "nothing comes out" hold from the first moment; they count once the agent rests.
        if not self.case.status and expected is not None and any(expected.values()):
            idle_needed_s = 0
        seen = None
        end = time.monotonic() + SETTLE_S
        while self.child.alive() and time.monotonic() < end:
            files = self._collect()
            state = (files, self.log.stat().st_size)
            if state != seen:
                seen = state
                idle.touch()
            quiet_s = idle.quiet_s()
            if expected is not None and quiet_s >= idle_needed_s:
                if files == {k: v for k, v in expected.items() if k != "status.txt"}:
                    return
            if quiet_s > idle_max_s:
                return
            time.sleep(0.03)

    def _note_status(self):
        status = self.child.status()
        if self.case.status:
            text = "yes" if status is None else f"no, exit status {status}"
            self.keep("status", f"alive after start: {text}\n".encode())
        elif status is not None:
            raise CaseError(f"the agent ended early with status {status}")

    def _collect(self):
        files = dict(self.files)
        out = self.dir / "out"
        for sink in sorted(p.name for p in out.iterdir()) if out.is_dir() else []:
            files[f"{sink}.txt"] = self.output(sink)
        events = LOGGER_EVENT.findall(self.log.read_bytes())
        if events:
            files["logger.txt"] = b"\n".join(events) + b"\n"
        self.case.collect(self, files)
        for name in files:
            files[name] = self._normalised(name, files[name])
        return files

    def _normalised(self, name, data):
        if name.removesuffix(".txt") in self.case.sort:
            data = b"".join(sorted(data.splitlines(keepends=True)))
        for pattern, replacement in self.case.normalise:
            data = pattern.sub(replacement, data)
        for mark, value in self._marks():
            border = r"\b" if value.isdigit() else ""
            data = re.sub((border + re.escape(value) + border).encode(), mark.encode(), data)
        return data

    def clean(self):
        shutil.rmtree(self.work, ignore_errors=True)


def natural_order(path):
    """1700000000000-10 comes after 1700000000000-9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def listing(folder, pattern="*"):
    """The files below a folder as `find . -type f | sort` prints them."""
    names = sorted(f"./{p.relative_to(folder)}" for p in folder.rglob(pattern) if p.is_file())
    return "".join(n + "\n" for n in names).encode()


def agent_command(text):
    """Splits --agent; a path in it is made absolute, as each case runs in its own folder."""
    if not text:
        return []
    first, *rest = shlex.split(text)
    if "/" in first:
        first = str(Path(first).resolve())
    return [first, *rest]
