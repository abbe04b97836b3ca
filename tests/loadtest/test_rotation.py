"""The trial of rotation: missed aims are listed, and a small mesh answers everything while its certificates change."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from loadtest.measurement.plan import Findings, Plan
from loadtest.rotation.bad_peers import AT_CALL, AT_HANDSHAKE, BAD_PEERS, BadPeer, Refusal
from loadtest.rotation.command import missed
from loadtest.rotation.trial import Result, Schedule, bad_peers_of, rotate
from loadtest.rotation.world import running_world
from loadtest.workloads import Forests, TrainedEnsemble

PLAINTEXT = BadPeer("plaintext", "worker", AT_HANDSHAKE)
POSER = BadPeer("worker as supervisor", "worker", AT_CALL)
GOOD = Result(
    answers=1000,
    classes=Counter(full=1000),
    p50_ms=2.0,
    p99_ms=5.0,
    steps=4,
    changes={"supervisor": 4},
    refusals=[Refusal(PLAINTEXT, "UNAVAILABLE", 0.1, ""), Refusal(POSER, "PERMISSION_DENIED", 0.1, "")],
    rogue_calls={"expired": 0},
)
SMALL = TrainedEnsemble(
    "rotation",
    "2 small models",
    Forests("tiny-forests", count=2, trees=10, leaves=7, features=10),
    models=2,
    quorum=2,
    players=100,
    budget_ms=5000,
)


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        (GOOD, []),
        (dataclasses.replace(GOOD, classes=Counter(full=998, partial=2)), ["of 1000 answers: 2 partial"]),
        (
            dataclasses.replace(GOOD, changes={"supervisor": 3}),
            ["supervisor has used 3 of 4 new certificates and CAs"],
        ),
        (
            dataclasses.replace(GOOD, refusals=[Refusal(POSER, "OK", 0.1, "")]),
            ["worker as supervisor at a worker: OK ; expected PERMISSION_DENIED or UNAUTHENTICATED"],
        ),
        (
            dataclasses.replace(GOOD, refusals=[Refusal(PLAINTEXT, "UNAVAILABLE", 1.2, "")]),
            ["plaintext at a worker: refused after 1.20 s; aim: 1 s"],
        ),
        (dataclasses.replace(GOOD, rogue_calls={"expired": 1}), ["a supervisor has called a server: expired"]),
        (
            dataclasses.replace(GOOD, dead=[17], tracebacks=2),
            ["1 processes have ended, and the logs have 2 tracebacks"],
        ),
    ],
)
def test_missed_aims_are_listed(result: Result, lines: list[str]) -> None:
    assert list(missed(result)) == lines


@pytest.mark.whole_machine
async def test_mesh_answers_everything_while_every_certificate_and_the_ca_change(tmp_path: Path) -> None:
    findings = Findings()
    plan = Plan(1, None, tmp_path, print, findings.faults.append, findings.doubts.append)
    plan.logs.mkdir()
    async with running_world(plan, SMALL) as world:
        bad_peers = bad_peers_of(world)
        result = await rotate(world, SMALL, bad_peers, Schedule(50.0, 1, step_s=4.0, deadline_ms=5000.0), print)
    in_time = [dataclasses.replace(refusal, took_s=0.0) for refusal in result.refusals]
    assert list(missed(dataclasses.replace(result, refusals=in_time))) == []
    assert result.answers > 500
    assert len(in_time) == result.steps * len(BAD_PEERS)
