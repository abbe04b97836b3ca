"""`mesh traffic`: changes the traffic of a game's versions in the catalog file, in place and by one rename."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mesh.bounded_file import read_bytes
from mesh.catalog import catalog as catalogs
from mesh.catalog import yaml_edit
from mesh.catalog.catalog import Catalog
from mesh.catalog.faults import Location
from mesh.catalog.shifts import planned_version, shares_at
from mesh.catalog.yaml_limits import MAX_BYTES
from mesh.cli.main import DONE
from mesh.cli.traffic.shares import new_shares
from mesh.errors import Misconfigured, Unavailable, unreadable


def run(arguments: argparse.Namespace) -> int:
    """Changes the file; raises Misconfigured, without a change, if the new catalog has faults."""
    file: Path = arguments.file
    content, catalog = _read(file), _valid(file)
    before = shares_at(catalog.versions, time.time())
    after = new_shares(before, _wanted(arguments.shares))
    changes = dict(_changes(catalog, after))
    if changes:
        edited = yaml_edit.edit(content.decode(), changes, first=True)
        _replace(file.resolve(), content, edited.encode())
    if arguments.json:
        print(json.dumps({"file": str(file), "game": catalog.game, "before": before, "after": after}))
    else:
        print(f"{file}: {_summary(catalog, before, after)}" if changes else f"{file}: nothing to change")
    return DONE


def _read(file: Path) -> bytes:
    try:
        return read_bytes(file, MAX_BYTES)
    except OSError as error:
        raise unreadable(file, error, "check the path and its permissions") from error


def _valid(file: Path) -> Catalog:
    """The catalog of `file`, whose shares may not add up to 100 yet."""
    draft = catalogs.read(file)
    if draft.catalog is None:
        raise Misconfigured([str(fault) for fault in draft.faults])
    return draft.catalog


def _wanted(shares: list[tuple[str, float]]) -> dict[str, float]:
    wanted = dict(shares)
    if len(wanted) < len(shares):
        raise Misconfigured(["a version is named twice; give one share for each version"])
    return wanted


def _changes(catalog: Catalog, shares: Mapping[str, float]) -> Iterator[tuple[Location, dict[str, Any]]]:
    for name, version in catalog.versions.items():
        share = int(shares[name]) if shares[name] == int(shares[name]) else shares[name]
        if version.rollout is not None:
            yield ("versions", name), {"rollout": yaml_edit.REMOVED, "traffic": share}
        elif version.traffic != share:
            yield ("versions", name), {"traffic": share}


def _replace(file: Path, before: bytes, after: bytes) -> None:
    """Replaces `file` by a rename, if the new catalog has no faults, and if the file is still as `before`."""
    with _beside(file, after) as fresh:
        draft = catalogs.read(fresh, file.parent)
        if draft.faults:
            raise Misconfigured([str(replace(fault, file=file)) for fault in draft.faults])
        if _read(file) != before:
            raise Unavailable(f"{file}: another program has changed the file; run the command again")
        fresh.replace(file)


@contextlib.contextmanager
def _beside(file: Path, content: bytes) -> Iterator[Path]:
    """Writes a file in the folder of `file`, with its permissions; removes it after the block if it is still there."""
    try:
        number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise Misconfigured([f"{file.parent}: cannot be written: {error.strerror}; check its permissions"]) from error
    fresh = Path(name)
    try:
        with os.fdopen(number, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        shutil.copymode(file, fresh)
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def _summary(catalog: Catalog, before: Mapping[str, float], after: Mapping[str, float]) -> str:
    moves = [f"{name} {before[name]:g} -> {after[name]:g} %" for name in after if before[name] != after[name]]
    planned = planned_version(catalog.versions)
    removed = [f"the rollout of {planned[0]} is removed"] if planned is not None else []
    return "; ".join([", ".join(moves) or "the shares stay", *removed])
