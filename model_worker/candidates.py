"""The candidates of factored rows: each list is made ready once for all streams, and each stream remembers its last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

from mesh.errors import UnknownCandidates
from model_worker.forest import Candidates, CandidateTable


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class ReadyCandidates:
    """A list of candidates, and what the forest made of it."""

    listed: Candidates
    table: CandidateTable


class ReadyLists:
    """The lists that some stream remembers; `make_ready` is the forest's, and may take its time."""

    def __init__(self, make_ready: Callable[[Candidates], CandidateTable]) -> None:
        self._make_ready = make_ready
        self._ready: WeakValueDictionary[Candidates, ReadyCandidates] = WeakValueDictionary()

    async def of(self, listed: Candidates) -> ReadyCandidates:
        """`listed`, ready; raises what the forest raises. Cancelling it loses nothing."""
        ready = self._ready.get(listed)
        if ready is None:
            table = await asyncio.to_thread(self._make_ready, listed)
            ready = self._ready[listed] = ReadyCandidates(listed, table)
        return ready


class RememberedCandidates:
    """The last candidates that came on one stream, by the name that they came under."""

    def __init__(self, lists: ReadyLists) -> None:
        self._lists = lists
        self._name: str | None = None
        self._ready: ReadyCandidates | None = None

    async def named(self, name: str, brought: Candidates | None) -> ReadyCandidates:
        """What a message means that names its candidates `name`, and maybe brought them along.

        Raises UnknownCandidates when it did not, and the stream remembers others, or none.
        """
        if brought is not None:
            self._ready = await self._lists.of(brought)
            self._name = name
        if self._ready is None or self._name != name:
            raise UnknownCandidates(
                f"parameters['candidates']: this stream remembers {self._memory()}, not {name!r}; send them along"
            )
        return self._ready

    def _memory(self) -> str:
        return "no candidates" if self._name is None else f"the candidates {self._name!r}"
