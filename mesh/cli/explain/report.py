"""The report of `mesh explain`: the explained offers, and the ensemble's or one model's part, in all formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.cli.explain import waterfall as waterfalls
from mesh.cli.explain.subject import Subject
from mesh.cli.explain.waterfall import Waterfall
from mesh.errors import Misconfigured
from mesh.reference.accounts import Account, Member, NoAccount, difference, values_of
from mesh.reference.explanation import Explanation


@dataclass(frozen=True, slots=True)
class Report:
    """The explanation of an offer, and of a second one if the two are compared; `model`: of one model only."""

    subject: Subject
    explained: Sequence[Explanation]
    model: str | None = None

    @property
    def account(self) -> Account | NoAccount:
        """The account of the ensemble, or the difference of the accounts of two offers."""
        found = [one.account for one in self.explained]
        accounts = [one for one in found if isinstance(one, Account)]
        if len(accounts) < len(found):
            return next(one for one in found if isinstance(one, NoAccount))
        return difference(*accounts) if len(accounts) == 2 else accounts[0]

    @property
    def members(self) -> list[Member]:
        """The models, with the differences of their contributions if two offers are compared."""
        first, *second = (one.members for one in self.explained)
        if not second:
            return list(first)
        return [waterfalls.member_difference(*pair) for pair in zip(first, second[0], strict=True)]

    @property
    def meaning(self) -> str:
        """Says what the contributions add up to."""
        if self.model is not None:
            member = self._member(self.model)
            return member.problem or f"The contributions add up to the raw score of {self.model}: {member.link.unit}."
        account = self.account
        return account.meaning if isinstance(account, Account) else f"No figure for the ensemble: {account.reason}."

    def waterfalls(self, top: int) -> list[Waterfall]:
        """Returns the waterfall of the ensemble; if it has none, those of the models."""
        account = self.account
        if self.model is None and isinstance(account, Account):
            return [waterfalls.of_account(self.title, account, self.explained, top)]
        return list(self.models(top))

    def models(self, top: int) -> Iterator[Waterfall]:
        """Yields the waterfall of each model, or of the chosen one."""
        chosen = self.members if self.model is None else [self._member(self.model)]
        found = (waterfalls.of_member(member, self.explained, top) for member in chosen)
        yield from (one for one in found if one is not None)

    @property
    def title(self) -> str:
        """The subject of the ensemble's figure."""
        kind = self.subject.rule.kind.replace("_", " ")
        votes = sum(member.vote is not None for member in self.explained[0].members)
        what = f"ensemble ({kind} of {votes} of {len(self.subject.voters)} votes)"
        return what if len(self.explained) == 1 else f"{what}, difference"

    def _member(self, name: str) -> Member:
        found = next((member for member in self.members if member.name == name), None)
        if found is None:
            known = ", ".join(member.name for member in self.members)
            raise Misconfigured([f"--model {name}: the version has no such model; known: {known}"])
        return found


def as_json(report: Report) -> dict[str, Any]:
    """Returns all figures of the report."""
    subject = report.subject
    return {
        **{name.replace(" ", "_"): fact for name, fact in subject.facts.items()},
        "combine": subject.rule.kind,
        "notes": list(subject.notes),
        "offers": [_offer(one) for one in report.explained],
        "difference": _account(report.account) if len(report.explained) == 2 else None,
    }


def _offer(explained: Explanation) -> dict[str, Any]:
    case = explained.case
    return {
        "offer": case.offer,
        "price": case.price if case.price == case.price else None,
        "score": explained.score,
        "ensemble": _account(explained.account),
        "models": [_model(member) for member in explained.members],
        "inputs": {name: {"value": one.value, "note": one.note or None} for name, one in case.inputs.items()},
    }


def _account(account: Account | NoAccount) -> dict[str, Any]:
    if isinstance(account, NoAccount):
        return {"reason": account.reason}
    return {
        "base": account.base,
        "raw": account.raw,
        "unit": account.unit,
        "is_score": account.is_score,
        "meaning": account.meaning,
        "shares": dict(account.models),
        "contributions": dict(account.values),
    }


def _model(member: Member) -> dict[str, Any]:
    known = member.contributions
    return {
        "model": member.name,
        "weight": member.weight,
        "vote": member.vote,
        "unit": member.link.unit,
        "base": known.base if known else None,
        "raw": known.raw if known else None,
        "contributions": values_of(member) if known else None,
        "problem": member.problem or None,
    }
