"""Ranges: which version has which part of a game's players, as ranges of their positions from 0 to 100."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

WHOLE = 100.0


class Range(NamedTuple):
    """The positions from `low` up to, but without, `high`, and their version."""

    version: str
    low: float
    high: float


class Ranges:
    """The versions of all positions. `parts` are adjacent, in ascending order, and cover 0 to 100."""

    __slots__ = ("_edges", "_versions", "only", "parts")

    def __init__(self, parts: Sequence[Range]) -> None:
        self.parts = tuple(part for part in parts if part.high > part.low)
        self._edges = [*(part.high for part in self.parts[:-1]), math.inf]
        self._versions = [part.version for part in self.parts]
        versions = set(self._versions)
        self.only = versions.pop() if len(versions) == 1 else None  # the version of all players, if there is only one

    def at(self, position: float) -> str:
        """Returns the version of the players at `position`."""
        return self._versions[bisect_right(self._edges, position)]

    def shares(self, versions: Collection[str]) -> dict[str, float]:
        """Returns the percentage of the positions of each of `versions`."""
        widths = dict.fromkeys(versions, 0.0)
        for part in self.parts:
            widths[part.version] += part.high - part.low
        return {version: round(width, 9) for version, width in widths.items()}  # without the errors of the subtraction


def divide(shares: Mapping[str, float]) -> Ranges:
    """Returns the ranges of versions with `shares`: percentages with a sum of 100.

    The order is that of the names. The order in the catalog does not count, since Helm does not preserve it.
    """
    parts, edge = [], 0.0
    for version in sorted(shares):
        parts.append(Range(version, edge, edge + shares[version]))
        edge += shares[version]
    if edge < WHOLE:  # rounding
        parts.append(Range(max(shares, key=lambda version: shares[version]), edge, WHOLE))
    return Ranges(parts)


def grow(ranges: Ranges, version: str, share: float) -> Ranges:
    """Returns `ranges` after `version`, a new one, has taken `share` percent of each range.

    It takes the end of a range that is nearer to its own name. So its players stay when the share grows, and no player
    moves between the other versions. If there is one other version, the ranges are those of `divide`.
    """
    if share >= WHOLE:
        return Ranges([Range(version, 0.0, WHOLE)])
    parts: list[Range] = []
    for part in ranges.parts:
        width = part.high - part.low
        if part.version < version:
            cut = part.low + width * (1 - share / WHOLE)
            parts += [part._replace(high=cut), Range(version, cut, part.high)]
        else:
            cut = part.low + width * (share / WHOLE)
            parts += [Range(version, part.low, cut), part._replace(low=cut)]
    return Ranges(parts)


def stay(ranges: Ranges, before: Ranges, without: Collection[str]) -> Ranges:
    """Returns `ranges` in which the players of the versions `without` stay with the versions that they had `before`.

    This holds for players whose version before has players in `ranges`, too; the others remain as they are.
    """
    heirs = {part.version for part in ranges.parts}.difference(without)
    parts: list[Range] = []
    for part in ranges.parts:
        if part.version not in without:
            parts.append(part)
            continue
        for old in before.parts:
            low, high = max(part.low, old.low), min(part.high, old.high)
            if low < high:
                parts.append(Range(old.version if old.version in heirs else part.version, low, high))
    return Ranges(parts)


def divert(ranges: Ranges, versions: Collection[str], to: Mapping[str, str], without: Collection[str]) -> Ranges:
    """Returns `ranges` after some of `versions` have given their players away; all other players stay.

    The players of each key of `to` go to its value. The players of the versions `without` go to the other versions, in
    proportion to their shares. If none of these has players, they go evenly to those that get players, or else to all.
    If there are no others, they stay.
    """
    heirs = _heirs(ranges, versions, to, without)
    parts: list[Range] = []
    for part in ranges.parts:
        version = _target(part.version, to, without)
        if version in without and heirs:
            parts += _split(part, heirs)
        else:
            parts.append(part._replace(version=version))
    return Ranges(parts)


def _target(version: str, to: Mapping[str, str], without: Collection[str]) -> str:
    seen = {version}
    while (following := to.get(version)) is not None and following not in without and following not in seen:
        seen.add(following)
        version = following
    return version


def _heirs(
    ranges: Ranges, versions: Collection[str], to: Mapping[str, str], without: Collection[str]
) -> Mapping[str, float]:
    """The weights of the versions that get the players of the versions `without`."""
    able = [version for version in versions if version not in without]
    chosen = [version for version in able if version not in to] or able
    shares = ranges.shares(versions)
    heirs = {version: shares[version] for version in chosen if shares[version]}
    given = {_target(version, to, without) for version, share in shares.items() if share}
    return heirs or dict.fromkeys(given.intersection(chosen) or chosen, 1.0)


def _split(part: Range, weights: Mapping[str, float]) -> Iterator[Range]:
    total, low, done = sum(weights.values()), part.low, 0.0
    for version in sorted(weights):
        done += weights[version]
        high = part.low + (part.high - part.low) * (done / total)
        yield Range(version, low, high)
        low = high
