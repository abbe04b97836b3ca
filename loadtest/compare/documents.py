"""The JSON documents of a comparison: that of `compare`, and the shorter one of `bench`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from loadtest.compare.results import Comparison, Figures, Outcome
from loadtest.measurement import machine
from loadtest.peers import ray_serve

PACKAGES = ("grpcio", "lightgbm", "numpy", "uvloop", "flask", "gunicorn")
LEVEL = ("rps", "p50_ms", "p95_ms", "p99_ms")
FIGURES = (*LEVEL, "cpu_us", "full")

Document = dict[str, Any]


def compare_document(measured: Sequence[Comparison], rounds: int) -> Document:
    """The content of `build/compare.json`."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine.described(),
        "versions": {package: metadata.version(package) for package in PACKAGES} | ray_serve.versions(),
        "rounds": rounds,
        "workloads": {comparison.workload.game: workload_document(comparison) for comparison in measured},
    }


def workload_document(comparison: Comparison) -> Document:
    """One workload of `build/compare.json`: title, figures by system and load, the limit, and ratios to the peers."""
    return {
        "title": comparison.workload.title,
        "systems": {name: _outcome(outcome) for name, outcome in comparison.systems.items()},
        "limit": _loads(comparison.limit, FIGURES, 3),
        "mesh_over_peer": ratios(comparison),
    }


def ratios(comparison: Comparison) -> Document:
    """For each peer: the best rps and the memory of the mesh over those of the peer, and p50 and p95 by load."""
    mesh = comparison.systems.get("mesh")
    peers = {name: outcome for name, outcome in comparison.systems.items() if name != "mesh"}
    return {name: _ratios(mesh, peer) for name, peer in peers.items()} if mesh else {}


def bench_document(measured: Sequence[Comparison]) -> Document:
    """The content of `build/bench.json`: an entry for each measured workload."""
    return {
        comparison.workload.game: _beside_the_limit(comparison) if comparison.limit else _beside_the_peers(comparison)
        for comparison in measured
    }


def _beside_the_peers(comparison: Comparison) -> Document:
    """The levels of each system; CPU of the mesh at its best rate, and its memory."""
    mesh = comparison.systems["mesh"]
    levels = {name: _loads(outcome.loads, LEVEL, 2) for name, outcome in comparison.systems.items()}
    cpu_us = mesh.loads[mesh.best_load].part_cpu_us
    return levels | {
        "supervisor_cpu_us": round(cpu_us["supervisor"], 1),
        "worker_cpu_us": round(cpu_us["workers"], 1),
        "supervisor_pss_mb": round(mesh.parts["supervisor"].pss_mb, 1),
        "worker_pss_mb": round(mesh.parts["workers"].largest_pss_mb, 1),
        "first_answer_s": round(mesh.first_answer_s, 2),
    }


def _beside_the_limit(comparison: Comparison) -> Document:
    mesh, limit = comparison.systems["mesh"], comparison.limit
    return {
        f"{load:g}": {
            "p50_ms": round(at.p50_ms, 2),
            "p95_ms": round(at.p95_ms, 2),
            "limit_p50_ms": round(limit[load].p50_ms, 2),
            "limit_p95_ms": round(limit[load].p95_ms, 2),
        }
        for load, at in mesh.loads.items()
    }


def _ratios(mesh: Outcome, peer: Outcome) -> Document:
    return {
        "best_rps": round(mesh.best_rps / peer.best_rps, 3) if peer.best_rps else None,  # None: no full answer
        "pss_mb": round(mesh.pss_mb / peer.pss_mb, 3),
        "p50_ms": {f"{load:g}": round(mesh.loads[load].p50_ms / at.p50_ms, 3) for load, at in peer.loads.items()},
        "p95_ms": {f"{load:g}": round(mesh.loads[load].p95_ms / at.p95_ms, 3) for load, at in peer.loads.items()},
    }


def _outcome(outcome: Outcome) -> Document:
    memory = {"pss_mb": round(outcome.pss_mb, 1), "first_answer_s": round(outcome.first_answer_s, 2)}
    return {"loads": _loads(outcome.loads, FIGURES, 3), **memory}


def _loads(loads: Mapping[float, Figures], names: Sequence[str], digits: int) -> Document:
    return {f"{load:g}": {name: round(getattr(at, name), digits) for name in names} for load, at in loads.items()}
