READY = "none"
STATUS = True


def prepare(run):
    run.hold_port(run.port)
