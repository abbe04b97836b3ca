"""The rights of the pods' service accounts: the supervisor's may watch EndpointSlices and catalogs only."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from k8s.render import EXAMPLE
from tests.cluster.conftest import temporary
from tests.cluster.kubectl import Cluster, Namespace, Values
from tests.cluster.releases import WITHOUT_JOBS, Release
from tests.cluster.waiting import until

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
SUPERVISOR, WORKER, CATALOG = "dragonfall-supervisor", "dragonfall-worker", "dragonfall-catalog"
REQUEST_S = 20.0
SEEN_S = 20.0  # until the API server applies a new Role


@pytest.fixture(scope="module")
def installed(helm: str, cluster: Cluster) -> Iterator[Namespace]:
    with temporary(cluster) as namespace:
        Release(helm, namespace, "dragonfall").install(EXAMPLE, *WITHOUT_JOBS)
        until(lambda: namespace.call("get", "serviceaccount", "default").returncode == 0, SEEN_S, "the default account")
        yield namespace


def rules(home: Namespace, account: str, place: str) -> list[Values]:
    """The rules of an account of `home` in the namespace `place`, from the API server's own review."""
    review = {"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "spec": {"namespace": place}}
    reply = home.cluster.run(
        "create",
        "--raw",
        REVIEWS,
        f"--as=system:serviceaccount:{home.name}:{account}",
        "-f",
        "-",
        given=json.dumps(review),
    )
    found: list[Values] = json.loads(reply)["status"]["resourceRules"]
    return found


def additional_rules(home: Namespace, account: str, place: str) -> list[Values]:
    """The rules of an account that the default account of its namespace does not have."""
    anyone = rules(home, "default", place)
    return [rule for rule in rules(home, account, place) if rule not in anyone]


def test_supervisor_may_only_read_and_watch_endpoint_slices_of_its_namespace_and_its_catalogs(
    installed: Namespace,
) -> None:
    additional = until(lambda: additional_rules(installed, SUPERVISOR, installed.name), SEEN_S, "a role")
    verbs = ["get", "list", "watch"]
    history = installed.get("configmap", CATALOG)["data"]["history"].split()
    assert sorted(additional, key=str) == sorted(
        [
            {"verbs": verbs, "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"]},
            {"verbs": verbs, "apiGroups": [""], "resources": ["configmaps"], "resourceNames": [CATALOG, *history]},
        ],
        key=str,
    )


def test_supervisor_has_no_additional_rights_in_other_namespaces(installed: Namespace) -> None:
    assert additional_rules(installed, SUPERVISOR, "kube-system") == []


def test_worker_has_no_additional_rights(installed: Namespace) -> None:
    assert additional_rules(installed, WORKER, installed.name) == []


class Caller:
    """Calls the API server as a pod does, with a token of its service account."""

    def __init__(self, namespace: Namespace, account: str) -> None:
        server = namespace.cluster.settings()["clusters"][0]["cluster"]
        self._url = str(server["server"])
        self._token = namespace.run("create", "token", account).strip()
        self._tls = ssl.create_default_context(
            cadata=base64.b64decode(server["certificate-authority-data"]).decode("ascii")
        )

    def status(self, path: str) -> int:
        """The HTTP status of a GET whose body is read completely."""
        request = urllib.request.Request(self._url + path, headers={"Authorization": f"Bearer {self._token}"})
        try:
            with urllib.request.urlopen(request, context=self._tls, timeout=REQUEST_S) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@pytest.fixture(scope="module")
def supervisor(installed: Namespace) -> Caller:
    return Caller(installed, SUPERVISOR)


@pytest.mark.parametrize("query", ["?limit=1", "?watch=1&timeoutSeconds=1"])
def test_supervisors_token_can_list_and_watch_endpoint_slices(
    installed: Namespace, supervisor: Caller, query: str
) -> None:
    until(lambda: supervisor.status(SLICES.format(installed.name) + query) == 200, SEEN_S, "the slices can be read")


@pytest.mark.parametrize("query", ["limit=1", "watch=1&timeoutSeconds=1"])
def test_supervisors_token_can_list_and_watch_the_catalog(installed: Namespace, supervisor: Caller, query: str) -> None:
    place = f"/api/v1/namespaces/{installed.name}/configmaps?fieldSelector=metadata.name"
    until(lambda: supervisor.status(f"{place}%3D{CATALOG}&{query}") == 200, SEEN_S, "the catalog can be read")
    assert supervisor.status(f"{place}%3Dkube-root-ca.crt&{query}") == 403


@pytest.mark.parametrize("kind", ["pods", "secrets", "configmaps", "services", "endpoints"])
def test_supervisors_token_can_read_nothing_else(installed: Namespace, supervisor: Caller, kind: str) -> None:
    assert supervisor.status(f"/api/v1/namespaces/{installed.name}/{kind}") == 403


def test_supervisors_token_cannot_read_other_namespaces(supervisor: Caller) -> None:
    assert supervisor.status(SLICES.format("kube-system")) == 403


def test_workers_token_can_read_nothing(installed: Namespace) -> None:
    assert Caller(installed, WORKER).status(SLICES.format(installed.name)) == 403
