"""`python -m loadtest bench`: compares the mesh, at 1, 2 and 6 replicas, with the monolith and the ideal mesh."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from loadtest.compare import preset
from loadtest.compare.documents import bench_document
from loadtest.compare.preset import Preset
from loadtest.compare.rounds import Spans
from loadtest.measurement.point import Span
from loadtest.options import add_folder, add_output, add_rounds, positive_float
from loadtest.peers import monolith
from loadtest.peers.mesh import SCALED_OUT, Engine, Mesh
from loadtest.peers.system import Peer
from loadtest.workloads import S15, W15, W15X100, SimulatedEnsemble, Workload

WORKLOADS: Sequence[Workload] = (W15, W15X100, S15)
SPANS = Spans(closed=Span(1.0, 4.0), open=Span(2.0, 22.0))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--only", choices=[workload.game for workload in WORKLOADS], help="run one workload only")
    engines = get_args(Engine)
    parser.add_argument("--engine", choices=engines, help="scoring engine of the workers (default: they choose)")
    add_rounds(parser, 3)
    parser.add_argument("--seconds", type=positive_float, help="duration of one measurement (default: 4, S15 22)")
    add_output(parser, Path("build/bench.json"))
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 1 not all answers were full, 2 not measured, 130 interrupted."""
    comparison = Preset(
        workloads=[workload for workload in WORKLOADS if options.only in (None, workload.game)],
        peers=lambda workload, _: _peers(workload, Mesh(engine=options.engine)),
        spans=SPANS,
        is_strict=True,
        document=bench_document,
    )
    return preset.run(comparison, options)


def _peers(workload: Workload, mesh: Mesh) -> Sequence[Peer]:
    if isinstance(workload, SimulatedEnsemble):
        return [mesh]
    return [mesh, *(replace(peer, engine=mesh.engine) for peer in SCALED_OUT), monolith]
