"""The NetworkPolicies: which pods and addresses can connect to which ports of a game, and the reverse."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.cli.k8s import chart_output
from mesh.errors import Misconfigured
from tests.k8s import catalogs, objects
from tests.k8s.objects import Objects
from tests.k8s.reachability import Address, Place, Pod, can_connect, table

pytestmark = pytest.mark.usefixtures("helm")
COMPONENT = "app.kubernetes.io/component"
GAME = "ensemble-mesh/game"
GRPC, TOKENS, METRICS = 9000, 9001, 9100
PORTS = {"grpc": GRPC, "tokens": TOKENS, "metrics": METRICS}
CALLERS = """\
kubernetes:
  tls: {supervisor_secret: s, worker_secret: w}
  network_policies:
    callers:
      - {podSelector: {matchLabels: {app: backend}}}
      - {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lobby}}}
    api_server: [10.0.0.1/32]
    stores: [52.94.0.0/22]
"""
TOKEN = f"callers: {{lobby: {{token_sha256: [{'ab' * 32}]}}}}\n"


def of_game(component: str, game: str = "small") -> Pod:
    return Pod(component, "small", {COMPONENT: component, GAME: game}, PORTS)


SUPERVISOR, WORKER = of_game("supervisor"), of_game("model-worker")
JOBS = [of_game(one) for one in ("verify", "start", "schedules", "check")]
OTHER_GAME = Pod("worker of another game", "small", {COMPONENT: "model-worker", GAME: "large"}, PORTS)
BACKEND = Pod("backend", "small", {"app": "backend"})
LOBBY = Pod("lobby", "lobby")
STRANGER = Pod("stranger", "small")
NAMESAKE = Pod("backend of another namespace", "else", {"app": "backend"})
PROMETHEUS = Pod("prometheus", "monitoring")
KUBELET = Address("kubelet", "10.0.0.9", is_node_of_the_pod=True)
INTERNET = Address("internet", "203.0.113.7")
DNS = Pod("dns", "kube-system", {"k8s-app": "kube-dns"})
FALSE_DNS = Pod("false dns", "small", {"k8s-app": "kube-dns"})
API_SERVER, STORE = Address("api server", "10.0.0.1"), Address("store", "52.94.1.2")
OUTSIDE: dict[Place, dict[str, int]] = {
    API_SERVER: {"443": 443, "22": 22},
    STORE: {"443": 443, "22": 22},
    INTERNET: {"443": 443},
}


def policies(folder: Path, more: str) -> Objects:
    file = catalogs.small(folder, more)
    if more.startswith("callers"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("callers: {anyone: true}\n", "", 1), encoding="utf-8")
    return objects.of(chart_output.render(file, "small"))


def test_only_named_peers_reach_a_port(tmp_path: Path) -> None:
    given = policies(tmp_path, TOKEN + CALLERS).of_kind("NetworkPolicy")
    sources: list[Place] = [
        SUPERVISOR,
        WORKER,
        *JOBS,
        OTHER_GAME,
        BACKEND,
        LOBBY,
        STRANGER,
        NAMESAKE,
        PROMETHEUS,
        KUBELET,
        INTERNET,
    ]
    assert table(given, sources, {SUPERVISOR: PORTS, WORKER: PORTS}) == {
        "supervisor": {"model-worker": "grpc"},
        "model-worker": {},
        "verify": {"supervisor": "grpc", "model-worker": "grpc"},
        "start": {},
        "schedules": {},
        "check": {},
        "worker of another game": {},
        "backend": {"supervisor": "grpc tokens"},
        "lobby": {"supervisor": "grpc tokens"},
        "stranger": {},
        "backend of another namespace": {},
        "prometheus": {"supervisor": "metrics", "model-worker": "metrics"},
        "kubelet": {"supervisor": "grpc tokens metrics", "model-worker": "grpc tokens metrics"},
        "internet": {},
    }


def test_pods_connect_only_to_what_they_need(tmp_path: Path) -> None:
    given = policies(tmp_path, TOKEN + CALLERS).of_kind("NetworkPolicy")
    assert table(given, [SUPERVISOR, WORKER, *JOBS], OUTSIDE) == {
        "supervisor": {"api server": "443", "store": "443"},
        "model-worker": {"store": "443"},  # its model is on S3
        "verify": {"store": "443"},
        "start": {"api server": "443"},
        "schedules": {"api server": "443"},
        "check": {},
    }


def test_names_are_asked_only_of_the_clusters_dns(tmp_path: Path) -> None:
    given = policies(tmp_path, TOKEN + CALLERS).of_kind("NetworkPolicy")
    for pod in (SUPERVISOR, WORKER, *JOBS):
        for protocol in ("UDP", "TCP"):
            assert can_connect(given, pod, DNS, 53, protocol) is (pod.name != "check")
            assert not can_connect(given, pod, FALSE_DNS, 53, protocol)
            assert not can_connect(given, pod, INTERNET, 53, protocol)


def test_anyone_reaches_the_supervisors_but_no_worker(tmp_path: Path) -> None:
    given = policies(tmp_path, "").of_kind("NetworkPolicy")
    assert table(given, [STRANGER, NAMESAKE, INTERNET], {SUPERVISOR: PORTS, WORKER: PORTS}) == {
        one.name: {"supervisor": "grpc"} for one in (STRANGER, NAMESAKE, INTERNET)
    }


def test_without_cidrs_the_ports_are_open_to_every_address(tmp_path: Path) -> None:
    given = policies(tmp_path, "").of_kind("NetworkPolicy")
    assert table(given, [SUPERVISOR, WORKER, of_game("start")], OUTSIDE) == {
        one: dict.fromkeys(("api server", "store", "internet"), "443")
        for one in ("supervisor", "model-worker", "start")
    }


def without_stores(folder: Path, more: str = "") -> Objects:
    """A game with its files in a volume, whose supervisors ask DNS for replicas."""
    file = catalogs.small(folder, f"kubernetes: {{discovery: dns, files: {{emptyDir: {{}}}}{more and ', '}{more}}}")
    text = file.read_text(encoding="utf-8").replace("s3://m/", "models/")
    text = text.replace("{store: dynamodb, table: players, region: eu-west-1}", "{path: players.sqlite}")
    file.write_text(text, encoding="utf-8")
    return objects.of(chart_output.render(file, "small"))


def test_pods_with_their_files_in_a_volume_and_no_rights_reach_no_store_and_no_api_server(tmp_path: Path) -> None:
    given = without_stores(tmp_path).of_kind("NetworkPolicy")
    assert table(given, [SUPERVISOR, WORKER], OUTSIDE) == {"supervisor": {}, "model-worker": {}}
    assert not can_connect(given, WORKER, DNS, 53, "UDP")


TRACES = "kubernetes: {tracing: {to: '%s'}, network_policies: {callers: anyone, ports: [443]%s}}"
COLLECTOR = Pod("collector", "obs", {"app": "otel"})
NEIGHBOUR = Pod("collector of this namespace", "small", {"app": "otel"})
NODE, OTHER_NODE = Address("node", "10.0.0.7"), Address("other node", "10.0.0.8")
NODE_V6 = Address("node with IPv6", "fd00::7")
COLLECTORS: dict[Place, dict[str, int]] = {
    one: {"4317": 4317, "14317": 14317, "22": 22} for one in (COLLECTOR, NEIGHBOUR, NODE, OTHER_NODE, NODE_V6)
}


@pytest.mark.parametrize(
    ("to", "peers", "reached"),
    [
        ("otel.obs:4317", "", {"collector": "4317"}),
        ("otel.obs.svc:4317", "", {"collector": "4317"}),
        ("otel.obs.svc.cluster.local.:4317", "", {"collector": "4317"}),
        ("otel:4317", "", {"collector of this namespace": "4317"}),
        ("10.0.0.7:4317", "", {"node": "4317"}),
        ("[fd00::7]:4317", "", {"node with IPv6": "4317"}),
        ("otel.example.com:4317", "", {one.name: "4317" for one in COLLECTORS}),
        ("otel.obs:80", ", collector_port: 14317", {"collector": "14317"}),
        ("otel.example.com:4317", ", collector: [{ipBlock: {cidr: 10.0.0.8/32}}]", {"other node": "4317"}),
        (
            "otel.obs:4317",
            ", collector: [{namespaceSelector: {}, podSelector: {matchLabels: {app: otel}}}]",
            {"collector": "4317", "collector of this namespace": "4317"},
        ),
    ],
)
def test_supervisors_and_workers_reach_the_collector_of_their_traces(
    tmp_path: Path, to: str, peers: str, reached: dict[str, str]
) -> None:
    given = policies(tmp_path, TRACES % (to, peers)).of_kind("NetworkPolicy")
    assert table(given, [SUPERVISOR, WORKER, *JOBS], COLLECTORS) == {
        **{one.name: reached for one in (SUPERVISOR, WORKER)},
        **{one.name: {} for one in JOBS},
    }


def test_without_traces_no_pod_reaches_a_collector(tmp_path: Path) -> None:
    given = policies(tmp_path, "").of_kind("NetworkPolicy")
    assert table(given, [SUPERVISOR, WORKER], COLLECTORS) == {"supervisor": {}, "model-worker": {}}


def test_workers_with_their_files_in_a_volume_resolve_the_name_of_the_collector(tmp_path: Path) -> None:
    given = without_stores(tmp_path, "tracing: {to: 'otel.obs:4317'}").of_kind("NetworkPolicy")
    assert can_connect(given, WORKER, DNS, 53, "UDP")
    assert table(given, [SUPERVISOR, WORKER], {COLLECTOR: {"4317": 4317}, **OUTSIDE}) == {
        "supervisor": {"collector": "4317"},
        "model-worker": {"collector": "4317"},
    }


def test_every_pod_is_denied_what_no_policy_allows(game: Objects) -> None:
    given = game.of_kind("NetworkPolicy")
    templates = [*game.pods, *(one["spec"]["jobTemplate"]["spec"]["template"] for one in game.of_kind("CronJob"))]
    for template in templates:
        pod = Pod("pod", "ns", template["metadata"]["labels"])
        assert not can_connect(given, pod, Pod("other", "ns"), GRPC)
        assert not can_connect(given, Pod("other", "ns"), pod, 1)


def test_policies_exist_only_if_enabled(tmp_path: Path) -> None:
    assert not policies(tmp_path, "kubernetes: {network_policies: {enabled: false}}").of_kind("NetworkPolicy")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            "kubernetes: {network_policies: {callers: []}}",
            ["kubernetes.network_policies.callers: is empty; name", "`callers: anyone`"],
        ),
        ("kubernetes: {network_policies: {callers: everyone}}", ["/kubernetes/network_policies/callers"]),
        ("kubernetes: {network_policies: {callers: anyone, dns: []}}", ["network_policies.dns: is empty"]),
        ("kubernetes: {network_policies: {callers: anyone, stores: [x]}}", ["/network_policies/stores/0", "pattern"]),
        (
            "kubernetes: {tracing: {to: otel.obs}, network_policies: {callers: anyone}}",
            ["kubernetes/tracing/to", "pattern"],
        ),
    ],
)
def test_policies_that_leave_open_who_may_call_are_refused(tmp_path: Path, more: str, words: list[str]) -> None:
    with pytest.raises(Misconfigured) as raised:
        policies(tmp_path, more)
    assert [word for word in words if word not in str(raised.value)] == []
