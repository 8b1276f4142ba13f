import http.server
import os
import signal
import sys

port = int(os.environ["PORT"])


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"python/http.server")


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = http.server.HTTPServer(("127.0.0.1", port), Hello)
print(f"Listening on port {port}")
server.serve_forever()
