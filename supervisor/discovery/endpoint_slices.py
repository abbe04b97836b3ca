"""Kubernetes EndpointSlice watcher: one list and watch for all models of all games."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable

from mesh.back_off import Uniform
from supervisor.discovery.known_slices import KnownSlices
from supervisor.discovery.kube_api import KubeApi, Selection
from supervisor.discovery.model_slice import selector
from supervisor.discovery.object_watch import WATCH_S, ObjectWatch
from supervisor.discovery.port import Endpoints
from supervisor.discovery.service_account import ServiceAccount

_PATH = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"


class EndpointSlices:
    """Watches the slices of the models of `games` in the pod's namespace; `watch_s` is the range of the watch time."""

    def __init__(
        self,
        account: ServiceAccount,
        games: Iterable[str],
        watch_s: tuple[float, float] = WATCH_S,
        uniform: Uniform = random.uniform,
    ) -> None:
        self._account = account
        self._selection = Selection(_PATH, {"labelSelector": selector(games)}, "endpointslices (discovery.k8s.io)")
        self._watch_s = watch_s
        self._uniform = uniform

    async def watch(self) -> AsyncIterator[Endpoints]:
        """Yields the known endpoints after each change; the first ones after the first list.

        Yields nothing while the API server is unreachable. Cancelling it closes its connection.
        """
        known = KnownSlices()
        api = KubeApi(self._account, self._selection)
        watch = ObjectWatch(api, known, "keeping the known replicas", self._watch_s, self._uniform)
        last: Endpoints | None = None
        try:
            while True:
                await watch.step()
                endpoints = known.endpoints()
                if endpoints != last:
                    last = endpoints
                    yield endpoints
        finally:
            await watch.close()
