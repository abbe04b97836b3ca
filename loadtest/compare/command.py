"""`python -m loadtest compare`: this mesh, with our engine and without, and its peers, one after another, in rounds."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtest import documents, interruption, machine
from loadtest.bench.report import print_aims
from loadtest.compare import page, report
from loadtest.compare.aims import aims
from loadtest.compare.results import Comparison, document
from loadtest.compare.rounds import compare
from loadtest.options import positive_float, positive_int
from loadtest.peers import mesh, mesh_lightgbm, monolith, naive, ray_serve
from loadtest.peers.system import Peer
from loadtest.plan import Findings, Plan, plan_of
from loadtest.workloads import S15, W15, W15X100, W30, SimulatedEnsemble, Workload
from mesh.cli.console import stdout

MEASURED, FAULTY = 0, 1
PEERS: dict[str, Peer] = {peer.name: peer for peer in (mesh, mesh_lightgbm, naive, monolith, ray_serve)}
WORKLOADS: dict[str, Workload] = {workload.game: workload for workload in (W15, W15X100, W30, S15)}
PACKAGES = ("grpcio", "lightgbm", "numpy", "uvloop", "flask", "gunicorn")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--systems", type=_names(PEERS), help=f"which, comma-separated, of {','.join(PEERS)} (default: all there are)")
    add("--workloads", type=_names(WORKLOADS), default=list(WORKLOADS), help=f"of {','.join(WORKLOADS)} (default: all)")
    add("--rounds", type=positive_int, default=3, help="medians are over so many (default 3)")
    add("--seconds", type=positive_float, help="of one measurement (default: closed loop 4, open loop 12)")
    add("--json", action="store_true", help="the document on stdout instead of the tables")
    add("--out", type=Path, default=Path("build/compare.json"), help="the document; the page goes beside it as .html")
    add("--folder", type=Path, default=Path("build/bench"), help="trained models, logs")


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code is 0 measured, 1 not all answers were full, 2 not measured, 130 interrupted."""
    said = Console(stderr=True, highlight=False)
    findings = Findings()
    plan = plan_of(options, said, findings)
    measured = interruption.run(_compare(options, plan))
    if options.json:
        print(json.dumps(_document(measured, options.rounds)))
    else:
        for comparison in measured:
            report.print_comparison(stdout(), comparison)
        print_aims(stdout(), aims(measured))
    findings.tell(said)
    return FAULTY if findings.faults else MEASURED


async def _compare(options: argparse.Namespace, plan: Plan) -> list[Comparison]:
    plan.progress(machine.described())
    measured: list[Comparison] = []
    for workload in map(WORKLOADS.__getitem__, options.workloads):
        measured.append(await compare(workload, chosen(options.systems, workload, plan.progress), plan))
        _write(options.out, measured, options.rounds)  # after each: hours of rounds are not to be lost
    return measured


def chosen(systems: list[str] | None, workload: Workload, progress: Callable[[str], None]) -> list[Peer]:
    """Those asked for, or without `systems` all that are there and differ on the workload."""
    if systems is not None:
        return [PEERS[system] for system in systems]
    left_out = {mesh_lightgbm.name} if isinstance(workload, SimulatedEnsemble) else set[str]()
    if not ray_serve.PYTHON.exists():
        progress("Ray Serve is not installed and left out; `make compare-ray` does both")
        left_out.add(ray_serve.name)
    return [peer for peer in PEERS.values() if peer.name not in left_out]


def _write(path: Path, measured: list[Comparison], rounds: int) -> None:
    documents.write(path, _document(measured, rounds))
    path.with_suffix(".html").write_text(page.render(measured, machine.described()))


def _document(measured: list[Comparison], rounds: int) -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine.described(),
        "versions": {package: metadata.version(package) for package in PACKAGES} | ray_serve.versions(),
        "rounds": rounds,
        "workloads": {comparison.workload.game: document(comparison) for comparison in measured},
    }


def _names(known: dict[str, Any]) -> Any:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return chosen

    return names
