"""Reasons of answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.answers import Reason, ReasonWord

PROTO = Path(__file__).parents[2] / "protos" / "offers.proto"


def test_reason_is_its_word_and_its_detail() -> None:
    assert str(Reason(ReasonWord.QUORUM, "1 of the 2 votes needed")) == "quorum: 1 of the 2 votes needed"


@pytest.mark.parametrize("word", list(ReasonWord))
def test_contract_lists_every_reason_word(word: ReasonWord) -> None:
    assert f"//   {word}: " in PROTO.read_text()
