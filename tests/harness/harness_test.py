"""Tests of the test harness: what counts results must count right, and what measures must measure."""

import os
import socket
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness import net  # noqa: E402
from harness.process import Child, Idle, cpu_s, wait_until  # noqa: E402


def counted(output, status=0):
    script = f'source {HERE}/steps.sh; count_results {status}'
    done = subprocess.run(["bash", "-c", script], input=output, capture_output=True, text=True, check=True)
    return [int(n) for n in done.stdout.split()]


class Steps(unittest.TestCase):
    def test_cargo_results_are_added_up(self):
        line = "test result: {}. {} passed; {} failed; {} ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
        self.assertEqual(counted(line.format("ok", 3, 0, 1) + line.format("FAILED", 2, 1, 0), 101), [5, 1, 1])

    def test_a_total_at_the_end_counts_instead_of_what_is_above(self):
        output = "test result: ok. 3 passed; 0 failed; 0 ignored\n2 passed, 0 failed\n9 passed, 1 failed, 2 skipped\n"
        self.assertEqual(counted(output, 1), [9, 1, 2])

    def test_waiting_cases_are_not_results(self):
        self.assertEqual(counted("PASS a\n5 passed, 0 failed, 27 waiting\n"), [5, 0, 0])

    def test_a_silent_step_counts_by_its_status(self):
        self.assertEqual(counted(""), [1, 0, 0])
        self.assertEqual(counted("error: could not compile\n", 101), [0, 1, 0])

    def test_a_failed_step_never_counts_as_passed_only(self):
        self.assertEqual(counted("test result: ok. 3 passed; 0 failed; 0 ignored\n", 137), [3, 1, 0])

    def test_a_skipped_step_is_no_success(self):
        self.assertEqual(counted("SKIP fuzz: no nightly\n"), [0, 0, 1])


class Processes(unittest.TestCase):
    def setUp(self):
        self.log = f"/tmp/harness-test.{os.getpid()}"
        self.addCleanup(lambda: os.path.exists(self.log) and os.remove(self.log))

    def child(self, *command):
        child = Child(command, self.log, cwd="/")
        self.addCleanup(child.kill)
        return child

    def test_cpu_time_is_finer_than_a_tick(self):
        child = self.child(sys.executable, "-c", "import signal; signal.pause()")
        self.assertTrue(wait_until(lambda: cpu_s(child.pid) > 0, 5))
        self.assertNotEqual(round(cpu_s(child.pid) * 1e9) % 10_000_000, 0)

    def test_a_busy_process_is_not_idle_and_a_sleeping_one_is(self):
        busy, sleeping = self.child("sh", "-c", "while :; do :; done"), self.child("sleep", "60")
        both = Idle(busy.pid), Idle(sleeping.pid)
        self.assertTrue(wait_until(lambda: [i.quiet_s() for i in both][1] > 1, 10))
        self.assertLess(both[0].quiet_s(), 1)

    def test_stop_kills_what_does_not_end_and_says_so(self):
        child = self.child("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
        self.assertTrue(wait_until(lambda: os.path.getsize(self.log) > 0, 5))
        self.assertFalse(child.stop(timeout_s=0.3))
        self.assertEqual(child.status(), 137)


class Ports(unittest.TestCase):
    def test_listening_sees_a_listener_without_connecting(self):
        port = net.free_port()
        self.assertFalse(net.listening("tcp", port))
        with socket.socket() as s:
            s.bind(("127.0.0.1", port))
            s.listen()
            self.assertTrue(net.listening("tcp", port))

    def test_no_port_is_handed_out_twice(self):
        ports = [net.free_port() for _ in range(200)]
        self.assertEqual(len(set(ports)), len(ports))

    def test_a_refused_connection_gives_an_empty_answer(self):
        self.assertEqual(net.tcp_exchange(net.free_port(), b"x\n"), b"")


if __name__ == "__main__":
    unittest.main()
