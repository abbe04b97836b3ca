"""The chart with TLS, named callers and policies that deny by default: who is answered, and renewed certificates.

`pytest -s` shows the measured figures.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from cryptography import x509

from mesh.tls.channel import PLAINTEXT, ClientSecurity, open_aio_channel
from mesh.tls.token import Token
from mesh.wire import inference_pb2, inference_pb2_grpc, offers_pb2, offers_pb2_grpc
from tests.certificates import Certificates, security_with
from tests.cluster.backend import CONTEXT, calling
from tests.cluster.conftest import temporary
from tests.cluster.kubectl import Cluster, Namespace
from tests.cluster.releases import Release
from tests.cluster.small_game import GAME, VERSION, SmallGame, deployment
from tests.cluster.test_objects import evaluated
from tests.cluster.test_running_mesh import ready, restarts
from tests.cluster.waiting import until, until_true

MODELS = ("minnows", "pvp", "asia")  # no HPA of them scales
SUPERVISOR = f"{GAME}-supervisor"
SECRETS = {"front": f"supervisor.{GAME}.mesh", "back": f"worker.{GAME}.mesh"}
TOKEN = secrets.token_hex(32)
GRPC, TOKENS, METRICS = 9000, 9001, 9100
START_S = 240.0
RENEWED_S = 120.0
CALL_S = 10.0
HPA_S = 120.0
RATE_RPS = 10.0
BUDGET_MS = 5000  # a machine with two cores is busy meanwhile

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True, slots=True)
class Mesh:
    """The installed game and the CA of its certificates."""

    namespace: Namespace
    certificates: Certificates

    def put_secrets(self) -> None:
        """Puts new certificates of both services into their Secrets."""
        for name, dns_name in SECRETS.items():
            issued = self.certificates.authority.issue([dns_name])
            data = {"tls.crt": issued.cert, "tls.key": issued.key, "ca.crt": self.certificates.authority.cert}
            texts = {key: base64.b64encode(value).decode("ascii") for key, value in data.items()}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": texts}
            self.namespace.run("apply", "-f", "-", given=json.dumps(secret))

    def security(self, name: str, server: str = "front") -> ClientSecurity:
        """A client with a certificate of the CA for `name`, which demands the name of a service."""
        return security_with(self.certificates.files(name, name), SECRETS[server])

    def supervisors(self, port: int = GRPC) -> list[str]:
        """The addresses of the ready supervisors."""
        return sorted(address.replace(f":{GRPC}", f":{port}") for address in self.namespace.ready(SUPERVISOR))

    def serials(self) -> dict[str, int]:
        """The serial number of the certificate that each pod shows, by the name of the pod."""
        return {
            pod["metadata"]["name"]: serial_of(pod["status"]["podIP"], self.security("lobby.example"))
            for pod in self.namespace.all("pods")
            if "job-name" not in pod["metadata"]["labels"]
        }

    def restarts(self) -> dict[str, int]:
        """The restarts of every pod, by name."""
        return {pod["metadata"]["name"]: restarts(pod) for pod in self.namespace.all("pods")}

    def is_at_rest(self) -> bool:
        """Whether all pods are ready, and no others exist."""
        states = [ready(pod) for pod in self.namespace.all("pods") if "job-name" not in pod["metadata"]["labels"]]
        return all(states) and len(states) == sum(self.namespace.replicas().values())


def catalog(game: SmallGame, folder: Path) -> Path:
    """Writes a catalog of three models with TLS, two callers, and policies that admit the pods of one app."""
    values: dict[str, Any] = game.values() | {"budget_ms": BUDGET_MS}
    values["features"]["timeout_ms"] = BUDGET_MS
    values["callers"] = {
        "lobby": {"names": ["lobby.example"], "methods": ["GetOffer"]},
        "shop": {"token_sha256": [hashlib.sha256(TOKEN.encode()).hexdigest()]},
    }
    values["supervisor"] |= {"replicas": {"min": 2, "max": 2}}
    values["kubernetes"] |= {
        "tls": {"supervisor_secret": "front", "worker_secret": "back", "metrics": True},
        "network_policies": {"callers": [{"podSelector": {"matchLabels": {"app": "lobby"}}}]},
    }
    version = values["versions"][VERSION]
    models = [one for one in version["models"] if one["name"] in MODELS]
    values["versions"] = {VERSION: version | {"combine": {"quorum": 2}, "models": models}}
    path = folder / "mesh.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


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


async def offer(address: str, security: ClientSecurity) -> str:
    """The source of the answer of a supervisor, or the code with which the call fails."""
    request = offers_pb2.GetOfferRequest(game=GAME, player_id="player-00042", context=CONTEXT)
    return await result(address, security, lambda stub: stub.GetOffer(request, timeout=CALL_S))


async def score(address: str, security: ClientSecurity) -> str:
    """As `offer`, by the method Score."""
    request = offers_pb2.ScoreRequest(game=GAME, player_id="player-00042", context=CONTEXT)
    return await result(address, security, lambda stub: stub.Score(request, timeout=CALL_S))


async def result(address: str, security: ClientSecurity, call: Callable[[Any], Any]) -> str:
    async with open_aio_channel(address, security, [("grpc.enable_http_proxy", 0)]) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]  # generated
        try:
            answer = await call(stub)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return offers_pb2.Source.Name(answer.source)


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
    for name in ("lobby.example", SECRETS["back"], SECRETS["front"]):
        security = mesh.security(name, "back")
        async with open_aio_channel(worker, security, [("grpc.enable_http_proxy", 0)]) as channel:
            stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
            try:
                await stub.ModelMetadata(request, timeout=CALL_S)
                found[name] = "answered"
            except grpc.aio.AioRpcError as error:
                found[name] = error.code().name
    print(f"\n{found}")
    assert found.pop(SECRETS["front"]) == "answered"
    assert set(found.values()) <= {"UNAUTHENTICATED", "PERMISSION_DENIED"}


def test_metrics_are_served_over_tls_only(mesh: Mesh) -> None:
    for port_of, server in ((SUPERVISOR, "front"), (deployment("asia"), "back")):
        host = sorted(mesh.namespace.ready(port_of))[0].partition(":")[0]
        context = ssl.create_default_context(cadata=mesh.certificates.authority.cert.decode())
        context.check_hostname = False
        with urllib.request.urlopen(f"https://{host}:{METRICS}/metrics", context=context, timeout=CALL_S) as page:
            assert b"mesh_tls_certificate_expiry_timestamp_seconds" in page.read(), server
        with pytest.raises((urllib.error.URLError, OSError)):
            urllib.request.urlopen(f"http://{host}:{METRICS}/metrics", timeout=CALL_S)


def serial_of(host: str, security: ClientSecurity) -> int:
    """The serial number of the certificate that a pod shows on its gRPC port."""
    context = security.ssl_context()
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host, GRPC), CALL_S) as plain, context.wrap_socket(plain) as connection:
        shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


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
