"""The overload run: recovery, table, document, and connections of the senders."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from typing import Any

import grpc
import pytest
from rich.console import Console

from loadtest.__main__ import main
from loadtest.generators.arrivals import constant
from loadtest.run import overload
from loadtest.run.answers import Answer, class_of
from loadtest.run.job import Job, Question
from loadtest.run.measurement import Setting
from loadtest.run.overload import WINDOW_S, Load, Overload, measure_connections, recovery_s
from loadtest.run.overload_report import overload_document, overload_doubts, overload_table
from loadtest.run.sender import send
from loadtest.run.summary import Generator, summarise
from loadtest.simulated.service_times import Seconds
from mesh.wire import offers_pb2 as wire

DEADLINE_MS, CONTROL_MS = 300.0, 20.0


def answers(start_s: float, stop_s: float, latency_s: float = 0.01, **changes: Any) -> list[Answer]:
    """100 answers a second."""
    due = [start_s + number / 100 for number in range(round((stop_s - start_s) * 100))]
    return [replace(Answer("p", s, s, s + latency_s, "OK", "ENSEMBLE"), **changes) for s in due]


def recovery(after: list[Answer]) -> float | None:
    return recovery_s(after, 10.0, CONTROL_MS, DEADLINE_MS)


def test_mesh_that_answers_like_the_control_at_once_recovers_in_no_time() -> None:
    assert recovery(answers(10, 15)) == 0.0


def test_recovery_lasts_until_the_last_window_with_slow_answers() -> None:
    assert recovery([*answers(10, 11.2, 0.2), *answers(11.2, 15)]) == 1.5
    assert recovery([*answers(10, 12), *answers(12, 12.2, 0.2), *answers(12.2, 15)]) == 2.5


def test_fast_answers_that_are_not_full_do_not_count_as_recovery() -> None:
    refused = answers(10, 11, source="FALLBACK", reason="overloaded")
    assert recovery([*refused, *answers(11, 15)]) == 1.0


def test_mesh_that_is_slow_at_the_end_has_not_recovered() -> None:
    assert recovery([*answers(10, 15 - WINDOW_S), *answers(15 - WINDOW_S, 15, 0.2)]) is None
    assert recovery([]) is None


def load(factor: float, seconds: float = 1.0, **fields: Any) -> Load:
    offered = answers(0, 1)
    classes = [class_of(answer, DEADLINE_MS, is_wrong=False) for answer in offered]
    summary = summarise(offered, classes, seconds, Generator(1, 0.2, "ordinary"))
    return Load(factor, summary, **{"recovery_s": None, "memory_mb": None, **fields})


def test_table_and_document_have_every_offered_rate() -> None:
    loads = [load(0.8), load(1.25, recovery_s=0.5, memory_mb=98.4), load(5.0)]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(overload_table(loads, 80.0, 8))
    text = console.export_text()
    assert all(words in text for words in ("knee of 80", "8 connections", "priority of the generator: ordinary", "> 5"))
    document = overload_document(loads, 80.0, 8)
    assert [one["whole_of_knee"] for one in document["loads"]] == [1.25] * 3
    assert (document["loads"][1]["recovery_s"], document["loads"][1]["supervisor_pss_mb"]) == (0.5, 98.4)


def test_rate_that_the_generator_could_not_send_is_a_doubt() -> None:
    assert list(overload_doubts([load(0.8)])) == []
    slow = load(5.0)
    slow = replace(slow, summary=replace(slow.summary, sent_rps=80.0))
    assert list(overload_doubts([slow])) == ["5 times the knee: the generator sent 80 of 100 requests per second"]


@pytest.mark.parametrize("option", ["--check", "--find-knee", "--trace=x.csv"])
def test_options_that_do_not_fit_overload_are_refused(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["loadtest", "run", "--overload", option])
    assert main() == 2
    assert option.partition("=")[0] in capsys.readouterr().err


def test_several_numbers_of_connections_need_overload(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["loadtest", "run", "--connections", "1,8"])
    assert main() == 2
    assert "--connections: several numbers need --overload" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--connections=1,0", "--connections=x", "--factors=1,-2"])
def test_wrong_list_is_refused(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["loadtest", "run", "--overload", option])
    with pytest.raises(SystemExit, match="2"):
        main()


async def test_each_number_of_connections_and_each_factor_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    offered: list[tuple[int, int, int]] = []

    async def ask_all(setting: Setting, offsets_s: Seconds, _seconds: float) -> tuple[list[Answer], Generator]:
        offered.append((setting.connections, setting.processes, len(offsets_s)))
        return [Answer("p", s, s, s + 0.01, "OK", "ENSEMBLE") for s in offsets_s.tolist()], Generator(1, 0.1, "")

    monkeypatch.setattr(overload, "ask_all", ask_all)
    setting = Setting(Question("", "Score", "g", "", DEADLINE_MS, {}, ["p"]), 2, 100, 0, None)
    how = Overload([2.0, 10.0], 1.0, constant, None)
    runs = await measure_connections(setting, [1, 8], 100.0, how, lambda _: None)
    after = 80 * round(overload.RECOVERY_S)
    assert offered == [
        (n, senders, load) for n, senders in ((1, 1), (8, 2)) for load in (80, 200 + after, 1000 + after)
    ]
    assert {n: [load.factor for load in loads] for n, loads in runs.items()} == {1: [0.8, 2, 10], 8: [0.8, 2, 10]}
    assert all(load.recovery_s == 0 for loads in runs.values() for load in loads[1:])


async def test_sender_spreads_its_calls_over_its_connections() -> None:
    peers: list[str] = []

    class Offers(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            del handler_call_details

            async def answer(request: bytes, context: Any) -> bytes:
                del request
                peers.append(context.peer())
                return wire.GetOfferResponse(source=wire.ENSEMBLE).SerializeToString()

            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Offers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    question = Question(f"127.0.0.1:{port}", "GetOffer", "g", "", 5000.0, {}, ["p"])
    job = Job(question, time.monotonic(), [0.0] * 12, [0] * 12, 100, 4, False, "")
    sent = await send(job)
    await server.stop(0)
    assert [code for _, _, _, code, _ in sent] == ["OK"] * 12
    assert sorted(peers.count(peer) for peer in set(peers)) == [3, 3, 3, 3]
