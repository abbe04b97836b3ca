from __future__ import annotations

import logging

import pytest

from mesh.model_file import ModelHeader
from model_worker.identity import Engine, Identity
from model_worker.server import log_engine


@pytest.mark.parametrize(
    ("engine", "level", "text"),
    [
        (Engine("forest"), logging.INFO, "forest"),
        (Engine("lightgbm", "no engine was built"), logging.INFO, "lightgbm (no engine was built)"),
        (Engine("lightgbm", "the proof failed: row 17"), logging.WARNING, "lightgbm (the proof failed: row 17)"),
    ],
)
def test_only_a_failed_proof_is_a_warning(
    engine: Engine, level: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        log_engine(Identity("whales", ModelHeader((), {}, "binary", 1, 1), "", engine))
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (level, f"whales: scored by {text}")
    ]
