"""Parsing of EndpointSlices, and merging them into the endpoints of all models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.address import host_and_port
from supervisor.discovery.port import Endpoints

GAME, VERSION, MODEL = "ensemble-mesh/game", "ensemble-mesh/version", "ensemble-mesh/model"
COMPONENT = "app.kubernetes.io/component=model-worker"
PORT_NAME = "grpc"
_FAMILIES = ("IPv4", "IPv6")


class BadSlice(ValueError):
    """An object is not a valid EndpointSlice of a model; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A pod that can receive rows. `pod` identifies the pod: a dual-stack pod has two addresses."""

    pod: str
    address: str


@dataclass(frozen=True, slots=True)
class ModelSlice:
    """Some replicas of one model (game, version, model), all of one address family."""

    model: tuple[str, str, str]
    family: str
    replicas: tuple[Replica, ...]


def selector(games: Iterable[str]) -> str:
    """The label selector of the slices of all models of `games`."""
    return f"{COMPONENT},{GAME} in ({','.join(sorted(games))})"


def parse(tree: Mapping[str, Any]) -> ModelSlice:
    """Reads a discovery.k8s.io/v1 EndpointSlice; raises BadSlice."""
    try:
        labels = tree["metadata"]["labels"]
        model = (str(labels[GAME]), str(labels[VERSION]), str(labels[MODEL]))
        family = tree["addressType"]
        if family not in _FAMILIES:
            raise BadSlice(f"addressType is {family!r}, not one of {', '.join(_FAMILIES)}")
        usable = [endpoint for endpoint in tree.get("endpoints") or () if _is_usable(endpoint)]
        port = _port(tree) if usable else 0
        return ModelSlice(model, family, tuple(_replica(endpoint, port) for endpoint in usable))
    except KeyError as error:
        raise BadSlice(f"{error} is missing") from error
    except (TypeError, AttributeError, IndexError) as error:
        raise BadSlice(f"not the structure of an EndpointSlice: {error}") from error


def merged(slices: Iterable[ModelSlice]) -> Endpoints:
    """The sorted addresses of every model's replicas; a dual-stack pod counts once, by its IPv4 address."""
    pods: dict[tuple[str, str, str], dict[str, str]] = {}
    for one in sorted(slices, key=_family):
        of_model = pods.setdefault(one.model, {})
        for replica in one.replicas:
            of_model.setdefault(replica.pod, replica.address)
    return Endpoints({model: tuple(sorted(set(of_model.values()))) for model, of_model in pods.items()})


def _family(one: ModelSlice) -> str:
    return one.family


def _is_usable(endpoint: Mapping[str, Any]) -> bool:
    """The API defines a missing `ready` as true; a terminating pod may still be ready."""
    conditions = endpoint.get("conditions") or {}
    return conditions.get("ready") is not False and conditions.get("terminating") is not True


def _port(tree: Mapping[str, Any]) -> int:
    for port in _ports(tree):
        return port
    raise BadSlice(f"no port is named {PORT_NAME!r}")


def _ports(tree: Mapping[str, Any]) -> Iterator[int]:
    for port in tree.get("ports") or ():
        if port.get("name") == PORT_NAME and isinstance(port.get("port"), int):
            yield port["port"]


def _replica(endpoint: Mapping[str, Any], port: int) -> Replica:
    host = endpoint["addresses"][0]  # all addresses are of one pod; the API allows clients to use the first
    if not isinstance(host, str):
        raise BadSlice(f"{host!r} is not an address")
    address = host_and_port(host, port)
    return Replica(str((endpoint.get("targetRef") or {}).get("uid") or address), address)
