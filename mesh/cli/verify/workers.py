"""Finds the workers of a version: by name, by a pattern of addresses, or in the endpoints file of a `mesh up`."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mesh.address import host_and_port
from mesh.catalog.deployment.names import SHARED
from mesh.errors import Misconfigured

_PLACE = "{model}"
_VERSION = "{version}"
_UNIX = "unix:"
_PROBE_S = 1.0
_SHOWN = 3

Addresses = Mapping[str, Sequence[str]]  # by model


def workers_of(
    game: str, version: str, models: Sequence[str], given: Sequence[str], members: Collection[str] = ()
) -> Addresses:
    """Returns the addresses of the workers of each model, from the words of --workers.

    Without words, they come from the endpoints file of the only `mesh up` of this user that serves the version; none if
    there is no such file. `members` are the models whose workers belong to all versions. Raises Misconfigured for a
    wrong word, and if several files have the version.
    """
    if not given:
        file = _own_file(game, version, members)
        return _from_file(file, game, version, members) if file else {}
    found: dict[str, list[str]] = {}
    for word in given:
        name, equals, address = word.partition("=")
        if word.endswith(".json"):
            for model, addresses in _from_file(Path(word), game, version, members).items():
                found.setdefault(model, []).extend(addresses)
        elif _PLACE in word and not equals:
            for model in models:
                owner = SHARED if model in members else version
                found.setdefault(model, []).extend(_resolved(word.replace(_PLACE, model).replace(_VERSION, owner)))
        elif name in models and address:
            found.setdefault(name, []).extend(_resolved(address))
        else:
            known = ", ".join(models)
            fix = f"write NAME=ADDRESS with one of the models {known}, an address with {_PLACE}, or a .json file"
            raise Misconfigured([f"--workers {word}: {fix}"])
    return found


def _own_file(game: str, version: str, members: Collection[str]) -> Path | None:
    folders = Path(tempfile.gettempdir()).glob("mesh-*/endpoints.json")
    files = [file for file in folders if _is_own(file) and _is_live(_from_file(file, game, version, members))]
    if len(files) > 1:
        problem = f"{len(files)} runs of `mesh up` serve {game}/{version}"
        choice = " or ".join(map(str, sorted(files)[:_SHOWN]))
        raise Misconfigured([f"{problem}; name the file of one of them, such as --workers {choice}"])
    return files[0] if files else None


def _is_own(file: Path) -> bool:
    try:
        return file.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _is_live(addresses: Addresses) -> bool:
    """Whether one of the workers accepts connections; the file of a killed `mesh up` stays behind."""
    return any(map(_accepts, (address for of_model in addresses.values() for address in of_model)))


def _accepts(address: str) -> bool:
    is_unix = address.startswith(_UNIX)
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_UNIX if is_unix else socket.AF_INET) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(address.removeprefix(_UNIX) if is_unix else (host, int(port)))
        except (OSError, ValueError):
            return False
    return True


def _from_file(file: Path, game: str, version: str, members: Collection[str]) -> Addresses:
    try:
        versions = json.loads(file.read_text(encoding="utf-8")).get(game, {})
        shared = {name: one for name, one in versions.get(SHARED, {}).items() if name in members}
        models = {**versions.get(version, {}), **shared}
        return {str(model): list(map(_address, endpoints)) for model, endpoints in models.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise Misconfigured([f"{file}: is not an endpoints file of `mesh up`: {error}; correct --workers"]) from error


def _address(endpoint: Any) -> str:
    """Returns the address of an entry, which a file of another program may have by itself."""
    return str(endpoint["address"] if isinstance(endpoint, dict) else endpoint)


def _resolved(address: str) -> list[str]:
    """Returns the addresses of all replicas behind a name, such as a headless Service; as given if it has none."""
    host, _, port = address.rpartition(":")
    if address.startswith(_UNIX) or not port.isdecimal():
        return [address]
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError:
        return [address]
    hosts = dict.fromkeys(str(name[0]) for _, _, _, _, name in found)
    return [host_and_port(host, port) for host in hosts]
