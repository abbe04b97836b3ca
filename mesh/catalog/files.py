"""What a catalog says of files, held against the files: models, offers, the player store, their fit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mesh.block import HAS_SCHEME
from mesh.catalog.catalog import Draft, Model, Offers
from mesh.catalog.faults import Fault, Step
from mesh.catalog.offers_table import OffersTable, parse_offers, read_offers
from mesh.catalog.sources import Sources, misfits
from mesh.errors import Misconfigured
from mesh.model_file import BadModel, ModelHeader, read_header
from mesh.players.features import Columns
from mesh.players.settings import DynamoFeatures
from mesh.players.sqlite import open_store, read_columns
from mesh.s3 import address as s3_address
from mesh.sha256 import sha256_of


def faults(draft: Draft, *, models_elsewhere: bool = False) -> list[Fault]:
    """Everything in the files that the catalog names which would keep the game from being served.

    With `models_elsewhere` a model file that is not on this machine is no fault.
    """
    found: list[Fault] = []
    columns = _columns(draft, found)
    offers = _offers(draft, found)
    # Without the store or the offers a missing source would only echo that fault.
    whole = columns is not None and (offers is not None or "offers" not in draft.tree.values)
    sources = Sources(columns, draft.context, offers) if whole else None
    for name, version in draft.versions.items():
        for position, model in enumerate(version.models):
            if model is not None and not (models_elsewhere and not _is_file(Path(model.uri))):
                found += _model_faults(draft, model, ("versions", name, "models", position), sources)
    return found


def column_faults(draft: Draft, columns: Columns) -> Iterator[Fault]:
    """What the models that are on this machine would miss in a player store with `columns`."""
    sources = Sources(columns, draft.context, _offers(draft, []))
    for name, version in draft.versions.items():
        for position, model in enumerate(version.models):
            if model is not None and _is_file(Path(model.uri)):
                at = ("versions", name, "models", position, "uri")
                yield from _misfit_faults(draft, read_header(Path(model.uri)), at, sources)


def offers_of(offers: Offers) -> OffersTable:
    """The table that the catalog gives or names; raises Misconfigured with everything that is wrong in it."""
    if offers.table is not None:
        return parse_offers(offers.table, "the table")
    return read_offers(Path(offers.path or ""))


def _columns(draft: Draft, found: list[Fault]) -> Columns | None:
    if isinstance(draft.features, DynamoFeatures):  # the table is not asked: files are checked without a network
        return draft.features.named_columns
    if draft.features is None:
        return None
    path = Path(draft.features.path)
    if not _is_file(path):
        mend = "fill it with `mesh features load FILE --catalog CATALOG`"
        found.append(draft.tree.fault(("features", "path"), f"{path} is missing", mend))
        return None
    try:
        with contextlib.closing(open_store(path)) as connection:
            return read_columns(connection)
    except Misconfigured as error:
        found.append(draft.tree.fault(("features", "path"), *_split(error.reason)))
        return None


def _offers(draft: Draft, found: list[Fault]) -> OffersTable | None:
    if draft.offers is None:
        return None
    key = "path" if draft.offers.table is None else "table"
    if draft.offers.table is None and not (draft.offers.path and _is_file(Path(draft.offers.path))):
        if draft.offers.path is not None:
            problem = f"{draft.offers.path} is missing"
            found.append(draft.tree.fault(("offers", key), problem, "write it, or correct the path"))
        return None
    try:
        table = offers_of(draft.offers)
    except Misconfigured as error:
        found += [draft.tree.fault(("offers", key), *_split(fault)) for fault in error.faults]
        return None
    found += offer_faults(draft, table)
    return table


def offer_faults(draft: Draft, table: OffersTable) -> Iterator[Fault]:
    """Where the catalog's `offers` block and its CSV file contradict each other."""
    offers = draft.offers
    if offers is not None and offers.fallback not in table.positions:
        problem = f"{offers.fallback!r} is no offer of {offers.path or 'the table'}"
        yield draft.tree.fault(("offers", "fallback"), problem, "name one of its offer_ids")
    if offers is not None and offers.rank_by == "expected_revenue" and table.prices is None:
        problem = f"expected revenue is score x price, and {offers.path or 'the table'} has no column price"
        yield draft.tree.fault(("offers", "rank_by"), problem, "add the column or rank by score")


def _model_faults(draft: Draft, model: Model, at: tuple[Step, ...], sources: Sources | None) -> Iterator[Fault]:
    if HAS_SCHEME.match(model.uri):
        yield from _address_faults(draft, model.uri, (*at, "uri"))
        return
    path = Path(model.uri)
    if not _is_file(path):
        yield draft.tree.fault((*at, "uri"), f"{path} is missing", "train it, or correct the path")
        return
    if model.sha256 is not None and (actual := sha256_of(path)) != model.sha256:
        problem = f"differs from the file's, which is {actual}"
        yield draft.tree.fault((*at, "sha256"), problem, "restore the file, or publish the new sum if it is meant")
        return
    try:
        header = read_header(path)
    except BadModel as error:
        yield draft.tree.fault((*at, "uri"), *_split(error.reason))
        return
    yield from _header_faults(draft, model, header, at)
    if sources is not None:
        yield from _misfit_faults(draft, header, (*at, "uri"), sources)


def _address_faults(draft: Draft, uri: str, at: tuple[Step, ...]) -> Iterator[Fault]:
    """What can be seen of a model elsewhere without asking for it: the check needs no network."""
    if not uri.startswith(s3_address.SCHEME):
        yield draft.tree.fault(at, f"{uri} is of a store that is not known", "give a path, or s3://BUCKET/KEY")
        return
    try:
        s3_address.parse(uri)
    except ValueError as error:
        yield draft.tree.fault(at, *_split(str(error)))


def _misfit_faults(draft: Draft, header: ModelHeader, at: tuple[Step, ...], sources: Sources) -> Iterator[Fault]:
    for problem, mend in misfits(header, sources):
        yield draft.tree.fault(at, problem, mend)


def _header_faults(draft: Draft, model: Model, header: ModelHeader, at: tuple[Step, ...]) -> Iterator[Fault]:
    problem = class_fault(model, header)
    if problem is not None:
        yield draft.tree.fault((*at, "class"), *problem)


def class_fault(model: Model, header: ModelHeader) -> tuple[str, str] | None:
    """Problem and mend when the catalog's `class` does not fit the model's outputs."""
    if header.classes == 1 and model.class_ is not None:
        return "is given, and the model has one output", "remove it"
    if header.classes > 1 and (model.class_ is None or model.class_ >= header.classes):
        return (
            f"is {model.class_}, and the model has {header.classes} classes",
            f"give 0 to {header.classes - 1}",
        )
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def _split(sentence: str) -> tuple[str, str]:
    problem, _, mend = sentence.partition("; ")
    return problem, mend or "replace the file"
