"""EndpointSlices as values: what one says of a model's replicas, and what all of them say together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from supervisor.discovery.port import Endpoints, host_and_port

GAME, VERSION, MODEL = "ensemble-mesh/game", "ensemble-mesh/version", "ensemble-mesh/model"
COMPONENT = "app.kubernetes.io/component=model-worker"
PORT_NAME = "grpc"
_FAMILIES = ("IPv4", "IPv6")


class BadSlice(ValueError):
    """What an API server sent is no EndpointSlice of a model; the text says what it lacks."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A pod that takes rows: `pod` tells the two addresses of one pod from the addresses of two."""

    pod: str
    address: str


@dataclass(frozen=True, slots=True)
class ModelSlice:
    """A part of the replicas of one model, by (game, version, model)."""

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
            raise BadSlice(f"its addressType is {family!r}")
        takers = [endpoint for endpoint in tree.get("endpoints") or () if _takes_rows(endpoint)]
        port = _port(tree) if takers else 0
        return ModelSlice(model, family, tuple(_replica(endpoint, port) for endpoint in takers))
    except KeyError as error:
        raise BadSlice(f"it has no {error}") from error
    except (TypeError, AttributeError, IndexError) as error:
        raise BadSlice(f"its shape is another: {error}") from error


def merged(slices: Iterable[ModelSlice]) -> Endpoints:
    """The replicas of every model, in order; a pod counts once, by its IPv4 address if it has both."""
    pods: dict[tuple[str, str, str], dict[str, str]] = {}
    for one in sorted(slices, key=_family):
        of_model = pods.setdefault(one.model, {})
        for replica in one.replicas:
            of_model.setdefault(replica.pod, replica.address)
    return Endpoints({model: tuple(sorted(set(of_model.values()))) for model, of_model in pods.items()})


def _family(one: ModelSlice) -> str:
    return one.family


def _takes_rows(endpoint: Mapping[str, Any]) -> bool:
    """By the API's own words `ready` that is not there means yes; a pod that ends may still be called ready."""
    conditions = endpoint.get("conditions") or {}
    return conditions.get("ready") is not False and conditions.get("terminating") is not True


def _port(tree: Mapping[str, Any]) -> int:
    for port in _ports(tree):
        return port
    raise BadSlice(f"it has no port named {PORT_NAME!r}")


def _ports(tree: Mapping[str, Any]) -> Iterator[int]:
    for port in tree.get("ports") or ():
        if port.get("name") == PORT_NAME and isinstance(port.get("port"), int):
            yield port["port"]


def _replica(endpoint: Mapping[str, Any], port: int) -> Replica:
    host = endpoint["addresses"][0]  # a client may choose the first, says the API; they are all of one pod
    if not isinstance(host, str):
        raise BadSlice(f"{host!r} is no address")
    address = host_and_port(host, port)
    return Replica(str((endpoint.get("targetRef") or {}).get("uid") or address), address)
