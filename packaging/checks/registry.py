"""A registry of npm on this machine that has the packed packages only. What npm does with a file differs in places."""

import base64
import hashlib
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Registry:
    """Serves the `.tgz` files of some directories until the end of the `with` block."""

    def __init__(self, *places):
        self.files = {path.name: path.read_bytes() for place in places for path in place.glob("*.tgz")}
        self.about = {}
        for path in [path for place in places for path in place.glob("*.tgz")]:
            with tarfile.open(path) as package:
                fields = json.load(package.extractfile("package/package.json"))
            self.about.setdefault(fields["name"], {})[fields["version"]] = (fields, path.name)

    def answer(self, name):
        versions = {}
        for version, (fields, file) in self.about[name].items():
            digest = base64.b64encode(hashlib.sha512(self.files[file]).digest()).decode()
            versions[version] = fields | {"dist": {"tarball": f"{self.url}files/{file}", "integrity": f"sha512-{digest}"}}
        return json.dumps({"name": name, "dist-tags": {"latest": min(versions)}, "versions": versions}).encode()

    def __enter__(self):
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = unquote(self.path.split("?")[0].lstrip("/"))
                body = registry.files.get(name.removeprefix("files/"))
                if body is None and name in registry.about:
                    body = registry.answer(name)
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(body or b"{}")

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
