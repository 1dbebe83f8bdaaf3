"""A real HTTP server (Python's) whose answers are told beforehand.

    server.py PORT CERTIFICATE|- STEP...      prints the port, then a line for each request

Each request takes the next step; the last one stays. A step is a status (`503`), `close` (200, and the connection ends),
`drop` (200, and the connection ends without a word of it), `hang`, `half` (a head, and no content), `garbage` (no HTTP).
"""

import http.server
import json
import ssl
import sys
import time

port, certificate, steps = int(sys.argv[1]), sys.argv[2], sys.argv[3:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        seen = {"path": self.path, "body": body.decode(), "client": self.client_address[1]}
        seen["headers"] = {name.lower(): value for name, value in self.headers.items()}
        print(json.dumps(seen), flush=True)
        if step == "hang":
            time.sleep(3600)
        if step == "garbage":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            self.close_connection = True
            return
        self.send_response(int(step) if step.isdigit() else 200)
        content = b"not looked at\n"
        self.send_header("Content-Length", str(len(content)))
        if step == "301":
            self.send_header("Location", "/elsewhere")
        if step == "close":
            self.send_header("Connection", "close")
        self.end_headers()
        if step == "half":
            time.sleep(3600)
        self.wfile.write(content)
        if step == "drop":
            self.close_connection = True

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
server.daemon_threads = True
if certificate != "-":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
