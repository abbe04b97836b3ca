"""The tap and its reference: loading from a file and from S3, faults, and what a new catalog keeps."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mesh.cli.drift.show import observed_in
from mesh.drift.findings import find
from mesh.drift.reference import Reference, encode
from supervisor.drift import tap as taps
from supervisor.drift.metrics import MAX_FEATURES, DriftMetrics
from supervisor.drift.references import References
from supervisor.drift.sample import FLUSH_S
from supervisor.drift.tap import DriftTap, drift_taps, open_drift_taps
from tests.emulators import s3
from tests.supervisor.drift.games import game_of, panel, tap_of
from tests.supervisor.drift.streams import COLUMNS, MODELS, SOURCES, draw, reference, samples_of
from tests.supervisor.virtual_time import in_virtual_time, now_s


@pytest.fixture(scope="module")
def known() -> Reference:
    return reference()


def party(requests: int, seed: int = 1) -> Any:
    stream = draw(np.random.default_rng(seed), requests)
    seats = [
        SimpleNamespace(
            ticket=SimpleNamespace(
                passenger=SimpleNamespace(rows=1, offers=(one.offer,), context=one.context),
                scored_row=None,
                is_pinned=False,
            ),
            span=slice(row, row + 1),
            player=SimpleNamespace(features=one.player),
        )
        for row, one in enumerate(samples_of(stream))
    ]
    ballot = SimpleNamespace(votes=stream.votes.T)
    return SimpleNamespace(seats=seats, rows=SimpleNamespace(columns=COLUMNS), ballot=ballot)


async def play(tap: DriftTap, seconds: int) -> None:
    for second in range(seconds):
        tap.settled(party(20, second))
        await asyncio.sleep(FLUSH_S)


@in_virtual_time
async def test_requests_before_the_reference_are_not_sampled(known: Reference) -> None:
    tap = tap_of("reference.json", now_s)
    await play(tap, 2)
    tap.use(known)
    await play(tap, 60)
    assert tap.monitor is not None
    counts = tap.monitor.counts()
    assert 600 < counts.samples <= 60 * 16
    assert find(tap.monitor.layout, counts)[0].severity < 1


@in_virtual_time
async def test_samples_are_counted_in_small_slices(known: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps, "SLICE_VALUES", 16)
    tap = tap_of("reference.json", now_s)
    tap.use(known)
    sizes: list[int] = []
    monitor = tap.monitor
    assert monitor is not None
    monkeypatch.setattr(type(monitor), "add", lambda *given: sizes.append(len(given[-1])))
    await play(tap, 6)
    assert sum(sizes) > 40
    assert max(sizes[1:]) == 2  # of eight features


@in_virtual_time
async def test_bug_in_a_comparison_is_logged_once_and_raises_nothing(
    known: Reference, caplog: pytest.LogCaptureFixture
) -> None:
    tap = tap_of("reference.json", now_s)
    tap.use(known)
    broken = party(5)
    for seat in broken.seats:
        seat.player.features = SimpleNamespace(numbers=b"1", texts=())
    for _ in range(3):
        tap.settled(broken)
        await play(tap, 1)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert tap.monitor is not None


async def test_reference_is_loaded_from_its_file_and_again_when_it_changes(known: Reference, tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    file.write_bytes(encode(known))
    tap = tap_of(file)
    references = References({"game": game_of(v1=tap)})
    await references.load_all()
    first = tap.monitor
    await references.load_all()
    assert first is not None
    assert tap.monitor is first
    other = Reference(known.rows, dict(list(known.features.items())[:3]), known.scores, known.models, None)
    file.with_suffix(".new").write_bytes(encode(other))
    file.with_suffix(".new").replace(file)
    await references.load_all()
    assert tap.monitor is not first
    assert tap.monitor is not None
    assert tap.monitor.reference == other


async def test_wrong_file_is_logged_once_and_keeps_the_reference_before(
    known: Reference, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "reference.json"
    tap = tap_of(file)
    references = References({"game": game_of(v1=tap)})
    for _ in range(3):
        await references.load_all()
    assert [record.getMessage() for record in caplog.records] == [
        f"game: versions.v1.reference: {file}: No such file or directory"
    ]
    file.write_bytes(encode(known))
    await references.load_all()
    before = tap.monitor
    assert before is not None
    file.write_text("{}")
    await references.load_all()
    assert tap.monitor is before
    assert "is not a reference; make it with `mesh drift reference`" in caplog.records[-1].getMessage()


async def test_unexpected_error_of_a_reference_ends_nothing(
    known: Reference, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: bytes) -> Reference:
        raise RuntimeError("a bug")

    file = tmp_path / "reference.json"
    file.write_bytes(encode(known))
    monkeypatch.setattr("supervisor.drift.references.decode", broken)
    await References({"game": game_of(v1=tap_of(file))}).load_all()
    assert caplog.records[-1].getMessage() == f"game: versions.v1.reference: {file}: a bug"


async def test_reference_is_loaded_from_s3(
    known: Reference, s3_store: s3.S3, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    s3.use(monkeypatch, s3_store.endpoint)
    s3_store.make_bucket("drift-references")
    s3_store.put("drift-references", "v1/reference.json", encode(known))
    tap, missing = (tap_of(f"s3://drift-references/{version}/reference.json") for version in ("v1", "v2"))
    await References({"game": game_of(v1=tap, v2=missing)}).load_all()
    assert tap.monitor is not None
    assert tap.monitor.reference == known
    assert missing.monitor is None
    assert "publish it" in caplog.text


def catalog_of(uri: str | None) -> Any:
    return SimpleNamespace(
        game="game", versions={"v1": SimpleNamespace(reference=uri), "v2": SimpleNamespace(reference=None)}
    )


def test_new_catalog_keeps_the_counts_of_a_version_with_the_same_reference_and_models(known: Reference) -> None:
    panels = {"v1": panel(), "v2": panel()}
    first = open_drift_taps(catalog_of("a.json"), panels, SOURCES, None)
    assert set(first) == {"v1"}
    first["v1"].use(known)
    before = game_of(**first)
    assert drift_taps(before) == first
    assert open_drift_taps(catalog_of("a.json"), panels, SOURCES, before)["v1"].monitor is first["v1"].monitor
    assert open_drift_taps(catalog_of("b.json"), panels, SOURCES, before)["v1"].monitor is None
    others = {"v1": panel(("whales",)), "v2": panel()}
    assert open_drift_taps(catalog_of("a.json"), others, SOURCES, before)["v1"].monitor is None
    assert open_drift_taps(catalog_of(None), panels, SOURCES, before) == {}


@in_virtual_time
async def test_metrics_and_page_have_the_same_figures(known: Reference) -> None:
    tap, waiting = tap_of("reference.json", now_s), tap_of("other.json", now_s)
    tap.use(known)
    metrics = DriftMetrics({"game": game_of(v1=tap, v2=waiting)})
    registry = CollectorRegistry()
    registry.register(metrics)
    await play(tap, 60)
    text = generate_latest(registry).decode()
    assert 'mesh_drift_reference_loaded{game="game",version="v1"} 1.0' in text
    assert 'mesh_drift_reference_loaded{game="game",version="v2"} 0.0' in text
    (observed,) = observed_in([json.loads(metrics.page())])
    for one in observed.findings():
        line = f'mesh_drift_severity{{game="game",kind="{one.kind}",name="{one.name}",version="v1"}} {one.severity}'
        assert line in text
    twice = observed_in([json.loads(metrics.page())] * 2)
    assert twice[0].counts.samples == 2 * observed.counts.samples


def test_series_of_a_version_have_a_bound(known: Reference) -> None:
    one = known.features["level"]
    wide = Reference(known.rows, {f"f{number}": one for number in range(300)}, {}, {}, None)
    tap = tap_of("reference.json")
    tap.use(wide)
    monitor = tap.monitor
    assert monitor is not None
    shares = np.array(one.counts) / one.present
    bins = np.random.default_rng(1).choice(len(shares), (600, 300), p=shares)
    places = monitor.layout.starts[:-1] + bins
    places[:, 7] = monitor.layout.start_of["feature", "f7"] + monitor.layout.missing_of(("feature", "f7"))
    monitor.add(places, np.zeros((600, len(MODELS))))
    registry = CollectorRegistry()
    registry.register(DriftMetrics({"game": game_of(v1=tap)}))
    lines = [
        line for line in generate_latest(registry).decode().splitlines() if line.startswith("mesh_drift_severity{")
    ]
    assert len(lines) == MAX_FEATURES
    assert any('name="f7"' in line for line in lines)
