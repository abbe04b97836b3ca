"""The fast reader of metrics pages."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mesh.cli.metrics_page import parse
from mesh.cli.top import reading
from mesh.cli.top.combined import Span, combined
from mesh.cli.top.reading import PageReader


def test_page_has_the_values_that_the_parser_of_prometheus_reads() -> None:
    registry = CollectorRegistry()
    odd = 'a}b {c="d"} \\ "e"\n'
    requests = Counter("mesh_requests", "", ("game", "version", "source", "reason"), registry=registry)
    requests.labels("g", odd, "PARTIAL", "none").inc(3)
    Histogram("mesh_loop_lag_seconds", "", registry=registry).observe(0.01)
    Gauge("mesh_lanes", "", ("game", "version", "model", "state"), registry=registry).labels("g", odd, "m", "up").set(2)
    Gauge("mesh_cohorts_under_way", "", registry=registry).set(1.5)
    Gauge("another", "", registry=registry).set(1)
    text = generate_latest(registry).decode()

    found = PageReader().read(text)

    read = {(one.name, tuple(one.labels.items())): found.values[key] for key, one in found.series.items() if one}
    wanted = (sample for samples in parse(text).samples.values() for sample in samples)
    expected = {(one.name, tuple(one.labels.items())): one.value for one in wanted if one.name in reading._NAMES}
    assert read == expected
    assert len(expected) == len(Histogram.DEFAULT_BUCKETS) + 3
    assert {"game": "g", "version": odd, "model": "m", "state": "up"} in [dict(labels) for _, labels in read]


@pytest.mark.parametrize("text", ["mesh_lanes", "<html>", "mesh_lanes{} one\n"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"line|could not"):
        PageReader().read(text)


def test_series_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_SPARE_SERIES", 2)
    reader = PageReader()
    before = reader.read("".join(f'mesh_lanes{{model="{number}"}} 1\n' for number in range(5)))
    after = reader.read('mesh_lanes{model="7"} 1\n')
    assert (len(before.series), list(after.series)) == (5, ['mesh_lanes{model="7"}'])
    assert combined([Span(before, after, 1.0)]).after.total("mesh_lanes") == 1
