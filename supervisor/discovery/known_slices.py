"""The known EndpointSlices, updated from the lists and watch events of an API server."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from supervisor.discovery.kube_api import ApiFault, Gone, Listing
from supervisor.discovery.model_slice import BadSlice, ModelSlice, merged, parse
from supervisor.discovery.port import Endpoints

MAX_REMEMBERED_FAULTS = 1000
_log = logging.getLogger("supervisor.discovery")


class KnownSlices:
    """The slices by name. `version` is the resource version of the last event; None if a new list is needed."""

    def __init__(self) -> None:
        self.version: str | None = None
        self._slices: dict[str, ModelSlice] = {}
        self._logged: dict[tuple[str, str], None] = {}

    def endpoints(self) -> Endpoints:
        """The endpoints of all slices."""
        return merged(self._slices.values())

    def replace(self, listing: Listing) -> None:
        """Replaces all slices by those in `listing`: no event reports a deletion before the list."""
        self._slices = {}
        for item in listing.items:
            self._put(item)
        self.version = listing.version

    def apply(self, events: Iterable[Any]) -> None:
        """Applies the events of a watch; raises Gone or ApiFault for an ERROR event."""
        for event in events:
            kind, item = (event.get("type"), event.get("object")) if isinstance(event, dict) else (None, event)
            if kind == "ERROR":
                self.version = None  # a watch from the same version could return the same error
                raise _error(item)
            if kind in ("ADDED", "MODIFIED"):
                self._put(item)
            elif kind == "DELETED":
                self._slices.pop(_name(item), None)
            elif kind != "BOOKMARK":
                self._log_fault("an event", f"its type is unknown: {str(event)[:200]}")
            self.version = _version(item) or self.version

    def _put(self, item: Any) -> None:
        """Adds or replaces a slice; a malformed object is removed."""
        name = _name(item)
        self._slices.pop(name, None)
        try:
            if not name:
                raise BadSlice(f"metadata.name is missing: {str(item)[:200]}")
            self._slices[name] = parse(item)
        except BadSlice as error:
            self._log_fault(f"EndpointSlice {name}", str(error))

    def _log_fault(self, subject: str, fault: str) -> None:
        """Logs each fault once."""
        if (subject, fault) not in self._logged:
            self._logged[subject, fault] = None
            if len(self._logged) > MAX_REMEMBERED_FAULTS:  # the oldest may be logged again
                del self._logged[next(iter(self._logged))]
            _log.error("ignoring %s: %s", subject, fault)


def _metadata(item: Any, key: str) -> str:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    value = metadata.get(key) if isinstance(metadata, dict) else None
    return value if isinstance(value, str) else ""


def _name(item: Any) -> str:
    return _metadata(item, "name")


def _version(item: Any) -> str:
    return _metadata(item, "resourceVersion")


def _error(status: Any) -> Exception:
    """The error that the Status object of an ERROR event stands for."""
    code, message = (status.get("code"), status.get("message")) if isinstance(status, dict) else (None, status)
    return Gone() if code == 410 else ApiFault(str(code), f"the API server ended the watch: {message}")
