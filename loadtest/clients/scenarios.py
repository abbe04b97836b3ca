"""The scenarios of clients/conformance/scenarios.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, TypeAdapter

from mesh.block import Block

FILE = Path(__file__).parents[2] / "clients" / "conformance" / "scenarios.yaml"


class Event(Block):
    """What happens to a supervisor, `at_s` after the first question. One of the others names the supervisor."""

    at_s: float
    kill: int | None = None
    freeze: int | None = None
    thaw: int | None = None
    stop: int | None = None
    start: int | None = None


class Behaviour(Block):
    """How a scripted supervisor behaves. Without any key, it answers at once."""

    delay_ms: float = 0
    slow_ms: float = 0
    slow_every: int = 0  # answers
    slow_player_every: int = 0  # players, by their number: each is slow at every supervisor
    refuse: int = 0
    silent: bool = False
    silent_until_s: float = 0
    end_streams_s: float = 0
    lose_streams_s: float = 0


class Expected(Block):
    """The counts that every client must meet; see the head of the file."""

    local: float | None = None
    source: str | None = None
    wrong: int = 0
    extra: float | None = None


class Scenario(Block):
    """What happens while a client asks `rate` questions a second."""

    about: str
    kind: Literal["mesh", "scripted"]
    supervisors: int = 2
    seconds: float = 30
    rate: float = 200
    deadline_ms: float = 250
    wrong_every: int = 0
    events: Annotated[tuple[Event, ...], Field(strict=False)] = ()
    behave: Annotated[tuple[Behaviour, ...], Field(strict=False)] = ()
    expect: Expected = Expected()

    @property
    def questions(self) -> int:
        """The number of questions."""
        return int(self.rate * self.seconds)


def read_scenarios() -> dict[str, Scenario]:
    """Returns the scenarios by name."""
    return TypeAdapter(dict[str, Scenario]).validate_python(yaml.safe_load(FILE.read_text()))
