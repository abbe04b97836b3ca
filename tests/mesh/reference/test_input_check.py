"""Values that the training did not have are found by feature."""

from __future__ import annotations

from mesh.category_lists import ColumnCodes
from mesh.model_file import ModelHeader
from mesh.reference.input_check import TrainedInputs, check_inputs

HEADER = ModelHeader(("level", "platform", "unused", "guild"), {"platform": ("ios", "web")}, "binary", 1, 10)
COLUMNS = [
    ColumnCodes("level", False, ends=(0.0, 50.0)),
    ColumnCodes("platform", True, codes=frozenset({0, 1})),
    ColumnCodes("unused", False),
    ColumnCodes("guild", True, codes=frozenset({3, 7})),
]
MODEL = TrainedInputs(HEADER, COLUMNS)
NAN = float("nan")


def test_values_of_the_training_have_no_finding() -> None:
    given: dict[str, list[float | str | None]] = {
        "level": [0.0, 50.0, NAN, None],
        "platform": ["ios", None],
        "unused": [None],
        "guild": [3.0, 7],
    }
    assert check_inputs([MODEL], given) == []


def test_feature_that_is_always_missing_is_found() -> None:
    (finding,) = check_inputs([MODEL], {"level": [NAN, None], "unused": [None, None]})
    assert (finding.feature, finding.kind, finding.is_whole) == ("level", "missing", True)


def test_categories_that_the_training_did_not_have_are_counted_with_examples() -> None:
    texts, codes = check_inputs([MODEL], {"platform": ["ios", "Web", "Web", None], "guild": [3.0, 4.0]})[::-1]
    assert (texts.kind, texts.count, texts.total, texts.is_whole) == ("unseen", 2, 3, False)
    assert (
        "66.7 % of the values (2 of 3) are categories that the training did not have, such as 'Web'" in texts.sentence
    )
    assert (codes.feature, codes.count) == ("guild", 1)


def test_column_in_another_unit_is_wholly_out_of_range() -> None:
    (finding,) = check_inputs([MODEL], {"level": [60.0, 3000.0]})
    assert (finding.kind, finding.is_whole) == ("range", True)
    assert "the training had 0 to 50, the samples have 60 to 3000" in finding.sentence


def test_few_numbers_out_of_range_are_normal() -> None:
    assert check_inputs([MODEL], {"level": [1.0] * 99 + [60.0]}) == []
    (finding,) = check_inputs([MODEL], {"level": [1.0] * 90 + [60.0] * 10})
    assert not finding.is_whole


def test_value_is_known_if_one_model_knows_it() -> None:
    other = TrainedInputs(HEADER, [ColumnCodes("level", False, ends=(50.0, 4000.0))])
    assert check_inputs([MODEL, other], {"level": [60.0, 3000.0]}) == []
