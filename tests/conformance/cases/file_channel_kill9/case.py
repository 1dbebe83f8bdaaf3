"""Events acknowledged before kill -9 come out of the second run."""

SECOND_RUN = """
a1.sources = r1 r2
a1.channels = c1 c2
a1.sinks = k1 k2
a1.sources.r2.type = avro
a1.sources.r2.bind = 127.0.0.1
a1.sources.r2.port = {port2}
a1.sources.r2.channels = c2
a1.channels.c2.type = memory
a1.channels.c2.keep-alive = 1
a1.sinks.k2.type = file_roll
a1.sinks.k2.channel = c2
a1.sinks.k2.sink.directory = {dir}/out/k2
a1.sinks.k2.sink.rollInterval = 0
a1.sinks.k2.sink.serializer = HEADER_AND_TEXT
"""


def drive(run):
    run.send(run.input)
    run.kill()
    with open(run.conf, "a") as f:
        f.write(SECOND_RUN.format(port2=run.port2, dir=run.dir))
    (run.dir / "out" / "k2").mkdir(parents=True)
    run.start()
    run.wait_listen(run.port2)
