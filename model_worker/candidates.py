"""The candidates of factored rows: all streams share the table of a list, and each stream remembers its last list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

from mesh.errors import UnknownCandidates
from model_worker.forest import Candidates, CandidateTable


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class PreparedCandidates:
    """A list of candidates and its table in the forest."""

    candidates: Candidates
    table: CandidateTable


class TableCache:
    """The tables of all lists that a stream remembers. `make_table` belongs to the forest; it is called on a thread."""

    def __init__(self, make_table: Callable[[Candidates], CandidateTable]) -> None:
        self._make_table = make_table
        self._prepared: WeakValueDictionary[Candidates, PreparedCandidates] = WeakValueDictionary()

    async def get(self, candidates: Candidates) -> PreparedCandidates:
        """Returns `candidates` with their table; raises the errors of the forest. It is safe to cancel."""
        prepared = self._prepared.get(candidates)
        if prepared is None:
            table = await asyncio.to_thread(self._make_table, candidates)
            prepared = self._prepared[candidates] = PreparedCandidates(candidates, table)
        return prepared


class StreamCandidates:
    """The last candidates that one stream sent, and their name."""

    def __init__(self, tables: TableCache) -> None:
        self._tables = tables
        self._name: str | None = None
        self._last: PreparedCandidates | None = None

    async def named(self, name: str, included: Candidates | None) -> PreparedCandidates:
        """Returns the candidates `name`. From now on, the stream remembers the `included` ones, if any.

        Raises UnknownCandidates if none are included and `name` is not the remembered one.
        """
        if included is not None:
            self._last = await self._tables.get(included)
            self._name = name
        if self._last is None or self._name != name:
            raise UnknownCandidates(
                f"parameters['candidates']: this stream remembers {self._memory()}, not {name!r}; "
                "include the candidates in the message"
            )
        return self._last

    def _memory(self) -> str:
        return "no candidates" if self._name is None else f"the candidates {self._name!r}"
