from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.forests import Matrix, TrainedForest
from tests.model_worker.processes import worker_process


async def test_tritonclient_works_with_a_worker(forests: Mapping[str, TrainedForest], tmp_path: Path) -> None:
    trained = forests["multiclass"]
    rows = trained.rows[36:48]
    async with worker_process(trained.path, name="whales") as worker:
        results = await run_script(worker.address, "whales", rows, tmp_path)
    expected, narrow = hexes(trained, rows), hexes(trained, rows.astype(np.float32).astype(np.float64))
    by_id = {str(number): hexes(trained, rows[number : number + 1]) for number in range(len(rows))}
    assert results == {
        "live": True,
        "ready": True,
        "server": "ensemble-mesh model worker",
        "platform": "lightgbm_text",
        "input_shape": [-1, 6],
        "max_batch_size": 0,
        "scores": expected,
        "float32": narrow,
        "error": "StatusCode.NOT_FOUND",
        "stream": by_id,
        "async_stream": by_id,
    }


def hexes(trained: TrainedForest, rows: Matrix) -> list[str]:
    return [score.hex() for score in trained.scores(rows).ravel().tolist()]


async def run_script(address: str, model: str, rows: Matrix, folder: Path) -> Any:
    np.save(path := folder / "rows.npy", rows)
    script = str(Path(__file__).with_name("triton_script.py"))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, address, model, str(path), stdout=pipe, stderr=pipe
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, stderr.decode()
    return json.loads(stdout)
