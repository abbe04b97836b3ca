"""One supervisor: its links, its open questions and its health."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ensemble_mesh_client.health import Health
from ensemble_mesh_client.link import Link
from ensemble_mesh_client.preference import fnv1a
from ensemble_mesh_client.question import Question
from ensemble_mesh_client.security import Security
from ensemble_mesh_client.stream_end import End
from ensemble_mesh_client.wire import offers_pb2 as wire


class SupervisorOwner(Protocol):
    """Receives the events of its supervisors. `OfferClient` implements it."""

    def on_up(self) -> None:
        """A supervisor can take questions."""
        ...

    def on_room(self) -> None:
        """A supervisor may take another question."""
        ...

    def on_response(self, supervisor: Supervisor, question: Question, response: wire.GetOfferResponse) -> None:
        """`supervisor` answered `question`, which may have an answer already."""
        ...

    def on_lost(self, supervisor: Supervisor, question: Question, is_overload: bool) -> None:
        """`supervisor` will not answer `question`."""
        ...

    def on_failure(self, failure: str) -> None:
        """A connection failed; `failure` names the supervisor and the reason."""
        ...


class Supervisor:
    """The supervisor at `address`, asked over `links` connections."""

    def __init__(self, address: str, links: int, security: Security | None, owner: SupervisorOwner) -> None:
        self.address = address
        self.hash = fnv1a(address)
        self.health = Health()
        self._owner = owner
        self._links = [Link(address, security, self) for _ in range(links)]
        self._questions: dict[str, Question] = {}
        self._tasks = [asyncio.create_task(link.run(), name=f"link to {address}") for link in self._links]

    @property
    def open_questions(self) -> int:
        """The number of questions that wait for this supervisor."""
        return len(self._questions)

    def is_usable(self, now_s: float) -> bool:
        """Returns whether it should get questions."""
        return self.is_connected and not self.health.is_stalled and not self.health.is_ejected(now_s)

    @property
    def is_connected(self) -> bool:
        """Whether a link is up and has room."""
        return any(link.is_usable for link in self._links)

    def ask(self, question: Question, now_s: float) -> None:
        """Sends `question`; the supervisor must be connected."""
        link = self._links[0]
        if not link.is_usable:
            link = next(one for one in self._links if one.is_usable)
        self._links.append(self._links.pop(0))  # the links take turns
        question.asked[self] = now_s
        question.sendings += 1
        self._questions[question.request.request_id] = question
        link.send(question.request)

    def forget(self, question: Question) -> None:
        """Drops a question that has its answer."""
        self._questions.pop(question.request.request_id, None)

    def stalled_questions(self, now_s: float, p95_s: float) -> list[Question]:
        """Returns the open questions if the supervisor has stalled since the last call."""
        oldest_s = next((one.asked.get(self) for one in self._questions.values()), None)
        return list(self._questions.values()) if self.health.check_stall(now_s, oldest_s, p95_s) else []

    async def close_after(self, pause_s: float) -> None:
        """Closes the connections after the last answers, or at once if cancelled."""
        try:
            await asyncio.sleep(pause_s)
        finally:
            await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def on_up(self) -> None:
        """A link is up."""
        self.health.record_connection()
        self._owner.on_up()

    def on_response(self, response: wire.GetOfferResponse) -> None:
        """The supervisor answered."""
        self.health.record_answer(asyncio.get_running_loop().time())
        question = self._questions.pop(response.request_id, None)
        if question is not None:
            self._owner.on_response(self, question, response)
        self._owner.on_room()

    def on_end(self, request_ids: list[str], end: End) -> None:
        """A stream ended, or could not be opened."""
        if end.failure:
            self._owner.on_failure(f"{self.address}: {end.failure}")
        for request_id in request_ids:
            question = self._questions.pop(request_id, None)
            if question is not None:
                self._owner.on_lost(self, question, end.is_overload)
