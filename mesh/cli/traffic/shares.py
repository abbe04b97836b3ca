"""The shares of all versions after `mesh traffic` has set some of them."""

from __future__ import annotations

from collections.abc import Mapping

from mesh.errors import Misconfigured

_DIGITS = 4  # of a percentage, after the point


def new_shares(now: Mapping[str, float], wanted: Mapping[str, float]) -> dict[str, float]:
    """Returns the percentages of all versions: `wanted` for some, and the remainder for the others.

    One other version gets the whole remainder; several share it in proportion to their shares `now`. Raises
    Misconfigured if the shares cannot add up to 100.
    """
    unknown = [version for version in wanted if version not in now]
    if unknown:
        raise Misconfigured([f"there is no version {unknown[0]!r}; the catalog has {', '.join(now)}"])
    rest, others = round(100 - sum(wanted.values()), _DIGITS), [version for version in now if version not in wanted]
    if rest < 0 or (rest and not others):
        raise Misconfigured([f"the shares add up to {100 - rest:g}; change them so that they add up to 100"])
    if len(others) == 1:
        return {version: wanted.get(version, rest) for version in now}
    total = sum(now[version] for version in others)
    if rest and not total:
        named = " or ".join(others)
        raise Misconfigured([f"{rest:g} % of the players are left, and {named} have none now; give the share of each"])
    found = {version: wanted.get(version, round(rest * now[version] / (total or 1), _DIGITS)) for version in now}
    if others:
        largest = max(others, key=lambda version: now[version])
        found[largest] = round(found[largest] + 100 - sum(found.values()), _DIGITS)
    return found
