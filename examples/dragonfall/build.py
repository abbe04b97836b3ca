"""Builds the files of the example that are not in git: players, models, and the feature store."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from examples.dragonfall.failure import ExampleFailed
from examples.dragonfall.mesh_command import run_mesh
from examples.dragonfall.offers import OFFERS_CSV, read_offers
from examples.dragonfall.segments import SEGMENTS
from examples.dragonfall.simulation import simulate_players, write_players
from examples.dragonfall.training import Effort, save_sample, train_all

HERE = Path(__file__).parent
CATALOG = HERE / "mesh.yaml"
BUILD = HERE / "build"
PLAYERS_CSV = BUILD / "players.csv"
MODELS = BUILD / "models"
STORE = BUILD / "players.sqlite"
SAMPLE = BUILD / "sample.parquet"
REFERENCE = BUILD / "reference.json"
VERSION = "2026-10"
SAMPLE_ROWS = 10_000
LOAD_LIMIT_S = 120.0

# A change in one of these files changes the players or the models.
PLAYERS_SOURCES = (HERE / "simulation.py",)
MODEL_SOURCES = (
    *PLAYERS_SOURCES,
    OFFERS_CSV,
    *(HERE / name for name in ("offers.py", "truth.py", "segments.py", "training.py")),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the build. Its stamp file contains the fingerprint of its sources."""

    name: str
    sources: tuple[Path, ...]
    outputs: tuple[Path, ...]
    make: Callable[[Console], None]


def main() -> int:
    """Runs the build and returns the exit code."""
    argparse.ArgumentParser(prog="python -m examples.dragonfall.build", description=__doc__).parse_args()
    console = Console(stderr=True)
    try:
        build(console)
    except ExampleFailed as failure:
        console.print(f"[red]error:[/red] {failure}", highlight=False)
        return 1
    return 0


def build(console: Console) -> None:
    """Runs the steps whose outputs are missing or outdated; raises ExampleFailed when a step fails."""
    BUILD.mkdir(exist_ok=True)
    for step in _steps():
        started_s = time.monotonic()
        if refresh(step, BUILD, console):
            console.print(f"{step.name}: built in {time.monotonic() - started_s:.1f} s", highlight=False)
        else:
            console.print(f"{step.name}: up to date", highlight=False)


def refresh(step: Step, stamps: Path, console: Console) -> bool:
    """Runs `step` unless its outputs exist and were built from its current sources; returns whether it ran.

    The stamp file is deleted before the step and written after it, so that an interrupted step runs again.
    """
    stamp = stamps / f"{step.name}.stamp"
    fingerprint = _fingerprint(step.sources)
    built_from = stamp.read_text() if stamp.exists() else None
    if built_from == fingerprint and all(output.exists() for output in step.outputs):
        return False
    stamp.unlink(missing_ok=True)
    step.make(console)
    stamp.write_text(fingerprint)
    return True


def _steps() -> tuple[Step, ...]:
    models = tuple(MODELS / f"{name}.txt" for name in SEGMENTS)
    return (
        Step("players", PLAYERS_SOURCES, (PLAYERS_CSV,), _make_players),
        Step("models", MODEL_SOURCES, models, _make_models),
        Step("store", (CATALOG, PLAYERS_CSV), (STORE,), _fill_store),
        Step("reference", (CATALOG, *MODEL_SOURCES, *models), (REFERENCE,), _make_reference),
    )


def _make_players(console: Console) -> None:
    players = simulate_players()
    write_players(players, PLAYERS_CSV)
    console.print(f"simulated {len(players.ids):,} players", highlight=False)


def _make_models(console: Console) -> None:
    MODELS.mkdir(exist_ok=True)
    columns = (TextColumn("training {task.fields[model]:<16}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("", total=len(SEGMENTS), model="")
        for name in train_all(simulate_players(), read_offers(), MODELS, Effort()):
            progress.update(task, advance=1, model=name)


def _fill_store(_: Console) -> None:
    load = ["features", "load", str(PLAYERS_CSV), "--catalog", str(CATALOG)]
    print(run_mesh(load, LOAD_LIMIT_S), end="", file=sys.stderr)


def _make_reference(_: Console) -> None:
    save_sample(simulate_players(), read_offers(), SAMPLE_ROWS, Effort().seed, SAMPLE)
    words = ["drift", "reference", str(SAMPLE), "--catalog", str(CATALOG), "--version", VERSION, "--to", str(REFERENCE)]
    print(run_mesh(words, LOAD_LIMIT_S), end="", file=sys.stderr)


def _fingerprint(sources: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for package in ("ensemble-mesh", "lightgbm", "numpy"):
        digest.update(f"{package} {metadata.version(package)}\n".encode())
    for source in sources:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
