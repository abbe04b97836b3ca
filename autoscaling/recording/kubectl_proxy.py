"""Reads a cluster's API through `kubectl proxy`: one process that logs in as kubectl does, on a socket of this user."""

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

from mesh.errors import MeshError, Misconfigured

Json = dict[str, Any]
Get = Callable[[str], Json]
START_S, ANSWER_S = 15.0, 10.0
_READ_ONLY = "--reject-methods=^(POST|PUT|PATCH|DELETE)$"


class Refused(MeshError):
    """The API server, or one behind it, did not give what was asked for; `status` is HTTP's, None: no answer at all."""

    def __init__(self, status: int | None, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@contextlib.contextmanager
def opened(kubectl: Sequence[str]) -> Iterator[Get]:
    """What gets a path of the API, for as long as the block lasts; `kubectl` is a command with its options.

    Raises Misconfigured with kubectl's own words if it cannot start; what it yields raises Refused.
    """
    with tempfile.TemporaryDirectory(prefix="mesh-") as folder:  # nobody else can look into it
        place, said = Path(folder) / "api", Path(folder) / "said"
        process = _started([*kubectl, "proxy", f"--unix-socket={place}", _READ_ONLY], said)
        try:
            _wait(process, place, said, kubectl[0])
            yield lambda path: _get(place, path)
        finally:
            process.kill()
            process.wait()


def _started(command: Sequence[str], said: Path) -> subprocess.Popen[bytes]:
    try:
        # In a session of its own: Ctrl-C is for the recording, which then still has a file to write.
        with said.open("wb") as errors:
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
    except FileNotFoundError:
        raise Misconfigured([f"{command[0]}: is not installed; the cluster is asked by it"]) from None
    except OSError as error:
        raise Misconfigured([f"{command[0]}: cannot be run: {error.strerror}"]) from None


def _wait(process: subprocess.Popen[bytes], place: Path, said: Path, program: str) -> None:
    deadline_s = time.monotonic() + START_S
    while not _listens(place):
        if process.poll() is not None:
            words = " ".join(said.read_text(errors="replace").split())
            raise Misconfigured([f"{program}: {words or f'ended with {process.returncode} and no word of why'}"])
        if time.monotonic() > deadline_s:
            raise Misconfigured([f"{program}: `proxy` did not open its socket within {START_S:g} s; is it kubectl?"])
        time.sleep(0.02)


def _listens(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
        return tried.connect_ex(str(place)) == 0


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, place: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._place = place

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._place))


def _get(place: Path, path: str) -> Json:
    with contextlib.closing(_Connection(place)) as connection:
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Refused(None, f"the cluster did not answer: {error}") from None
    try:
        found = json.loads(content)
    except ValueError:
        found = {"message": content.decode(errors="replace").strip()}
    if answer.status != 200 or not isinstance(found, dict):
        said = found.get("message") if isinstance(found, dict) else None
        raise Refused(answer.status, " ".join(str(said or answer.reason).split()))
    return found
