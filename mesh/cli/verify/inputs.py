"""Checks the values that the store and the offers give to a version's models against those of the training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources, resolved
from mesh.catalog.version import Model
from mesh.cli.verify.report import Check, Result
from mesh.model_file import read_columns
from mesh.reference.input_check import InputFinding, TrainedInputs, check_inputs
from mesh.reference.players import Players
from mesh.reference.values import Value, golden_values, offer_values

_ENOUGH = 10  # values; fewer may all be unusual by chance


def check_sources(catalog: Catalog, models: Sequence[Model], players: Players, ids: Sequence[str]) -> Iterator[Check]:
    """Yields a check for each feature with a finding, or one for all features; samples the players `ids`.

    The context comes from the callers, so its features are not checked.
    """
    offers = catalog_files.offers_of(catalog.offers) if catalog.offers else None
    sources = Sources(players.columns, catalog.context, offers)
    trained = [_trained(model, sources) for model in models]
    given = _given(trained, sources, offers, [players.features_of(player) for player in ids])
    findings = check_inputs(trained, given)
    yield from map(_check, findings)
    if not findings:
        yield Check("inputs", f"{len(given)} features", "equal", "all values are as in training")


def _trained(model: Model, sources: Sources) -> TrainedInputs:
    header = resolved(catalog_files.header_of(model), sources)
    return TrainedInputs(header, read_columns(Path(model.uri)))


def _given(
    models: Sequence[TrainedInputs],
    sources: Sources,
    offers: OffersTable | None,
    players: Sequence[Mapping[str, Value]],
) -> dict[str, list[Value]]:
    """Returns the values by feature: of all offers for a feature of the offers, else of the players."""
    offered = {*offers.numbers, *offers.texts} if offers else set[str]()
    columns = sources.columns
    stored = {*columns.numbers, *columns.texts} if columns else set[str]()
    tables = [offer_values(offers, position) for position in range(len(offers.ids) if offers else 0)]
    given: dict[str, list[Value]] = {}
    for model in models:
        names = model.header.feature_names
        rows = [golden_values(model.header, values) for values in players]
        of_offers = [golden_values(model.header, values) for values in tables]
        for at, name in enumerate(names):
            if name not in given and name in offered | stored:
                given[name] = [row[at] for row in (of_offers if name in offered else rows)]
    return given


def _check(finding: InputFinding) -> Check:
    is_certain = finding.kind == "missing" or finding.total >= _ENOUGH
    result: Result = "different" if finding.is_whole and is_certain else "warning"
    return Check("inputs", finding.feature, result, finding.sentence)
