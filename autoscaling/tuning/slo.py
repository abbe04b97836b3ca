"""The SLO of the answers: `p95=150ms,full=99.9%`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaling.cluster.results import GameResult
from mesh.errors import Misconfigured

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Slo:
    """Maximum latencies in seconds as (name, quantile, bound), and minimum shares of full and of answered requests.

    A fallback is not counted as answered.
    """

    quantiles_s: tuple[tuple[str, float, float], ...]
    full: float
    answered: float

    def misses(self, result: GameResult) -> list[str]:
        """Returns the objectives that `result` misses, each with its value."""
        found = [
            f"{name} {1000 * took_s:.1f} ms"
            for name, share, bound_s in self.quantiles_s
            if (took_s := result.quantile_s(share)) > bound_s
        ]
        full, fallback = result.share("full"), result.share("fallback")
        if full < self.full:
            found.append(f"full {100 * full:.3f} %")
        if 1 - fallback < self.answered:
            found.append(f"fallback {100 * fallback:.3f} %")
        return found

    @property
    def tightest_s(self) -> float | None:
        """The lowest latency bound; None if there is none."""
        return min((bound_s for _, _, bound_s in self.quantiles_s), default=None)


def parse(text: str) -> Slo:
    """Parses `p95=150ms,full=99.9%,answered=99.99%`; raises Misconfigured."""
    times: list[tuple[str, float, float]] = []
    shares = {"full": 0.0, "answered": 0.0}
    for objective in text.split(","):
        key, _, value = objective.strip().partition("=")
        if key in _QUANTILES:
            times.append((key, _QUANTILES[key], _seconds(text, value)))
        elif key in shares:
            shares[key] = _share(text, value)
        else:
            raise Misconfigured([f"--slo {text}: {key!r} is not known; use {', '.join((*_QUANTILES, *shares))}"])
    return Slo(tuple(times), shares["full"], shares["answered"])


def _seconds(text: str, value: str) -> float:
    for suffix, unit in (("ms", 0.001), ("s", 1.0)):
        if value.endswith(suffix):
            return _number(text, value.removesuffix(suffix)) * unit
    raise Misconfigured([f"--slo {text}: {value!r} is not a time; write it as 150ms"])


def _share(text: str, value: str) -> float:
    share = _number(text, value.removesuffix("%")) / 100
    if not 0 < share <= 1:
        raise Misconfigured([f"--slo {text}: {value!r} is not a share; write it as 99.9%"])
    return share


def _number(text: str, value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 < found < 1e6:
        raise Misconfigured([f"--slo {text}: {value!r} is not a number above 0"])
    return found


def all_misses(slo: Slo, results: Sequence[GameResult]) -> list[str]:
    """Returns the objectives that any of `results` misses."""
    return [miss for result in results for miss in slo.misses(result)]
