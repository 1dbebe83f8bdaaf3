"""Reads what a running process costs and does, from /proc. Linux only, no packages needed.

`busy_ns` counts time on a CPU *and* time waiting for one. On a machine that other builds keep busy a starved
agent looks idle by its CPU time alone; it is not idle while it waits for its turn.
"""

import atexit
import glob
import os
import signal
import subprocess
import time


def thread_times(pid):
    """(on_cpu_ns, waiting_ns) summed over the threads that are alive now."""
    on_cpu = waiting = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path) as f:
                fields = f.read().split()
        except OSError:
            continue  # The thread ended between the listing and the read.
        on_cpu += int(fields[0])
        waiting += int(fields[1])
    return on_cpu, waiting


def busy_ns(pid):
    """Time that the process used or wanted to use a CPU."""
    return sum(thread_times(pid))


def cpu_s(pid):
    """CPU seconds of the whole process, threads that ended included, without waiting for the 10 ms clock tick.

    The kernel's per-process counter behind clock_gettime has nanoseconds and counts ended threads; only the
    children that the process waited for are not in it (the `cat` of an exec source is no cost of the agent).
    """
    return time.clock_gettime_ns(_process_clock(pid)) / 1e9


def _process_clock(pid):
    # CPUCLOCK_SCHED of another process: MAKE_PROCESS_CPUCLOCK in linux/posix-timers.h.
    return (~pid << 3) | 2


def memory_mib(pid, key):
    """`VmRSS` (now) or `VmHWM` (peak) in MiB; 0 when the process is gone."""
    try:
        with open(f"/proc/{pid}/status") as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def wait_until(condition, timeout_s, poll_s=0.02):
    """True as soon as `condition()` holds, False when it did not within `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(poll_s)
    return True


class Idle:
    """Says when a process has done nothing for a while: call `quiet_s` again and again."""

    SHARE_MAX = 0.08  # Of one core: a Flume that waits for events stays below this.
    SAMPLE_S = 0.1

    def __init__(self, pid):
        self.pid = pid
        self.last = (time.monotonic(), busy_ns(pid))
        self.since = self.last[0]

    def quiet_s(self):
        """Seconds since the process was last seen at work."""
        now = time.monotonic()
        then, busy_then = self.last
        if now - then >= self.SAMPLE_S:
            busy = busy_ns(self.pid)
            if (busy - busy_then) / 1e9 > self.SHARE_MAX * (now - then):
                self.since = now
            self.last = (now, busy)
        return now - self.since

    def touch(self):
        """Something else (a file, a reply) showed that work goes on."""
        self.since = time.monotonic()


class Child:
    """An agent started by a test: its log goes to one file, and it never outlives the test."""

    def __init__(self, command, log_path, cwd, env=None):
        self.log_path = log_path
        with open(log_path, "ab") as log:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd, env=env, start_new_session=True
            )
        self.pid = self.popen.pid
        _living.add(self)

    def alive(self):
        return self.popen.poll() is None

    def status(self):
        """Exit status as a shell shows it, or None while it runs."""
        code = self.popen.poll()
        return code if code is None or code >= 0 else 128 - code

    def stop(self, sig=signal.SIGTERM, timeout_s=30):
        """Sends `sig` and waits; True when the process ended by it, False when it had to be killed."""
        if self.alive():
            self.popen.send_signal(sig)
        try:
            self.popen.wait(timeout_s)
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def kill(self):
        """Kills the agent and the commands it started (it leads its own process group)."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()
        _living.discard(self)


# Agents lead process groups of their own, so neither Ctrl-C nor a killed runner would end them.
_living = set()


@atexit.register
def _kill_living():
    for child in list(_living):
        child.kill()


def end_children_on_sigterm():
    """For the main program of a runner: a runner that is told to end takes its agents with it."""

    def handler(_signal, _frame):
        _kill_living()
        os._exit(143)  # Not sys.exit: the threads of other cases would go on.

    signal.signal(signal.SIGTERM, handler)
