"""Prints an answer of the mesh for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from mesh.cli.console import print_line, stdout, table
from mesh.wire import offers_pb2

Answer = offers_pb2.GetOfferResponse | offers_pb2.ScoreResponse

MAX_INPUTS = 8  # in an answer: see protos/offers.proto
_STYLES = {offers_pb2.ENSEMBLE: "green", offers_pb2.PARTIAL: "yellow", offers_pb2.FALLBACK: "red"}


def print_offers(answer: offers_pb2.GetOfferResponse, seconds: float) -> None:
    """Prints the ranked offers and the details of the answer; `seconds` is the time that the caller measured."""
    console = stdout()
    _print_source(console, answer)
    ranking = table(("", "offer"), ("score", "expected revenue"))
    for place, ranked in enumerate(answer.offers, 1):
        score = f"{ranked.score:.6g}" if ranked.HasField("score") else "-"
        revenue = f"{ranked.expected_revenue:.4f}" if ranked.HasField("expected_revenue") else "-"
        ranking.add_row(str(place), Text(ranked.offer_id), score, revenue)
    console.print(ranking)
    if answer.explored:
        print_line(console, f"explored: the first offer was drawn by `explore` of version {answer.version}")
    for line in _details(answer, seconds):
        print_line(console, line)


def print_score(answer: offers_pb2.ScoreResponse, seconds: float) -> None:
    """Prints the score and the details of the answer; `seconds` is the time that the caller measured."""
    console = stdout()
    _print_source(console, answer)
    score = f"{answer.score:.17g}" if answer.HasField("score") else "-"
    offer = f" of offer {answer.offer_id}" if answer.offer_id else ""
    print_line(console, f"score {score}{offer}")
    for line in _details(answer, seconds):
        print_line(console, line)


def _print_source(console: Console, answer: Answer) -> None:
    console.print(offers_pb2.Source.Name(answer.source), style=_STYLES.get(answer.source), end=" ")
    reason = f": {answer.reason}" if answer.reason else ""
    files = f", files {answer.version_digest}" if answer.version_digest else ""
    print_line(console, f"(version {answer.version or '-'}{files}){reason}")


def _details(answer: Answer, seconds: float) -> Iterator[str]:
    for missing in answer.missing_models:
        yield f"missing {missing.model}: {missing.reason}"
    if answer.unknown_player:
        yield "no features: the store does not know this player"
    elif answer.HasField("features_age_ms"):
        yield f"features written {age(answer.features_age_ms)} ago"
    if answer.missing_inputs:
        yield f"missing inputs: {_names(answer.missing_inputs)}"
    if answer.unseen_inputs:
        yield f"unseen inputs, with values that no model knows: {_names(answer.unseen_inputs)}"
    if answer.decision_id:
        yield f"decision {answer.decision_id}"
    timings = answer.timings
    last = f" (last: {timings.last_model})" if timings.last_model else ""
    yield (
        f"{timings.total_ms:.1f} ms: queue {timings.queue_ms:.1f}, features {timings.features_ms:.1f}, "
        f"fan-out {timings.fan_out_ms:.1f}{last}, combine {timings.combine_ms:.1f}; "
        f"{seconds * 1000:.1f} ms with the network"
    )


def _names(inputs: Sequence[str]) -> str:
    more = ", and perhaps more" if len(inputs) == MAX_INPUTS else ""
    return ", ".join(inputs) + more


def age(milliseconds: int) -> str:
    """Formats a duration in the largest unit of which it has at least two."""
    seconds = milliseconds / 1000
    for unit, size_s in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{seconds:.1f} s"
