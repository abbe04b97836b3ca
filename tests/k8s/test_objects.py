"""What must hold of every render: valid for the API server, safe, and each HPA with a Deployment of its own."""

from __future__ import annotations

import itertools
from typing import Any

import kubernetes_validate
import pytest

from tests.k8s.objects import Objects, Values

NEWEST = ("1.36", "1.37")
COMPONENT = "app.kubernetes.io/component"
RESOLVER_PAUSE_S = 30  # of gRPC in every language: a name is not looked up again sooner
OF_OPERATORS = {"PodMonitor", "PrometheusRule", "ScaledObject"}  # their schemas come with the operators


@pytest.mark.parametrize("kubernetes", NEWEST)
def test_every_object_is_valid_to_the_letter(game: Objects, kubernetes: str) -> None:
    assert game.all
    for one in game.all:
        if one["kind"] not in OF_OPERATORS:
            kubernetes_validate.validate(one, kubernetes, strict=True)


def test_no_two_objects_have_one_name(game: Objects) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in game.all]
    assert len(names) == len(set(names))
    assert all(len(name) <= 63 for _, name in names)


def test_every_hpa_scales_a_deployment_of_its_own_and_every_deployment_has_one(game: Objects) -> None:
    scalers = game.of_kind("HorizontalPodAutoscaler", "ScaledObject")
    targets = [scaler["spec"]["scaleTargetRef"] for scaler in scalers]
    assert {(target["apiVersion"], target["kind"]) for target in targets} == {("apps/v1", "Deployment")}
    assert sorted(target["name"] for target in targets) == sorted(game.names("Deployment"))


def test_no_deployment_says_how_many_replicas_it_has(game: Objects) -> None:
    assert not [one for one in game.of_kind("Deployment") if "replicas" in one["spec"]]


def test_no_pod_is_chosen_by_two_deployments(game: Objects) -> None:
    deployments = game.of_kind("Deployment")
    for one, other in itertools.permutations(deployments, 2):
        assert not _chooses(one["spec"]["selector"]["matchLabels"], other["spec"]["template"])


def test_deployment_service_and_budget_of_one_name_choose_the_same_pods(game: Objects) -> None:
    for deployment in game.of_kind("Deployment"):
        name, selector = deployment["metadata"]["name"], deployment["spec"]["selector"]["matchLabels"]
        assert _chooses(selector, deployment["spec"]["template"])
        assert game.named("Service", name)["spec"]["selector"] == selector
        assert game.named("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"] == selector


def test_a_services_port_is_one_that_the_pods_have(game: Objects) -> None:
    for deployment in game.of_kind("Deployment"):
        ports = {port["name"] for port in _container(deployment["spec"]["template"])["ports"]}
        service = game.named("Service", deployment["metadata"]["name"])
        assert service["spec"]["clusterIP"] == "None"
        assert {port["targetPort"] for port in service["spec"]["ports"]} == {"grpc"} <= ports


def test_a_budget_lets_a_node_be_drained_and_leaves_a_replica(game: Objects) -> None:
    for budget in game.of_kind("PodDisruptionBudget"):
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert all(_least(scaler["spec"]) >= 2 for scaler in game.of_kind("HorizontalPodAutoscaler", "ScaledObject"))


def test_a_metric_of_a_container_names_one_that_the_pods_have(game: Objects) -> None:
    for scaler in game.of_kind("HorizontalPodAutoscaler"):
        pod = game.named("Deployment", scaler["spec"]["scaleTargetRef"]["name"])["spec"]["template"]
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] == "ContainerResource":
                assert metric["containerResource"]["container"] == _container(pod)["name"]
                assert "cpu" in _container(pod)["resources"]["requests"]


def test_every_container_has_its_three_probes_by_grpc(game: Objects) -> None:
    for container in map(_container, game.pods):
        probes = [container[f"{kind}Probe"]["grpc"] for kind in ("startup", "readiness", "liveness")]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert [probe["port"] for probe in probes] == [ports["grpc"]] * 3
        # Alive is the server as a whole; ready is the service.
        assert probes[0]["service"] == probes[1]["service"] != ""
        assert "service" not in probes[2]


def test_a_pod_that_must_go_has_time_for_it(game: Objects) -> None:
    for pod in game.pods:
        container = _container(pod)
        sleep_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        (drain_s,) = (float(arg.split("=")[1]) for arg in container["args"] if arg.startswith("--drain-s="))
        assert sleep_s + drain_s < pod["spec"]["terminationGracePeriodSeconds"]


def test_a_supervisor_goes_on_until_grpcs_resolver_may_look_again(game: Objects) -> None:
    (supervisor,) = (pod for pod in game.pods if pod["metadata"]["labels"][COMPONENT] == "supervisor")
    assert _container(supervisor)["lifecycle"]["preStop"]["sleep"]["seconds"] > RESOLVER_PAUSE_S


def test_nothing_runs_as_root_or_can_become_more_than_it_is(game: Objects) -> None:
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


def test_memory_is_requested_as_it_is_limited_and_cpu_is_requested(game: Objects) -> None:
    for container in map(_container, game.pods):
        resources = container["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        assert resources["requests"]["cpu"]


def test_only_the_supervisor_may_have_a_token(game: Objects) -> None:
    for deployment in game.of_kind("Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        assert spec["serviceAccountName"] in game.names("ServiceAccount")
        is_supervisor = deployment["metadata"]["name"].endswith("-supervisor")
        by_slices = "--endpoint-slices" in _container(deployment["spec"]["template"])["args"]
        assert spec["automountServiceAccountToken"] is (is_supervisor and by_slices)


def test_the_supervisor_may_watch_endpoint_slices_and_nothing_else(game: Objects) -> None:
    rules = [role["rules"] for role in game.of_kind("Role")]
    watching = any("--endpoint-slices" in _container(pod)["args"] for pod in game.pods)
    slices = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]}
    assert rules == ([[slices]] if watching else [])
    assert not game.of_kind("ClusterRole", "ClusterRoleBinding")


def test_a_rollout_never_leaves_fewer_pods_than_there_were(game: Objects) -> None:
    for deployment in game.of_kind("Deployment"):
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_pods_are_spread_over_zones_and_nodes(game: Objects) -> None:
    for pod in game.pods:
        spread = {one["topologyKey"]: one for one in pod["spec"]["topologySpreadConstraints"]}
        assert spread.keys() == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        assert all(_chooses(one["labelSelector"]["matchLabels"], pod) for one in spread.values())


def test_every_pod_is_behind_a_network_policy(game: Objects) -> None:
    for pod in game.pods:
        chosen = [
            one for one in game.of_kind("NetworkPolicy") if _chooses(one["spec"]["podSelector"]["matchLabels"], pod)
        ]
        assert [one["spec"]["policyTypes"] for one in chosen] == [["Ingress", "Egress"]]


def test_no_volume_is_mounted_that_is_not_there_and_none_is_there_for_nothing(game: Objects) -> None:
    for pod in game.pods:
        mounted = {mount["name"] for mount in _container(pod)["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}


def _container(pod: Values) -> Any:
    (container,) = pod["spec"]["containers"]
    return container


def _chooses(selector: dict[str, str], pod: Values) -> bool:
    labels: dict[str, str] = pod["metadata"]["labels"]
    return selector.items() <= labels.items()


def _least(spec: Values) -> int:
    return int(spec["minReplicas"] if "minReplicas" in spec else spec["minReplicaCount"])
