"""Asks a running mesh for players, with the version pinned, and compares the answers with the reference scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.catalog.catalog import Catalog
from mesh.cli.console import count
from mesh.cli.offers.context import context_value
from mesh.cli.verify.report import Check
from mesh.reference.draws import ContextValue
from mesh.reference.oracle import Oracle
from mesh.wire import offers_pb2
from mesh.wire.offers_pb2_grpc import OffersStub

CALL_S = 15.0  # above the largest budget that a catalog accepts
TRIES = 3  # a short stop of the mesh is not a difference

Answer = offers_pb2.GetOfferResponse | offers_pb2.ScoreResponse
Drawn = Callable[[str], Mapping[str, ContextValue]]


@dataclass
class _Tally:
    """The answers so far."""

    equal: int = 0
    different: list[str] = field(default_factory=list)
    incomplete: Counter[str] = field(default_factory=Counter)


def check_players(
    stub: OffersStub, catalog: Catalog, version: str, ids: Sequence[str], drawn: Drawn, oracle: Oracle
) -> Check:
    """Returns the check of all players; raises grpc.RpcError if the mesh refuses a request."""
    tally = _Tally()
    for player in ids:
        answer = _ask(stub, catalog, version, player, drawn(player))
        if answer.source != offers_pb2.ENSEMBLE:
            missing = ", ".join(one.model for one in answer.missing_models)
            tally.incomplete[f"{offers_pb2.Source.Name(answer.source)} ({missing or answer.reason})"] += 1
        elif problem := _difference(answer, oracle, version, player):
            tally.different.append(f"player {player!r}: {problem}")
        else:
            tally.equal += 1
    return _check(tally, len(ids))


def _check(tally: _Tally, asked: int) -> Check:
    subject = count(asked, "player")
    if tally.different:
        detail = f"{len(tally.different)} answers differ from LightGBM; {tally.different[0]}"
        return Check("players", subject, "different", detail)
    if tally.incomplete:
        ((kind, times), *_) = tally.incomplete.most_common(1)
        detail = f"{tally.incomplete.total()} answers are not of the whole ensemble: {times} are {kind}"
        return Check("players", subject, "different", detail)
    return Check("players", subject, "equal", f"{tally.equal} answers of the whole ensemble, all scores equal")


def _ask(stub: OffersStub, catalog: Catalog, version: str, player: str, context: Mapping[str, ContextValue]) -> Answer:
    values = {name: context_value(value) for name, value in context.items()}
    common: dict[str, Any] = {"game": catalog.game, "player_id": player, "version": version, "context": values}
    for _ in range(TRIES):
        answer: Answer
        if catalog.offers is None:
            answer = stub.Score(offers_pb2.ScoreRequest(**common), timeout=CALL_S)
        else:
            answer = stub.GetOffer(offers_pb2.GetOfferRequest(**common, limit=10_000), timeout=CALL_S)
        if answer.source == offers_pb2.ENSEMBLE:
            break
    return answer


def _difference(answer: Answer, oracle: Oracle, version: str, player: str) -> str | None:
    """Returns the first score or place that differs from the reference, as a sentence; None if all are equal."""
    expected = oracle.scores(version, (), player)
    if isinstance(answer, offers_pb2.ScoreResponse):
        return None if answer.score == expected[""] else f"expected {expected['']!r}, got {answer.score!r}"
    for ranked in answer.offers:
        if ranked.score != expected.get(ranked.offer_id):
            return f"offer {ranked.offer_id!r}: expected {expected.get(ranked.offer_id)!r}, got {ranked.score!r}"
    shown, ranking = [ranked.offer_id for ranked in answer.offers], oracle.ranking(expected)
    if shown != ranking:
        place = next(place for place, pair in enumerate(zip(shown, ranking, strict=False), 1) if pair[0] != pair[1])
        return f"place {place}: expected offer {ranking[place - 1]!r}, got {shown[place - 1]!r}"
    return None
