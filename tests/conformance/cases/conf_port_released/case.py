"""A source whose port is taken tries again until it is free."""

READY = "none"


def prepare(run):
    run.held = run.hold_port(run.port)


def drive(run):
    tries = b"Unable to start EventDrivenSourceRunner"
    run.wait("the source has failed to start", lambda: tries in run.log.read_bytes() or b"ERROR" in run.log.read_bytes())
    run.held.close()
    run.wait_listen(run.port)
    run.send(run.input)
