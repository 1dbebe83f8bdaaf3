"""The command avro-client sends a file with headers."""

import subprocess


def drive(run):
    headers = run.work / "headers"
    headers.write_text("color = blue\nshape=round\n")
    command = ["avro-client", "-H", "127.0.0.1", "-p", str(run.port), "-F", f"{run.case.folder}/input.txt"]
    with open(run.work / "client.log", "wb") as log:
        status = subprocess.call([*run.avro_client, *command, "-R", str(headers)], stdout=log, stderr=log)
    run.keep("client", f"client exit status {status}\n".encode())
