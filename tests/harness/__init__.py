"""What the conformance runner, the benchmark and the wrapper test share: processes and sockets of Linux."""
