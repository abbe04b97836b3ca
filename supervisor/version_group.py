"""Version group: versions of a game that share models, and whose requests therefore travel in the same cohorts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from supervisor.answers import Reason, ReasonWord
from supervisor.backlog import Asked, Backlog
from supervisor.features.cache import FeatureCache
from supervisor.journey import CohortJourney
from supervisor.party import Party, VersionParts
from supervisor.pool import ModelPool
from supervisor.ticket import Ticket


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class VersionGroup:
    """The route of the cohorts of `versions`, by name. A version that shares no model has a group of its own."""

    features: FeatureCache
    versions: Mapping[str, VersionParts]
    backlogs: Mapping[str, Backlog]
    pools: Sequence[ModelPool]

    @property
    def messages(self) -> int:
        """The number of messages of a journey, as of the latest: one or more for each model."""
        return sum([pool.messages for pool in self.pools])

    def backlog_s(self, ticket: Ticket, waiting_rows: Mapping[str, int]) -> float:
        """Returns the time until the models have scored the rows of `ticket`; see `Backlog`."""
        return self.backlogs[ticket.version].time_s(waiting_rows, ticket.passenger.rows)

    def room_rows(self, version: str, within_s: float) -> float:
        """Returns how many rows of `version` may depart now so that they are scored `within_s`; see `Backlog`."""
        return self.backlogs[version].room_rows(within_s)

    def depart(self, tickets: list[Ticket]) -> CohortJourney:
        """Starts the journey of a cohort. The requests of each version are neighbours in its rows."""
        if len(self.versions) == 1:
            ((name, version),) = self.versions.items()
            return CohortJourney(self.features, {name: Party(version, tickets)})
        parties: dict[str, Party] = {}
        for name, version in self.versions.items():
            own = [ticket for ticket in tickets if ticket.version == name]
            if own:
                parties[name] = Party(version, own)
        return CohortJourney(self.features, parties)

    def abandon(self, tickets: list[Ticket]) -> None:
        """Answers `tickets` with the fallback, after a bug on their journey."""
        self._answer_with_fallback(tickets, Reason(ReasonWord.INTERNAL, "the supervisor failed; see its log"))

    def refuse(self, tickets: Sequence[Ticket], detail: str) -> None:
        """Answers waiting `tickets` with the fallback, because of overload."""
        self._answer_with_fallback(tickets, Reason(ReasonWord.OVERLOADED, detail))

    def _answer_with_fallback(self, tickets: Sequence[Ticket], reason: Reason) -> None:
        for ticket in tickets:
            ticket.settle(self.versions[ticket.version].rules.fallback(reason))


def group_versions(
    versions: Mapping[str, VersionParts], features: FeatureCache, clock: Callable[[], float] = time.monotonic
) -> Iterator[VersionGroup]:
    """Yields the groups of `versions`. Two versions that ask the same model are in the same group."""
    for names in _connected({name: version.panel.pools for name, version in versions.items()}):
        group = {name: versions[name] for name in names}
        askers = _askers(group)
        backlogs = {name: _backlog(version, askers, group, clock) for name, version in group.items()}
        yield VersionGroup(features, group, backlogs, tuple(askers))


def _connected(pools: Mapping[str, Sequence[ModelPool]]) -> Iterator[list[str]]:
    left = dict(pools)
    while left:
        name = next(iter(left))
        group, found = [name], set(left.pop(name))
        while others := [other for other in left if not found.isdisjoint(left[other])]:
            for other in others:
                group.append(other)
                found.update(left.pop(other))
        yield sorted(group, key=list(pools).index)


def _askers(group: Mapping[str, VersionParts]) -> dict[ModelPool, tuple[str, ...]]:
    """Returns the versions that ask each pool."""
    askers: dict[ModelPool, tuple[str, ...]] = {}
    for name, version in group.items():
        for pool in version.panel.pools:
            askers[pool] = (*askers.get(pool, ()), name)
    return askers


def _backlog(
    version: VersionParts,
    askers: Mapping[ModelPool, tuple[str, ...]],
    group: Mapping[str, VersionParts],
    clock: Callable[[], float],
) -> Backlog:
    pools: dict[tuple[str, ...], list[ModelPool]] = {}
    for pool in version.panel.pools:
        pools.setdefault(askers[pool], []).append(pool)
    asked = [Asked(of_names, {name: group[name].rows for name in names}) for names, of_names in pools.items()]
    return Backlog(asked, version.rules.version.quorum, clock)
