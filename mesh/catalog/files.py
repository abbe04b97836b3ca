"""Checks the files that a catalog names: models, offers, the player store, and whether they fit together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mesh.block import HAS_SCHEME
from mesh.catalog.catalog import Draft, Offers
from mesh.catalog.decisions import unknown_exclusions
from mesh.catalog.faults import Fault, Location
from mesh.catalog.members import Member
from mesh.catalog.offers_table import OffersTable, parse_offers, read_offers
from mesh.catalog.sources import Sources, misfits
from mesh.errors import Misconfigured
from mesh.model_file import BadModel, ModelHeader, WrongCategories, read_header
from mesh.players.features import Columns
from mesh.players.settings import DynamoFeatures
from mesh.players.sqlite import open_store, read_columns
from mesh.s3 import address as s3_address
from mesh.sha256 import sha256_of


def faults(draft: Draft, *, models_elsewhere: bool = False, models_may_be_missing: bool = False) -> list[Fault]:
    """Returns all faults in the files of the catalog; a game with a fault cannot be served.

    With `models_elsewhere`, no file of a model is read; with `models_may_be_missing`, those on this machine are.
    """
    found: list[Fault] = []
    columns = _columns(draft, found)
    offers = _offers(draft, found)
    # If the store or the offers cannot be read, do not also report each feature as missing.
    complete = columns is not None and (offers is not None or "offers" not in draft.tree.values)
    sources = Sources(columns, draft.context, offers) if complete else None
    if sources is not None:
        found += unknown_exclusions(draft.tree, sources)
    for at, model in draft.models():
        skipped = models_elsewhere or (models_may_be_missing and not _is_file(Path(model.uri)))
        found += _model_faults(draft, model, at, sources, skipped)
    return found


def column_faults(draft: Draft, columns: Columns) -> list[str]:
    """Returns what models on this machine would miss in a store with `columns`: one fault for all of those models."""
    sources = Sources(columns, draft.context, _offers(draft, []))
    places: dict[tuple[str, str], list[Location]] = {}
    for at, model in draft.models():
        if _is_file(Path(model.uri)):
            for misfit in _misfits_of(model, sources):
                places.setdefault(misfit, []).append(at)
    return [_shared_fault(draft, misfit, at) for misfit, at in places.items()]


def _misfits_of(model: Member, sources: Sources) -> list[tuple[str, str]]:
    try:
        return misfits(header_of(model), sources)
    except BadModel as error:
        return [_split(error.reason)]


def _shared_fault(draft: Draft, misfit: tuple[str, str], places: Sequence[Location]) -> str:
    problem, fix = misfit
    first, others = (*places[0], "uri"), len(places) - 1
    more = f" (and {others} other model{'s' if others > 1 else ''})" if others else ""
    return str(draft.tree.fault(first, problem + more, fix))


def header_of(model: Member) -> ModelHeader:
    """Returns the header of a model on this machine. Raises BadModel, and WrongCategories for its `categories`."""
    return read_header(Path(model.uri), model.categories)


def offers_of(offers: Offers) -> OffersTable:
    """Returns the offers from the catalog or its CSV file; raises Misconfigured with all faults in them."""
    if offers.table is not None:
        return parse_offers(offers.table, "the table")
    return read_offers(Path(offers.path or ""))


def _columns(draft: Draft, found: list[Fault]) -> Columns | None:
    if isinstance(draft.features, DynamoFeatures):  # no read of the table: the check needs no network
        return draft.features.named_columns
    if draft.features is None:
        return None
    path = Path(draft.features.path)
    if not _is_file(path):
        fix = "create it with `mesh features load FILE --catalog CATALOG`"
        found.append(draft.tree.fault(("features", "path"), f"{path} is missing", fix))
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
            found.append(draft.tree.fault(("offers", key), problem, "create it, or correct the path"))
        return None
    try:
        table = offers_of(draft.offers)
    except Misconfigured as error:
        found += [draft.tree.fault(("offers", key), *_split(fault)) for fault in error.faults]
        return None
    found += offer_faults(draft, table)
    return table


def offer_faults(draft: Draft, table: OffersTable) -> Iterator[Fault]:
    """Yields the contradictions between the `offers` block and its CSV file."""
    offers = draft.offers
    if offers is not None and offers.fallback not in table.positions:
        problem = f"{offers.fallback!r} is not an offer in {offers.path or 'the table'}"
        yield draft.tree.fault(("offers", "fallback"), problem, "use one of its offer_ids")
    if offers is not None and offers.rank_by == "expected_revenue" and table.prices is None:
        problem = f"expected revenue is score x price, but {offers.path or 'the table'} has no column price"
        yield draft.tree.fault(("offers", "rank_by"), problem, "add the column, or rank by score")


def _model_faults(
    draft: Draft, model: Member, at: Location, sources: Sources | None, is_elsewhere: bool
) -> Iterator[Fault]:
    if HAS_SCHEME.match(model.uri):
        yield from _address_faults(draft, model.uri, (*at, "uri"))
        return
    if is_elsewhere:
        return
    path = Path(model.uri)
    if not _is_file(path):
        yield draft.tree.fault((*at, "uri"), *_missing_file(path))
        return
    if model.sha256 is not None and (actual := sha256_of(path)) != model.sha256:
        problem = f"differs from the SHA-256 of the file, {actual}"
        yield draft.tree.fault((*at, "sha256"), problem, "restore the file, or set this SHA-256 if you changed it")
        return
    try:
        header = header_of(model)
    except WrongCategories as error:
        yield draft.tree.fault((*at, "categories"), *_split(error.reason))
        return
    except BadModel as error:
        yield draft.tree.fault((*at, "uri"), *_split(error.reason))
        return
    yield from _header_faults(draft, model, header, at)
    if sources is not None:
        yield from _misfit_faults(draft, header, (*at, "uri"), sources)


def _missing_file(path: Path) -> tuple[str, str]:
    """Returns the problem and the fix for a model whose `path` is not a file."""
    if _is_folder(path):
        return f"{path} is a folder", "name the model's file"
    scheme = s3_address.SCHEME.rstrip("/")
    if scheme in path.parts:  # `s3:/bucket/key` counts as a relative path
        key = "/".join(path.parts[path.parts.index(scheme) + 1 :])
        return f"{scheme}/{key} is not the address of an object", f"did you mean {s3_address.SCHEME}{key}?"
    return f"{path} is missing", "train the model, or correct the path"


def _address_faults(draft: Draft, uri: str, at: Location) -> Iterator[Fault]:
    """Checks the address of a model that is not a local file; needs no network."""
    if not uri.startswith(s3_address.SCHEME):
        yield draft.tree.fault(at, f"{uri} has an unknown scheme", "give a path or s3://BUCKET/KEY")
        return
    try:
        s3_address.parse(uri)
    except ValueError as error:
        yield draft.tree.fault(at, *_split(str(error)))


def _misfit_faults(draft: Draft, header: ModelHeader, at: Location, sources: Sources) -> Iterator[Fault]:
    for problem, fix in misfits(header, sources):
        yield draft.tree.fault(at, problem, fix)


def _header_faults(draft: Draft, model: Member, header: ModelHeader, at: Location) -> Iterator[Fault]:
    fault = class_fault(model, header)
    if fault is not None:
        yield draft.tree.fault((*at, "class"), *fault)


def class_fault(model: Member, header: ModelHeader) -> tuple[str, str] | None:
    """Returns the problem and the fix if `class` in the catalog does not fit the outputs of the model."""
    if header.classes == 1 and model.class_ is not None:
        return "is set, but the model has one output", "remove it"
    if header.classes > 1 and (model.class_ is None or model.class_ >= header.classes):
        problem = "is missing" if model.class_ is None else f"is {model.class_}"
        return f"{problem}, but the model has {header.classes} classes", f"give a number from 0 to {header.classes - 1}"
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # an invalid file name
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # an invalid file name
        return False


def _split(sentence: str) -> tuple[str, str]:
    problem, _, fix = sentence.partition("; ")
    return problem, fix or "replace the file"
