"""TLS and callers in the chart: Secrets, Certificates of cert-manager, options, refusals and warnings."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.catalog import catalog
from mesh.cli.k8s import chart_output
from mesh.cli.up.certificates import verifier_of
from mesh.errors import Misconfigured
from mesh.tracing.options import TraceOptions
from model_worker.settings import read_settings as worker_settings
from supervisor.settings import read_settings as supervisor_settings
from tests.k8s import catalogs, objects
from tests.k8s.objects import Objects

pytestmark = pytest.mark.usefixtures("helm")
SUPERVISOR, WORKERS = "small-supervisor", ("small-1-whales", "small-1-minnows")
SECRETS = "kubernetes: {tls: {supervisor_secret: front, worker_secret: back%s}}"
MANAGED = "kubernetes: {tls: {cert_manager: {issuer: {name: mesh, kind: ClusterIssuer}}}}"
TOKEN = f"lobby: {{token_sha256: [{'ab' * 32}]}}"
ANYONE = "callers: {anyone: true}\n"


def catalog_file(folder: Path, more: str = "", callers: str | None = None) -> Path:
    """Writes a small catalog; `callers` replaces its callers."""
    file = catalogs.small(folder, more)
    if callers is not None:
        text = file.read_text(encoding="utf-8").replace(ANYONE, callers and f"callers: {{{callers}}}\n", 1)
        file.write_text(text, encoding="utf-8")
    return file


def rendered(folder: Path, more: str = "", callers: str | None = None) -> Objects:
    return objects.of(chart_output.render(catalog_file(folder, more, callers), "small"))


def pod(game: Objects, name: str) -> Any:
    return game.named("Deployment", name)["spec"]["template"]["spec"]


def tls_options(game: Objects, name: str) -> list[str]:
    words = pod(game, name)["containers"][0]["args"]
    return [word for word in words if "tls" in word or "token" in word]


def test_named_secrets_are_mounted_as_folders_that_only_the_group_reads(tmp_path: Path) -> None:
    game = rendered(tmp_path, SECRETS % "")
    for name, secret in {SUPERVISOR: "front", **dict.fromkeys(WORKERS, "back")}.items():
        (volume,) = [one["secret"] for one in pod(game, name)["volumes"] if one["name"] == "tls"]
        (mount,) = [one for one in pod(game, name)["containers"][0]["volumeMounts"] if one["name"] == "tls"]
        assert volume == {"secretName": secret, "defaultMode": 0o440}
        assert mount == {"name": "tls", "mountPath": "/etc/ensemble-mesh-tls", "readOnly": True}  # no subPath
        assert pod(game, name)["securityContext"]["fsGroup"] == pod(game, name)["securityContext"]["runAsGroup"]
    assert not game.of_kind("Certificate")


def test_services_get_the_files_and_workers_the_name_of_the_supervisors(tmp_path: Path) -> None:
    game = rendered(tmp_path, SECRETS % "")
    folder = "/etc/ensemble-mesh-tls"
    files = [f"--tls-cert={folder}/tls.crt", f"--tls-key={folder}/tls.key", f"--tls-ca={folder}/ca.crt"]
    assert tls_options(game, SUPERVISOR) == files
    names = ["supervisor.small.mesh", verifier_of("small")]
    assert tls_options(game, WORKERS[0]) == [*files, *(f"--tls-supervisor={name}" for name in names)]


def test_names_of_the_catalog_reach_the_workers_the_certificates_and_the_supervisors(tmp_path: Path) -> None:
    names = "tls: {supervisor: 'spiffe://studio.example/mesh', worker: workers.studio.example}\n"
    game = rendered(tmp_path, names + MANAGED)
    assert "--tls-supervisor=spiffe://studio.example/mesh" in tls_options(game, WORKERS[0])
    supervisor, worker = (game.named("Certificate", f"small-{part}")["spec"] for part in ("supervisor", "worker"))
    assert supervisor["uris"] == ["spiffe://studio.example/mesh"]
    assert worker["dnsNames"] == ["workers.studio.example"]
    text = game.named("ConfigMap", "small-catalog")["data"]["mesh.yaml"]
    assert yaml.safe_load(text)["tls"]["worker"] == "workers.studio.example"


def test_cert_manager_makes_one_certificate_for_the_supervisors_and_one_for_the_workers(tmp_path: Path) -> None:
    game = rendered(tmp_path, MANAGED)
    common = {
        "issuerRef": {"name": "mesh", "kind": "ClusterIssuer", "group": "cert-manager.io"},
        "usages": ["digital signature", "server auth", "client auth"],
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "duration": "2160h",
        "renewBefore": "720h",
    }
    service = "small-supervisor"
    assert {one["metadata"]["name"]: one["spec"] for one in game.of_kind("Certificate")} == {
        "small-supervisor": {
            **common,
            "secretName": "small-supervisor-tls",
            "dnsNames": [
                "supervisor.small.mesh",
                *(f"{service}{end}" for end in ("", ".small", ".small.svc", ".small.svc.cluster.local")),
            ],
        },
        "small-worker": {**common, "secretName": "small-worker-tls", "dnsNames": ["worker.small.mesh"]},
    }
    used = {
        volume["secret"]["secretName"]
        for name in (SUPERVISOR, *WORKERS)
        for volume in pod(game, name)["volumes"]
        if "secret" in volume
    }
    assert used == {"small-supervisor-tls", "small-worker-tls"}


@pytest.mark.parametrize(("callers", "is_open"), [(None, False), (TOKEN, True)])
def test_tokens_open_a_second_port(tmp_path: Path, callers: str | None, is_open: bool) -> None:
    game = rendered(tmp_path, SECRETS % "", callers)
    ports = {"grpc": 9000, "metrics": 9100} | ({"tokens": 9001} if is_open else {})
    container = pod(game, SUPERVISOR)["containers"][0]
    assert {one["name"]: one["containerPort"] for one in container["ports"]} == ports
    assert ("--token-port=9001" in container["args"]) is is_open
    service = {one["name"]: one["appProtocol"] for one in game.named("Service", SUPERVISOR)["spec"]["ports"]}
    assert service == dict.fromkeys({"grpc", *ports} - {"metrics"}, "https")
    assert "tokens" not in str(game.named("Deployment", WORKERS[0]))


@pytest.mark.parametrize("discovery", ["endpoint_slices", "dns"])
def test_services_accept_the_arguments_of_their_pods(tmp_path: Path, discovery: str) -> None:
    switches = (
        f", discovery: {discovery}, reflection: false, log_format: json, tracing: {{to: otel.obs:4317, share: 5}}}}"
    )
    game = rendered(tmp_path, (SECRETS % ", metrics: true")[:-1] + switches, TOKEN)
    words = [one.replace("$(POD_NAMESPACE)", "games") for one in pod(game, SUPERVISOR)["containers"][0]["args"]]
    front, back = supervisor_settings(words), worker_settings(pod(game, WORKERS[0])["containers"][0]["args"])
    for settings in (front, back):
        assert settings.tls is not None
        assert settings.traces == TraceOptions("otel.obs:4317", 5.0)
        assert (settings.metrics_tls, settings.no_reflection, settings.log_format) == (True, True, "json")
    assert (front.port, front.token_port, back.port) == (9000, 9001, 9000)
    assert back.tls_supervisor == ("supervisor.small.mesh", verifier_of("small"))


def test_plaintext_is_the_default(tmp_path: Path) -> None:
    game = rendered(tmp_path)
    for name in (SUPERVISOR, *WORKERS):
        assert tls_options(game, name) == []
        assert "tls" not in {one["name"] for one in pod(game, name)["volumes"]}
        assert [one["appProtocol"] for one in game.named("Service", name)["spec"]["ports"]] == ["kubernetes.io/h2c"]


def test_prometheus_checks_the_certificates_of_metrics_over_tls(tmp_path: Path) -> None:
    monitored = SECRETS.replace("kubernetes: {", "kubernetes: {monitoring: {enabled: true}, ")
    game = rendered(tmp_path, monitored % ", metrics: true")
    for part, secret, name in (("supervisor", "front", "supervisor"), ("model-worker", "back", "worker")):
        (endpoint,) = game.named("PodMonitor", f"small-{part}")["spec"]["podMetricsEndpoints"]
        assert endpoint["scheme"] == "https"
        assert endpoint["tlsConfig"] == {
            "ca": {"secret": {"name": secret, "key": "ca.crt"}},
            "serverName": f"{name}.small.mesh",
        }
        assert all("--metrics-tls" in tls_options(game, one) for one in (SUPERVISOR, *WORKERS))
    plain = rendered(tmp_path, monitored % "").named("PodMonitor", "small-supervisor")
    assert "scheme" not in plain["spec"]["podMetricsEndpoints"][0]


def test_reflection_can_be_switched_off(tmp_path: Path) -> None:
    for more, is_off in (("", False), ("kubernetes: {reflection: false}", True)):
        game = rendered(tmp_path, more)
        for name in (SUPERVISOR, *WORKERS):
            assert ("--no-reflection" in pod(game, name)["containers"][0]["args"]) is is_off


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("tls: {supervisor_secret: a}", ["names one Secret of two", "worker_secret"]),
        (
            "tls: {supervisor_secret: a, worker_secret: b, cert_manager: {issuer: {name: c}}}",
            ["has Secrets and cert_manager; remove one"],
        ),
        ("tls: {metrics: true}", ["metrics over TLS need a certificate"]),
        ("tls: {cert_manager: {}}", ["issuer"]),
        ("tls: {cert_manager: {issuer: {name: a}, duration: 3 days}}", ["duration"]),
    ],
)
def test_contradictions_are_refused_by_the_catalog_and_by_the_chart(
    tmp_path: Path, more: str, words: list[str]
) -> None:
    file = catalog_file(tmp_path, f"kubernetes: {{{more}}}")
    with pytest.raises(Misconfigured) as by_catalog:
        catalog.load(file)
    with pytest.raises(Misconfigured) as by_chart:
        chart_output.render(file, "small")
    for raised in (by_catalog, by_chart):
        assert [word for word in words if word not in str(raised.value)] == []


@pytest.mark.parametrize(
    ("more", "callers", "words"),
    [
        ("", "", ["callers: is not set", "`callers: {anyone: true}`"]),
        (
            "kubernetes: {network_policies: {enabled: true}}",
            "",
            ["callers: is not set", "\nkubernetes.network_policies.callers: is empty"],
        ),
        (SECRETS % "", "", ["callers: is not set"]),
        ("", "lobby: {names: [lobby.example]}", ["callers.lobby: cannot be recognised", "set kubernetes.tls"]),
        ("", "anyone: true, lobby: {names: [lobby.example]}", ["callers.lobby: cannot be recognised"]),
        ("", "Lobby: {names: [lobby.example]}", ["/callers", "Lobby"]),
        (SECRETS % "", "lobby: {name: lobby.example}", ["/callers/lobby"]),
        ("tls: {worker: 'spiffe://a/b'}\n" + SECRETS % "", None, ["tls.worker: spiffe://a/b is a URI"]),
    ],
)
def test_chart_refuses_a_catalog_that_does_not_say_who_may_ask(
    tmp_path: Path, more: str, callers: str | None, words: list[str]
) -> None:
    with pytest.raises(Misconfigured) as raised:
        rendered(tmp_path, more, callers)
    assert [word for word in words if word not in str(raised.value)] == []


LOBBY = "lobby: {names: [lobby.example]}"
POLICIES = "network_policies: {callers: [{podSelector: {}}]}"


@pytest.mark.parametrize(
    ("more", "callers", "words"),
    [
        (
            "",
            None,
            ["`callers` has `anyone`", "every connection is plaintext", "network_policies.callers is `anyone`"],
        ),
        (
            "kubernetes: {network_policies: {enabled: false}}",
            None,
            ["`callers` has `anyone`", "plaintext", "network_policies is off"],
        ),
        ((SECRETS % "").replace("{tls", f"{{{POLICIES}, tls"), LOBBY, []),
    ],
)
def test_notes_warn_of_what_is_open(
    helm: str, tmp_path: Path, more: str, callers: str | None, words: list[str]
) -> None:
    notes = notes_of(helm, catalog_file(tmp_path, more, callers))
    warnings = [line for line in notes.splitlines() if line.startswith("WARNING: ")]
    assert len(warnings) == len(words)
    assert all(word in line for word, line in zip(words, warnings, strict=True))


def test_notes_say_which_port_tokens_use(helm: str, tmp_path: Path) -> None:
    notes = notes_of(helm, catalog_file(tmp_path, SECRETS % "", TOKEN))
    assert "demand the name supervisor.small.mesh" in notes
    assert "port 9001" in notes


def notes_of(helm: str, file: Path) -> str:
    """The text that `helm install` prints: `helm template` prints it only as part of an object."""
    chart = file.parent / "chart"
    shutil.copytree(chart_output.CHART, chart)
    notes = chart / "templates/NOTES.txt"
    text = notes.read_text(encoding="utf-8")
    template = f'{{{{ define "notes" }}}}{text}{{{{ end }}}}kind: Notes\ntext: {{{{ include "notes" . | toJson }}}}\n'
    notes.rename(chart / "templates/notes.yaml").write_text(template, encoding="utf-8")
    words = [helm, "template", "small", str(chart), "-f", str(file), "--show-only", "templates/notes.yaml"]
    words += ["--namespace", "small", "--kube-version", chart_output.KUBERNETES]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return str(yaml.safe_load(done.stdout)["text"])
