"""Blocks: what a supervisor hands over to the writer of its decision log, in columns.

They cross a pipe between two processes of the same program, pickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rows:
    """The shared row of each request in one layout: `values` has FP64 [requests, width], little-endian."""

    layout: str
    width: int
    values: bytes


@dataclass(frozen=True, slots=True)
class DecisionBlock:
    """Answers of one version of a game, in the order of their columns.

    `columns` has a value, or None, for each request by the name of a field of `DECISION_SCHEMA`; a name that is missing
    is null in all rows. `constants` has one value for all requests. Times are whole microseconds since 1970.

    `counts` [requests] is the number of candidates of each request; it is empty if no models were asked: then the
    columns of candidates and rows are null. The candidates of all requests follow each other: `picks` UINT32
    [candidates] are their positions in `offers`; None: every request has all `offers`. A game without offers has
    `offers` () and one candidate, without a name, for each request: `candidates` is null. `scores` FP64 [candidates]
    (NaN in all candidates of a request: no quorum, null), `prices` FP64 [offers] (NaN: no price), and `votes` FP64
    [models, candidates] (NaN: no vote) may be None. `kept` are the candidates whose votes are logged, the others are
    null (UINT32 positions among all candidates, ascending); None: all. Each of `rows` has a row for each request.
    """

    game: str
    requests: int
    constants: Mapping[str, Any]
    columns: Mapping[str, Sequence[Any]]
    counts: Sequence[int] = ()
    offers: tuple[str, ...] = ()
    picks: bytes | None = None
    scores: bytes | None = None
    prices: bytes | None = None
    models: int = 0
    votes: bytes | None = None
    kept: bytes | None = None
    rows: tuple[Rows, ...] = ()


@dataclass(frozen=True, slots=True)
class OutcomeBlock:
    """Outcomes of a game: `columns` has a value, or None, for each by the name of a field of `OUTCOME_SCHEMA`."""

    game: str
    outcomes: int
    columns: Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class SideFile:
    """A small file that decisions refer to by the digest in its name; it is written before them, once.

    `path` is below the root of the log, such as `ensembles/game=dragonfall/0123abcd.json`.
    """

    path: str
    content: bytes
