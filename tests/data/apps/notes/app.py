"""Notes over HTTP: GET /notes, POST /notes, GET /health. Standard library only."""
import json, os, pathlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STORE = pathlib.Path("notes.json")

class Notes(BaseHTTPRequestHandler):
    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            self.reply(200, {"ok": True})
        elif self.path == "/notes":
            self.reply(200, json.loads(STORE.read_text()))
        else:
            self.reply(404, {"error": "no such page"})

    def do_POST(self):
        note = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        notes = json.loads(STORE.read_text()) + [note]
        STORE.write_text(json.dumps(notes))
        self.reply(201, note)

server = ThreadingHTTPServer(("", int(os.environ["PORT"])), Notes)
print(f"serving on {server.server_address[1]}")
server.serve_forever()
