import json
import socket
from collections.abc import Iterator

import grpc
import pytest

from mesh.cli.main import main
from mesh.cli.offers.answer_view import age
from mesh.wire import offers_pb2, offers_pb2_grpc
from mesh.wire.offers_pb2 import ContextValue, GetOfferRequest, GetOfferResponse, ScoreRequest, ScoreResponse
from tests.mesh.cli.offers_server import serving

TIMINGS = offers_pb2.Timings(
    queue_ms=0.1, features_ms=0.5, fan_out_ms=4.0, combine_ms=0.4, total_ms=5.0, last_model="whales"
)


class Offers(offers_pb2_grpc.OffersServicer):
    """Gives the answer or the failure that a test sets, and records the requests."""

    def __init__(self) -> None:
        self.requests: list[GetOfferRequest | ScoreRequest] = []
        self.answer: GetOfferResponse | ScoreResponse = GetOfferResponse()
        self.failure: tuple[grpc.StatusCode, str] | None = None
        self.address = ""

    def GetOffer(self, request: GetOfferRequest, context: grpc.ServicerContext) -> GetOfferResponse:
        return self._answer(request, context)  # type: ignore[return-value]

    def Score(self, request: ScoreRequest, context: grpc.ServicerContext) -> ScoreResponse:
        return self._answer(request, context)  # type: ignore[return-value]

    def _answer(
        self, request: GetOfferRequest | ScoreRequest, context: grpc.ServicerContext
    ) -> GetOfferResponse | ScoreResponse:
        self.requests.append(request)
        if self.failure is not None:
            context.abort(*self.failure)
        return self.answer


@pytest.fixture
def offers() -> Iterator[Offers]:
    servicer = Offers()
    with serving(servicer) as servicer.address:
        yield servicer


def ask(offers: Offers, command: str, *flags: str) -> int:
    return main([command, "--game", "arena", "--player", "anna", "--address", offers.address, *flags])


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("between", [("--context",), ()])
def test_all_options_reach_the_request(offers: Offers, between: tuple[str, ...]) -> None:
    flags = ("--context", "platform=ios", *between, "minutes=3", "--offer", "a", "--offer", "b")

    assert ask(offers, "offer", *flags, "--limit", "2", "--version", "2026-10") == 0

    expected = GetOfferRequest(
        game="arena",
        player_id="anna",
        context={"platform": ContextValue(text="ios"), "minutes": ContextValue(number=3)},
        offer_ids=["a", "b"],
        limit=2,
        version="2026-10",
    )
    assert offers.requests == [expected]


@pytest.mark.parametrize("is_explored", [True, False])
def test_drawn_offer_is_named_as_such(offers: Offers, capsys: pytest.CaptureFixture[str], is_explored: bool) -> None:
    ranked = [offers_pb2.RankedOffer(offer_id="gems", score=0.25)]
    offers.answer = GetOfferResponse(version="2026-10", offers=ranked, explored=is_explored)
    assert ask(offers, "offer") == 0
    assert ("explored: the first offer was drawn by `explore` of version 2026-10" in lines(capsys)) is is_explored


def test_full_answer_shows_the_ranking_with_scores_and_times(
    offers: Offers, capsys: pytest.CaptureFixture[str]
) -> None:
    offers.answer = GetOfferResponse(
        source=offers_pb2.ENSEMBLE,
        version="2026-10",
        offers=[
            offers_pb2.RankedOffer(offer_id="gems", score=0.25, expected_revenue=1.2475),
            offers_pb2.RankedOffer(offer_id="[red]egg", score=0.125),
        ],
        features_age_ms=90_000,
        timings=TIMINGS,
        decision_id="019ac5d2-0e5c-7cc3-98c4-dc0c0c07398f",
    )

    assert ask(offers, "offer") == 0

    printed = lines(capsys)
    assert printed[:6] == [
        "ENSEMBLE (version 2026-10)",
        "offer score expected revenue",
        "1 gems 0.25 1.2475",
        "2 [red]egg 0.125 -",
        "features written 90.0 s ago",
        "decision 019ac5d2-0e5c-7cc3-98c4-dc0c0c07398f",
    ]
    assert printed[6].startswith("5.0 ms: queue 0.1, features 0.5, fan-out 4.0 (last: whales), combine 0.4; ")


def test_degraded_answer_shows_its_reason_and_the_missing_models(
    offers: Offers, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = [offers_pb2.MissingModel(model="[red]whales", reason="no lane is up")]
    fallback = [offers_pb2.RankedOffer(offer_id="starter-pack")]
    offers.answer = GetOfferResponse(
        source=offers_pb2.FALLBACK,
        reason="quorum: 0 of 1",
        offers=fallback,
        missing_models=missing,
        unknown_player=True,
    )

    assert ask(offers, "offer") == 0

    assert lines(capsys)[:5] == [
        "FALLBACK (version -): quorum: 0 of 1",
        "offer score expected revenue",
        "1 starter-pack - -",
        "missing [red]whales: no lane is up",
        "no features: the store does not know this player",
    ]


def test_missing_and_unseen_inputs_are_shown(offers: Offers, capsys: pytest.CaptureFixture[str]) -> None:
    many = [f"f{number}" for number in range(8)]
    offers.answer = GetOfferResponse(
        source=offers_pb2.ENSEMBLE, missing_inputs=many, unseen_inputs=["brand", "country"]
    )

    assert ask(offers, "offer") == 0

    printed = lines(capsys)
    assert f"missing inputs: {', '.join(many)}, and perhaps more" in printed
    assert "unseen inputs, with values that no model knows: brand, country" in printed


def test_digest_of_the_model_files_is_shown(offers: Offers, capsys: pytest.CaptureFixture[str]) -> None:
    offers.answer = GetOfferResponse(source=offers_pb2.ENSEMBLE, version="1", version_digest="0123456789abcdef")

    assert ask(offers, "offer") == 0

    assert lines(capsys)[0] == "ENSEMBLE (version 1, files 0123456789abcdef)"


def test_score_is_printed_to_its_last_bit(offers: Offers, capsys: pytest.CaptureFixture[str]) -> None:
    offers.answer = ScoreResponse(source=offers_pb2.ENSEMBLE, version="1", score=0.1 + 0.2, offer_id="gems")

    assert ask(offers, "score", "--offer", "gems") == 0

    assert lines(capsys)[1] == "score 0.30000000000000004 of offer gems"
    assert offers.requests == [ScoreRequest(game="arena", player_id="anna", offer_id="gems")]


def test_json_answer_uses_the_field_names_of_the_contract(offers: Offers, capsys: pytest.CaptureFixture[str]) -> None:
    offers.answer = ScoreResponse(source=offers_pb2.PARTIAL, score=0.5, timings=TIMINGS)

    assert ask(offers, "score", "--json") == 0

    (line,) = capsys.readouterr().out.splitlines()
    answer = json.loads(line)
    assert (answer["source"], answer["score"], answer["missing_models"]) == ("PARTIAL", 0.5, [])
    assert answer["timings"]["fan_out_ms"] == 4.0


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ((grpc.StatusCode.NOT_FOUND, "game: no such game"), "not found: game: no such game\n"),
        (
            (grpc.StatusCode.INVALID_ARGUMENT, "context.a: is text, but the catalog declares number; set 'number'"),
            "invalid argument: context.a: is text, but the catalog declares number; give a number\n",
        ),
        (
            (grpc.StatusCode.INVALID_ARGUMENT, "context.a: is number, but the catalog declares text; set 'text'"),
            "invalid argument: context.a: is number, but the catalog declares text; write --context a='\"...\"'\n",
        ),
        (
            (grpc.StatusCode.INVALID_ARGUMENT, "context.a: is text, but the catalog declares flag; set 'flag'"),
            "invalid argument: context.a: is text, but the catalog declares flag; give true or false\n",
        ),
        (
            (grpc.StatusCode.DEADLINE_EXCEEDED, "too late"),
            "no answer within the deadline; increase --deadline-ms\n",
        ),
        (
            (grpc.StatusCode.UNAVAILABLE, "draining"),
            "the mesh at {address} became unavailable: draining; try again, or start it with `mesh up`\n",
        ),
    ],
)
def test_failed_request_is_reported_in_one_line(
    offers: Offers, capsys: pytest.CaptureFixture[str], failure: tuple[grpc.StatusCode, str], expected: str
) -> None:
    offers.failure = failure

    assert ask(offers, "offer", "--deadline-ms", "5000") == 1
    assert capsys.readouterr().err == expected.format(address=offers.address)


def test_unreachable_address_is_reported_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"127.0.0.1:{unused.getsockname()[1]}"

    assert main(["score", "--game", "g", "--player", "p", "--address", address]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cannot reach the mesh at {address}: ")
    assert line.endswith("; start it with `mesh up`, or correct --address")


@pytest.mark.parametrize("flags", [("--limit", "99999999999"), ("--version", "\udcff")])
def test_value_that_does_not_fit_the_request_is_reported_in_one_line(
    offers: Offers, capsys: pytest.CaptureFixture[str], flags: tuple[str, str]
) -> None:
    assert ask(offers, "offer", *flags) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("the request cannot be built: ")
    assert offers.requests == []


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:x", "127.0.0.1:99999"])
def test_malformed_address_is_reported_in_one_line(capsys: pytest.CaptureFixture[str], address: str) -> None:
    assert main(["score", "--game", "g", "--player", "p", "--address", address]) == 1
    assert capsys.readouterr().err.startswith(f"cannot reach the mesh at {address}: ")


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(1500, "1.5 s"), (119_000, "119.0 s"), (600_000, "10 min"), (7_300_000, "2 h"), (200_000_000, "2 days")],
)
def test_age_is_printed_in_the_largest_unit_of_which_it_has_two(milliseconds: int, expected: str) -> None:
    assert age(milliseconds) == expected
