"""Scrapes a real supervisor and a real worker after they have given every kind of answer."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mesh.tls.live import LiveTls
from mesh.tls.metrics import TlsMetrics
from mesh.tls.throwaway import files_in, new_authority
from mesh.tracing.metrics import TraceMetrics
from mesh.wire import inference_pb2, inference_pb2_grpc, offers_pb2, offers_pb2_grpc
from supervisor.drift.metrics import DriftMetrics
from tests.end_to_end import meshes
from tests.forests import train
from tests.started_mesh import MESH
from tests.supervisor.drift.games import drifting_game

MODELS = ("binary", "rf", "dart")
SHORT_S = 0.3
LONG_S = 10.0


@dataclass(frozen=True, slots=True)
class Family:
    """A metric under its name in the docs, with the labels of its samples."""

    name: str
    kind: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Scrape:
    """One service's metrics page: its metrics, and the labels of each sample name that an expression may select."""

    families: tuple[Family, ...]
    samples: dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Scrapes:
    """The metrics pages of both services, and the metrics that both have of their certificates and of their traces."""

    supervisor: Scrape
    worker: Scrape
    certificate: Scrape
    traces: Scrape


def scraped(folder: Path) -> Scrapes:
    """Both pages of a mesh that has given a whole answer and a partial one, and whose worker has refused a request."""
    with meshes.running(_catalog(folder)) as mesh:
        offers, worker = mesh.ready["address"], mesh.ready["workers"][0]
        _report(offers, _ask(offers, "player-1", LONG_S))
        with _frozen(mesh.pid(MODELS[1])):
            _ask(offers, "player-2", SHORT_S)
        _request_another_model(worker["address"])
        pages = _with_drift(_scrape(mesh.ready["metrics"])), _scrape(worker["metrics"])
        return Scrapes(*pages, _certificate(folder), _traces())


def read(text: str) -> Scrape:
    """Parses a page in Prometheus's text format; leaves out the `_created` metrics."""
    families, samples = [], {}
    for family in text_string_to_metric_families(text):
        if family.name.endswith("_created"):
            continue
        assert family.samples, f"{family.name} has no sample: no event has been counted"
        own = frozenset(family.samples[0].labels) - {"le"}
        name = family.name + ("_total" if family.type == "counter" else "")
        families.append(Family(name, family.type, own))
        samples.update({sample.name: frozenset(sample.labels) for sample in family.samples})
    return Scrape(tuple(families), samples)


def _scrape(address: str) -> Scrape:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=LONG_S) as page:
        return read(page.read().decode())


def _with_drift(scrape: Scrape) -> Scrape:
    """Adds the metrics of drift, for which a real supervisor needs 500 requests in half a minute."""
    registry = CollectorRegistry()
    registry.register(DriftMetrics({"watched": drifting_game()}))
    drift = read(generate_latest(registry).decode())
    return Scrape((*scrape.families, *drift.families), scrape.samples | drift.samples)


def _certificate(folder: Path) -> Scrape:
    files = files_in(folder, "service")
    new_authority().write(files, ["service.watched.mesh"])
    registry = CollectorRegistry()
    registry.register(TlsMetrics(LiveTls(files)))
    return read(generate_latest(registry).decode())


class NoSpans:
    """The counts of an export without spans."""

    sent = 0

    def dropped(self) -> dict[str, int]:
        return {"rate": 0, "queue": 0, "collector": 0}


def _traces() -> Scrape:
    registry = CollectorRegistry()
    registry.register(TraceMetrics(NoSpans()))
    return read(generate_latest(registry).decode())


def _ask(address: str, player: str, timeout_s: float) -> str:
    """Returns the id of the answer."""
    with grpc.insecure_channel(address) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        request = offers_pb2.GetOfferRequest(game="watched", player_id=player)
        return str(stub.GetOffer(request, timeout=timeout_s).decision_id)


def _report(address: str, decision_id: str) -> None:
    """Reports an outcome, and repeats the report."""
    with grpc.insecure_channel(address) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        report = offers_pb2.ReportOutcomeRequest(
            game="watched", outcome_id="shown-1", decision_id=decision_id, kind=offers_pb2.SHOWN
        )
        for _ in range(2):
            stub.ReportOutcome(report, timeout=LONG_S)


def _request_another_model(address: str) -> None:
    with grpc.insecure_channel(address) as channel, contextlib.suppress(grpc.RpcError):
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
        stub.ModelInfer(inference_pb2.ModelInferRequest(model_name="another"), timeout=LONG_S)


@contextlib.contextmanager
def _frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _catalog(folder: Path) -> Path:
    models = [{"name": kind, "uri": str(train(kind, folder).path)} for kind in MODELS]
    (folder / "offers.csv").write_text(meshes.OFFERS)
    meshes.write_players(folder / "players.csv", meshes.make_players(np.random.default_rng(3)))
    catalog = folder / "mesh.yaml"
    content = {
        "game": "watched",
        "budget_ms": 10_000,
        "features": {"store": "sqlite", "path": "players.sqlite", "timeout_ms": 1000},
        "context": {"Column_0": "number"},
        "offers": {"path": "offers.csv", "fallback": "starter-pack"},
        "decisions": {"to": "log"},
        "callers": {"anyone": True},
        "versions": {
            "one": {"combine": {"quorum": 2}, "models": models},
            "two": {"traffic": 0, "shadow": 100, "guard": {"to": "one", "whole": 99}, "models": models[:1]},
        },
    }
    catalog.write_text(yaml.safe_dump(content))
    load = [*MESH, "features", "load", str(folder / "players.csv"), "--catalog", str(catalog)]
    subprocess.run(load, check=True, stdout=subprocess.DEVNULL)
    return catalog
