"""Evaluates NetworkPolicies as a network plugin does: which pod or address can connect to which port."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, Any]
NAMESPACE_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod: its namespace, its labels and its named ports."""

    name: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    ports: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Address:
    """An address outside of the cluster's pods. Policies never block the node of a pod: there the kubelet runs."""

    name: str
    ip: str
    is_node_of_the_pod: bool = False


Place = Pod | Address


def can_connect(policies: Sequence[Values], source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
    """Whether `policies` allow the connection, both out of `source` and into `target`."""
    if any(isinstance(one, Address) and one.is_node_of_the_pod for one in (source, target)):
        return True
    return _allows(policies, "Egress", source, target, target, (port, protocol)) and _allows(
        policies, "Ingress", target, source, target, (port, protocol)
    )


def _allows(
    policies: Sequence[Values], way: str, subject: Place, peer: Place, target: Place, wanted: tuple[int, str]
) -> bool:
    """Whether the rules of `subject` for one way allow `peer`. A pod that no policy selects may do everything."""
    if isinstance(subject, Address):
        return True
    chosen = [one for one in policies if way in one["spec"]["policyTypes"] and _applies(one, subject)]
    key, peers = ("egress", "to") if way == "Egress" else ("ingress", "from")
    return not chosen or any(
        _has_peer(rule.get(peers), one["metadata"].get("namespace", subject.namespace), peer)
        and _has_port(rule.get("ports"), target, wanted)
        for one in chosen
        for rule in one["spec"].get(key) or ()
    )


def _applies(policy: Values, pod: Pod) -> bool:
    namespace = policy["metadata"].get("namespace", pod.namespace)
    return bool(namespace == pod.namespace and _selects(policy["spec"]["podSelector"], pod.labels))


def _has_peer(peers: Sequence[Values] | None, namespace: str, peer: Place) -> bool:
    """Whether one of `peers` is the peer; no list means everybody."""
    return not peers or any(_is_peer(one, namespace, peer) for one in peers)


def _is_peer(given: Values, namespace: str, peer: Place) -> bool:
    if isinstance(peer, Address):
        block = ipaddress.ip_network(given["ipBlock"]["cidr"]) if "ipBlock" in given else None
        ip = ipaddress.ip_address(peer.ip)
        return block is not None and ip in block
    if "ipBlock" in given:
        return False
    spaces = given.get("namespaceSelector")
    in_space = peer.namespace == namespace if spaces is None else _selects(spaces, {NAMESPACE_NAME: peer.namespace})
    return in_space and _selects(given.get("podSelector", {}), peer.labels)


def _has_port(ports: Sequence[Values] | None, target: Place, wanted: tuple[int, str]) -> bool:
    """Whether one of `ports` is the wanted port; no list means every port."""
    named = target.ports if isinstance(target, Pod) else {}
    return not ports or any(
        (named.get(one["port"], one["port"]), one.get("protocol", "TCP")) == wanted for one in ports
    )


def _selects(selector: Values, labels: Mapping[str, str]) -> bool:
    equal = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return equal and all(_meets(one, labels) for one in selector.get("matchExpressions", ()))


def _meets(expression: Values, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(expression["operator"])


def table(
    policies: Sequence[Values], sources: Iterable[Place], targets: Mapping[Place, Mapping[str, int]]
) -> dict[str, dict[str, str]]:
    """Returns the names of the ports of each target that each source can connect to, by the names of both.

    Targets without an open port are left out.
    """
    found: dict[str, dict[str, str]] = {}
    for source in sources:
        row = {}
        for target, ports in targets.items():
            reached = [name for name, port in ports.items() if can_connect(policies, source, target, port)]
            if reached and target != source:
                row[target.name] = " ".join(reached)
        found[source.name] = row
    return found
