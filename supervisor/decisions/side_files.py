"""The side files of the log: what decisions refer to by the digest in its name (docs/decisions-log.md)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mesh.catalog.offers_table import OffersTable
from mesh.decisions.block import SideFile
from supervisor.decisions.version_log import VersionLog
from supervisor.decisions.voted_block import EnsembleRef
from supervisor.rows import RowPlan

SIDE_VERSION = 1
DIGITS = 16
_TOO_LARGE = "1e999"
_PART = 1024  # offers in one call of the JSON encoder, which holds the interpreter's lock


class SideFiles(NamedTuple):
    """The files of one ensemble, those first that others refer to, and its names."""

    of: EnsembleRef
    files: tuple[SideFile, ...]


def side_files(log: VersionLog, files: Sequence[str], plans: Sequence[RowPlan | None]) -> SideFiles:
    """Returns the side files of a version whose models are asked with `files` (SHA-256) and `plans` [models].

    A large table of offers takes long: call it in a thread.
    """
    layouts = {plan: _named(_layout(plan)) for plan in dict.fromkeys(plans) if plan is not None}
    by_name = {name: plan for plan, (name, _) in reversed(layouts.items())}
    found = [_file("layouts", log.game, name, text) for name, text in dict(layouts.values()).items()]
    offers = None
    if log.offers is not None:
        offers, text = _named(_offers(log.offers, by_name, log.hidden))
        found.append(_file("offers", log.game, offers, text))
    name, text = _named(canonical(_ensemble(log, files, [layouts[one][0] if one else None for one in plans], offers)))
    found.append(_file("ensembles", log.game, name, text))
    return SideFiles(EnsembleRef(name, tuple((plan, name) for name, plan in by_name.items())), tuple(found))


def canonical(value: Any) -> str:
    """Returns a value as JSON in its one form: sorted keys, no spaces, numbers by repr."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _named(text: str) -> tuple[str, str]:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS], text


def _file(folder: str, game: str, name: str, text: str) -> SideFile:
    return SideFile(f"{folder}/game={game}/{name}.json", text.encode())


def _ensemble(
    log: VersionLog, files: Sequence[str], layouts: Sequence[str | None], offers: str | None
) -> dict[str, Any]:
    version = log.version
    rule = version.combine
    explore = version.explore
    models = [
        {
            "name": model.name,
            "uri": model.uri,
            "sha256": sha256,
            "weight": model.weight,
            "class_index": model.class_,
            "layout": layout,
        }
        for model, sha256, layout in zip(version.voters, files, layouts, strict=True)
    ]
    return {
        "schema_version": SIDE_VERSION,
        "game": log.game,
        "version": log.name,
        "version_digest": log.digest(tuple(files)),
        "combine": {"kind": rule.kind, "quorum": version.quorum, "trim": rule.trim, "threshold": rule.threshold},
        "rank_by": log.rank_by,
        "explore": explore.model_dump(mode="json") if explore is not None else None,
        "models": models,
        "offers": offers,
        "excluded": sorted(log.hidden),
    }


def _layout(plan: RowPlan) -> str:
    names = plan.header.feature_names
    return canonical(
        {
            "schema_version": SIDE_VERSION,
            "features": names,
            "categories": plan.header.categories,
            "offer_features": [names[place] for place in plan.offers_to.tolist()],
            "context": list(plan.context),
        }
    )


def _offers(offers: OffersTable, plans: dict[str, RowPlan], hidden: frozenset[str]) -> str:
    """The table as canonical JSON, made in small parts; null for the values of `hidden` features."""
    features = {layout: _columns(plan, hidden) for layout, plan in sorted(plans.items())}
    encoded = ",".join(f"{json.dumps(layout)}:{columns}" for layout, columns in features.items())
    prices = "null" if offers.prices is None else _numbers(offers.prices)
    return f'{{"features":{{{encoded}}},"ids":{_list(offers.ids)},"prices":{prices},"schema_version":{SIDE_VERSION}}}'


def _columns(plan: RowPlan, hidden: frozenset[str]) -> str:
    names = plan.header.feature_names
    columns = {names[place]: plan.offers[:, column] for column, place in enumerate(plan.offers_to.tolist())}
    missing = [math.nan] * len(plan.offers)
    encoded = (
        f"{canonical(name)}:{_numbers(missing if name in hidden else columns[name].tolist())}"
        for name in sorted(columns)
    )
    return f"{{{','.join(encoded)}}}"


def _numbers(values: Sequence[float]) -> str:
    """The numbers as JSON: null for NaN, and for infinity, which JSON does not have, a number too large for FP64."""
    known = [None if math.isnan(value) else value for value in values]
    parts = (json.dumps(known[start : start + _PART], separators=(",", ":")) for start in range(0, len(known), _PART))
    return f"[{','.join(part[1:-1] for part in parts)}]".replace("Infinity", _TOO_LARGE)


def _list(values: Sequence[object]) -> str:
    return f"[{','.join(_parts(values))}]"


def _parts(values: Sequence[object]) -> Iterator[str]:
    for start in range(0, len(values), _PART):
        yield canonical(values[start : start + _PART])[1:-1]
