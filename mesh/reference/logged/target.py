"""Another version that is asked about logged decisions: of a catalog, or of the log itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources, resolved
from mesh.catalog.version import Model
from mesh.decisions.side_files import Ensemble, Layout, LoggedModel, OfferValues, SideFiles
from mesh.errors import Misconfigured
from mesh.model_file import BadModel, ModelHeader
from mesh.players.features import Columns
from mesh.reference.local_files import with_local_files
from mesh.reference.values import offer_values, row_of
from mesh.sha256 import sha256_of


@dataclass(frozen=True, slots=True)
class Target:
    """A version with its layouts by name, and its model files by SHA-256. `origin` names its catalog or the log."""

    origin: str
    ensemble: Ensemble
    layouts: Mapping[str, Layout]
    offers: OfferValues | None
    files: Mapping[str, Path]


def of_log(origin: str, files: SideFiles, ensemble: Ensemble, models: Mapping[str, Path]) -> Target:
    """Returns a version as it is in the log; `models` are the files of its models by SHA-256."""
    layouts = {name: files.layout(name) for name in ensemble.layouts}
    offers = None if ensemble.offers is None else files.offers(ensemble.offers)
    return Target(origin, ensemble, layouts, offers, models)


def of_catalog(file: Path, catalog: Catalog, version: str, columns: Columns | None, downloads: Path) -> Target:
    """Returns a version of the catalog in `file`; objects on S3 are downloaded into the folder `downloads`.

    `columns` are those of the store, if they are known. Raises Misconfigured for an unknown version, and for models
    that cannot be read.
    """
    if version not in catalog.versions:
        known = ", ".join(catalog.versions)
        raise Misconfigured([f"{file}: versions: there is no version {version!r}; known: {known}"])
    block = with_local_files(catalog, version, downloads).versions[version]
    table = catalog_files.offers_of(catalog.offers) if catalog.offers else None
    headers = [_header(file, version, model, Sources(columns, catalog.context, table)) for model in block.voters]
    names = [_name(header) for header in headers]
    digests = [sha256_of(Path(model.uri)) for model in block.voters]
    models = [
        LoggedModel(model.name, model.uri, sha256, model.weight, model.class_, layout)
        for model, sha256, layout in zip(block.voters, digests, names, strict=True)
    ]
    by_name = dict(zip(names, headers, strict=True))
    rank_by = None if catalog.offers is None else catalog.offers.rank_by
    return Target(
        origin=str(file),
        ensemble=Ensemble(version, block.combine, rank_by, None, tuple(models), None),
        layouts={name: _layout(header, catalog, table) for name, header in by_name.items()},
        offers=None if table is None else _offers(table, by_name),
        files={sha256: Path(model.uri) for sha256, model in zip(digests, block.voters, strict=True)},
    )


def _header(file: Path, version: str, model: Model, sources: Sources) -> ModelHeader:
    try:
        header = resolved(catalog_files.header_of(model), sources)
    except BadModel as error:
        raise Misconfigured([f"{file}: versions.{version}: {model.name}: {error.reason}"]) from error
    if header.open_lists is not None:
        problem = f"the list of pandas categories {header.open_lists}"
        fix = "name the columns of type category in the model's `categories`"
        raise Misconfigured([f"{file}: versions.{version}: {model.name}: {problem}; {fix}"])
    return header


def _name(header: ModelHeader) -> str:
    return json.dumps([header.feature_names, sorted(header.categories.items())])


def _layout(header: ModelHeader, catalog: Catalog, table: OffersTable | None) -> Layout:
    offered = _offered(header, table)
    context = frozenset(catalog.context.keys() & set(header.feature_names))
    return Layout(header.feature_names, header.categories, tuple(offered), context)


def _offered(header: ModelHeader, table: OffersTable | None) -> Sequence[str]:
    names = set[str]() if table is None else {*table.numbers, *table.texts}
    return [name for name in header.feature_names if name in names]


def _offers(table: OffersTable, headers: Mapping[str, ModelHeader]) -> OfferValues:
    features = {}
    for layout, header in headers.items():
        rows = np.array([row_of(header, offer_values(table, at)) for at in range(len(table.ids))], np.float64)
        features[layout] = {name: rows[:, header.feature_names.index(name)] for name in _offered(header, table)}
    return OfferValues(table.ids, None if table.prices is None else np.array(table.prices), features)
