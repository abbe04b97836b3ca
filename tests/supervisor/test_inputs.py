"""Gaps: inputs without a value, and values that no model knows."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence

import pytest

from mesh.catalog.catalog import ContextKind
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources
from mesh.model_file import Category, ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from supervisor.inputs import COMPLETE, Gaps, VersionInputs
from supervisor.rows import CohortRows, Passenger, RowPlan, Value, lay_out

NAN = math.nan
COLUMNS = Columns(("level", "tier", "unused"), ("country", "platform"))
CONTEXT: Mapping[str, ContextKind] = {"platform": "text", "minutes": "number", "mode": "text"}
OFFERS = OffersTable(("a", "b"), {"a": 0, "b": 1}, None, {"price": (1.0, 2.0)}, {"brand": ("acme", "umbrella")})
CATEGORIES: Mapping[str, Sequence[Category]] = {
    "tier": (1, 2),
    "country": ("de", ""),
    "platform": ("ios",),
    "mode": ("pvp",),
    "brand": ("acme",),
}
FEATURES = ("level", "tier", "country", "platform", "minutes", "mode", "brand", "price")


def header(**more: Sequence[Category]) -> ModelHeader:
    lists = {name: tuple(values) for name, values in {**CATEGORIES, **more}.items()}
    return ModelHeader(FEATURES, lists, "binary", 1, 1)


def player(
    level: float = 1, tier: float = 2, country: str | None = "de", platform: str | None = "ios"
) -> PlayerFeatures:
    return PlayerFeatures(struct.pack("<3d", level, tier, NAN), (country, platform), 0.0)


WHOLE: Mapping[str, Value] = {"platform": "ios", "minutes": 1.0, "mode": "pvp"}


class Checked:
    """The inputs of a version whose models have `headers`."""

    def __init__(self, *headers: ModelHeader, offers: OffersTable | None = OFFERS) -> None:
        sources = Sources(COLUMNS, CONTEXT, offers)
        self.plans: tuple[RowPlan, ...] = tuple(lay_out(one, sources) for one in headers or (header(),))
        self.inputs = VersionInputs(sources)

    def gaps(
        self, known: PlayerFeatures | None, context: Mapping[str, Value] = WHOLE, offers: Sequence[int] = (0,)
    ) -> Gaps:
        (found,) = self.inputs.gaps(self.plans, CohortRows(COLUMNS, [known], [Passenger(context, offers)]))
        return found


def test_whole_request_has_no_gaps() -> None:
    assert Checked().gaps(player()) is COMPLETE


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (player(level=NAN), Gaps(missing=("level",))),
        (player(tier=NAN), Gaps(missing=("tier",))),
        (player(tier=7), Gaps(unseen=("tier",))),
        (player(country=None), Gaps(missing=("country",))),
        (player(country="DE"), Gaps(unseen=("country",))),
        (player(country=""), COMPLETE),
        (player(NAN, 3, "DE"), Gaps(missing=("level",), unseen=("country", "tier"))),
        (None, COMPLETE),
    ],
)
def test_gaps_of_a_player(known: PlayerFeatures | None, expected: Gaps) -> None:
    found = Checked().gaps(known)
    assert (set(found.missing), set(found.unseen)) == (set(expected.missing), set(expected.unseen))


def test_missing_context_is_listed_unless_the_store_has_the_feature() -> None:
    assert Checked().gaps(player(), {}) == Gaps(missing=("minutes", "mode"))
    assert Checked().gaps(player(platform=None), {"minutes": 1.0, "mode": "pvp"}) == Gaps(missing=("platform",))


def test_context_fills_a_gap_of_the_store() -> None:
    assert Checked().gaps(player(platform=None)) is COMPLETE
    assert Checked().gaps(player(platform="IOS")) is COMPLETE


def test_unseen_context_is_listed() -> None:
    assert Checked().gaps(player(), {**WHOLE, "platform": "IOS", "mode": "PVP"}) == Gaps(unseen=("mode", "platform"))


def test_unseen_value_of_a_candidate_is_listed() -> None:
    assert Checked().gaps(player(), offers=(1, 0)) == Gaps(unseen=("brand",))
    assert Checked().gaps(player(), offers=range(2)) == Gaps(unseen=("brand",))


def test_value_that_one_model_knows_is_seen() -> None:
    assert Checked(header(), header(country=("DE",))).gaps(player(country="DE")) is COMPLETE


def test_number_of_the_context_that_overrides_a_number_of_the_store_fills_its_gap() -> None:
    sources = Sources(COLUMNS, {"level": "number"}, None)
    plain = ModelHeader(("level",), {}, "binary", 1, 1)
    inputs, plans = VersionInputs(sources), (lay_out(plain, sources),)
    passengers = [Passenger({"level": 3.0}, ()), Passenger({}, ()), Passenger({}, ())]
    rows = CohortRows(COLUMNS, [player(level=NAN), player(level=NAN), None], passengers)
    assert inputs.gaps(plans, rows) == [COMPLETE, Gaps(missing=("level",)), COMPLETE]
    assert inputs.counts() == {("level", "missing"): 1}


def test_gaps_are_counted_by_feature_and_kind_across_changes_of_the_models() -> None:
    checked = Checked()
    assert set(checked.inputs.counts().values()) <= {0}
    for _ in range(3):
        checked.gaps(player(NAN, 7, "DE"), {})
    checked.plans = Checked(header(country=("DE",))).plans
    checked.gaps(player(NAN, 7, "DE"), {})
    counts = checked.inputs.counts()
    assert {key: count for key, count in counts.items() if count} == {
        ("level", "missing"): 4,
        ("minutes", "missing"): 4,
        ("mode", "missing"): 4,
        ("tier", "unseen"): 4,
        ("country", "unseen"): 3,
    }
    assert counts["country", "missing"] == counts["platform", "unseen"] == 0
    assert ("unused", "missing") not in counts
