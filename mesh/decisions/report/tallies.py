"""Tallies of a decision log, made by DuckDB: per player, arm and day, per group, and per player's first arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from mesh.decisions.log import Log
from mesh.decisions.report.division import HOLDOUT, Firsts
from mesh.decisions.report.ratios import Cells, Codes, Floats

SHARES = ("shown", "clicked", "purchased")
SOURCES = ("ENSEMBLE", "PARTIAL", "FALLBACK")
MAX_CURRENCIES = 8
_COLUMNS = (
    "decision_id", "time", "request_id", "player", "version", "pinned", "method", "source", "reason", "explored",
    "propensity", "total_ms", "offers", "supervisor", "caller",
)  # fmt: skip

_ARM = f"if(reason IS NOT DISTINCT FROM '{HOLDOUT}', '{HOLDOUT}', version)"
FALLBACKS = " fallback"  # ends the group of the fallbacks of a version that explores; they are not an arm
# Ends the group of decisions of such a version in which only one offer could be drawn, such as those with one
# candidate: in them it changes nothing whether the player explores, and `explored` may be false for every player.
NO_CHOICE = " without choice"
GROUPINGS: Mapping[str, str] = {
    "version": "arm",
    # An answer without scores is not explored, whoever the player is: in `best` it would make this arm look worse.
    "arm": f"arm || CASE WHEN NOT explores THEN '' WHEN source = 'FALLBACK' THEN '{FALLBACKS}' "
    f"WHEN propensity > {1 - 1e-9!r} THEN '{NO_CHOICE}' "
    "WHEN explored THEN ' explored' ELSE ' best' END",
    "source": "source",
    "offer": "coalesce(offer, '(none)')",
    "supervisor": "supervisor",
    "caller": "coalesce(caller, '(not known)')",
    "day": "strftime(day, '%Y-%m-%d')",
}
RANDOMISED = ("version", "arm")  # the groupings whose groups are assigned at random, so that a difference has a cause


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a log.

    `within_h`: the hours after a decision in which an outcome counts. `steps_s`: the times, in seconds since 1970, at
    which the planned shares changed.
    """

    game: str
    since: datetime | None = None
    until: datetime | None = None
    by: str = "version"
    method: str = "GetOffer"
    within_h: float = 24.0
    steps_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Tallies:
    """All that a report needs, as columns.

    `player`, `group`, `day`, `period`, `decisions` and `metrics` have a row for each combination that occurs. A period
    is between two `steps_s`; `groups` and `days` are the texts of the codes. `metrics` by name: the number of decisions
    with that outcome, and the revenue of each currency. `counts` has a row for each group, `sources` one for each day
    and source. `left_out`: decisions that are not in the report, by the reason. `without_player` decisions have no
    player: each counts as a player of its own.
    """

    groups: tuple[str, ...]
    days: tuple[str, ...]
    player: Codes
    group: Codes
    day: Codes
    period: Codes
    decisions: Floats
    metrics: Mapping[str, Floats]
    firsts: Firsts
    counts: Sequence[Mapping[str, Any]]
    sources: Sequence[Mapping[str, Any]]
    left_out: Mapping[str, int]
    without_player: int

    def cells(self, metric: str, *, by_day: bool) -> Cells:
        """Returns the sums of a metric; the strata are the periods of each day, or all days together."""
        stratum = self.day * (self.period.max() + 1) + self.period if by_day else np.zeros_like(self.day)
        return Cells(self.player, self.group, stratum, self.decisions, self.metrics[metric])


def tally(log: Log, question: Question) -> Tallies:
    """Reads the range of the question. Raises Misconfigured and Unavailable as the log does."""
    decisions = log.decisions(question.game, question.since, question.until, _COLUMNS)
    outcomes = log.outcomes_of(decisions, question.game, question.since)
    log.call("all_decisions", decisions)
    log.keep("all_outcomes", outcomes.project("decision_id, time, kind, value, currency"))
    tables = _Tables(log, question)
    with log.reading():
        currencies = tables.join()
        return tables.result(currencies)


class _Tables:
    """The temporary tables of one report."""

    def __init__(self, log: Log, question: Question) -> None:
        self._log, self._question = log, question

    def join(self) -> list[str]:
        """Makes the table `report`, a row for each decision; returns the currencies, most frequent first."""
        sql = self._log.sql
        found = sql(
            "SELECT currency FROM all_outcomes WHERE kind = 'purchased' AND value IS NOT NULL AND currency IS NOT NULL "
            f"GROUP BY currency ORDER BY count(*) DESC, currency LIMIT {MAX_CURRENCIES}"
        ).fetchall()
        currencies = [row[0] for row in found]
        shares = "".join(f", bool_or(kind = '{kind}') AS {kind}" for kind in SHARES)
        values = "".join(
            f", sum(value) FILTER (kind = 'purchased' AND currency = {_text(one)} AND isfinite(value)) AS revenue_{at}"
            for at, one in enumerate(currencies)
        )
        within = f"o.time < d.time + to_microseconds({int(self._question.within_h * 3.6e9)})"
        sql(
            f"CREATE OR REPLACE TEMP TABLE report_outcomes AS SELECT o.decision_id{shares}{values} FROM all_outcomes o "
            f"JOIN all_decisions d USING (decision_id) WHERE {within} GROUP BY o.decision_id"
        )
        explores = f"version IN (SELECT DISTINCT version FROM all_decisions WHERE explored) AND {_ARM} <> '{HOLDOUT}'"
        replaced = "decision_id, request_id, player, offers, reason"
        sql(
            f"CREATE OR REPLACE TEMP TABLE report AS SELECT d.* EXCLUDE ({replaced}), "
            f"coalesce(player, decision_id) AS player, player IS NULL AS is_unknown, "
            f"{_ARM} AS arm, date_trunc('day', d.time) AS day, offers[1] AS offer, {explores} AS explores, "
            f"{self._period()} AS period, "
            f"o.* EXCLUDE (decision_id) FROM all_decisions d LEFT JOIN report_outcomes o USING (decision_id) "
            f"WHERE NOT coalesce(pinned, false) AND method = {_text(self._question.method)}"
        )
        return currencies

    def result(self, currencies: Sequence[str]) -> Tallies:
        sql, group = self._log.sql, GROUPINGS[self._question.by]
        sums = [f"count(*) FILTER ({kind}) AS {kind}" for kind in SHARES]
        sums += [f"coalesce(sum(revenue_{at}), 0) AS revenue_{at}" for at in range(len(currencies))]
        cells = sql(
            f"SELECT player, {group} AS grp, strftime(day, '%Y-%m-%d') AS day, period, count(*) AS decisions, "
            f"{', '.join(sums)} FROM report GROUP BY ALL ORDER BY ALL"
        ).to_arrow_table()
        names = {kind: kind for kind in SHARES} | {
            f"revenue_{at}": f"revenue {one}" for at, one in enumerate(currencies)
        }
        groups, group_codes = _codes(cells["grp"])
        days, day_codes = _codes(cells["day"])
        return Tallies(
            groups, days, _codes(cells["player"])[1], group_codes, day_codes,
            cells["period"].to_numpy().astype(np.int64), _floats(cells["decisions"]),
            {name: _floats(cells[column]) for column, name in names.items()},
            self._firsts(), self._counts(group), self._sources(), self._left_out(), self._without_player(),
        )  # fmt: skip

    def _period(self) -> str:
        steps = (f"CAST(epoch(d.time) >= {step_s!r} AS INTEGER)" for step_s in self._question.steps_s)
        return " + ".join(["0", *steps])

    def _firsts(self) -> Firsts:
        found = self._log.sql(
            "SELECT arg_min(arm, time) AS arm, epoch(min(time)) AS time_s, count(DISTINCT arm) > 1 AS moved "
            "FROM report GROUP BY player"
        ).to_arrow_table()
        arms, codes = _codes(found["arm"])
        return Firsts(arms, codes, _floats(found["time_s"]), int(_floats(found["moved"]).sum()))

    def _counts(self, group: str) -> list[dict[str, Any]]:
        order = "grp" if self._question.by in (*RANDOMISED, "day") else "decisions DESC, grp"
        sources = ", ".join(f"count(*) FILTER (source = '{one}') AS {one}" for one in SOURCES)
        found: list[dict[str, Any]] = (
            self._log.sql(
                f"SELECT {group} AS grp, count(*) AS decisions, count(DISTINCT player) AS players, {sources}, "
                "quantile_cont(total_ms, 0.5) AS p50_ms, quantile_cont(total_ms, 0.95) AS p95_ms "
                f"FROM report GROUP BY ALL ORDER BY {order}"
            )
            .to_arrow_table()
            .to_pylist()
        )
        return found

    def _sources(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            self._log.sql(
                "SELECT strftime(day, '%Y-%m-%d') AS day, source, count(*) AS decisions "
                "FROM report GROUP BY ALL ORDER BY ALL"
            )
            .to_arrow_table()
            .to_pylist()
        )
        return found

    def _left_out(self) -> dict[str, int]:
        found = self._log.sql(
            "SELECT count(*) FILTER (pinned), "
            f"count(*) FILTER (method <> {_text(self._question.method)}) FROM all_decisions"
        ).fetchall()[0]
        return {"pinned": found[0], "other methods": found[1]}

    def _without_player(self) -> int:
        found: int = self._log.sql("SELECT count(*) FILTER (is_unknown) FROM report").fetchall()[0][0]
        return found


def _codes(column: pa.ChunkedArray) -> tuple[tuple[str, ...], Codes]:
    """Returns the sorted texts of a column, and the code of each row."""
    encoded = column.combine_chunks().dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=lambda at: str(texts[at]))
    rank = np.empty(len(texts), np.int64)
    rank[order] = np.arange(len(texts))
    codes = rank[encoded.indices.to_numpy(zero_copy_only=False)] if texts else np.zeros(0, np.int64)
    return tuple(str(texts[at]) for at in order), codes


def _floats(column: pa.ChunkedArray) -> Floats:
    found: Floats = column.cast(pa.float64()).to_numpy()
    return found


def _text(value: str) -> str:
    """A literal of SQL."""
    return "'" + value.replace("'", "''") + "'"
