"""A game in service: a request's own faults, the version it belongs to, and the ticket that it becomes."""

from __future__ import annotations

import math
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mesh.catalog.catalog import Catalog, ContextKind
from mesh.catalog.offers_table import OffersTable
from mesh.errors import MeshError, NotFound, NotSupported, WrongRequest
from supervisor.cohort import Ticket
from supervisor.ensemble import Ensemble
from supervisor.rows import Passenger, Value
from supervisor.traffic import assign

MAX_ID_BYTES = 128
MAX_TEXT_BYTES = 1024
_FIELD_OF_KIND: Mapping[ContextKind, str] = {"number": "number", "boolean": "flag", "text": "text"}


@dataclass(frozen=True)
class Game:
    """The ensembles of one game, by version."""

    catalog: Catalog
    offers: OffersTable | None
    ensembles: Mapping[str, Ensemble]

    @cached_property
    def shares(self) -> dict[str, float]:
        """Percent of players by version."""
        return {name: version.traffic for name, version in self.catalog.versions.items()}

    def ensemble(self, player_id: str, pinned: str) -> Ensemble:
        """The ensemble that answers: the pinned version's, else the player's own. Raises NotFound."""
        name = pinned or assign(self.catalog.game, player_id, self.shares)
        ensemble = self.ensembles.get(name)
        if ensemble is None:
            known = ", ".join(self.ensembles)
            raise NotFound(f"version: {self.catalog.game} has no version {name!r}; it has {known}")
        return ensemble

    def ticket_to_rank(self, request: Any, remaining_s: float | None) -> Ticket:
        """A GetOfferRequest's ticket; raises WrongRequest, NotFound or NotSupported, naming the field."""
        if self.offers is None:
            raise NotSupported(f"game: {self.catalog.game} has no offers in its catalog; call Score")
        candidates = self._candidates(request.offer_ids)
        limit = min(request.limit or 1, len(candidates))
        return self._ticket(request, candidates, limit, None, remaining_s)

    def ticket_to_score(self, request: Any, ensemble: Ensemble, remaining_s: float | None) -> tuple[Ticket, str]:
        """A ScoreRequest's ticket and the offer it is scored with; raises as `ticket_to_rank` does."""
        if self.offers is None or self.catalog.offers is None:
            if request.offer_id:
                raise NotFound(f"offer_id: {self.catalog.game} has no offers in its catalog; leave it empty")
            return self._ticket(request, (), 0, 0, remaining_s), ""
        offer_id = request.offer_id or self.catalog.offers.fallback
        (offer,) = self._candidates([offer_id], "offer_id")
        if ensemble.version.combine.kind == "rank_mean":  # a rank has a meaning only among the others
            return self._ticket(request, range(len(self.offers.ids)), 0, offer, remaining_s), offer_id
        return self._ticket(request, (offer,), 0, 0, remaining_s), offer_id

    def _ticket(
        self,
        request: Any,
        offers: Sequence[int],
        limit: int,
        scored: int | None,
        remaining_s: float | None,
    ) -> Ticket:
        now_s = time.monotonic()
        passenger = Passenger(self._context(request.context), offers)
        deadline_s = now_s + self._budget_s(remaining_s)
        return Ticket(request.player_id, passenger, limit, scored, now_s, deadline_s)

    def _budget_s(self, remaining_s: float | None) -> float:
        budget_s = self.catalog.budget_ms / 1000
        if remaining_s is None:
            return budget_s
        # Half of a very short deadline is kept for the way home; of the others the same few milliseconds.
        return min(budget_s, remaining_s - min(self.catalog.reserve_ms / 1000, max(0.0, remaining_s) / 2))

    def _candidates(self, offer_ids: Sequence[str], field: str = "offer_ids") -> Sequence[int]:
        table = self.offers
        if table is None:
            return ()
        if not offer_ids:
            return range(len(table.ids))
        try:
            candidates = tuple(map(table.positions.__getitem__, offer_ids))
        except KeyError:
            raise self._unknown(offer_ids, table.positions, field) from None
        if len(set(candidates)) < len(candidates):
            raise WrongRequest("offer_ids: an offer is named twice; name each once")
        return candidates

    def _unknown(self, offer_ids: Sequence[str], known: Container[str], field: str) -> MeshError:
        """What is wrong with the first of `offer_ids` that is not one."""
        for offer in offer_ids:
            check_id(field, offer, required=True)
        unknown = next(offer for offer in offer_ids if offer not in known)
        return NotFound(f"{field}: {self.catalog.game} has no offer {unknown!r}")

    def _context(self, given: Mapping[str, Any]) -> dict[str, Value]:
        return {name: self._context_value(name, value) for name, value in given.items()}

    def _context_value(self, name: str, value: Any) -> Value:
        check_id("context", name, required=True)
        kind = self.catalog.context.get(name)
        if kind is None:
            known = ", ".join(self.catalog.context) or "none"
            raise WrongRequest(f"context: {name!r} is no context feature of {self.catalog.game}; known: {known}")
        field = value.WhichOneof("kind")
        if field != _FIELD_OF_KIND[kind]:
            raise WrongRequest(
                f"context.{name}: is {field or 'empty'}, the catalog says {kind}; set {_FIELD_OF_KIND[kind]!r}"
            )
        if field == "text":
            if len(value.text.encode()) > MAX_TEXT_BYTES:
                raise WrongRequest(f"context.{name}: is longer than {MAX_TEXT_BYTES} bytes")
            return str(value.text)
        number = float(value.flag if field == "flag" else value.number)
        if not math.isfinite(number):
            raise WrongRequest(f"context.{name}: is {number}; leave out what is not known")
        return number


def check_id(field: str, value: str, *, required: bool) -> None:
    """Raises WrongRequest unless `value` is a printable id of at most 128 bytes."""
    if required and not value:
        raise WrongRequest(f"{field}: is empty; set it")
    if len(value.encode()) > MAX_ID_BYTES:
        raise WrongRequest(f"{field}: is longer than {MAX_ID_BYTES} bytes")
    if not value.isprintable():
        raise WrongRequest(f"{field}: has characters that cannot be printed")
