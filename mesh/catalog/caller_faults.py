"""Finds contradictions in the block `callers` of a catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.catalog.callers import ANYONE
from mesh.catalog.faults import Fault, Location, Tree

_RECOGNISED_BY = ("names", "token_sha256")
_SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def contradictions(tree: Tree) -> Iterator[Fault]:
    """Yields the contradictions between the callers, and between them and the versions."""
    callers = tree.values.get("callers")
    if not isinstance(callers, dict):
        return
    if not callers:
        fix = "name the programs that may ask, or write `anyone: true`"
        yield tree.fault(("callers",), "is empty, so nobody may ask for the game", fix)
    versions = tree.values.get("versions")
    first: dict[tuple[str, str], Location] = {}
    for name, block in callers.items():
        caller, at = block if isinstance(block, dict) else {}, ("callers", str(name))
        if isinstance(block, dict) or block is True:
            yield from _recognition_faults(tree, at, caller)
        yield from _pin_faults(tree, at, caller, versions)
        yield from _repeated(tree, at, caller, first)
        yield from _unusable(tree, at, caller)
        if "burst" in caller and "requests_per_s" not in caller:
            problem = "without requests_per_s there is no limit that a burst could exceed"
            yield tree.fault((*at, "burst"), problem, "add requests_per_s or remove burst")


def _recognition_faults(tree: Tree, at: Location, caller: Mapping[str, Any]) -> Iterator[Fault]:
    given = [key for key in _RECOGNISED_BY if caller.get(key)]
    if at[-1] == ANYONE:
        for key in given:
            problem = f"{ANYONE} is every peer that no other caller is, so nothing identifies it"
            yield tree.fault((*at, key), problem, "remove it, or give the caller another name")
    elif not given and not any(key in caller for key in _RECOGNISED_BY):
        problem = "has neither names nor token_sha256, so no peer can be this caller"
        yield tree.fault(at, problem, f"add one of them; for every other peer, use the name {ANYONE}")
    elif not given:
        key = next(key for key in _RECOGNISED_BY if key in caller)
        yield tree.fault((*at, key), "is empty, so no peer can be this caller", "add at least one")


def _repeated(
    tree: Tree, at: Location, caller: Mapping[str, Any], first: dict[tuple[str, str], Location]
) -> Iterator[Fault]:
    """Yields the names and tokens that another caller, or the same one, has already; adds the others to `first`."""
    for key in _RECOGNISED_BY:
        for position, text in _texts(caller, key):
            owner = first.setdefault((key, text), (*at, key, position))
            if owner != (*at, key, position):
                shown = repr(text) if key == "names" else "the digest"
                problem = f"{shown} is already in {key} of {owner[1]}"
                yield tree.fault(
                    (*at, key, position), problem, "give it to one caller only, so that a peer is one caller"
                )


def _unusable(tree: Tree, at: Location, caller: Mapping[str, Any]) -> Iterator[Fault]:
    for position, text in _texts(caller, "names"):
        if "*" in text or not text.isprintable() or text != "".join(text.split()):
            fix = "give the URI or DNS name as it is in the certificate; `*` has no special meaning"
            yield tree.fault((*at, "names", position), f"{text!r} is not the name of a certificate", fix)
    for position, text in _texts(caller, "token_sha256"):
        if text == _SHA256_OF_NOTHING:
            problem = "is the digest of an empty text, which everybody knows"
            fix = 'give that of a token; for `printf %s "$TOKEN" | sha256sum`, check that TOKEN is set'
            yield tree.fault((*at, "token_sha256", position), problem, fix)


def _pin_faults(tree: Tree, at: Location, caller: Mapping[str, Any], versions: Any) -> Iterator[Fault]:
    known = [str(name) for name in versions] if isinstance(versions, dict) else []
    for position, version in _texts(caller, "pins"):
        if known and version not in known:
            problem = f"the game has no version {version!r}"
            yield tree.fault((*at, "pins", position), problem, f"remove it, or name one of {', '.join(known)}")


def _texts(caller: Mapping[str, Any], key: str) -> list[tuple[int, str]]:
    values = caller.get(key)
    return [
        (position, value)
        for position, value in enumerate(values if isinstance(values, list) else ())
        if isinstance(value, str) and value
    ]
