"""Rules for every render: valid for the API server, secure, and one HPA for each Deployment."""

from __future__ import annotations

import itertools
from typing import Any

import kubernetes_validate
import pytest

from tests.k8s.objects import Objects, Values

NEWEST = ("1.36", "1.37")
COMPONENT = "app.kubernetes.io/component"
RESOLVER_PAUSE_S = 30  # gRPC in every language: minimum time between two lookups of a name
OF_OPERATORS = {
    "Certificate",
    "PodMonitor",
    "PrometheusRule",
    "ScaledObject",
}  # kinds whose schemas come with the operators


@pytest.mark.parametrize("kubernetes", NEWEST)
def test_every_object_is_strictly_valid(game: Objects, kubernetes: str) -> None:
    assert game.all
    for one in game.all:
        if one["kind"] not in OF_OPERATORS:
            kubernetes_validate.validate(one, kubernetes, strict=True)


def test_names_are_unique_and_at_most_63_characters_long(game: Objects) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in game.all]
    assert len(names) == len(set(names))
    assert all(len(name) <= 63 for _, name in names)


def test_every_deployment_has_exactly_one_hpa(game: Objects) -> None:
    scalers = game.of_kind("HorizontalPodAutoscaler", "ScaledObject")
    targets = [scaler["spec"]["scaleTargetRef"] for scaler in scalers]
    assert {(target["apiVersion"], target["kind"]) for target in targets} == {("apps/v1", "Deployment")}
    assert sorted(target["name"] for target in targets) == sorted(game.names("Deployment"))


def test_no_deployment_sets_its_replicas(game: Objects) -> None:
    assert not [one for one in game.of_kind("Deployment") if "replicas" in one["spec"]]


def test_no_pod_is_selected_by_two_deployments(game: Objects) -> None:
    deployments = game.of_kind("Deployment")
    for one, other in itertools.permutations(deployments, 2):
        assert not _selects(one["spec"]["selector"]["matchLabels"], other["spec"]["template"])


def test_deployment_service_and_budget_of_one_name_select_the_same_pods(game: Objects) -> None:
    for deployment in game.of_kind("Deployment"):
        name, selector = deployment["metadata"]["name"], deployment["spec"]["selector"]["matchLabels"]
        assert _selects(selector, deployment["spec"]["template"])
        assert game.named("Service", name)["spec"]["selector"] == selector
        assert game.named("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"] == selector


def test_services_are_headless_and_target_a_port_of_the_pods(game: Objects) -> None:
    for deployment in game.of_kind("Deployment"):
        ports = {port["name"] for port in _container(deployment["spec"]["template"])["ports"]}
        service = game.named("Service", deployment["metadata"]["name"])
        assert service["spec"]["clusterIP"] == "None"
        assert {port["targetPort"] for port in service["spec"]["ports"]} == {"grpc"} <= ports


def test_budgets_let_a_node_drain_and_keep_a_replica(game: Objects) -> None:
    for budget in game.of_kind("PodDisruptionBudget"):
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert all(_min_replicas(scaler["spec"]) >= 2 for scaler in game.of_kind("HorizontalPodAutoscaler", "ScaledObject"))


def test_container_metrics_name_a_container_of_the_pods(game: Objects) -> None:
    for scaler in game.of_kind("HorizontalPodAutoscaler"):
        pod = game.named("Deployment", scaler["spec"]["scaleTargetRef"]["name"])["spec"]["template"]
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] == "ContainerResource":
                assert metric["containerResource"]["container"] == _container(pod)["name"]
                assert "cpu" in _container(pod)["resources"]["requests"]


def test_every_container_has_three_probes_by_http_on_the_metrics_port(game: Objects) -> None:
    for container in map(_container, game.pods):
        assert "metrics" in {port["name"] for port in container["ports"]}
        scheme = {"scheme": "HTTPS"} if "--metrics-tls" in container["args"] else {}
        for kind, path in (("startup", "/startupz"), ("readiness", "/readyz"), ("liveness", "/healthz")):
            assert container[f"{kind}Probe"]["httpGet"] == {"path": path, "port": "metrics", **scheme}


def test_grace_period_covers_the_pause_and_the_drain(game: Objects) -> None:
    for pod in game.pods:
        container = _container(pod)
        sleep_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        (drain_s,) = (float(arg.split("=")[1]) for arg in container["args"] if arg.startswith("--drain-s="))
        assert sleep_s + drain_s < pod["spec"]["terminationGracePeriodSeconds"]


def test_supervisor_serves_until_grpcs_resolver_looks_again(game: Objects) -> None:
    (supervisor,) = (pod for pod in game.pods if pod["metadata"]["labels"][COMPONENT] == "supervisor")
    assert _container(supervisor)["lifecycle"]["preStop"]["sleep"]["seconds"] > RESOLVER_PAUSE_S


def test_no_pod_runs_as_root_or_can_escalate_privileges(game: Objects) -> None:
    for pod in game.pods:
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["securityContext"]["runAsUser"] > 10_000
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert _container(pod)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod["spec"].keys()
        assert not [volume for volume in pod["spec"]["volumes"] if "hostPath" in volume]


def test_memory_request_equals_its_limit_and_cpu_is_requested(game: Objects) -> None:
    for container in map(_container, game.pods):
        resources = container["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        assert resources["requests"]["cpu"]


def test_only_a_supervisor_that_watches_has_a_token(game: Objects) -> None:
    for deployment in game.of_kind("Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        assert spec["serviceAccountName"] in game.names("ServiceAccount")
        is_supervisor = deployment["metadata"]["name"].endswith("-supervisor")
        by_slices = "--endpoint-slices" in _container(deployment["spec"]["template"])["args"]
        assert spec["automountServiceAccountToken"] is (is_supervisor and by_slices)


def test_role_of_the_supervisor_allows_only_to_watch_endpoint_slices_and_its_catalogs(game: Objects) -> None:
    roles = [role for role in game.of_kind("Role") if not role["metadata"]["name"].endswith("-schedules")]
    rules = [role["rules"] for role in roles]
    watching = any("--endpoint-slices" in _container(pod)["args"] for pod in game.pods)
    slices = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]}
    maps = [one["metadata"]["name"] for one in game.of_kind("ConfigMap") if "mesh.yaml" in one.get("data", {})]
    catalogs = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": maps, "verbs": slices["verbs"]}
    assert rules == ([[slices, catalogs]] if watching else [])
    assert not game.of_kind("ClusterRole", "ClusterRoleBinding")


def test_rollout_never_reduces_the_number_of_ready_pods(game: Objects) -> None:
    for deployment in game.of_kind("Deployment"):
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_pods_spread_over_zones_and_nodes(game: Objects) -> None:
    for pod in game.pods:
        spread = {one["topologyKey"]: one for one in pod["spec"]["topologySpreadConstraints"]}
        assert spread.keys() == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        assert all(_selects(one["labelSelector"]["matchLabels"], pod) for one in spread.values())


def test_mounted_volumes_are_exactly_the_volumes_of_the_pod(game: Objects) -> None:
    for pod in game.pods:
        mounted = {mount["name"] for mount in _container(pod)["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}


def _container(pod: Values) -> Any:
    (container,) = pod["spec"]["containers"]
    return container


def _selects(selector: dict[str, str], pod: Values) -> bool:
    labels: dict[str, str] = pod["metadata"]["labels"]
    return selector.items() <= labels.items()


def _min_replicas(spec: Values) -> int:
    return int(spec["minReplicas"] if "minReplicas" in spec else spec["minReplicaCount"])
