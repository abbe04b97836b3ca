"""`python -m supervisor`: reads the settings, builds the parts, and serves until a stop signal."""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":
    # Before the other imports, which take half a second: without a handler, process 1 of a container ignores SIGTERM,
    # and any other process would end by the signal, as if it had failed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))

import asyncio
import json
import sys
from collections.abc import Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mesh import serving, telemetry
from mesh.address import host_and_port
from mesh.background import in_background
from mesh.errors import Misconfigured
from mesh.heap import return_freed_memory, settle_heap
from mesh.logs.metrics import LogMetrics
from mesh.logs.setup import LogOutput, log_to_stderr
from mesh.metrics_endpoint import Pages, metrics_endpoint
from mesh.printable import one_line
from mesh.settings import WrongSettingsError
from mesh.starvation import CpuStarvation
from supervisor.assembly import open_discovery, open_games
from supervisor.callers.gate import CallerGate
from supervisor.callers.ports import Ports
from supervisor.certificate import demand_names, https_context, open_tls
from supervisor.cohort import Cohorts
from supervisor.decisions.logs import DecisionLogs
from supervisor.decisions.metrics import DecisionMetrics
from supervisor.discovery.assignment import assign_replicas
from supervisor.drift.metrics import DriftMetrics
from supervisor.drift.references import References
from supervisor.followed_catalogs import FollowedCatalog, open_catalogs
from supervisor.grpc_server import GrpcServer, check_ports, connection_age_options, grpc_server
from supervisor.live_games import LiveGames
from supervisor.machine_starvation import MachineStarvation
from supervisor.metrics import Metrics
from supervisor.outcomes.desk import OutcomeDesk
from supervisor.outcomes.rate import OutcomeRate
from supervisor.outcomes.service import OutcomeService
from supervisor.service import SERVICE_NAME, OffersService
from supervisor.settings import Settings, read_settings
from supervisor.shadow.runner import shadow_runner
from supervisor.shadow.sample import SampleQueue
from supervisor.start_up import open_or_stop, wait_for_quorums, wait_until_ready
from supervisor.state_metrics import StateOnDemand
from supervisor.tracing.opening import tracing

if TYPE_CHECKING:
    from mesh.tls.live import LiveTls

EXIT_MISCONFIGURED = 2


def main(arguments: Sequence[str]) -> int:
    try:
        settings = read_settings(arguments)
        log_output = log_to_stderr(settings.log_level, settings.log_format)
        if settings.follow_parent:
            serving.follow_parent()
        return serving.run(serve(settings, log_output), settings.loop)
    except* (Misconfigured, WrongSettingsError) as errors:  # a task group raises them as a group
        print(*map(one_line, _faults_in(errors)), sep="\n", file=sys.stderr)
    return EXIT_MISCONFIGURED


async def serve(settings: Settings, log_output: LogOutput) -> int:
    """Serves until a stop signal; raises Misconfigured if it cannot start."""
    loop_thread = CpuStarvation()
    starvation, metrics, samples = MachineStarvation(loop_thread), Metrics(), SampleQueue()
    logs = DecisionLogs(os.environ, ["--log-level", settings.log_level, "--log-format", settings.log_format])
    metrics.registry.register(LogMetrics(log_output))
    metrics.registry.register(DecisionMetrics(logs))
    tls, catalogs = open_tls(settings.tls, metrics.registry), await open_catalogs(settings)
    ports = Ports(tls is not None, settings.token_port is not None)
    # Closed in reverse order: first the server, which waits for the last answers; then the task group of the journeys;
    # then the background work and the rest of the decision logs, and last the lanes, the stores, the export of traces.
    async with (
        serving.stop_signal() as stop,
        tracing(settings.traces, metrics.registry) as tracer,
        open_or_stop(
            open_games([one.catalog for one in catalogs], starvation, metrics, samples, logs, tls, ports), stop
        ) as games,
    ):
        if games is None:
            return 0
        demand_names(tls, games)
        async with (
            logs.writing(games),
            in_background(*_background_work(settings, catalogs, games, metrics, tls)),
            asyncio.TaskGroup() as journey_tasks,
        ):
            cohorts = Cohorts(journey_tasks, starvation, settings.max_waiting)
            metrics.registry.register(StateOnDemand(games, cohorts, starvation.peek))
            drift = DriftMetrics(games)
            metrics.registry.register(drift)
            rate = OutcomeRate(loop_thread, lambda: cohorts.departures)
            gate = CallerGate(games, metrics.callers, has_tls=tls is not None)
            games.subscribe(gate.refresh)
            outcomes = OutcomeService(OutcomeDesk(games, metrics.outcomes), rate, gate, settings.max_connection_age_s)
            service = OffersService(games, cohorts, outcomes, gate, settings.max_connection_age_s, tracer)
            async with in_background(shadow_runner(samples, games, cohorts, starvation).run(), rate.watch()):
                await _serve_until_stopped(settings, service, games, metrics, drift, tls, stop)
    return 0


async def _serve_until_stopped(
    settings: Settings,
    service: OffersService,
    games: LiveGames,
    metrics: Metrics,
    drift: DriftMetrics,
    tls: LiveTls | None,
    stop: asyncio.Event,
) -> None:
    ages = connection_age_options(settings, [game.catalog for game in games.values()])
    health = serving.Health([SERVICE_NAME])
    pages = {"/": metrics.exposition, "/metrics": metrics.exposition, "/drift": drift.page}
    metrics_place = (settings.metrics_host, settings.metrics_port, https_context(tls, wanted=settings.metrics_tls))
    served = Pages(pages, health.checks(), dict.fromkeys(("/", "/metrics"), metrics.open_metrics))
    async with metrics_endpoint(served, *metrics_place) as metrics_port:
        check_ports(settings)  # before the wait for replicas, which can take long
        await wait_for_quorums(games, settings.listen_within_s, stop)
        if stop.is_set():
            return
        games.begin()
        async with grpc_server(settings, service, ages, metrics.refused_calls.inc, tls, health) as server:
            await wait_until_ready(games, settings.ready_within_s, stop)
            if not stop.is_set():
                await health.set_serving(True)
                settle_heap()
                announce(settings, server, metrics_port)
                await stop.wait()


def announce(settings: Settings, server: GrpcServer, metrics_port: int) -> None:
    """Prints the ready line, the only line on stdout, for the process that started this one."""
    ready = {
        "event": "ready",
        "address": host_and_port(settings.host, server.port),
        "metrics": host_and_port(settings.metrics_host, metrics_port),
        "pid": os.getpid(),
    }
    if server.token_port is not None:
        ready["token_address"] = host_and_port(settings.host, server.token_port)
    print(json.dumps(ready), flush=True)


def _background_work(
    settings: Settings,
    catalogs: Sequence[FollowedCatalog],
    games: LiveGames,
    metrics: Metrics,
    tls: LiveTls | None,
) -> Iterator[Coroutine[Any, Any, None]]:
    discovery = open_discovery(settings, list(games), games.models)
    yield telemetry.watch_loop_lag(metrics.loop_lag)
    yield References(games).run()
    yield return_freed_memory()
    if tls is not None:
        yield tls.watch()
    for one in catalogs:
        yield games.follow(one.catalog.game, one.changes)
        if one.keep is not None:
            yield one.keep()
    if discovery is not None:
        yield assign_replicas(discovery, games)


def _faults_in(errors: ExceptionGroup[Misconfigured | WrongSettingsError]) -> Iterator[str]:
    """The faults of all errors in a group and its nested groups."""
    for error in errors.exceptions:
        yield from _faults_in(error) if isinstance(error, ExceptionGroup) else error.faults


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
