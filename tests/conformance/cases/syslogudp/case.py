READY = "udp"
NORMALISE = [(r"timestamp=1[0-9]{12}", "timestamp=@MILLIS@")]


def drive(run):
    run.send_lines_udp(run.input)
