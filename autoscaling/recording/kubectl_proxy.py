"""Reads the API of a cluster through `kubectl proxy`, which logs in as kubectl does and serves a Unix socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from autoscaling.recording import kubectl_errors
from mesh.errors import MeshError, Misconfigured

Json = dict[str, Any]
Get = Callable[[str], Json]
START_S, RESPONSE_S = 15.0, 10.0
_READ_ONLY = "--reject-methods=^(POST|PUT|PATCH|DELETE)$"


class RequestFailed(MeshError):
    """A request to the API failed; `status` is the HTTP status, or None if there was no response."""

    def __init__(self, status: int | None, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@contextlib.contextmanager
def open_proxy(kubectl: Sequence[str]) -> Iterator[Get]:
    """Yields a function that reads a path of the API while the block lasts; `kubectl` is a command with its options.

    Raises Misconfigured with the message of kubectl if the proxy does not start. The function raises RequestFailed.
    """
    with tempfile.TemporaryDirectory(prefix="mesh-") as folder:  # only this user can read it
        place, log = Path(folder) / "api", Path(folder) / "log"
        process = _start([*kubectl, "proxy", f"--unix-socket={place}", _READ_ONLY], log)
        try:
            _wait_for_socket(process, place, log, kubectl[0])
            yield lambda path: _get(place, path)
        finally:
            process.kill()
            process.wait()


def _start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    try:
        # A separate session: Ctrl-C must not end the proxy before the recorder has written its file.
        with log.open("wb") as errors:
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
    except FileNotFoundError:
        raise Misconfigured([f"{command[0]}: is not installed; install it, or give another --kubectl"]) from None
    except OSError as error:
        raise Misconfigured([f"{command[0]}: cannot be run: {error.strerror}"]) from None


def _wait_for_socket(process: subprocess.Popen[bytes], place: Path, log: Path, program: str) -> None:
    deadline_s = time.monotonic() + START_S
    while not _listens(place):
        if process.poll() is not None:
            message = log.read_text(errors="replace").strip()
            if kubectl_errors.is_unreachable(message):
                raise Misconfigured([kubectl_errors.unreachable(message)])
            ended = f"ended with exit code {process.returncode} and no message"
            raise Misconfigured([f"{program}: {' '.join(message.split()) or ended}"])
        if time.monotonic() > deadline_s:
            raise Misconfigured([f"{program}: `proxy` did not open its socket within {START_S:g} s; is it kubectl?"])
        time.sleep(0.02)


def _listens(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
        return tried.connect_ex(str(place)) == 0


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, place: Path) -> None:
        super().__init__("localhost", timeout=RESPONSE_S)
        self._place = place

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._place))


def _get(place: Path, path: str) -> Json:
    with contextlib.closing(_Connection(place)) as connection:
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise RequestFailed(None, f"the cluster did not respond: {error}") from None
    try:
        found = json.loads(content)
    except ValueError:
        found = {"message": content.decode(errors="replace").strip()}
    if response.status != 200 or not isinstance(found, dict):
        message = found.get("message") if isinstance(found, dict) else None
        raise RequestFailed(response.status, " ".join(str(message or response.reason).split()))
    return found
