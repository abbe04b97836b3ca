"""The chart with TLS, named callers and policies that deny by default: who is answered, and renewed certificates.

`pytest -s` shows the measured figures.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import yaml

from mesh.tls.channel import PLAINTEXT, ClientSecurity, open_aio_channel
from mesh.tls.throwaway import Times
from mesh.tls.token import Token
from mesh.wire import inference_pb2, inference_pb2_grpc
from tests.certificates import Certificates, options_of, security_with
from tests.cluster.backend import calling
from tests.cluster.conftest import temporary
from tests.cluster.kubectl import Cluster
from tests.cluster.releases import Release
from tests.cluster.secure_game import (
    CALL_S,
    METRICS,
    MODELS,
    SECRETS,
    SUPERVISOR,
    TOKEN,
    TOKENS,
    VERIFY,
    Mesh,
    catalog,
    offer,
    page_of,
    refusals,
    score,
)
from tests.cluster.small_game import GAME, VERSION, SmallGame, deployment
from tests.cluster.test_objects import evaluated
from tests.cluster.test_running_mesh import ready, restarts
from tests.cluster.waiting import until, until_true

START_S = 240.0
RENEWED_S = 120.0
VERIFY_S = 100.0
HPA_S = 120.0
RATE_RPS = 10.0

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def mesh(running_pods: Cluster, helm: str, game: SmallGame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A namespace with the small game, installed with TLS."""
    with temporary(running_pods) as namespace:
        game.put_files(namespace)
        made = Mesh(namespace, Certificates(tmp_path_factory.mktemp("certificates")))
        made.put_secrets()
        started_s = time.monotonic()
        Release(helm, namespace, GAME).install(catalog(game, tmp_path_factory.mktemp("catalog")))
        until(made.is_at_rest, START_S, "every pod is ready")
        print(f"\nready after {time.monotonic() - started_s:.0f} s: {namespace.replicas()}")
        yield made


def test_pods_are_ready_by_probes_over_tls_under_restricted_pod_security(mesh: Mesh) -> None:
    labels = mesh.namespace.cluster.run("get", "namespace", mesh.namespace.name, "-o", "json")
    assert json.loads(labels)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = [pod for pod in mesh.namespace.all("pods") if "job-name" not in pod["metadata"]["labels"]]
    assert len(pods) >= len(MODELS) + 1
    for pod in pods:
        container = pod["spec"]["containers"][0]
        probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
        assert [(probe["path"], probe["scheme"]) for probe in probes] == [
            ("/startupz", "HTTPS"),
            ("/readyz", "HTTPS"),
            ("/healthz", "HTTPS"),
        ]
        assert ready(pod)
        assert restarts(pod) == 0


async def test_caller_with_a_certificate_and_caller_with_a_token_are_answered_by_every_supervisor(mesh: Mesh) -> None:
    lobby = mesh.security("lobby.example")
    shop = ClientSecurity(lobby.ca, server_name=SECRETS["front"], token=Token("a test", TOKEN))
    assert [await offer(address, lobby) for address in mesh.supervisors()] == ["ENSEMBLE"] * len(mesh.supervisors())
    assert {await offer(address, shop) for address in mesh.supervisors(TOKENS)} == {"ENSEMBLE"}


async def test_everyone_else_is_refused(mesh: Mesh, tmp_path: Path) -> None:
    lobby, stranger = mesh.security("lobby.example"), mesh.security("stranger.example")
    forged = replace(
        security_with(Certificates(tmp_path).files("lobby", "lobby.example"), SECRETS["front"]), ca=lobby.ca
    )
    nobody = replace(lobby, cert=None, key=None)
    (address, *_), (tokens, *_) = mesh.supervisors(), mesh.supervisors(TOKENS)
    found = {
        "plaintext": await offer(address, PLAINTEXT),
        "plaintext on the port of tokens": await offer(tokens, PLAINTEXT),
        "certificate of another CA": await offer(address, forged),
        "no certificate": await offer(address, nobody),
        "unknown name": await offer(address, stranger),
        "no token": await offer(tokens, nobody),
        "wrong token": await offer(tokens, replace(nobody, token=Token("a test", "0" * 64))),
        "another method": await score(address, lobby),
    }
    print(f"\n{found}")
    assert found == {
        "plaintext": "UNAVAILABLE",
        "plaintext on the port of tokens": "UNAVAILABLE",
        "certificate of another CA": "UNAVAILABLE",
        "no certificate": "UNAVAILABLE",
        "unknown name": "UNAUTHENTICATED",
        "no token": "UNAUTHENTICATED",
        "wrong token": "UNAUTHENTICATED",
        "another method": "PERMISSION_DENIED",
    }


async def test_worker_takes_rows_only_from_a_supervisor(mesh: Mesh) -> None:
    (worker,) = mesh.namespace.ready(deployment("asia"))
    request = inference_pb2.ModelMetadataRequest(name="asia")
    found = {}
    for name in ("lobby.example", SECRETS["back"], SECRETS["front"], VERIFY):
        security = mesh.security(name, "back")
        async with open_aio_channel(worker, security, [("grpc.enable_http_proxy", 0)]) as channel:
            stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
            try:
                await stub.ModelMetadata(request, timeout=CALL_S)
                found[name] = "answered"
            except grpc.aio.AioRpcError as error:
                found[name] = error.code().name
    print(f"\n{found}")
    assert [found.pop(name) for name in (SECRETS["front"], VERIFY)] == ["answered", "answered"]
    assert set(found.values()) <= {"UNAUTHENTICATED", "PERMISSION_DENIED"}


def test_mesh_verify_finds_every_score_of_the_pods_equal(mesh: Mesh, game: SmallGame, tmp_path: Path) -> None:
    values = yaml.safe_load(catalog(game, tmp_path).read_text(encoding="utf-8"))
    files = game.catalog.parent
    for block in (values["features"], values["offers"]):
        block["path"] = str(files / block["path"])
    for model in values["versions"][VERSION]["models"]:
        model["uri"] = str(files / model["uri"])
    local = tmp_path / "local.yaml"
    local.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    workers = [f"{model}={next(iter(mesh.namespace.ready(deployment(model))))}" for model in MODELS]
    words = [
        "verify",
        str(local),
        "--version",
        VERSION,
        "--address",
        mesh.supervisors()[0],
        "--players",
        "50",
        "--json",
    ]
    options = options_of(mesh.certificates.files("verify", VERIFY), "")
    command = [sys.executable, "-m", "mesh.cli.main", *words, "--json", "--workers", *workers, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_S, check=False)
    print(f"\n{done.stdout}")
    assert done.returncode == 0, done.stderr


def test_metrics_are_served_over_tls_only(mesh: Mesh) -> None:
    for service in (SUPERVISOR, deployment("asia")):
        host = sorted(mesh.namespace.ready(service))[0].partition(":")[0]
        assert "mesh_tls_certificate_expiry_timestamp_seconds" in page_of(mesh, host)
        with pytest.raises((urllib.error.URLError, OSError)):
            urllib.request.urlopen(f"http://{host}:{METRICS}/metrics", timeout=CALL_S)


async def test_renewed_secrets_reach_every_pod_without_a_restart_and_without_a_failed_request(mesh: Mesh) -> None:
    await until_true(mesh.is_at_rest, START_S, "every pod is ready")
    before, pods = mesh.serials(), mesh.restarts()
    async with calling(mesh.namespace, RATE_RPS, mesh.security("lobby.example")) as backend:
        await backend.whole(20, START_S)
        await asyncio.to_thread(mesh.put_secrets)
        started_s = time.monotonic()
        await until_true(
            lambda: not set(mesh.serials().values()) & set(before.values()), RENEWED_S, "every pod shows a new one"
        )
        took_s = time.monotonic() - started_s
        await backend.whole(40, START_S)
    print(f"\n{len(before)} pods with new certificates after {took_s:.0f} s: {backend.tally}")
    assert not backend.tally.failures
    assert backend.tally.sources.total() == backend.tally.sent
    assert mesh.restarts() == pods
    assert len(set(mesh.serials().values())) == len(SECRETS)


async def test_expired_certificate_in_the_secrets_replaces_no_good_one(mesh: Mesh) -> None:
    await until_true(mesh.is_at_rest, START_S, "every pod is ready")
    before, pods = mesh.serials(), mesh.restarts()
    now = datetime.now(UTC)
    async with calling(mesh.namespace, RATE_RPS, mesh.security("lobby.example")) as backend:
        expired = Times(now - timedelta(days=2), now - timedelta(days=1))
        await asyncio.to_thread(mesh.put_secrets, expired)
        await until_true(lambda: set(refusals(mesh)) == {"1.0"}, RENEWED_S, "every pod refuses the expired one")
        assert mesh.serials() == before
        await backend.whole(20, START_S)
        await asyncio.to_thread(mesh.put_secrets)
        await until_true(lambda: set(refusals(mesh)) == {"0.0"}, RENEWED_S, "every pod takes the next one")
        await backend.whole(20, START_S)
    print(f"\n{len(before)} pods kept their certificate: {backend.tally}")
    assert not backend.tally.failures
    assert backend.tally.sources.total() == backend.tally.sent
    assert mesh.restarts() == pods


def test_every_hpa_sees_the_cpu_of_its_pods(mesh: Mesh) -> None:
    def active() -> bool:
        conditions = evaluated(mesh.namespace)
        return bool(conditions) and all(one["ScalingActive"] == "True" for one in conditions.values())

    until(active, HPA_S, "every HPA is active")
    assert set(evaluated(mesh.namespace)) == set(mesh.namespace.replicas())


def test_installed_policies_deny_every_pod_of_the_game_by_default(mesh: Mesh) -> None:
    found = {one["metadata"]["name"]: one["spec"] for one in mesh.namespace.all("networkpolicies")}
    assert set(found) == {f"{GAME}-{name}" for name in ("deny", "workers", "supervisor", "jobs", "verify")}
    deny = found[f"{GAME}-deny"]
    assert deny["podSelector"]["matchLabels"] == {"ensemble-mesh/game": GAME}
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & deny.keys()
