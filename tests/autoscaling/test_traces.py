"""The engine compared with all recorded decisions of the real controller."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path

import pytest

from autoscaling.engine import versions
from autoscaling.engine.hpa import Hpa
from autoscaling.traces import trace_file
from autoscaling.traces.replay import decisions, differences
from autoscaling.traces.trace_file import Trace
from autoscaling.traces.trace_hpa import hpa_of
from tests.autoscaling.recomputation import recomputed

FILES = sorted((Path(__file__).parent / "traces").glob("*.json.gz"))


@functools.cache
def read(file: Path) -> tuple[Trace, Hpa]:
    trace = trace_file.load(file)
    return trace, hpa_of(trace, versions.parse(trace.kubernetes or ""), file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.partition(".")[0])
def test_engine_decides_every_recorded_tick_as_the_controller_did(file: Path) -> None:
    assert list(differences(*read(file))) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.partition(".")[0])
def test_numbers_of_every_rationale_lead_to_its_decision(file: Path) -> None:
    trace, hpa = read(file)
    found = list(decisions(trace, hpa))
    assert [recomputed(hpa, one.rationale) for one in found] == [one.replicas for one in found]


def test_all_traces_are_present() -> None:
    assert (len(FILES), sum(len(read(file)[0].ticks) for file in FILES)) == (80, 10_419)


def test_difference_names_its_field() -> None:
    trace, hpa = read(FILES[0])
    first = trace.ticks[0]
    wrong = first.model_copy(update={"out": first.out.model_copy(update={"spec_replicas": 99, "error": "down"})})
    found = differences(trace.model_copy(update={"ticks": (wrong, *trace.ticks[1:])}), hpa)
    assert [(one.field, one.recorded, one.computed) for one in found] == [
        ("spec_replicas", 99, first.out.spec_replicas),
        ("error", "down", None),
    ]


def test_rules_of_1_32_lead_to_other_decisions() -> None:
    """Some specs have a tolerance, which 1.32 ignores, and some ratios are 1.1."""
    fields = Counter[str]()
    for file in FILES:
        trace = read(file)[0]
        fields.update(one.field for one in differences(trace, hpa_of(trace, versions.parse("1.32"), file)))
    assert fields["spec_replicas"] > 0
