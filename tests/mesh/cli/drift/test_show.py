"""`mesh drift` names the versions that it could show."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mesh.cli.drift import show
from mesh.cli.main import main
from mesh.drift.counts import Counts, Layout, to_json
from mesh.drift.reference import decode

REFERENCE = {
    "reference": 1,
    "rows": 2000,
    "features": {"level": {"edges": [4.0], "counts": [1000, 1000], "missing": 0}},
    "scores": {
        "whales": {
            "sha256": "0" * 64, "edges": [0.1], "counts": [1000, 1000], "missing": 0, "mean": 0.1, "deviation": 0.1,
        }
    },
    "disagreement": {"edges": [0.4], "counts": [1000, 1000], "missing": 0, "mean": 0.4, "deviation": 0.2},
}  # fmt: skip


@pytest.fixture(name="page")
def fixture_page(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    layout = Layout(decode(json.dumps(REFERENCE).encode()))
    counts = Counts(0, np.zeros(layout.size, np.int64), np.zeros(len(layout.keys)))
    observed = {"game": "arena", "version": "2026-11", "reference": REFERENCE, "counts": to_json(counts)}
    page: dict[str, Any] = {"versions": [observed]}
    monkeypatch.setattr(show, "fetch_page", lambda *_: page)
    return page


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    "given", [["--game", "other"], ["--version", "2026-12"], ["--game", "arena", "--version", "1"]]
)
def test_game_or_version_without_reference_is_named(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", *given]) == 2
    assert f"{' '.join(given)}: has no loaded reference; known: arena 2026-11" in capsys.readouterr().err


@pytest.mark.usefixtures("page")
def test_version_with_few_requests_says_how_many_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", "--game", "arena"]) == 0
    assert "arena 2026-11: 0 requests against 2,000 training rows" in (output := capsys.readouterr().out)
    assert "need 500 requests" in output


def test_no_reference_at_all_says_where_to_name_one(page: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    page["versions"] = []
    assert main(["drift", "--game", "arena"]) == 1
    assert "no version has a loaded reference; name one in the catalog" in capsys.readouterr().err
