"""`python -m supervisor.schedules` against an API server."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from supervisor import schedules
from supervisor.discovery.service_account import ServiceAccount
from supervisor.schedules import Target
from tests.supervisor.certificates import write_certificates

AT_SEVEN = datetime(2026, 12, 1, 18, tzinfo=UTC)  # in Berlin
AT_NOON = datetime(2026, 12, 1, 11, tzinfo=UTC)
EVENING = [{"cron": "0 18 * * *", "tz": "Europe/Berlin", "hours": 4, "min": 12}]
WHALES = {"kind": "HorizontalPodAutoscaler", "name": "g-v1-whales", "min": 2, "schedule": EVENING}
MINNOWS = {"kind": "ScaledObject", "name": "g-v1-minnows", "min": 3, "schedule": EVENING}


class Server:
    """Holds the objects by path, and keeps the patches."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {
            "/apis/autoscaling/v2/namespaces/games/horizontalpodautoscalers/g-v1-whales": {"minReplicas": 2},
            "/apis/keda.sh/v1alpha1/namespaces/games/scaledobjects/g-v1-minnows": {"minReplicaCount": 3},
        }
        self.patches: list[Any] = []
        self.account: ServiceAccount

    async def answer(self, request: web.Request) -> web.Response:
        spec = self.objects.get(request.path)
        if request.headers["authorization"] != "Bearer secret" or spec is None:
            return web.json_response({"message": "no"}, status=404)
        if request.method == "PATCH":
            assert request.content_type == "application/merge-patch+json"
            change = await request.json()
            self.patches.append(change)
            spec.update(change["spec"])
        return web.json_response({"spec": spec})


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    write_certificates(tmp_path)
    (tmp_path / "token").write_text("secret\n", encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    found, app = Server(), web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    found.account = ServiceAccount(f"https://127.0.0.1:{port}", "games", tmp_path)
    yield found
    await runner.cleanup()


def targets(*given: dict[str, Any]) -> tuple[Target, ...]:
    return schedules.Targets.validate_json(json.dumps(given))


async def test_minimum_is_raised_in_the_window_and_restored_after_it(server: Server) -> None:
    both = targets(WHALES, MINNOWS)
    assert await schedules.apply(both, server.account, AT_SEVEN) == 0
    assert [list(spec.values()) for spec in server.objects.values()] == [[12], [12]]
    assert await schedules.apply(both, server.account, AT_NOON) == 0
    assert [list(spec.values()) for spec in server.objects.values()] == [[2], [3]]


async def test_minimum_that_is_already_set_is_not_patched(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        await schedules.apply(targets(WHALES), server.account, AT_SEVEN)
    assert server.patches == [{"spec": {"minReplicas": 12}}]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["min"], line["was"]) for line in lines] == [(12, 2), (12, 12)]


async def test_failed_target_does_not_stop_the_others(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    gone = {**WHALES, "name": "gone"}
    assert await schedules.apply(targets(gone, WHALES), server.account, AT_SEVEN) == 1
    assert server.patches == [{"spec": {"minReplicas": 12}}]
    assert "status 404" in json.loads(capsys.readouterr().out.splitlines()[0])["error"]


@pytest.mark.parametrize(("now", "then"), [(1, 3), (3, 3), (9, 9)])
async def test_new_deployment_is_scaled_to_its_minimum_and_never_down(server: Server, now: int, then: int) -> None:
    path = "/apis/apps/v1/namespaces/games/deployments/g-v1-asia/scale"
    server.objects[path] = {"replicas": now}
    asia = {"kind": "Deployment", "name": "g-v1-asia", "min": 3, "schedule": []}
    assert await schedules.apply(targets(asia), server.account, AT_NOON) == 0
    assert server.objects[path] == {"replicas": then}
    assert len(server.patches) == (now < then)


async def test_run_that_may_fail_stops_at_the_first_failure(server: Server) -> None:
    gone = {**WHALES, "name": "gone"}
    assert await schedules.apply(targets(gone, WHALES), server.account, AT_SEVEN, stop_early=True) == 1
    assert server.patches == []


def test_missing_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert schedules.main([str(tmp_path / "none.json")]) == 2
    assert "mount the ConfigMap of the schedules" in capsys.readouterr().err
