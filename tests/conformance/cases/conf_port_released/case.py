"""A source whose port is taken tries again until it is free."""

READY = "none"


def prepare(run):
    run.held = run.hold_port(run.port)


def drive(run):
    run.wait("the source has failed to bind", lambda: b"address already in use" in run.log.read_bytes().lower())
    run.held.close()
    run.wait_listen(run.port)
    run.send(run.input)
