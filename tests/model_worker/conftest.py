from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from model_worker.forest.lightgbm_c import find_library
from model_worker.forest.packed import find_engine
from tests.forests import KINDS, TrainedForest, train


@pytest.fixture(scope="session")
def forests(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, TrainedForest]:
    folder = tmp_path_factory.mktemp("forests")
    return {kind: train(kind, folder) for kind in KINDS}


@pytest.fixture(scope="session")
def binary(forests: Mapping[str, TrainedForest]) -> TrainedForest:
    return forests["binary"]


@pytest.fixture(scope="session")
def model_path(binary: TrainedForest) -> Path:
    return binary.path


@pytest.fixture(scope="session")
def library() -> str:
    return find_library()


@pytest.fixture(scope="session")
def engine() -> str:
    if (built := find_engine()) is None:
        pytest.skip("the engine is not built: there was no C compiler when the project was installed")
    return built


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the proofs of the tests away from the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
