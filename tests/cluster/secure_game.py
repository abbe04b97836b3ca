"""A small game with TLS, two callers and policies: its catalog, its Secrets, and calls of its pods."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import ssl
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import yaml
from cryptography import x509

from mesh.cli.up.certificates import verifier_of
from mesh.tls.channel import ClientSecurity, open_aio_channel
from mesh.tls.throwaway import Times
from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.certificates import Certificates, security_with
from tests.cluster.backend import CONTEXT
from tests.cluster.kubectl import Namespace
from tests.cluster.small_game import GAME, VERSION, SmallGame
from tests.cluster.test_running_mesh import ready, restarts

MODELS = ("minnows", "pvp", "asia")  # no HPA of them scales
SUPERVISOR = f"{GAME}-supervisor"
SECRETS = {"front": f"supervisor.{GAME}.mesh", "back": f"worker.{GAME}.mesh"}
VERIFY = verifier_of(GAME)
TOKEN = secrets.token_hex(32)
GRPC, TOKENS, METRICS = 9000, 9001, 9100
CALL_S = 10.0
BUDGET_MS = 5000  # a machine with two cores is busy meanwhile


@dataclass(frozen=True, slots=True)
class Mesh:
    """The installed game and the CA of its certificates."""

    namespace: Namespace
    certificates: Certificates

    def put_secrets(self, times: Times | None = None) -> None:
        """Puts new certificates of both services into their Secrets, valid for a year or at `times`."""
        for name, dns_name in SECRETS.items():
            issued = self.certificates.authority.issue([dns_name], times)
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
        "verify": {"names": [VERIFY]},
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


def page_of(mesh: Mesh, host: str) -> str:
    """The metrics of a pod."""
    context = ssl.create_default_context(cadata=mesh.certificates.authority.cert.decode())
    context.check_hostname = False
    with urllib.request.urlopen(f"https://{host}:{METRICS}/metrics", context=context, timeout=CALL_S) as page:
        return str(page.read().decode())


def refusals(mesh: Mesh) -> list[str]:
    """For each pod, whether it refuses the certificate in its Secret, as its metric reports."""
    pods = [pod for pod in mesh.namespace.all("pods") if "job-name" not in pod["metadata"]["labels"]]
    pages = [page_of(mesh, pod["status"]["podIP"]) for pod in pods]
    name = "mesh_tls_certificate_refused "
    return [line.removeprefix(name) for page in pages for line in page.splitlines() if line.startswith(name)]


def serial_of(host: str, security: ClientSecurity) -> int:
    """The serial number of the certificate that a pod shows on its gRPC port."""
    context = security.ssl_context()
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host, GRPC), CALL_S) as plain, context.wrap_socket(plain) as connection:
        shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number
