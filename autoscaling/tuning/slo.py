"""What callers are promised: `p95=150ms,full=99.9%`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaling.cluster.results import GameResult
from mesh.errors import Misconfigured

_TIMES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Slo:
    """Bounds: latencies in seconds by quantile, and the least shares of answers that are full, or not a fallback."""

    quantiles_s: tuple[tuple[str, float, float], ...]
    full: float
    answered: float

    def misses(self, result: GameResult) -> list[str]:
        """The promises that `result` does not keep, each with its figure."""
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
        """The shortest of the promised times; None where none is."""
        return min((bound_s for _, _, bound_s in self.quantiles_s), default=None)


def parse(text: str) -> Slo:
    """Reads `p95=150ms,full=99.9%,answered=99.99%`; raises Misconfigured."""
    times: list[tuple[str, float, float]] = []
    shares = {"full": 0.0, "answered": 0.0}
    for word in text.split(","):
        key, _, value = word.strip().partition("=")
        if key in _TIMES:
            times.append((key, _TIMES[key], _seconds(text, value)))
        elif key in shares:
            shares[key] = _share(text, value)
        else:
            raise Misconfigured([f"--slo {text}: {key!r} is not known; promise {', '.join((*_TIMES, *shares))}"])
    return Slo(tuple(times), shares["full"], shares["answered"])


def _seconds(text: str, value: str) -> float:
    for suffix, unit in (("ms", 0.001), ("s", 1.0)):
        if value.endswith(suffix):
            return _number(text, value.removesuffix(suffix)) * unit
    raise Misconfigured([f"--slo {text}: {value!r} is no time; write 150ms"])


def _share(text: str, value: str) -> float:
    share = _number(text, value.removesuffix("%")) / 100
    if not 0 < share <= 1:
        raise Misconfigured([f"--slo {text}: {value!r} is no share; write 99.9%"])
    return share


def _number(text: str, value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 < found < 1e6:
        raise Misconfigured([f"--slo {text}: {value!r} is no number above 0"])
    return found


def all_misses(slo: Slo, results: Sequence[GameResult]) -> list[str]:
    """The promises that any of `results` does not keep."""
    return [miss for result in results for miss in slo.misses(result)]
