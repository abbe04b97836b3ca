"""The report: measured and simulated CPU of a replica, and what a replica is relieved of by more replicas."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from loadtest.measurement.aims import Aim
from loadtest.measurement.latency import ratio
from loadtest.report import Report
from loadtest.scaling.measure import IDLE, Use, mean_cores
from loadtest.scaling.simulate import SimulatedUse

WITHIN = 0.2  # the simulated CPU of a replica, relative to the measured
MOST_OF_ONE, MOST_OF_ALL = 0.35, 1.35  # the CPU of a replica, and of all replicas, at 4 replicas relative to 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """One number of replicas at one rate."""

    measured: Use
    simulated: SimulatedUse

    @property
    def replica(self) -> tuple[float, float]:
        """CPU of a replica, measured and simulated, in cores: the mean over the models."""
        return mean_cores(self.measured), statistics.fmean(self.simulated.workers.values())

    @property
    def ratio(self) -> float:
        """Simulated CPU of a replica relative to the measured."""
        measured, simulated = self.replica
        return ratio(simulated, measured)


def report_of(found: Sequence[Comparison], machine: str) -> Report:
    """The report of all comparisons."""
    rows = [_row(one) for one in found]
    return Report({"machine": machine, "uses": rows}, [_table(found)], list(_aims(found)))


def _row(one: Comparison) -> Mapping[str, object]:
    measured, simulated = one.replica
    return {
        "replicas": one.measured.replicas,
        "rate_rps": one.measured.rate_rps,
        "requests_rps": one.measured.requests_rps,
        "replica_m": {"measured": 1000 * measured, "simulated": 1000 * simulated, "ratio": one.ratio},
        "supervisor_m": {"measured": 1000 * one.measured.supervisor, "simulated": 1000 * one.simulated.supervisor},
        "cohort": {"measured": one.measured.cohort, "simulated": one.simulated.cohort},
        "models_m": {
            name: {"measured": 1000 * used, "simulated": 1000 * one.simulated.workers[name]}
            for name, used in one.measured.workers.items()
        },
        "full": one.measured.full,
        "generator_m": 1000 * one.measured.generator,
    }


def _table(found: Sequence[Comparison]) -> Table:
    table = Table(title="CPU in millicores: mean of the replicas, and the supervisor")
    for column in ("replicas", "rate", "replica", "simulated", "ratio", "supervisor", "simulated", "cohort", "sim."):
        table.add_column(column, justify="right")
    for one in found:
        measured, simulated = one.replica
        table.add_row(
            str(one.measured.replicas),
            "idle" if one.measured.rate_rps == IDLE else f"{one.measured.rate_rps:g}",
            f"{1000 * measured:.1f}",
            f"{1000 * simulated:.1f}",
            f"{one.ratio:.2f}",
            f"{1000 * one.measured.supervisor:.0f}",
            f"{1000 * one.simulated.supervisor:.0f}",
            f"{one.measured.cohort:.2f}",
            f"{one.simulated.cohort:.2f}",
        )
    return table


def _aims(found: Sequence[Comparison]) -> Iterator[Aim]:
    loaded = [one for one in found if one.measured.rate_rps != IDLE]
    off = max((abs(one.ratio - 1) for one in loaded), default=0.0)
    yield Aim("largest relative error of the simulated CPU of a replica", off, WITHIN)
    at = {(one.measured.replicas, one.measured.rate_rps): mean_cores(one.measured) for one in loaded}
    for (replicas, rate_rps), cores in at.items():
        if replicas == 4 and (1, rate_rps) in at:
            relative = ratio(cores, at[1, rate_rps])
            yield Aim(f"{rate_rps:g} per second: CPU of a replica, 4 replicas / 1", relative, MOST_OF_ONE)
            yield Aim(f"{rate_rps:g} per second: CPU of all replicas, 4 replicas / 1", 4 * relative, MOST_OF_ALL)
