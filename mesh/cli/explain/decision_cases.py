"""The rows of a logged decision, as the models scored them then."""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mesh.catalog import catalog as catalogs
from mesh.cli.explain.subject import Subject, prove_all
from mesh.decisions.log import is_catalog, open_log
from mesh.decisions.side_files import SideFiles
from mesh.errors import Misconfigured, NotFound
from mesh.reference.explanation import Case, Voter
from mesh.reference.logged.candidate import inputs_of, rows_of, scored_decision, votes_of
from mesh.reference.logged.requests import EXCLUDED, NO_FEATURES, LoggedDecisions
from mesh.reference.model_search import find_models

_WITHOUT_ROWS = "to explain what the models say now, give --player P --offer O --catalog FILE"


@contextmanager
def of_decision(arguments: argparse.Namespace) -> Iterator[Subject]:
    """Yields the subject of a decision; its models are on this machine within the block.

    Raises NotFound for an unknown decision, and Misconfigured for wrong options, models that are not found by their
    digest, and decisions without scores or rows.
    """
    where = arguments.log or str(arguments.catalog)
    catalog = arguments.catalog or (Path(where) if is_catalog(where) else None)
    with open_log(where) as log:
        decision = log.decision(arguments.decision)
        if decision is None:
            raise NotFound(unknown(arguments.decision, log.name))
        files = SideFiles(log, decision["game"])
        found = scored_decision(files, decision)
        if isinstance(found, str):
            way_out = f"; {_WITHOUT_ROWS}" if found in (EXCLUDED, NO_FEATURES) else ""
            raise Misconfigured([f"{arguments.decision}: cannot be explained: {found}{way_out}"])
        places = _places(found, decision, arguments)
        cases = tuple(_case(files, found, decision, place) for place in places)
        with tempfile.TemporaryDirectory(prefix="mesh-explain-") as downloads:
            known = [catalogs.load(catalog)] if catalog else []
            voters = _voters(files, found, find_models(found.ensemble.models, known, arguments.models, Path(downloads)))
            facts = {name: str(decision[name]) for name in ("game", "version", "player") if decision[name] is not None}
            facts = {"decision": arguments.decision, "time": f"{decision['time']:%Y-%m-%d %H:%M:%S} UTC", **facts}
            yield Subject(found.ensemble.combine, voters, cases, facts)


def unknown(decision_id: str, log: str) -> str:
    """Returns the reason for a decision that is not in the log."""
    reasons = "it was not sampled, it was dropped, its file is not written yet, or it belongs to another log"
    return f"{log}: has no decision {decision_id}: {reasons}"


def _voters(files: SideFiles, found: LoggedDecisions, paths: Mapping[str, Path]) -> tuple[Voter, ...]:
    prove_all(list(paths.values()))
    return tuple(
        Voter(one.name, paths[one.sha256], one.weight, one.class_index, files.layout(one.layout).features)
        for one in found.ensemble.models
        if one.layout  # a model that was never asked has no file
    )


def _places(found: LoggedDecisions, decision: Mapping[str, Any], arguments: argparse.Namespace) -> list[int]:
    """The candidate to explain, then the one to compare it with."""
    if found.requests.offers is None:
        if arguments.offer or arguments.against:
            raise Misconfigured([f"--offer {arguments.offer or arguments.against}: the game has no offers; omit it"])
        return [0]
    candidates: Sequence[str] = decision["candidates"]
    shown = arguments.offer or _answered(decision)
    wanted = [shown, arguments.against] if arguments.against else [shown]
    if lacking := [offer for offer in wanted if offer not in candidates]:
        known = ", ".join(candidates[:10]) + (", ..." if len(candidates) > 10 else "")
        raise Misconfigured([f"offer {lacking[0]!r} is not a candidate of the decision; known: {known}"])
    return [candidates.index(offer) for offer in wanted]


def _answered(decision: Mapping[str, Any]) -> str:
    """The first offer that was returned, or the offer whose score is the answer to Score."""
    if decision["offers"]:
        return str(decision["offers"][0])
    scored = zip(decision["candidates"], decision["scores"], strict=True)
    return next((str(offer) for offer, score in scored if score == decision["score"]), str(decision["candidates"][0]))


def _case(files: SideFiles, found: LoggedDecisions, decision: Mapping[str, Any], place: int) -> Case:
    offer = None if found.requests.offers is None else str(decision["candidates"][place])
    rows, votes = rows_of(files, found.ensemble, decision, offer), votes_of(found, place)
    prices = found.requests.prices
    price = None if prices is None or math.isnan(prices[place]) else float(prices[place])
    return Case(
        offer=offer,
        rows=[rows[model.layout] for model in found.ensemble.models if model.layout],
        inputs=inputs_of(files, rows, decision),
        price=price,
        votes=None if votes is None else [votes[at] for at, model in enumerate(found.ensemble.models) if model.layout],
        missing=found.missing[0],
        score=float(found.scores[place]),
    )
