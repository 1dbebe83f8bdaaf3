READY = "udp"
NORMALISE = [(r"null=/127.0.0.1:[0-9]+", "null=/127.0.0.1:@SRCPORT@")]


def drive(run):
    run.send_lines_udp(run.input)
