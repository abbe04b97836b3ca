"""The ways in which the store fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from emulators.faults import Fault


@dataclass(frozen=True, slots=True)
class Way:
    """A fault, and in how large bursts the mesh is asked meanwhile: a cohort of one is never half unprocessed."""

    fault: Fault
    burst: int = 1


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "throttled": Way(Fault("throttle")),
        "30 % unprocessed": Way(Fault("unprocessed", share=0.3), burst=10),
        "all unprocessed": Way(Fault("unprocessed")),
        "status 500": Way(Fault("error")),
        "bad JSON": Way(Fault("bad_json")),
        "bad checksum": Way(Fault("bad_crc")),
        "cut bodies": Way(Fault("cut")),
        "stalled": Way(Fault("stall")),
        "byte by byte": Way(Fault("trickle", delay_ms=5)),
        "slow answers": Way(Fault("slow", delay_ms=200)),
        "away": Way(Fault("refuse")),
    }
)
