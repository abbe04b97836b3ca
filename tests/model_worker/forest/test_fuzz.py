from __future__ import annotations

from pathlib import Path

import pytest

from tests.model_worker.forest.fuzz import NO_CLANG, find_clang, fuzz

SECONDS = 5  # CI also runs `make fuzz`


def test_fuzzer_finds_no_fault(tmp_path: Path) -> None:
    if (clang := find_clang()) is None:
        pytest.skip(NO_CLANG)
    assert fuzz(clang, tmp_path, SECONDS) == 0
    assert len(list((tmp_path / "corpus").iterdir())) > 100
