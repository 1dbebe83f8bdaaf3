def drive(run):
    run.post(run.input, "application/octet-stream")
