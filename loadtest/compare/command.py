"""`python -m loadtest compare`: compares the mesh, with our engine and with LightGBM, with its peers, in rounds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtest.compare import page, preset
from loadtest.compare.documents import compare_document
from loadtest.compare.preset import Preset
from loadtest.compare.rounds import Spans
from loadtest.measurement import machine
from loadtest.options import add_folder, add_output, add_rounds, positive_float
from loadtest.peers import monolith, naive, ray_serve
from loadtest.peers.mesh import SCALED_OUT, Mesh
from loadtest.peers.system import Peer
from loadtest.report import origin
from loadtest.workloads import S15, W15, W15X100, W30, SimulatedEnsemble, Workload

# Their replicas score trained models; the replicas of a simulated ensemble are part of the workload.
TRAINED_ONLY = (Mesh("mesh-lightgbm", "lightgbm"), *SCALED_OUT)
PEERS: Mapping[str, Peer] = {peer.name: peer for peer in (Mesh(), *TRAINED_ONLY, naive, monolith, ray_serve)}
WORKLOADS: Mapping[str, Workload] = {workload.game: workload for workload in (W15, W15X100, W30, S15)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    systems, workloads = ",".join(PEERS), ",".join(WORKLOADS)
    parser.add_argument(
        "--systems", type=_names(PEERS), help=f"comma-separated list of {systems} (default: all that are installed)"
    )
    parser.add_argument(
        "--workloads",
        type=_names(WORKLOADS),
        default=list(WORKLOADS),
        help=f"comma-separated list of {workloads} (default: all)",
    )
    add_rounds(parser, 3)
    parser.add_argument(
        "--seconds", type=positive_float, help="duration of one measurement (default: closed loop 4, open loop 12)"
    )
    add_output(parser, Path("build/compare.json"), has_page=True)
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 1 not all answers were full, 2 not measured, 130 interrupted."""
    comparison = Preset(
        workloads=[WORKLOADS[name] for name in options.workloads],
        peers=lambda workload, plan: chosen(options.systems, workload, plan.progress),
        spans=Spans(),
        is_strict=False,
        document=lambda measured: compare_document(measured, options.rounds),
        page=lambda measured: page.render(measured, machine.described(), origin()),
    )
    return preset.run(comparison, options)


def chosen(systems: Sequence[str] | None, workload: Workload, progress: Callable[[str], None]) -> list[Peer]:
    """The named systems; without names, all that are installed and that differ on the workload."""
    if systems is not None:
        return [PEERS[system] for system in systems]
    left_out = {peer.name for peer in TRAINED_ONLY} if isinstance(workload, SimulatedEnsemble) else set[str]()
    if not ray_serve.PYTHON.exists():
        progress("Ray Serve is not installed and is left out; `make compare-ray` installs it and runs the comparison")
        left_out.add(ray_serve.name)
    return [peer for peer in PEERS.values() if peer.name not in left_out]


def _names(known: Mapping[str, Any]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(known)}")
        return words

    return names
