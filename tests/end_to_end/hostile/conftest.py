"""One mesh for all attacks. They leave its processes as they found them: that is what the tests show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end import meshes
from tests.end_to_end.hostile.observed import Attacked
from tests.end_to_end.meshes import World

MODEL, FEATURES = "binary", 6


@dataclass(frozen=True, slots=True)
class HostileMesh:
    """The address of the supervisor, and the two processes that are attacked."""

    address: str
    supervisor: Attacked
    worker: Attacked


@pytest.fixture(scope="session")
def hostile_mesh(world: World) -> Iterator[HostileMesh]:
    with meshes.running(meshes.with_median_only(world, "hostile.yaml")) as mesh:
        ready, logs = mesh.ready, Path(mesh.ready["logs"])
        worker = next(one for one in ready["workers"] if one["model"] == MODEL)
        yield HostileMesh(
            mesh.address,
            Attacked(
                ready["supervisor"]["pid"],
                mesh.address,
                ready["metrics"],
                "supervisor/testgame/player-1",
                logs / "supervisor.log",
            ),
            Attacked(
                worker["pid"],
                worker["address"],
                worker["metrics"],
                f"worker/{MODEL}/{FEATURES}",
                logs / f"testgame.median.{MODEL}.log",
            ),
        )


@pytest.fixture(params=["supervisor", "worker"])
def attacked(request: pytest.FixtureRequest, hostile_mesh: HostileMesh) -> Attacked:
    one: Attacked = getattr(hostile_mesh, request.param)
    return one
