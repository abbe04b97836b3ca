"""The process that holds the lanes: prints `all_down` when the last lane is down, and `all_up` when all are up."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

import uvloop

from loadtest.fleet.games import FORESTS
from loadtest.workloads import feature_names
from mesh import serving
from mesh.catalog.sources import Sources
from mesh.catalog.version import Model
from mesh.logs.setup import log_to_stderr
from mesh.players.features import Columns
from mesh.starvation import CpuStarvation
from supervisor.connect_gate import ConnectGate
from supervisor.machine_starvation import MachineStarvation
from supervisor.pool import ModelPool
from supervisor.rows import RowPlanner

MODEL = "stalled"
POLL_S = 0.05


def main() -> int:
    """Holds the lanes until a signal ends the process."""
    serving.follow_parent()
    parser = argparse.ArgumentParser(prog="python -m loadtest.lanes.holder", description=__doc__)
    parser.add_argument("--address", required=True, help="address of the worker")
    parser.add_argument("--lanes", type=int, required=True, help="number of lanes")
    options = parser.parse_args()
    log_to_stderr("error")  # a line for each lane would say nothing new
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_hold(options.address, options.lanes))


async def _hold(address: str, count: int) -> int:
    pools = _pools(count)
    for pool in pools:
        pool.assign([address])
    async with serving.stop_signal() as stop:
        reporting = asyncio.create_task(_report(pools))
        await stop.wait()
        reporting.cancel()
    await asyncio.gather(reporting, *(pool.close() for pool in pools), return_exceptions=True)
    return 0


def _pools(count: int) -> list[ModelPool]:
    """A pool for each lane, as in a supervisor whose models have one replica each."""
    gate = ConnectGate()
    columns = Columns(tuple(feature_names(FORESTS)), ())
    planner = RowPlanner(Sources(columns, {}, None))
    model = Model(name=MODEL, uri="stalled.txt")
    starvation = MachineStarvation(CpuStarvation())
    return [ModelPool(model, planner, columns, starvation, 1, gate) for _ in range(count)]


async def _report(pools: list[ModelPool]) -> None:
    last = 0
    while True:
        up = sum(lane.state == "up" for pool in pools for lane in pool.lanes.values())
        if up != last and up in (0, len(pools)):
            print(json.dumps({"event": "all_up" if up else "all_down"}), flush=True)
            last = up
        await asyncio.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(main())
