"""Stand-in for `kubectl proxy`: serves the responses of a JSON file by path; repeats the last response of a list.

usage: kubectl_stand_in.py RESPONSES proxy --unix-socket=PLACE ...
"""

from __future__ import annotations

import http.server
import json
import socketserver
import sys
from pathlib import Path

RESPONSES = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        responses = RESPONSES.get(self.path.partition("?")[0], [{"code": 404, "message": f"no {self.path}"}])
        response = responses.pop(0) if len(responses) > 1 else responses[0]
        content = json.dumps(response).encode()
        self.send_response(response.get("code", 200))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return "a socket"


if __name__ == "__main__":
    place = next(one.partition("=")[2] for one in sys.argv if one.startswith("--unix-socket="))
    socketserver.UnixStreamServer(place, Handler).serve_forever()
