"""The known EndpointSlices, updated from the lists and watch events of an API server."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from supervisor.discovery.model_slice import BadSlice, ModelSlice, merged, parse
from supervisor.discovery.object_watch import metadata
from supervisor.discovery.port import Endpoints

MAX_REMEMBERED_FAULTS = 1000
_log = logging.getLogger("supervisor.discovery")


class KnownSlices:
    """The slices by name; implements `KnownObjects`. A malformed object is ignored."""

    def __init__(self) -> None:
        self._slices: dict[str, ModelSlice] = {}
        self._logged: dict[tuple[str, str], None] = {}

    def endpoints(self) -> Endpoints:
        """The endpoints of all slices."""
        return merged(self._slices.values())

    def replace(self, items: Sequence[Any]) -> None:
        """Replaces all slices by `items`."""
        self._slices = {}
        for item in items:
            self.put(item)

    def put(self, item: Any) -> None:
        """Adds or replaces a slice; a malformed object is removed."""
        name = metadata(item, "name")
        self._slices.pop(name, None)
        try:
            if not name:
                raise BadSlice(f"metadata.name is missing: {str(item)[:200]}")
            self._slices[name] = parse(item)
        except BadSlice as error:
            self._log_fault(f"EndpointSlice {name}", str(error))

    def remove(self, name: str) -> None:
        """Removes a slice."""
        self._slices.pop(name, None)

    def ignore(self, event: Any) -> None:
        """Logs an event of an unknown type."""
        self._log_fault("an event", f"its type is unknown: {str(event)[:200]}")

    def _log_fault(self, subject: str, fault: str) -> None:
        """Logs each fault once."""
        if (subject, fault) not in self._logged:
            self._logged[subject, fault] = None
            if len(self._logged) > MAX_REMEMBERED_FAULTS:  # the oldest may be logged again
                del self._logged[next(iter(self._logged))]
            _log.error("ignoring %s: %s", subject, fault)
