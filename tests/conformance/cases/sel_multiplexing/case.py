def drive(run):
    run.post(run.input)
