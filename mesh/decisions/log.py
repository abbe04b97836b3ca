"""Reader of a decision log in a folder or in S3: its tables as DuckDB relations, and its side files."""

from __future__ import annotations

import itertools
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from mesh.catalog import catalog as catalogs
from mesh.decision_id import time_ms
from mesh.decisions import log_files, queries
from mesh.decisions.schema import DECISION_SCHEMA, DECISIONS, OUTCOME_SCHEMA, OUTCOMES
from mesh.decisions.storage import Storage, open_storage
from mesh.errors import Misconfigured, Unavailable

_GAME = "game="
_SIDE_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TIME = "%Y-%m-%d %H:%M UTC"
_WIDE = frozenset(("candidates", "scores", "revenues", "votes", "rows"))  # a table of them may not fit into the memory
_FILES = 1000  # that are read at a time
_CLOCKS = timedelta(minutes=5)  # clocks of two machines differ at most by this


class Log:
    """A decision log. Its relations live as long as the log is open; `close` ends them.

    Points in time have a time zone. Ranges of time are half-open: `since` <= time < `until`; None means no limit. The
    results of relations are read within `reading`, which explains their errors.
    """

    def __init__(self, storage: Storage, connection: duckdb.DuckDBPyConnection) -> None:
        self.name = storage.name
        self._storage = storage
        self._connection = connection
        self._tables = itertools.count()
        self._files: set[str] = set()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection to DuckDB, and with it all relations."""
        self._connection.close()

    def games(self) -> list[str]:
        """Returns the games with decisions, sorted."""
        return [name.removeprefix(_GAME) for name in self._storage.folders(DECISIONS) if name.startswith(_GAME)]

    def game(self, name: str | None = None) -> str:
        """Returns the game `name`, or the only game of the log; raises Misconfigured if there is no such game."""
        games = self.games()
        if name is not None and name not in games:
            raise Misconfigured([f"{self.name}: has no game {name!r}; known: {', '.join(games) or 'none'}"])
        if name is None and len(games) != 1:
            problem = f"has the games {', '.join(games)}; choose one with --game" if games else "has no decisions yet"
            raise Misconfigured([f"{self.name}: {problem}"])
        return name or games[0]

    def span(self, game: str) -> tuple[datetime, datetime] | None:
        """Returns the begin of the first and the end of the last hour with decisions; None if there are none."""
        files = log_files.paths(self._storage, DECISIONS, game, None, None)
        if not files:
            return None
        return log_files.hour_of(files[0]), log_files.hour_of(files[-1]) + timedelta(hours=1)

    def decisions(
        self, game: str, since: datetime | None = None, until: datetime | None = None, columns: Sequence[str] = ()
    ) -> duckdb.DuckDBPyRelation:
        """Returns the decisions of a range, each once, in no order; `columns` are fields of DECISION_SCHEMA, none: all.

        Raises Misconfigured if the log has no files of the range, and for files that are damaged or not of a log.
        """
        files = log_files.paths(self._storage, DECISIONS, game, since, until)
        if not files:
            raise Misconfigured([self._nothing(game, since, until)])
        if not columns or not _WIDE.isdisjoint(columns):
            return self._rows(self._table(files, DECISION_SCHEMA), "decision_id", "time", columns, since, until)
        table = self._loaded(files, DECISION_SCHEMA, ("decision_id", "time", *columns), since, until)
        return self._rows(table, "decision_id", "time", columns, since, until)

    def decision(self, decision_id: str) -> dict[str, Any] | None:
        """Returns one decision by column, with its `game`; None if the log does not have it.

        Raises Misconfigured if `decision_id` is not a UUIDv7: it names the hour in which the decision was made.
        """
        try:
            time = datetime.fromtimestamp(time_ms(decision_id) / 1000, UTC)
        except ValueError as error:
            raise Misconfigured([f"{error}; give the `decision_id` of an answer"]) from None
        for game in self.games():
            files = log_files.paths(self._storage, DECISIONS, game, time - _CLOCKS, time + _CLOCKS)
            if files:
                table = self._table(files, DECISION_SCHEMA)
                found = self._connection.sql(f"FROM {table} WHERE decision_id = $1 LIMIT 1", params=[decision_id])
                for row in self.read(found).to_pylist():
                    return {**row, "game": game}
        return None

    def outcomes(
        self, game: str, since: datetime | None = None, until: datetime | None = None
    ) -> duckdb.DuckDBPyRelation:
        """Returns the outcomes of a range, each once, in no order; the log may have none.

        Raises Misconfigured for files that are damaged or not of a log.
        """
        files = log_files.paths(self._storage, OUTCOMES, game, since, until)
        table = self._loaded(files, OUTCOME_SCHEMA, OUTCOME_SCHEMA.names, since, until)
        return self._rows(table, "outcome_id", "received", (), since, until)

    def outcomes_of_decisions(
        self, game: str, since: datetime | None = None, until: datetime | None = None
    ) -> duckdb.DuckDBPyRelation:
        """Returns the outcomes of the decisions of a range, as `outcomes_of` does. Raises as `decisions` does."""
        return self.outcomes_of(self.decisions(game, since, until, ("decision_id", "request_id", "time")), game, since)

    def outcomes_of(
        self, decisions: duckdb.DuckDBPyRelation, game: str, since: datetime | None = None
    ) -> duckdb.DuckDBPyRelation:
        """Returns all outcomes, also later ones, of `decisions`, which were made from `since` on.

        `decisions` needs the columns decision_id, request_id and time; `decision_id` of the outcomes is never null. If
        a request was answered several times, an outcome that names the request belongs to the last answer before the
        outcome was received.
        """
        outcomes = self.outcomes(game, None if since is None else since - _CLOCKS)
        names = {"decisions": self._view(decisions), "outcomes": self._view(outcomes)}
        return self._connection.sql(queries.OUTCOMES_OF_DECISIONS.format(**names))

    def ensemble(self, game: str, name: str) -> dict[str, Any]:
        """Returns the file of an ensemble, which made the scores; raises NotFound."""
        return self._side_file("ensembles", game, name)

    def layout(self, game: str, name: str) -> dict[str, Any]:
        """Returns the file of a row layout; raises NotFound."""
        return self._side_file("layouts", game, name)

    def offers(self, game: str, name: str) -> dict[str, Any]:
        """Returns the file of a table of offers; raises NotFound."""
        return self._side_file("offers", game, name)

    def read(self, relation: duckdb.DuckDBPyRelation) -> pa.Table:
        """Returns the rows of a relation."""
        with self.reading():
            return relation.to_arrow_table()

    def call(self, name: str, relation: duckdb.DuckDBPyRelation) -> None:
        """Gives a relation a name for queries by `sql`."""
        relation.create_view(name)

    def keep(self, name: str, relation: duckdb.DuckDBPyRelation) -> None:
        """Reads a relation into the temporary table `name`, for several queries by `sql`."""
        with self.reading():
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM {self._view(relation)}")

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Runs a query on the names of `call` and the tables of `keep`."""
        return self._connection.sql(query)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turns errors while a relation is read into Misconfigured, which names the damaged files, or Unavailable."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            faults = log_files.damaged(self._storage, sorted(self._files))
            if faults:
                raise Misconfigured(faults) from error
            raise Unavailable(f"{self.name}: cannot be read: {' '.join(str(error).split())}") from error

    def _table(self, files: Sequence[str], schema: pa.Schema) -> str:
        """Returns the name of a new view of `files`."""
        name = f"log_{next(self._tables)}"
        self._files.update(files)
        rows = log_files.dataset(self._storage, files, schema) if files else schema.empty_table()
        self._connection.register(name, rows)
        return name

    def _loaded(
        self,
        files: Sequence[str],
        schema: pa.Schema,
        columns: Sequence[str],
        since: datetime | None,
        until: datetime | None,
    ) -> str:
        """Returns the name of a new table with some columns of a range, in memory, or on disk if it is large.

        Some files are read at a time: pyarrow keeps 0.1 MB for each file, which is too much for those of a month.
        """
        name, names = f"log_{next(self._tables)}", queries.names(dict.fromkeys(columns))
        self._files.update(files)
        clock = "time" if columns[0] == "decision_id" else "received"
        self._connection.register("loading", schema.empty_table())
        self._connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {names} FROM loading")
        for start in range(0, len(files), _FILES):
            rows = log_files.dataset(self._storage, files[start : start + _FILES], schema)
            self._connection.register("loading", rows)
            with self.reading():
                self._connection.execute(
                    f"INSERT INTO {name} SELECT {names} FROM loading{queries.where(clock, since, until)}"
                )
        self._connection.unregister("loading")
        return name

    def _rows(
        self, table: str, key: str, clock: str, columns: Sequence[str], since: datetime | None, until: datetime | None
    ) -> duckdb.DuckDBPyRelation:
        """Selects a range of a table, and one row of each `key`. The sort by key is only made if it is needed."""
        where = queries.where(clock, since, until)
        query = f"SELECT {queries.names(columns) or '*'} FROM {table}{where}"
        with self.reading():
            counted = self._connection.sql(
                f"SELECT count({key}) <> count(DISTINCT {key}) FROM {table}{where}"
            ).fetchall()
        if counted[0][0]:
            query += f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {clock}) = 1"
        return self._connection.sql(query)

    def _view(self, relation: duckdb.DuckDBPyRelation) -> str:
        """Returns the name of a new view of `relation`."""
        name = f"log_{next(self._tables)}"
        relation.create_view(name)
        return name

    def _nothing(self, game: str, since: datetime | None, until: datetime | None) -> str:
        span = self.span(game)
        if span is None:
            return f"{self.name}: has no decisions of {game} yet"
        wanted = " ".join(f"{word} {at:{_TIME}}" for word, at in (("from", since), ("to", until)) if at is not None)
        return (
            f"{self.name}: has no decisions of {game} {wanted}; it has some from {span[0]:{_TIME}} to {span[1]:{_TIME}}"
        )

    def _side_file(self, kind: str, game: str, name: str) -> dict[str, Any]:
        path = f"{kind}/{_GAME}{game}/{name}.json"
        if not _SIDE_NAME.fullmatch(name):  # it comes from a file of the log
            raise Misconfigured([f"{self.name}: {name[:100]!r} is not the name of a file in {kind}/; restore the log"])
        try:
            found = json.loads(self._storage.read(path))
        except ValueError as error:
            raise Misconfigured([f"{self._storage.named(path)}: is damaged: {error}; restore it"]) from error
        if not isinstance(found, dict):
            raise Misconfigured([f"{self._storage.named(path)}: is not a JSON object; restore it"])
        return found


def open_log(where: str) -> Log:
    """Opens the log in a folder or below `s3://BUCKET/PREFIX`, or that of a catalog; use it as a context manager.

    Raises Misconfigured if there is no log, Unavailable if S3 does not answer.
    """
    storage = open_storage(_place_of(Path(where)) if is_catalog(where) else where)
    found = storage.folders("")
    if DECISIONS not in found:
        above = [name for name in found if name.startswith(_GAME)]
        fix = "give the folder above it" if above else "give the folder or the prefix of `decisions.to` in the catalog"
        raise Misconfigured([f"{where}: is not a decision log: it has no folder {DECISIONS}/; {fix}"])
    # DuckDB moves large tables to this folder, which is `.tmp` below the current one by default.
    connection = duckdb.connect(
        config={"temp_directory": str(Path(tempfile.gettempdir()) / f"mesh-duckdb-{os.getpid()}")}
    )
    connection.execute("SET TimeZone = 'UTC'")
    return Log(storage, connection)


def is_catalog(where: str) -> bool:
    """Returns whether `where` is the path of a catalog: its name ends in .yaml or .yml."""
    return "://" not in where and where.endswith((".yaml", ".yml"))


def _place_of(path: Path) -> str:
    block = catalogs.load(path).decisions
    if block is None:
        raise Misconfigured([f"{path}: decisions: is missing; add `decisions: {{to: FOLDER}}`, or name the log itself"])
    return block.to
