def drive(run):
    run.post(run.input)
    run.post('[{"headers":{"x":"é"},"body":"utf8 €"}]'.encode(), "application/json; charset=UTF-8")
    run.post(b"[]")
    run.post(b'[{"body":"no headers"}]')
    run.post(b'[{"headers":{"n":5},"body":"number header"}]')
