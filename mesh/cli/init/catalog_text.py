"""The text of a first catalog: all values that the inputs determine, and a comment where a person must decide."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.catalog.catalog import ContextKind
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.yaml_text import dump
from mesh.cli.publish.version_folder import ModelFile

_CALLERS = (
    "",
    "# Every program may ask. In production, name the programs, and in Kubernetes the pods that may connect.",
    "callers: {anyone: true}",
    "kubernetes: {network_policies: {callers: anyone}}",
)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the catalog describes. `columns` are the features of the players; `folder` is the folder of the catalog."""

    game: str
    folder: Path
    models: Sequence[ModelFile]
    columns: Sequence[str]
    offers_path: Path | None
    offers: OffersTable | None


def catalog_text(inputs: Inputs) -> str:
    """Returns the catalog as YAML with comments."""
    return "\n".join(_lines(inputs)) + "\n"


def text_columns(models: Sequence[ModelFile]) -> set[str]:
    """Returns the features whose categories in a model are texts."""
    return {name for name, kind in _categorical_kinds(models).items() if kind == "text"}


def _lines(inputs: Inputs) -> Iterator[str]:
    yield "# `mesh init` wrote this catalog. `mesh catalog schema` prints all keys that it can have."
    yield f"game: {dump(inputs.game)}"
    yield ""
    yield "# The mesh always answers within this time; a shorter deadline of the caller takes precedence."
    yield "budget_ms: 300"
    yield ""
    yield "# The store of the players. Load them again with `mesh features load FILE --catalog` and this file."
    yield "features: {store: sqlite, path: players.sqlite, timeout_ms: 50}"
    yield from _context(inputs)
    yield from _offers(inputs)
    yield from _CALLERS
    yield from _versions(inputs)


def _context(inputs: Inputs) -> Iterator[str]:
    known = {*inputs.columns, *(() if inputs.offers is None else (*inputs.offers.numbers, *inputs.offers.texts))}
    wanted = dict.fromkeys(name for model in inputs.models for name in model.header.feature_names)
    missing = [name for name in wanted if name not in known]
    if not missing:
        return
    kinds = _categorical_kinds(inputs.models)
    yield ""
    yield "# The features of the models that neither the players nor the offers have: your backend sends them with each"
    yield "# request. If one of them belongs to the players, load it and remove it here."
    yield "context:"
    for name in missing:
        yield f"  {dump({name: kinds.get(name, 'number')})}"


def _offers(inputs: Inputs) -> Iterator[str]:
    yield ""
    if inputs.offers is None or inputs.offers_path is None:
        yield "# Without offers, the game answers Score only. For GetOffer, add a CSV file with the columns"
        yield "# offer_id and price:"
        yield "# offers: {path: offers.csv, fallback: ID, rank_by: expected_revenue}"
        return
    if inputs.offers.prices is None:
        yield "# The offers have no column price, so they are ranked by the score alone."
    rank_by = "score" if inputs.offers.prices is None else "expected_revenue"
    yield "# The fallback is shown if the models do not answer in time: choose the offer that suits every player."
    yield "offers:"
    yield f"  path: {dump(_relative(inputs.offers_path, inputs.folder))}"
    yield f"  fallback: {dump(inputs.offers.ids[0])}"
    yield f"  rank_by: {rank_by}  # expected_revenue: score x price; score: the score alone"


def _versions(inputs: Inputs) -> Iterator[str]:
    quorum = len(inputs.models) // 2 + 1
    yield ""
    yield "versions:"
    yield '  "1":'
    yield "    traffic: 100  # percent of the players; the shares of all versions add up to 100"
    yield f"    # The mean of the scores, if at least {quorum} of the {len(inputs.models)} models answer in time."
    yield f"    combine: {{kind: mean, quorum: {quorum}}}"
    yield "    models:"
    for model in inputs.models:
        entry: dict[str, object] = {"name": model.name, "uri": _relative(model.path, inputs.folder)}
        if model.header.classes > 1:
            entry["class"] = model.header.classes - 1
            yield f"      # It has {model.header.classes} classes: `class` is the one whose probability is the score."
        yield f"      - {dump({**entry, 'sha256': model.sha256}, flow=True)}"


def _categorical_kinds(models: Sequence[ModelFile]) -> dict[str, ContextKind]:
    """Returns the kind of each feature with pandas categories."""
    kinds: dict[str, ContextKind] = {}
    for model in models:
        for name, values in model.header.categories.items():
            if any(isinstance(value, str) for value in values):
                kinds[name] = "text"
            elif any(isinstance(value, bool) for value in values):
                kinds.setdefault(name, "boolean")
    return kinds


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.absolute(), folder)
