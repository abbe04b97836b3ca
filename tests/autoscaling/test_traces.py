"""Every decision that the real controller was seen to take."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path

import pytest

from autoscaling.engine import versions
from autoscaling.engine.hpa import Hpa
from autoscaling.traces import observations
from autoscaling.traces import trace_file as traces
from autoscaling.traces.replay import decisions, differences
from autoscaling.traces.trace_file import Trace
from tests.autoscaling.recomputation import added_up

FILES = sorted((Path(__file__).parent / "traces").glob("*.json.gz"))


@functools.cache
def read(file: Path) -> tuple[Trace, Hpa]:
    trace = traces.load(file)
    return trace, observations.rules(trace, versions.parse(trace.kubernetes or ""), file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.partition(".")[0])
def test_every_recorded_tick_is_decided_as_the_controller_did(file: Path) -> None:
    assert list(differences(*read(file))) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.partition(".")[0])
def test_the_numbers_of_every_reasoning_add_up_to_the_decision(file: Path) -> None:
    trace, hpa = read(file)
    found = list(decisions(trace, hpa))
    assert [added_up(hpa, one.reasoning) for one in found] == [one.replicas for one in found]


def test_no_trace_is_lost() -> None:
    assert (len(FILES), sum(len(read(file)[0].ticks) for file in FILES)) == (80, 10_419)


def test_a_difference_is_found_in_the_field_where_it_is() -> None:
    trace, hpa = read(FILES[0])
    first = trace.ticks[0]
    wrong = first.model_copy(update={"out": first.out.model_copy(update={"spec_replicas": 99, "error": "down"})})
    found = differences(trace.model_copy(update={"ticks": (wrong, *trace.ticks[1:])}), hpa)
    assert [(one.field, one.recorded, one.computed) for one in found] == [
        ("spec_replicas", 99, first.out.spec_replicas),
        ("error", "down", None),
    ]


def test_the_rules_of_1_32_would_have_decided_otherwise() -> None:
    """Some specs have a tolerance of their own, which it did not know, and some ratios are 1.1."""
    fields = Counter[str]()
    for file in FILES:
        trace = read(file)[0]
        fields.update(one.field for one in differences(trace, observations.rules(trace, versions.parse("1.32"), file)))
    assert fields["spec_replicas"] > 0
