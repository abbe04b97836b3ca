"""Small programs that `mesh up` starts in tests instead of the real worker and supervisor."""

from __future__ import annotations

from pathlib import Path

_WORKER = """
import argparse, ctypes, json, signal, socket, sys

parser = argparse.ArgumentParser()
for name in ("name", "uri", "sha256", "port", "metrics-port", "socket", "nice", "loop", "engine", "inputs"):
    parser.add_argument(f"--{name}")
parser.add_argument("--follow-parent", action="store_true", required=True)
options = parser.parse_args()
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # as --follow-parent does, without its imports
if "refused" in options.uri:
    sys.exit(print("model_worker: the file is damaged", file=sys.stderr) or 3)
if "crash" in options.uri:
    sys.exit(print("something is broken", file=sys.stderr) or 1)
signal.signal(signal.SIGTERM, lambda *_: "stubborn" in options.uri or sys.exit())
listening = socket.create_server(("127.0.0.1", 0))
port = listening.getsockname()[1]
reasons = {"auto": "no engine was built", "lightgbm": "switched off"}
engine = {"engine": "lightgbm", "engine_reason": reasons[options.engine]}
if "proved" in options.uri:
    engine = {"engine": "forest", "engine_reason": ""}
print(json.dumps({"event": "ready", "name": options.name, "port": port, "metrics_port": port, **engine}), flush=True)
print("output that fills the pipe " * 10_000, flush=True)
while True:
    signal.pause()
"""

_SUPERVISOR = """
import argparse, ctypes, http.server, json, os, signal, sys

parser = argparse.ArgumentParser()
parser.add_argument("--catalog", action="append", required=True)
for name in ("endpoints", "host", "port", "metrics-port", "loop", "listen-within-s"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--follow-parent", action="store_true", required=True)
options = parser.parse_args()
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # as --follow-parent does, without its imports
if "STAND_IN_FAULT" in os.environ:
    sys.exit(print(os.environ["STAND_IN_FAULT"], file=sys.stderr) or 2)


class Lanes(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        with open(options.endpoints) as file:
            games = json.load(file)
        for game, versions in games.items():
            for version, models in versions.items():
                for model, addresses in models.items():
                    labels = f'game="{game}",version="{version}",model="{model}",state="up"'
                    self.wfile.write(f"mesh_lanes{{{labels}}} {len(addresses)}\\n".encode())

    def log_message(self, *_):
        pass


metrics = http.server.HTTPServer(("127.0.0.1", int(options.metrics_port)), Lanes)
offers = http.server.HTTPServer(("127.0.0.1", int(options.port)), Lanes)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
addresses = {"address": f"127.0.0.1:{offers.server_port}", "metrics": f"127.0.0.1:{metrics.server_port}"}
print(json.dumps({"event": "ready", "pid": os.getpid(), **addresses}), flush=True)
metrics.serve_forever(0.05)
"""


def write_stand_ins(folder: Path) -> Path:
    """Writes the programs into `folder`; with `folder` in PYTHONPATH, Python finds them before the real ones."""
    folder.mkdir(exist_ok=True)
    (folder / "model_worker.py").write_text(_WORKER)
    (folder / "supervisor.py").write_text(_SUPERVISOR)
    return folder
