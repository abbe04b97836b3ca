"""Finds contradictions between the `explore` of a version and the remainder of the catalog."""

from __future__ import annotations

from collections.abc import Iterator

from mesh.catalog.faults import Fault, Location, Tree
from mesh.exploration import Explore


def contradictions(tree: Tree, at: Location, explore: Explore, voters: int) -> Iterator[Fault]:
    """Yields the contradictions of `explore`, which is at the path `at`, of a version with `voters` models."""
    if "offers" not in tree.values:
        problem = "explore draws an offer, but the game has no offers"
        yield tree.fault(at, problem, "add an `offers` block or remove `explore`")
    if explore.temperature is not None and explore.kind != "softmax":
        problem = f"kind {explore.kind} does not use it"
        yield tree.fault((*at, "temperature"), problem, "remove it, or use kind softmax")
    if explore.kind == "thompson_votes" and voters == 1:
        problem = "thompson_votes draws one of the models, but only one model votes: its best offer is always first"
        yield tree.fault((*at, "kind"), problem, "add models or use another kind")
