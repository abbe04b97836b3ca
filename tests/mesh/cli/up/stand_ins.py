"""Small programs that behave like a worker and a supervisor towards `mesh up`, started in their place."""

from __future__ import annotations

from pathlib import Path

_WORKER = """
import argparse, ctypes, json, signal, socket, sys, threading

parser = argparse.ArgumentParser()
for name in ("name", "uri", "sha256", "port", "metrics-port", "socket", "nice", "loop", "engine"):
    parser.add_argument(f"--{name}")
parser.add_argument("--follow-parent", action="store_true", required=True)
asked = parser.parse_args()
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # --follow-parent without the imports of the real one
if "refused" in asked.uri:
    sys.exit(print("model_worker: the file is damaged", file=sys.stderr) or 3)
if "crash" in asked.uri:
    sys.exit(print("something is broken", file=sys.stderr) or 1)
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: "stubborn" in asked.uri or ended.set())
listening = socket.create_server(("127.0.0.1", 0))
port = listening.getsockname()[1]
reasons = {"auto": "no engine was built", "lightgbm": "switched off"}
engine = {"engine": "lightgbm", "engine_reason": reasons[asked.engine]}
if "proved" in asked.uri:
    engine = {"engine": "forest", "engine_reason": ""}
print(json.dumps({"event": "ready", "name": asked.name, "port": port, "metrics_port": port, **engine}), flush=True)
print("more than anybody reads " * 10_000, flush=True)
while not ended.wait(0.05):
    pass
"""

_SUPERVISOR = """
import argparse, ctypes, http.server, json, os, signal, sys, threading

parser = argparse.ArgumentParser()
parser.add_argument("--catalog", action="append", required=True)
for name in ("endpoints", "host", "port", "metrics-port", "loop"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--follow-parent", action="store_true", required=True)
asked = parser.parse_args()
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # --follow-parent without the imports of the real one
if "STAND_IN_FAULT" in os.environ:
    sys.exit(print(os.environ["STAND_IN_FAULT"], file=sys.stderr) or 2)


class Lanes(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        with open(asked.endpoints) as file:
            games = json.load(file)
        for game, versions in games.items():
            for version, models in versions.items():
                for model, addresses in models.items():
                    labels = f'game="{game}",version="{version}",model="{model}",state="up"'
                    self.wfile.write(f"mesh_lanes{{{labels}}} {len(addresses)}\\n".encode())

    def log_message(self, *_):
        pass


metrics = http.server.HTTPServer(("127.0.0.1", int(asked.metrics_port)), Lanes)
offers = http.server.HTTPServer(("127.0.0.1", int(asked.port)), Lanes)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=metrics.shutdown).start())
addresses = {"address": f"127.0.0.1:{offers.server_port}", "metrics": f"127.0.0.1:{metrics.server_port}"}
print(json.dumps({"event": "ready", "pid": os.getpid(), **addresses}), flush=True)
metrics.serve_forever(0.05)
"""


def write_stand_ins(folder: Path) -> Path:
    """Writes the programs into `folder`; with it in PYTHONPATH they are found before the real ones."""
    folder.mkdir(exist_ok=True)
    (folder / "model_worker.py").write_text(_WORKER)
    (folder / "supervisor.py").write_text(_SUPERVISOR)
    return folder
