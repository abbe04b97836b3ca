"""Runs `mesh up` with stand-ins for the supervisor and the workers."""

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mesh.players.features import Columns
from mesh.players.sqlite import replacing_store
from tests.mesh.cli.up.stand_ins import write_stand_ins
from tests.started_mesh import STOP_S, StartedMesh, started_mesh

CATALOG = """game: arena
features: {path: players.sqlite}
versions:
  "1":
    combine: {quorum: 1}
    models:
"""


def write_catalog(folder: Path, *uris: str) -> Path:
    models = [f"      - {{name: m{number}, uri: 's3://models/{uri}'}}\n" for number, uri in enumerate(uris)]
    file = folder / "mesh.yaml"
    file.write_text(CATALOG + "".join(models))
    with replacing_store(folder / "players.sqlite", Columns(("age",), ())):
        pass
    return file


@contextmanager
def up(folder: Path, *uris: str, flags: tuple[str, ...] = ("--json",)) -> Iterator[StartedMesh]:
    """A mesh with a stand-in worker for each of `uris`; killed at the end of the block."""
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = {"PYTHONPATH": str(write_stand_ins(folder / "programs")), "TMPDIR": str(temporary)}
    with started_mesh(write_catalog(folder, *uris), *flags, environment=environment, drain_s=0) as mesh:
        yield mesh


def wait_for_exit(pids: list[int]) -> None:
    """Waits until all these processes have ended."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended = select.select([descriptor], [], [], STOP_S)[0]
        os.close(descriptor)
        assert ended


def pids_of(ready: dict[str, Any]) -> list[int]:
    return [ready["supervisor"]["pid"], *(worker["pid"] for worker in ready["workers"])]
