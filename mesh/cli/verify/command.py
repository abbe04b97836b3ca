"""`mesh verify`: compares a running version with LightGBM before players see it."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from mesh.catalog.catalog import Catalog
from mesh.cli.checked_catalogs import load_files
from mesh.cli.main import DONE, FAILED
from mesh.cli.offers.command import connected_stub
from mesh.cli.stored_players import player_ids, players_of
from mesh.cli.verify.golden import check_golden
from mesh.cli.verify.inputs import check_sources
from mesh.cli.verify.players import check_players
from mesh.cli.verify.report import Check, has_failed, print_report
from mesh.cli.verify.workers import Addresses, workers_of
from mesh.errors import Misconfigured
from mesh.reference.context_values import context_values
from mesh.reference.draws import draw
from mesh.reference.local_files import with_local_files
from mesh.reference.oracle import Oracle
from mesh.tls.channel import ClientSecurity, client_security


def run(arguments: argparse.Namespace) -> int:
    """Prints the report; exit code 1 if a check found a difference.

    Raises Misconfigured for wrong files or options, and Unavailable if no mesh answers.
    """
    (catalog,) = load_files([arguments.file])
    version: str = arguments.version
    if version not in catalog.versions:
        known = ", ".join(catalog.versions)
        raise Misconfigured([f"--version {version}: {arguments.file} has no such version, only {known}; name one"])
    models = catalog.versions[version].models
    members = {model.name for model in models if model.is_member}
    workers = workers_of(catalog.game, version, [model.name for model in models], arguments.workers, members)
    security = client_security(vars(arguments), os.environ)
    with tempfile.TemporaryDirectory(prefix="mesh-verify-") as folder:
        local = with_local_files(catalog, version, Path(folder))
        checks = list(_checks(local, version, workers, security, arguments))
    failed = has_failed(checks, arguments.strict)
    print_report(catalog.game, version, checks, failed, arguments.json)
    return FAILED if failed else DONE


def _checks(
    catalog: Catalog, version: str, workers: Addresses, security: ClientSecurity, arguments: argparse.Namespace
) -> Iterator[Check]:
    models = catalog.versions[version].models
    yield from check_golden(models, workers, replace(security, server_name=catalog.tls.worker_of(catalog.game)))
    if not arguments.players:
        return
    ids = player_ids(catalog, arguments.players, arguments.player_ids)
    players = players_of(catalog)
    yield from check_sources(catalog, models, players, ids)
    drawn = partial(draw, context_values(catalog))
    oracle = Oracle(catalog, players, drawn)
    with connected_stub(arguments.address, _of_supervisor(security, catalog)) as stub:
        yield check_players(stub, catalog, version, ids, drawn, oracle)


def _of_supervisor(security: ClientSecurity, catalog: Catalog) -> ClientSecurity:
    """The same, with the supervisor's name in the catalog unless --tls-name gives one."""
    return replace(security, server_name=security.server_name or catalog.tls.supervisor_of(catalog.game))
