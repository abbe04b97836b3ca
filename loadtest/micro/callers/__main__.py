"""`python -m loadtest.micro.callers`: CPU of an answer with 1 and 100 callers in the catalog, against no `callers`.

A supervisor in this process answers a client in another one, over TLS. Its models have no replicas, so that their time
does not hide the cost. The callers of its catalog change several times a second, and the process's CPU is measured in
between: a change of the machine meets all cases.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from loadtest.micro.callers.client import SERVER, TOKEN
from loadtest.micro.callers.parts import parts_of
from loadtest.micro.report import cost_table
from mesh.catalog.callers import Caller
from mesh.catalog.catalog import load
from mesh.players.features import Columns
from mesh.players.sqlite import replacing_store
from mesh.starvation import CpuStarvation
from mesh.tls import throwaway
from mesh.tls.files import TlsFiles
from mesh.tls.live import LiveTls
from supervisor.assembly import open_games
from supervisor.callers.game_callers import GameCallers
from supervisor.callers.gate import CallerGate
from supervisor.cohort import Cohorts
from supervisor.game import Game
from supervisor.grpc_server import GrpcServer, grpc_server
from supervisor.machine_starvation import MachineStarvation
from supervisor.metrics import Metrics
from supervisor.outcomes.desk import OutcomeDesk
from supervisor.outcomes.rate import OutcomeRate
from supervisor.outcomes.service import OutcomeService
from supervisor.service import OffersService
from supervisor.settings import read_settings

NOBODY, CASES = "no callers", {"no callers": 0, "1 caller": 1, "100 callers": 100}
WAYS, RPCS = ("certificate", "token"), ("GetOffer", "StreamOffers")
NAME = "lobby.studio.example"
_WARM_UP_S, _CHANGE_S = 2.0, 0.05
_CATALOG = """\
game: cost
budget_ms: 5000
features: {path: players.sqlite}
offers: {path: offers.csv, fallback: starter, rank_by: score}
versions: {v1: {models: [{name: m, uri: m.txt}]}}
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """A running supervisor, and the catalogs that it changes between."""

    games: dict[str, Game]
    gate: CallerGate
    metrics: Metrics
    server: GrpcServer
    files: TlsFiles

    def serve(self, callers: GameCallers | None) -> None:
        """Puts a catalog with `callers` in force."""
        self.games["cost"] = replace(self.games["cost"], callers=callers)
        self.gate.refresh()

    def answers(self) -> float:
        """The answers so far."""
        (family,) = self.metrics.requests.collect()
        return sum(sample.value for sample in family.samples if sample.name.endswith("_total"))


def main() -> None:
    """Prints microseconds of CPU for each answer, and the ratios."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.micro.callers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="rounds of each case (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.25, help="duration of a case (default: %(default)s)")
    options = parser.parse_args()
    costs = asyncio.run(_measure(options.rounds, options.seconds))
    title = "us of the supervisor's CPU for an answer: the median of the rounds"
    Console().print(cost_table(title, "callers show", [case for case in CASES if case != NOBODY], NOBODY, costs))


async def _measure(rounds: int, seconds: float) -> Mapping[str, Mapping[str, float]]:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        async with _bench(Path(folder)) as bench:
            for rpc in RPCS:
                for way in WAYS:
                    found[f"a {way}, {rpc}"] = await _compare(bench, rpc, way, rounds, seconds)
    return found


async def _compare(bench: Bench, rpc: str, way: str, rounds: int, seconds: float) -> Mapping[str, float]:
    """Returns the medians of all cases, in us."""
    catalogs = {case: _callers(bench, number, way) for case, number in CASES.items()}
    port, own = bench.server.port, [bench.files.cert, bench.files.key]
    if way == "token":
        port, own = bench.server.token_port or 0, []
    command = [sys.executable, "-m", "loadtest.micro.callers.client", f"127.0.0.1:{port}", rpc, bench.files.ca, *own]
    bench.serve(None)  # not the callers of the case before
    client = await asyncio.create_subprocess_exec(*map(str, command))
    try:
        await asyncio.sleep(_WARM_UP_S)
        if rpc == "GetOffer":
            await _print_parts(bench, catalogs, way)
        costs: dict[str, list[float]] = {case: [] for case in CASES}
        for number in range(rounds):
            for case in [*CASES][:: 1 if number % 2 else -1]:
                bench.serve(catalogs[case])
                costs[case].append(await _cost_us(bench, seconds))
    finally:
        client.terminate()
        await client.wait()
    return {case: statistics.median(measured) for case, measured in costs.items()}


async def _print_parts(bench: Bench, catalogs: Mapping[str, GameCallers | None], way: str) -> None:
    for case, callers in catalogs.items():
        if callers is not None:
            bench.serve(callers)
            parts = await parts_of(bench.gate, bench.games["cost"])
            steps = ", ".join(f"{step} {us:.1f}" for step, us in parts.items())
            Console().print(f"us of a request, {case}, a {way}: {steps}")


async def _cost_us(bench: Bench, seconds: float) -> float:
    await asyncio.sleep(_CHANGE_S)
    answers, cpu_s = bench.answers(), time.process_time()
    await asyncio.sleep(seconds)
    cpu_s, answers = time.process_time() - cpu_s, bench.answers() - answers
    return 1e6 * cpu_s / answers


def _callers(bench: Bench, number: int, way: str) -> GameCallers | None:
    """Returns `number` callers, of which the client is the last one."""
    if not number:
        return None
    tokens = [f"token {place}" for place in range(number - 1)] + [TOKEN]
    names = [f"caller-{place}.studio.example" for place in range(number - 1)] + [NAME]
    callers = {
        # One name in all catalogs: the queue is shared by the callers of the last minute.
        (f"caller-{place}" if place < number - 1 else "client"): Caller(
            names=(names[place],) if way == "certificate" else (),
            token_sha256=(hashlib.sha256(tokens[place].encode()).hexdigest(),) if way == "token" else (),
            requests_per_s=1e6,
        )
        for place in range(number)
    }
    return GameCallers("cost", callers, bench.metrics.callers)


@asynccontextmanager
async def _bench(folder: Path) -> AsyncIterator[Bench]:
    (folder / "mesh.yaml").write_text(_CATALOG)
    (folder / "offers.csv").write_text("offer_id,price\nstarter,1\ngold,4\n")
    with replacing_store(folder / "players.sqlite", Columns(("level",), ())):
        pass
    authority, files = throwaway.new_authority(), throwaway.files_in(folder, "supervisor")
    authority.write(files, [SERVER])
    authority.write(throwaway.files_in(folder, "client"), [NAME])
    tls = [f"--tls-cert={files.cert}", f"--tls-key={files.key}", f"--tls-ca={files.ca}", "--token-port=0"]
    settings = read_settings(["--catalog", "unused", *tls])
    metrics, loop_thread = Metrics(), CpuStarvation()
    async with AsyncExitStack() as stack:
        starvation = MachineStarvation(loop_thread)
        opened = await stack.enter_async_context(open_games([load(folder / "mesh.yaml")], starvation, metrics))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        cohorts, games = Cohorts(tasks, starvation, settings.max_waiting), dict(opened)
        gate = CallerGate(games, metrics.callers, has_tls=True)
        rate = OutcomeRate(loop_thread, lambda: cohorts.departures)
        outcomes = OutcomeService(OutcomeDesk(games, metrics.outcomes), rate, gate)
        service = OffersService(games, cohorts, outcomes, gate)
        server = await stack.enter_async_context(grpc_server(settings, service, [], tls=LiveTls(files)))
        yield Bench(games, gate, metrics, server, throwaway.files_in(folder, "client"))


if __name__ == "__main__":
    main()
