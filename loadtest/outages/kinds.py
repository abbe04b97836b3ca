"""The kinds of outages of the player store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from emulators.faults import Fault


@dataclass(frozen=True, slots=True)
class OutageKind:
    """A fault of the store, and the size of the bursts of requests: a read of one key cannot be half unprocessed."""

    fault: Fault
    burst: int = 1


KINDS: Mapping[str, OutageKind] = MappingProxyType(
    {
        "throttled": OutageKind(Fault("throttle")),
        "30 % unprocessed": OutageKind(Fault("unprocessed", share=0.3), burst=10),
        "all unprocessed": OutageKind(Fault("unprocessed")),
        "status 500": OutageKind(Fault("error")),
        "bad JSON": OutageKind(Fault("bad_json")),
        "bad checksum": OutageKind(Fault("bad_crc")),
        "cut bodies": OutageKind(Fault("cut")),
        "stalled": OutageKind(Fault("stall")),
        "byte by byte": OutageKind(Fault("trickle", delay_ms=5)),
        "slow answers": OutageKind(Fault("slow", delay_ms=200)),
        "away": OutageKind(Fault("refuse")),
    }
)
