def drive(run):
    run.wait_listen(run.port2)
    run.send(run.input)
