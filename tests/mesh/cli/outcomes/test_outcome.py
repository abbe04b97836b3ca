"""`mesh outcome` against a server that the test controls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from mesh.cli.main import main
from mesh.cli.outcomes import sending
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from mesh.wire.offers_pb2 import ReportOutcomeRequest as Report
from mesh.wire.offers_pb2 import ReportOutcomeResponse as Response
from tests.mesh.cli.offers_server import serving

FULL = wire.Error(code=8, message="log: the decision log of arena is full")


class Outcomes(offers_pb2_grpc.OffersServicer):
    """Takes reports; `respond` is changed by a test."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.streams = 0
        self.ends_after: Iterator[int] = iter(())  # reports of the next streams
        self.respond: Callable[[Report], Response] = lambda report: Response(outcome_id=report.outcome_id)
        self.address = ""

    def ReportOutcome(self, request: Report, _context: grpc.ServicerContext) -> Response:
        self.reports.append(request)
        return self.respond(request)

    def StreamOutcomes(self, requests: Iterator[Report], _context: grpc.ServicerContext) -> Iterator[Response]:
        self.streams += 1
        most = next(self.ends_after, None)
        for number, request in enumerate(requests):
            if number == most:
                return
            self.reports.append(request)
            yield self.respond(request)


@pytest.fixture
def outcomes() -> Iterator[Outcomes]:
    servicer = Outcomes()
    with serving(servicer, threads=4) as servicer.address:
        yield servicer


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(sending, "LONGEST_PAUSE_S", 0.002)


def run(outcomes: Outcomes, *words: str | Path) -> int:
    return main(["outcome", *map(str, words), "--game", "arena", "--address", outcomes.address])


def json_lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def test_options_become_the_fields_of_the_report(outcomes: Outcomes, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("d1", "--kind", "purchased", "--value", "4.99", "--currency", "USD", "--offer", "gold")
    assert run(outcomes, *words, "--time", "2026-11-28T16:00:00Z", "--outcome-id", "t1") == 0
    assert outcomes.reports == [
        Report(
            game="arena",
            outcome_id="t1",
            decision_id="d1",
            kind=wire.PURCHASED,
            value=4.99,
            currency="USD",
            offer_id="gold",
            time_ms=1_795_881_600_000,
        )
    ]
    assert capsys.readouterr().out == "t1: reported\n"


def test_outcome_id_is_made_of_the_decision_and_the_kind(outcomes: Outcomes) -> None:
    run(outcomes, "d1", "--kind", "shown")
    run(outcomes, "--request-id", "r1", "--kind", "clicked", "--offer", "gold")
    assert [one.outcome_id for one in outcomes.reports] == ["d1-shown", "r1-clicked-gold"]
    assert [one.HasField("value") for one in outcomes.reports] == [False, False]


def test_repeated_report_is_shown_as_such(outcomes: Outcomes, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes.respond = lambda report: Response(outcome_id=report.outcome_id, duplicate=True)
    assert run(outcomes, "d1", "--kind", "shown") == 0
    assert run(outcomes, "d1", "--kind", "shown", "--json") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "d1-shown: was reported before; it counts once"
    assert json.loads(out[1]) == {"event": "reported", "outcome_id": "d1-shown", "duplicate": True}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("d1",), "--kind: is missing; give shown, clicked or purchased"),
        (("d1", "--kind", "shown", "--time", "now"), "--time: is 'now'; give ISO 8601"),
        (("d1", "--file", "x.csv"), "DECISION_ID: cannot be combined with --file"),
        (("--request-id", "r1", "--file", "x.csv"), "--request-id: cannot be combined with --file"),
        (("--file", "x.txt"), "x.txt: cannot be read"),
    ],
)
def test_wrong_options_are_named(
    outcomes: Outcomes, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], error: str
) -> None:
    assert run(outcomes, *words) == 2
    assert capsys.readouterr().err.startswith(error)
    assert not outcomes.reports


def test_all_lines_of_a_json_file_are_reported(
    outcomes: Outcomes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"decision_id": f"d{number}", "kind": "shown"} for number in range(2500)]
    purchase = {"outcome_id": "t", "request_id": "r", "kind": "PURCHASED", "value": 2, "currency": "EUR", "time_ms": 5}
    assert run(outcomes, "--file", json_lines(tmp_path / "o.jsonl", *rows, "", purchase), "--json") == 0
    assert [one.decision_id for one in outcomes.reports[:-1]] == [f"d{number}" for number in range(2500)]
    assert (outcomes.reports[-1].value, outcomes.reports[-1].time_ms, outcomes.streams) == (2.0, 5, 3)
    result = json.loads(capsys.readouterr().out)
    assert (result["taken"], result["duplicates"], result["wrong"]) == (2501, 0, 0)


def test_csv_file_has_the_same_fields(outcomes: Outcomes, tmp_path: Path) -> None:
    file = tmp_path / "o.csv"
    file.write_text("decision_id,kind,value,currency,time\nd1,shown,,,\nd2,purchased,1.5,USD,2026-11-28T16:00:00Z\n")
    assert run(outcomes, "--file", file) == 0
    assert [(one.decision_id, one.kind, one.value) for one in outcomes.reports] == [("d1", 1, 0.0), ("d2", 3, 1.5)]
    assert [one.HasField("value") for one in outcomes.reports] == [False, True]


def test_wrong_lines_are_named_and_the_others_reported(
    outcomes: Outcomes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def respond(report: Report) -> Response:
        if report.decision_id == "d9":
            return Response(outcome_id=report.outcome_id, error=wire.Error(code=3, message="decision_id: is wrong"))
        return Response(outcome_id=report.outcome_id)

    outcomes.respond = respond
    rows = ("{", [1], {"kind": "bought", "decision_id": "d"}, {"decision_id": 1, "kind": "shown"})
    more = ({"decision_id": "d9", "kind": "shown"}, {"decision": "d"}, {"decision_id": "d1", "kind": "shown"})
    file = json_lines(tmp_path / "o.jsonl", *rows, *more)
    assert run(outcomes, "--file", file) == 1
    captured = capsys.readouterr()
    assert "1 outcomes reported; 6 wrong lines not reported" in captured.out
    expected = {
        1: "is not JSON: ",
        2: "is not a JSON object; ",
        3: "kind: is 'bought'; give shown, clicked or purchased",
        4: "decision_id: is 1; give a text",
        5: "decision_id: is wrong",
        6: "decision: is not a field of an outcome; known: game, ",
    }
    for number, error in expected.items():
        assert f"{file}:{number}: {error}" in captured.err


@pytest.mark.parametrize(
    ("text", "error"),
    [("", "has no header"), ("decision_id,typ\n", "has the column 'typ'"), ("kind\nshown,1\n", "has more cells")],
)
def test_csv_file_with_other_columns_is_refused(
    outcomes: Outcomes, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, error: str
) -> None:
    (tmp_path / "o.csv").write_text(text)
    assert run(outcomes, "--file", tmp_path / "o.csv") != 0
    assert error in capsys.readouterr().err


def test_reports_without_an_answer_are_repeated_on_another_stream(outcomes: Outcomes, tmp_path: Path) -> None:
    outcomes.ends_after = iter([0, 3, 0, 5])
    rows = [{"decision_id": f"d{number}", "kind": "shown"} for number in range(20)]
    assert run(outcomes, "--file", json_lines(tmp_path / "o.jsonl", *rows)) == 0
    assert [one.decision_id for one in outcomes.reports] == [f"d{number}" for number in range(20)]
    assert outcomes.streams == 5


def test_reports_that_a_full_log_refused_are_repeated(outcomes: Outcomes, tmp_path: Path) -> None:
    refused: set[str] = set()

    def respond(report: Report) -> Response:
        if report.outcome_id in refused:
            return Response(outcome_id=report.outcome_id)
        refused.add(report.outcome_id)
        return Response(outcome_id=report.outcome_id, error=FULL)

    outcomes.respond = respond
    rows = [{"decision_id": f"d{number}", "kind": "shown"} for number in range(5)]
    assert run(outcomes, "--file", json_lines(tmp_path / "o.jsonl", *rows)) == 0
    assert len(outcomes.reports) == 10


def test_supervisor_that_takes_no_report_ends_the_command(
    outcomes: Outcomes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes.respond = lambda report: Response(outcome_id=report.outcome_id, error=FULL)
    file = json_lines(tmp_path / "o.jsonl", {"decision_id": "d", "kind": "shown"})
    assert run(outcomes, "--file", file) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        "the supervisor takes no more outcomes: log: the decision log of arena is full; 0 were taken"
    )
    assert len(outcomes.reports) == sending.MOST_FAILURES + 1


def test_unreachable_mesh_is_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outcome", "d1", "--kind", "shown", "--game", "g", "--address", "127.0.0.1:1"]) == 1
    assert "cannot reach the mesh at 127.0.0.1:1" in capsys.readouterr().err
