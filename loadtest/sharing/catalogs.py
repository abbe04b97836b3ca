"""The catalogs of the comparison: one version alone, two that share all models but one, and two that share nothing."""

from __future__ import annotations

from typing import Any

from loadtest.workloads import VERSION, TrainedEnsemble, catalog_of

ALONE, SHARED, APART = "alone", "shared", "apart"
OTHER = "other"


def catalogs_of(ensemble: TrainedEnsemble) -> dict[str, dict[str, Any]]:
    """Returns the catalogs by name; in `shared` and `apart`, two versions have half of the players each.

    The own model of the second version is the file of its first model under another name.
    """
    alone = catalog_of(ensemble)
    version = alone["versions"][VERSION]
    *common, last = version["models"]
    own = {"name": f"{last['name']}-new", "uri": common[0]["uri"]}

    def two(first: list[dict[str, Any]], second: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        both = {VERSION: first, OTHER: second}
        halves = {name: {**version, "traffic": 50, "models": models} for name, models in both.items()}
        return {**alone, **more, "versions": halves}

    votes = [{"member": model["name"]} for model in common]
    return {
        ALONE: alone,
        SHARED: two([*votes, last], [*votes, own], members=common),
        APART: two([*common, last], [*common, own]),
    }
