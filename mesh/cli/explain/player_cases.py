"""The rows of a player of the store, as the models of a version would score them now."""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources, resolved
from mesh.catalog.version import Version
from mesh.cli.checked_catalogs import load_files
from mesh.cli.explain.subject import Subject, prove_all
from mesh.cli.offers import context as contexts
from mesh.cli.stored_players import players_of
from mesh.errors import Misconfigured
from mesh.model_file import ModelHeader
from mesh.players.features import Columns
from mesh.reference.explanation import MISSING, UNKNOWN, Case, Input, Voter
from mesh.reference.local_files import with_local_files
from mesh.reference.values import Value, offer_values, row_of

_KINDS = {"number": "number", "flag": "boolean", "text": "text"}  # of a context value: in protobuf, in the catalog


@contextmanager
def of_player(arguments: argparse.Namespace) -> Iterator[Subject]:
    """Yields the subject of `--player`; its models are on this machine within the block.

    Raises Misconfigured for wrong options, and for files that are missing, damaged, or do not fit each other.
    """
    (catalog,) = load_files([arguments.catalog])
    version = _version(catalog, arguments)
    context = _context(catalog, arguments.context)
    offers = catalog_files.offers_of(catalog.offers) if catalog.offers else None
    chosen = _offers(offers, arguments)
    with tempfile.TemporaryDirectory(prefix="mesh-explain-") as folder:
        local = with_local_files(catalog, version, Path(folder))
        yield _subject(local, version, offers, chosen, context, arguments.player)


def _subject(
    catalog: Catalog,
    version: str,
    offers: OffersTable | None,
    chosen: Sequence[str | None],
    context: Mapping[str, Value],
    player: str,
) -> Subject:
    ensemble = catalog.versions[version]
    prove_all([Path(model.uri) for model in ensemble.voters])
    players = players_of(catalog)
    stored = players.features_of(player)
    headers = _headers(catalog, ensemble, players.columns, offers)
    cases = []
    for offer in chosen:
        place = offers.positions[offer] if offers and offer is not None else None
        values = {**stored, **offer_values(offers, place), **context}
        rows = [row_of(header, values) for header in headers]
        price = offers.prices[place] if offers and offers.prices and place is not None else None
        cases.append(Case(offer, rows, _inputs(headers, rows, values), price))
    voters = tuple(
        Voter(model.name, Path(model.uri), model.weight, model.class_, header.feature_names)
        for model, header in zip(ensemble.voters, headers, strict=True)
    )
    notes = () if stored else (f"The store does not know player {player!r}: every feature of the store is missing.",)
    facts = {"game": catalog.game, "version": version, "player": player}
    return Subject(ensemble.combine, voters, tuple(cases), facts, notes)


def _version(catalog: Catalog, arguments: argparse.Namespace) -> str:
    known = ", ".join(catalog.versions)
    if not arguments.version and len(catalog.versions) > 1:
        raise Misconfigured([f"{arguments.catalog}: has the versions {known}; choose one with --version"])
    version = arguments.version or next(iter(catalog.versions))
    if version not in catalog.versions:
        raise Misconfigured([f"--version {version}: {arguments.catalog} has no such version, only {known}; name one"])
    return str(version)


def _context(catalog: Catalog, pairs: Sequence[str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    faults = []
    for name, value in contexts.parse(pairs).items():
        field = value.WhichOneof("kind") or ""
        kind, wanted = _KINDS[field], catalog.context.get(name)
        if wanted is None:
            known = ", ".join(catalog.context) or "none"
            faults.append(f"--context {name}: is not a context feature of {catalog.game}; known: {known}")
        elif kind != wanted:
            faults.append(f"--context {name}: is a {wanted} in the catalog, not a {kind}; correct the value")
        else:
            found[name] = getattr(value, field)
    if faults:
        raise Misconfigured(faults)
    return found


def _offers(offers: OffersTable | None, arguments: argparse.Namespace) -> list[str | None]:
    """The offer to explain, then the one to compare it with."""
    named = [offer for offer in (arguments.offer, arguments.against) if offer is not None]
    if offers is None:
        if named:
            raise Misconfigured([f"--offer {named[0]}: the game has no offers; omit the option"])
        return [None]
    if arguments.offer is None:
        raise Misconfigured(["the game has offers; name one with --offer"])
    if unknown := [offer for offer in named if offer not in offers.positions]:
        known = ", ".join(offers.ids[:10]) + (", ..." if len(offers.ids) > 10 else "")
        raise Misconfigured([f"{unknown[0]!r} is not an offer of the game; known: {known}"])
    return list(named)


def _headers(catalog: Catalog, ensemble: Version, columns: Columns, offers: OffersTable | None) -> list[ModelHeader]:
    sources = Sources(columns, catalog.context, offers)
    return [resolved(catalog_files.header_of(model), sources) for model in ensemble.voters]


def _inputs(
    headers: Sequence[ModelHeader], rows: Sequence[Sequence[float]], values: Mapping[str, Value]
) -> dict[str, Input]:
    inputs: dict[str, Input] = {}
    for header, row in zip(headers, rows, strict=True):
        for name, cell in zip(header.feature_names, row, strict=True):
            value = values.get(name)
            if value is None or value != value:  # NaN is missing
                inputs[name] = Input(None, MISSING)
            elif not math.isnan(cell):
                inputs[name] = Input(value)
            else:
                inputs.setdefault(name, Input(value, UNKNOWN))
    return inputs
