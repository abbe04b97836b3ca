"""One text of a ConfigMap, read and watched through the Kubernetes API server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from supervisor.discovery.kube_api import KubeApi, Selection
from supervisor.discovery.object_watch import WATCH_S, ObjectWatch
from supervisor.discovery.service_account import ServiceAccount

_PATH = "/api/v1/namespaces/{}/configmaps"
_log = logging.getLogger("supervisor.discovery")


class ConfigMapText:
    """The text of `key` in the ConfigMap `name`, up to date while `keep` runs. `changed` is set after each change."""

    def __init__(self, account: ServiceAccount, name: str, key: str, watch_s: tuple[float, float] = WATCH_S) -> None:
        self.name = name
        self.text: str | None = None
        self.changed = asyncio.Event()
        self._key = key
        self._watch = ObjectWatch(KubeApi(account, selection(name)), self, "keeping the catalog", watch_s)

    @property
    def is_current(self) -> bool:
        """Whether `text` is that of the API server, as far as is known: the last request has not failed."""
        return self.text is not None and self._watch.is_current

    async def keep(self) -> None:
        """Follows the ConfigMap until cancelled."""
        try:
            while True:
                await self._watch.step()
        finally:
            await self._watch.close()

    def replace(self, items: Sequence[Any]) -> None:
        """Takes the text from the list of all ConfigMaps with the name: one or none."""
        if items:
            self.put(items[0])
        else:
            self.remove(self.name)

    def put(self, item: Any) -> None:
        """Takes the text of the ConfigMap `item`."""
        text = text_of(item, self._key)
        if text is None:
            _log.error("ConfigMap %s: has no text %s; keeping the one before", self.name, self._key)
        elif text != self.text:
            self.text = text
            self.changed.set()

    def remove(self, name: str) -> None:
        """Keeps the text of a ConfigMap that was deleted."""
        _log.error("ConfigMap %s: does not exist; keeping its last %s", name, self._key)

    def ignore(self, event: Any) -> None:
        """Ignores an event of an unknown type: it is not about the ConfigMap."""


def selection(name: str) -> Selection:
    """Selects the ConfigMap `name`: a Role with this `resourceNames` permits the list and the watch."""
    return Selection(_PATH, {"fieldSelector": f"metadata.name={name}"}, f"the configmap {name}")


async def read_text(account: ServiceAccount, name: str, key: str) -> str | None:
    """Reads the text of `key` in the ConfigMap `name`; None if there is none. Raises Gone or ApiFault."""
    items = (await KubeApi(account, selection(name)).list()).items
    return text_of(items[0], key) if items else None


def text_of(item: Any, key: str) -> str | None:
    """Returns the text of `key` in a ConfigMap; None if the object has none."""
    data = item.get("data") if isinstance(item, dict) else None
    text = data.get(key) if isinstance(data, dict) else None
    return text if isinstance(text, str) else None
