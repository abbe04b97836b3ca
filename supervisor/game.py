"""A game: checks queries, chooses the version that answers, and makes tickets."""

from __future__ import annotations

import math
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from mesh.catalog.catalog import Catalog, ContextKind
from mesh.catalog.catalog_file import digest_of
from mesh.catalog.offers_table import OffersTable
from mesh.errors import NotFound, NotSupported, WrongRequest
from supervisor.callers.game_callers import GameCallers
from supervisor.ensemble import Ensemble
from supervisor.guards import Guards
from supervisor.outcomes.desk import OutcomeLog
from supervisor.query import ContextValue, OfferQuery, ScoreQuery, check_id
from supervisor.rows import Passenger, Value
from supervisor.ticket import Ticket
from supervisor.traffic import Traffic

MAX_TEXT_BYTES = 1024
_TYPE_OF_KIND: Mapping[ContextKind, type] = {"number": float, "boolean": bool, "text": str}
_FIELD_OF_TYPE: Mapping[type, str] = {float: "number", bool: "flag", str: "text", type(None): "empty"}


@dataclass(frozen=True)
class Game:
    """The ensembles of one game, by version, and the versions of its players.

    `offers` is None for a game without offers, `outcome_log` without a `decisions` block, and `callers` without a block
    `callers`.
    """

    catalog: Catalog
    offers: OffersTable | None
    ensembles: Mapping[str, Ensemble]
    traffic: Traffic
    guards: Guards
    outcome_log: OutcomeLog | None = None
    callers: GameCallers | None = None

    @cached_property
    def digest(self) -> str:
        """A short digest of the catalog."""
        return digest_of(self.catalog)

    def ensemble(self, player_id: str, pinned: str | None) -> Ensemble:
        """Returns the ensemble of the pinned version, or of the player's own. Raises NotFound."""
        name = pinned or self.traffic.version_of(player_id)
        ensemble = self.ensembles.get(name)
        if ensemble is None:
            known = ", ".join(self.ensembles)
            raise NotFound(f"version: {self.catalog.game} has no version {name!r}; it has {known}")
        return ensemble

    def ticket_to_rank(self, query: OfferQuery, remaining_s: float | None) -> Ticket:
        """Returns the ticket of a GetOffer request. `remaining_s` is the time until the caller's deadline.

        Raises WrongRequest, NotFound or NotSupported, naming the field.
        """
        if self.offers is None:
            raise NotSupported(f"game: {self.catalog.game} has no offers in its catalog; call Score")
        candidates = self._candidates(query.offer_ids)
        limit = min(query.limit, len(candidates))
        return self._ticket(query, candidates, remaining_s, limit=limit)

    def ticket_to_score(self, query: ScoreQuery, ensemble: Ensemble, remaining_s: float | None) -> tuple[Ticket, str]:
        """Returns the ticket of a Score request, and the offer that it scores. Raises as `ticket_to_rank` does."""
        if self.offers is None or self.catalog.offers is None:
            if query.offer_id:
                raise NotFound(f"offer_id: {self.catalog.game} has no offers in its catalog; leave it empty")
            return self._ticket(query, (), remaining_s, scored_row=0), ""
        offer_id = query.offer_id or self.catalog.offers.fallback
        (offer,) = self._candidates((offer_id,), "offer_id")
        if ensemble.rules.version.combine.kind == "rank_mean":  # a rank has a meaning only among all offers
            return self._ticket(query, range(len(self.offers.ids)), remaining_s, scored_row=offer), offer_id
        return self._ticket(query, (offer,), remaining_s, scored_row=0), offer_id

    def _ticket(
        self,
        query: OfferQuery | ScoreQuery,
        offers: Sequence[int],
        remaining_s: float | None,
        *,
        limit: int = 0,
        scored_row: int | None = None,
    ) -> Ticket:
        now_s = time.monotonic()
        passenger = Passenger(self._context(query.context), offers)
        deadline_s = now_s + self._budget_s(remaining_s)
        is_pinned = bool(query.version)
        is_held_out = not is_pinned and self.traffic.is_held_out(query.player_id)
        player_id, request_id = query.player_id, query.request_id
        return Ticket(player_id, passenger, limit, scored_row, now_s, deadline_s, is_held_out, is_pinned, request_id)

    def _budget_s(self, remaining_s: float | None) -> float:
        budget_s = self.catalog.budget_ms / 1000
        if remaining_s is None:
            return budget_s
        # The reserve is for the way back to the caller; of a short deadline it takes at most half.
        reserve_s = self.catalog.reserve_ms / 1000 + _rounding_s(remaining_s)
        return min(budget_s, remaining_s - min(reserve_s, max(0.0, remaining_s) / 2))

    def _candidates(self, offer_ids: Sequence[str], field: str = "offer_ids") -> Sequence[int]:
        """Returns the positions of `offer_ids` in the offers table; without ids, the range of all positions."""
        table = self.offers
        if table is None:
            return ()
        if not offer_ids:
            return range(len(table.ids))
        try:
            candidates = tuple(map(table.positions.__getitem__, offer_ids))
        except KeyError:
            self._refuse_unknown(offer_ids, table.positions, field)
        if len(set(candidates)) < len(candidates):
            raise WrongRequest("offer_ids: an offer is named twice; name each once")
        return candidates

    def _refuse_unknown(self, offer_ids: Sequence[str], known: Container[str], field: str) -> NoReturn:
        """Raises WrongRequest for the first malformed one of `offer_ids`, or NotFound for the first unknown one."""
        for offer in offer_ids:
            check_id(field, offer, required=True)
        unknown = next(offer for offer in offer_ids if offer not in known)
        raise NotFound(f"{field}: {self.catalog.game} has no offer {unknown!r}") from None

    def _context(self, context: Mapping[str, ContextValue]) -> dict[str, Value]:
        return {name: self._context_value(name, value) for name, value in context.items()}

    def _context_value(self, name: str, value: ContextValue) -> Value:
        check_id("context", name, required=True)
        kind = self.catalog.context.get(name)
        if kind is None:
            known = ", ".join(self.catalog.context) or "none"
            raise WrongRequest(f"context: {name!r} is not a context feature of {self.catalog.game}; known: {known}")
        wanted = _TYPE_OF_KIND[kind]
        if value is None or type(value) is not wanted:
            given, field = _FIELD_OF_TYPE[type(value)], _FIELD_OF_TYPE[wanted]
            raise WrongRequest(f"context.{name}: is {given}, but the catalog declares {kind}; set {field!r}")
        if isinstance(value, str):
            if len(value.encode()) > MAX_TEXT_BYTES:
                raise WrongRequest(f"context.{name}: is longer than {MAX_TEXT_BYTES} bytes")
            return value
        number = float(value)
        if not math.isfinite(number):
            raise WrongRequest(f"context.{name}: is {number}; leave out values that are not known")
        return number


def _rounding_s(remaining_s: float) -> float:
    """Returns how much gRPC's C core may have added to a deadline: it sends three digits, rounded up.

    A long deadline is longer here than in the caller. A tenth less counts as long, too: the call may have waited.
    """
    if remaining_s > 9.0:
        return 0.1
    return 0.01 if remaining_s > 0.9 else 0.0
