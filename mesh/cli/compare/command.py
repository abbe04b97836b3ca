"""`mesh compare`: shows how a shadow would have answered the requests of another version."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.cli.compare.comparison import DROPPED, Comparison, compare, merged
from mesh.cli.compare.tables import tables
from mesh.cli.console import stdout
from mesh.cli.main import DONE
from mesh.cli.metrics_page import Page, fetch
from mesh.cli.parser import METRICS
from mesh.cli.status.interval import Interval
from mesh.errors import Misconfigured, Unavailable
from mesh.tls.channel import metrics_security

NOTHING = Page({})


def run(arguments: argparse.Namespace) -> int:
    """Prints the comparison. Raises Misconfigured for unknown versions, Unavailable if nothing was compared."""
    catalog = catalogs.load(arguments.file)
    faults = list(_faults(arguments.file, catalog, arguments.version, arguments.shadow))
    if faults:
        raise Misconfigured(faults)
    interval = _interval(arguments, arguments.metrics or [METRICS])
    found = compare(interval, catalog.game, arguments.version, arguments.shadow)
    if not found.compared:
        raise Unavailable(_why_nothing(found, catalog))
    if arguments.json:
        stdout().out(json.dumps({**dataclasses.asdict(found), "compared": found.compared}), highlight=False)
    else:
        stdout().print(tables(found))
    return DONE


def _faults(file: Path, catalog: Catalog, version: str, shadow: str) -> Iterator[str]:
    known = {version: tuple(catalog.versions), shadow: (*catalog.versions, *_members(catalog, version))}
    for name, names in known.items():
        if name not in names:
            yield f"{file}: versions: there is no version {name!r}; known: {', '.join(names)}"
    if version == shadow:
        yield f"{file}: versions.{version}: is compared with itself; name the version that answers, then its shadow"


def _members(catalog: Catalog, version: str) -> Iterator[str]:
    """Yields the members of a version that have no vote, as VERSION/MODEL."""
    if version in catalog.versions:
        yield from (f"{version}/{model.name}" for model in catalog.versions[version].models if model.shadow)


def _interval(arguments: argparse.Namespace, addresses: Sequence[str]) -> Interval:
    if arguments.seconds is None:
        return Interval(NOTHING, _page(arguments, addresses), 1.0)
    before, before_s = _page(arguments, addresses), time.monotonic()
    time.sleep(arguments.seconds)
    return Interval(before, _page(arguments, addresses), time.monotonic() - before_s)


def _page(arguments: argparse.Namespace, addresses: Sequence[str]) -> Page:
    return merged([fetch(one, metrics_security(one, vars(arguments), os.environ)) for one in addresses])


def _why_nothing(found: Comparison, catalog: Catalog) -> str:
    problem = f"no request of {found.version} was compared with {found.shadow}"
    dropped = {name: found.outcomes.get(name, 0) for name in DROPPED}
    if found.shadow in catalog.versions and catalog.versions[found.shadow].shadow == 0:
        return f"{problem}: versions.{found.shadow}.shadow is 0; set it to a percentage of the players"
    if found.outcomes.get("no-quorum"):
        return f"{problem}: its votes were missing; look for models without lanes in `mesh status`"
    if any(dropped.values()):
        return f"{problem}: the mesh had no idle moment for a shadow; try again under less load or with more CPU"
    return f"{problem}: none was sampled; wait for requests of players of {found.version}"
