"""Makes golden rows of a model file: of rows with scores from the training, or of players, scored by LightGBM."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.catalog.sources import Sources, misfits, resolved
from mesh.errors import Misconfigured
from mesh.golden import Difference, Golden, GoldenRow, find_difference_of
from mesh.model_file import ModelHeader
from mesh.reference import boosters
from mesh.reference.context_values import context_values
from mesh.reference.draws import draw
from mesh.reference.players import Players
from mesh.reference.values import Value, golden_values, offer_values, row_of

MAX_ROWS = 1000  # their file stays below the limit of a worker, and a worker scores them in some milliseconds
_SMALL = 1e-6
_TRAINING = "the training"


@dataclass(frozen=True, slots=True)
class ModelText:
    """A model file of this machine: its path, its digest, and its header without open lists of categories."""

    path: Path
    sha256: str
    header: ModelHeader


class GivenRow(NamedTuple):
    """The values of the features by name, and the scores from the training [classes]."""

    values: Mapping[str, Value]
    scores: tuple[float, ...]


def of_given(model: ModelText, given: Sequence[GivenRow], tolerance: float, where: str) -> Golden:
    """Returns the rows with their scores from the training.

    Raises Misconfigured, with the place `where`, if the LightGBM of this machine gives other scores.
    """
    rows = [GoldenRow(golden_values(model.header, row.values), row.scores) for row in given]
    golden = _golden(model, rows, tolerance, _TRAINING)
    booster, matrix = boosters.load(model.path), [row_of(model.header, row.values) for row in given]
    difference = find_difference_of(golden, boosters.predict(booster, matrix))
    if difference is not None:
        raw = find_difference_of(golden, boosters.predict(booster, matrix, raw=True)) is None
        raise Misconfigured([_disagreement(model, difference, raw, where)])
    return golden


def of_players(model: ModelText, catalog: Catalog, players: Players, ids: Sequence[str], tolerance: float) -> Golden:
    """Returns a row for each of the players, with a drawn offer and context, scored by the LightGBM of this machine.

    Raises Misconfigured if the sources of the catalog do not fit the model.
    """
    offers = catalog_files.offers_of(catalog.offers) if catalog.offers else None
    sources = Sources(players.columns, catalog.context, offers)
    if wrong := misfits(model.header, sources):
        raise Misconfigured([f"{model.path}: {problem}; {fix}" for problem, fix in wrong])
    header, drawn = resolved(model.header, sources), context_values(catalog)
    values = [
        {
            **players.features_of(player),
            **offer_values(offers, _drawn_offer(player, len(offers.ids)) if offers else None),
            **draw(drawn, player),
        }
        for player in ids
    ]
    scores = boosters.predict(boosters.load(model.path), [row_of(header, one) for one in values])
    rows = [GoldenRow(golden_values(header, one), of_row) for one, of_row in zip(values, scores, strict=True)]
    return _golden(ModelText(model.path, model.sha256, header), rows, tolerance, boosters.lightgbm_version())


def _drawn_offer(player: str, count: int) -> int:
    return random.Random(f"offer of {player}").randrange(count)


def _golden(model: ModelText, rows: Sequence[GoldenRow], tolerance: float, scored_by: str) -> Golden:
    header = model.header
    return Golden(
        model_sha256=model.sha256,
        features=header.feature_names,
        categories=tuple(name for name in header.feature_names if name in header.categories),
        classes=header.classes,
        tolerance=tolerance,
        scored_by=scored_by,
        rows=tuple(rows),
    )


def _disagreement(model: ModelText, difference: Difference, is_raw: bool, where: str) -> str:
    place = f"{where}, row {difference.row} for {model.path.name}"
    problem = f"{place}: {boosters.lightgbm_version()} gives another score: {difference.scores}"
    if is_raw:
        return f"{problem}; the column has raw scores: save the scores of Booster.predict without raw_score"
    pairs = zip(difference.expected, difference.got, strict=True)
    if all(abs(expected - got) <= _SMALL for expected, got in pairs):
        return f"{problem}; give --golden-tolerance {_SMALL:g} if a difference as small as this one is harmless"
    return f"{problem}; check that the scores are of this model file, and that the rows have the values of the training"
