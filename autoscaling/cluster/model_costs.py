"""The costs of a model: time and CPU of a message by its rows, start time, memory; measured or assumed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from autoscaling.capacity_profile import Batch, ModelProfile, Profile
from autoscaling.cluster.queueing_model import Floats
from mesh.errors import Misconfigured

ModelKey = tuple[str, str, str]  # game, version, model
Z95 = 1.6449  # of the normal distribution: a lognormal's p95 is exp(1.6449 sigma) times its median


@dataclass(frozen=True, slots=True)
class ModelCosts:
    """The costs of one model on a whole core.

    A message of m rows occupies a replica for `base_s` + m x `row_s`, including the replica's event loop.
    `transport_s` is the rest of the round trip, during which the replica is free. `variability` is the variance of the
    service time divided by the square of its mean.

    These costs, `message_cpu_s` and `row_cpu_s` are those of a replica that never rests. `pauses` are pairs, ascending:
    after a mean pause of so many seconds, a message costs so many more seconds of CPU, because caches are cold and
    threads and CPUs must wake up. `idle_cores` is the CPU without messages.
    """

    base_s: float
    row_s: float
    transport_s: float
    variability: float
    message_cpu_s: float
    row_cpu_s: float
    start_s: float
    start_cpu_s: float
    memory_mb: float
    idle_cores: float = 0.0
    pauses: tuple[tuple[float, float], ...] = ()


class PauseCurves:
    """The additional CPU of a message after a pause, for several models; interpolated between their `pauses`."""

    def __init__(self, costs: Sequence[ModelCosts]) -> None:
        self._curves = [np.array([(0.0, 0.0), *one.pauses]).T for one in costs]

    def more_s(self, pauses_s: Floats) -> Floats:
        """Returns the additional seconds after mean pauses of `pauses_s` [models]; 0 without a pause."""
        return np.array([np.interp(pause_s, *curve) for pause_s, curve in zip(pauses_s, self._curves, strict=True)])


# Without a profile: 500 trees of 63 leaves, measured on two cores (examples/evening/profile.json, whales).
ASSUMED = ModelCosts(
    base_s=0.0001,
    row_s=0.00001,
    transport_s=0.0004,
    variability=0.05,
    message_cpu_s=0.00011,
    row_cpu_s=0.00001,
    start_s=0.4,
    start_cpu_s=0.4,
    memory_mb=25.0,
    idle_cores=0.0003,
    pauses=((0.0018, 0.0001), (0.0043, 0.0002), (0.0126, 0.0004), (0.0363, 0.0005)),
)


def costs_by_model(
    keys: Iterable[ModelKey], profile: Profile | None, catalog: Mapping[str, Path] = MappingProxyType({})
) -> Mapping[ModelKey, ModelCosts]:
    """Returns the costs of each model; raises Misconfigured with the models that the profile lacks.

    `catalog` has the file of each game, for the advice.
    """
    wanted = list(keys)
    if profile is None:
        return dict.fromkeys(wanted, ASSUMED)
    known = {(one.game, one.version, one.name): one for one in profile.models.values()}
    missing = [key for key in wanted if key not in known]
    if missing:
        first = ", ".join("/".join(key) for key in missing[:3]) + (" and others" if len(missing) > 3 else "")
        files = dict.fromkeys(str(catalog[game]) for game, *_ in missing if game in catalog)
        measure = "python -m loadtest profile --all"
        commands = " and ".join(f"{measure} --catalog {file} --out PROFILE" for file in files) or measure
        fix = f"add them to the file: {commands} (keeps the models that it has)"
        raise Misconfigured([f"--profile: has no {first}; {fix}"])
    return {key: from_profile(known[key]) for key in wanted}


def from_profile(profile: ModelProfile) -> ModelCosts:
    """Returns the costs from a profile; fits lines to its measurements at several batch sizes."""
    rows = [batch.rows for batch in profile.batches]
    message_cpu_s, row_cpu_s = _line(rows, [batch.cpu_us_per_row * batch.rows / 1e6 for batch in profile.batches])
    base_s, row_s = _line(rows, [batch.rows / batch.rows_per_s for batch in profile.batches])
    transports_s = [batch.round_trip_p50_ms / 1e3 - base_s - row_s * batch.rows for batch in profile.batches]
    fewest = profile.batches[0]
    queued_s = message_cpu_s + row_cpu_s * fewest.rows
    pauses = tuple((one.pause_ms / 1e3, max(0.0, one.cpu_us / 1e6 - queued_s)) for one in profile.pauses)
    return ModelCosts(
        base_s=base_s,
        row_s=row_s,
        transport_s=max(0.0, float(np.median(transports_s))),
        variability=float(np.median([_variability(batch) for batch in profile.batches])),
        message_cpu_s=message_cpu_s,
        row_cpu_s=row_cpu_s,
        start_s=profile.start_s.median,
        start_cpu_s=profile.start_cpu_s,
        memory_mb=profile.pss_mb,
        idle_cores=profile.idle_cores,
        pauses=pauses,
    )


def _variability(batch: Batch) -> float:
    """The variability of a lognormal distribution with the median and p95 of `batch`."""
    sigma = math.log(max(batch.predict_p95_ms / batch.predict_p50_ms, 1.0)) / Z95
    return math.expm1(sigma**2)


def _line(rows: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """Offset and slope of the least-squares line through `seconds`, by relative errors; neither is below 0."""
    if len(rows) == 1:
        return 0.0, seconds[0] / rows[0]
    count, taken = np.array(rows, dtype=float), np.array(seconds)
    design = np.column_stack([np.ones_like(count), count]) / taken[:, None]
    (offset, slope), *_ = np.linalg.lstsq(design, np.ones_like(taken), rcond=None)
    return max(0.0, float(offset)), max(1e-9, float(slope))
