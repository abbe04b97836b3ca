"""The EndpointSlices that are known, kept up with what an API server lists and then tells of changes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from supervisor.discovery.kube_api import ApiFault, Gone, Listing
from supervisor.discovery.model_slice import BadSlice, ModelSlice, merged, parse
from supervisor.discovery.port import Endpoints

MOST_COMPLAINTS = 1000
_log = logging.getLogger("supervisor.discovery")


class KnownSlices:
    """By name; `version` is that of the last change that was heard of, None when everything must be listed anew."""

    def __init__(self) -> None:
        self.version: str | None = None
        self._slices: dict[str, ModelSlice] = {}
        self._complained: dict[tuple[str, str], None] = {}

    def endpoints(self) -> Endpoints:
        """What all slices say together."""
        return merged(self._slices.values())

    def replace(self, listing: Listing) -> None:
        """There is what is in `listing` and nothing else: what was deleted meanwhile is told of by nobody."""
        self._slices = {}
        for item in listing.items:
            self._put(item)
        self.version = listing.version

    def apply(self, events: Iterable[Any]) -> None:
        """Follows the events of a watch; raises Gone or ApiFault when one says that the watch is over."""
        for event in events:
            kind, item = (event.get("type"), event.get("object")) if isinstance(event, dict) else (None, event)
            if kind == "ERROR":
                self.version = None  # whatever it is: to go on from here could bring the same again
                raise _error(item)
            if kind in ("ADDED", "MODIFIED"):
                self._put(item)
            elif kind == "DELETED":
                self._slices.pop(_name(item), None)
            elif kind != "BOOKMARK":
                self._complain("an event", f"it is of no kind that is known: {str(event)[:200]}")
            self.version = _version(item) or self.version

    def _put(self, item: Any) -> None:
        """An object that makes no sense is as one that is not there."""
        name = _name(item)
        self._slices.pop(name, None)
        try:
            if not name:
                raise BadSlice(f"it has no name: {str(item)[:200]}")
            self._slices[name] = parse(item)
        except BadSlice as error:
            self._complain(f"EndpointSlice {name}", str(error))

    def _complain(self, what: str, why: str) -> None:
        if (what, why) not in self._complained:
            self._complained[what, why] = None
            if len(self._complained) > MOST_COMPLAINTS:  # the oldest may be told again
                del self._complained[next(iter(self._complained))]
            _log.error("%s is left out: %s", what, why)


def _metadata(item: Any, key: str) -> str:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    value = metadata.get(key) if isinstance(metadata, dict) else None
    return value if isinstance(value, str) else ""


def _name(item: Any) -> str:
    return _metadata(item, "name")


def _version(item: Any) -> str:
    return _metadata(item, "resourceVersion")


def _error(status: Any) -> Exception:
    """The Status object in an ERROR event, as what it means."""
    code, message = (status.get("code"), status.get("message")) if isinstance(status, dict) else (None, status)
    return Gone() if code == 410 else ApiFault(str(code), f"the API server ended the watch: {message}")
