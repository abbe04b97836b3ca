"""Proves models with the program of the model worker: what it refuses, no worker serves.

The program keeps its proofs by the digest of the model, in the folder where the workers of this machine look for them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mesh.errors import Misconfigured

# -P: Python must not run a folder `model_worker` of the current directory instead of the installed package.
_PROGRAM = (sys.executable, "-P", "-m", "model_worker.prove")


@dataclass(frozen=True, slots=True)
class ProofResult:
    """The proof of one model file: `refused` is the worker's reason if no worker serves it; `notes` are sentences."""

    refused: str | None
    notes: tuple[str, ...]


def prove(paths: Sequence[Path], folder: Path | None = None) -> Mapping[Path, ProofResult]:
    """Proves each of `paths`, in parallel, with a progress bar on a terminal; returns the results by path.

    The proofs are kept in `folder`; None: the cache of this user, which workers read at their start. Raises
    Misconfigured if the program itself fails.
    """
    different = list(dict.fromkeys(paths))
    if not different:
        return {}
    proofs = [] if folder is None else ["--proofs", str(folder)]
    command = [*_PROGRAM, *proofs, "--", *map(str, different)]
    with (
        _progress() as progress,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program,
    ):
        assert program.stdout is not None
        assert program.stderr is not None
        lines = list(progress.track(program.stdout, total=len(different), description="proving models"))
        fault = program.stderr.read().strip()
    if len(lines) != len(different):
        raise Misconfigured([f"the models could not be proved: {fault or 'the program model_worker.prove failed'}"])
    return dict(zip(different, map(_result, lines), strict=True))


def _progress() -> Progress:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)


def _result(line: str) -> ProofResult:
    document = json.loads(line)
    return ProofResult(document.get("refused"), tuple(_notes(document)))


def _notes(document: Mapping[str, str]) -> Iterator[str]:
    for warning in document["warnings"]:
        yield f"{document['uri']}: {warning}"
    if document.get("engine_reason"):
        yield f"{document['uri']}: LightGBM scores this model: {document['engine_reason']}"
