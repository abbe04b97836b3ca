"""How players move between versions: assignment, rollouts and guards (docs/decisions/0021-shifts-and-guards.md)."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, Protocol

from pydantic import BeforeValidator, Field

from mesh import moment
from mesh.block import Block, Text

# ISO 8601 with a zone. A catalog's reader makes a time of such a text unless it is in quotes; Helm makes text of it.
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})$"


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.date) else value


class Assignment(Block):
    """How players are assigned to versions."""

    salt: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="any text; a new salt assigns all players again, independently of the groups of earlier tests",
    )
    holdout: float = Field(
        0, ge=0, le=100, description="percent of the players who get the fallback offer, to compare the models with it"
    )


class Step(NamedTuple):
    """A time in which a version with a rollout has `share` percent of the players: from `start_s` until `end_s`.

    Times are seconds since 1970. The time before the plan begins is a step with share 0; the last step has no end.
    """

    share: float
    start_s: float
    end_s: float


class Rollout(Block):
    """The plan of a version's traffic: a function of the wall clock, so that all supervisors agree."""

    start: Annotated[str, Field(pattern=_TIME), BeforeValidator(_text)] = Field(
        description="time of the first step, with its zone, such as 2026-12-01T10:00:00Z; no players before it"
    )
    steps: Annotated[tuple[Annotated[float, Field(gt=0, le=100)], ...], Field(strict=False, min_length=1)] = Field(
        description="percent of the players in each step, ascending; the last step has no end"
    )
    hold_s: float = Field(gt=0, description="length of a step, in seconds")

    def all_steps(self) -> Iterator[Step]:
        """Yields the time before the plan, and each step."""
        start_s = moment.epoch_s(self.start) or 0.0
        times_s = [-math.inf, *(start_s + number * self.hold_s for number in range(len(self.steps))), math.inf]
        for number, share in enumerate((0.0, *self.steps)):
            yield Step(share, times_s[number], times_s[number + 1])

    def step_at(self, now_s: float) -> Step:
        """Returns the step at `now_s`, in seconds since 1970."""
        return [step for step in self.all_steps() if step.start_s <= now_s][-1]


class Guard(Block):
    """Bounds on the answers of a version. A supervisor whose answers break one gives the version's players away."""

    to: Text = Field(description="version that gets the players, and with which the answers are compared")
    whole: float | None = Field(
        None, gt=0, le=100, description="minimum percent of the answers in which every model has a vote"
    )
    p99_ms: float | None = Field(None, gt=0, description="maximum p99 of the time that the models take")
    window_s: float = Field(60, ge=1, le=3600, description="length of the sliding window in which answers count")
    min_requests: int = Field(200, ge=1, description="minimum number of answers in the window for a decision")


class Shared(Protocol):
    """A version with its share of the players. `Version` implements it."""

    @property
    def traffic(self) -> float:
        """Percent of the players; of a version without a rollout."""
        ...

    @property
    def rollout(self) -> Rollout | None:
        """The plan; the other versions then share what it leaves, in proportion to their traffic."""
        ...


def planned_version(versions: Mapping[str, Shared]) -> tuple[str, Rollout] | None:
    """Returns the version that has a rollout, with its plan; None if there is none."""
    return next(((name, one.rollout) for name, one in versions.items() if one.rollout is not None), None)


def shares_at(versions: Mapping[str, Shared], now_s: float) -> dict[str, float]:
    """Returns the percentage of the players of each version at `now_s`, in seconds since 1970; infinity: in the end."""
    planned = planned_version(versions)
    share = planned[1].step_at(now_s).share if planned is not None else 0.0
    return {
        name: share if one.rollout is not None else round(one.traffic * (100 - share) / 100, 9)
        for name, one in versions.items()
    }
