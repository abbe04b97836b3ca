import pytest

from mesh.cli.offers.context import parse, value
from mesh.errors import Misconfigured
from mesh.wire.offers_pb2 import ContextValue


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", ContextValue(flag=True)),
        ("false", ContextValue(flag=False)),
        ("12.5", ContextValue(number=12.5)),
        ("-1e3", ContextValue(number=-1000.0)),
        ("ios", ContextValue(text="ios")),
        ("", ContextValue(text="")),
        ("nan", ContextValue(text="nan")),
        ("True", ContextValue(text="True")),
        ('"12"', ContextValue(text="12")),
        ("'true'", ContextValue(text="true")),
        ('"', ContextValue(text='"')),
    ],
)
def test_value_is_a_boolean_a_number_or_a_text(text: str, expected: ContextValue) -> None:
    assert value(text) == expected


def test_only_the_first_equals_sign_separates() -> None:
    assert parse(["query=a=b"]) == {"query": ContextValue(text="a=b")}


def test_all_wrong_pairs_are_reported_together() -> None:
    with pytest.raises(Misconfigured) as caught:
        parse(["platform", "=3", "a=1", "a=2"])

    assert caught.value.faults == [
        "--context 'platform' is not NAME=VALUE; write, for example, platform=ios",
        "--context '=3' is not NAME=VALUE; write, for example, platform=ios",
        "--context 'a' is given twice; give it once",
    ]
