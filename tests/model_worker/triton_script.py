"""Calls a worker with tritonclient, in a separate process: tritonclient has its own copy of the protocol package.

Run as `python triton_script.py ADDRESS MODEL ROWS.npy`; prints the results as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import numpy.typing as npt
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio

Rows = npt.NDArray[Any]


def main(address: str, model: str, rows: Rows) -> dict[str, object]:
    client = triton.InferenceServerClient(address)
    results = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready() and client.is_model_ready(model),
        "server": client.get_server_metadata().name,
        "platform": client.get_model_metadata(model).platform,
        "input_shape": list(client.get_model_metadata(model).inputs[0].shape),
        "max_batch_size": client.get_model_config(model).config.max_batch_size,
        "scores": scores_of(client.infer(model, [tensor(rows)], outputs=[triton.InferRequestedOutput("scores")])),
        "float32": scores_of(client.infer(model, [tensor(rows.astype(np.float32))], timeout=5_000_000)),
        "error": refusal(client, rows),
        "stream": callback_stream(client, model, rows),
    }
    client.close()
    return {**results, "async_stream": asyncio.run(async_stream(address, model, rows))}


def tensor(rows: Rows, module: Any = triton) -> Any:
    sent = module.InferInput("features", rows.shape, "FP64" if rows.dtype == np.float64 else "FP32")
    sent.set_data_from_numpy(rows)
    return sent


def scores_of(result: Any) -> list[str]:
    return [score.hex() for score in result.as_numpy("scores").ravel().tolist()]


def refusal(client: Any, rows: Rows) -> str:
    try:
        client.infer("another", [tensor(rows)])
    except triton.InferenceServerException as error:
        return str(error.status())
    return "none"


def callback_stream(client: Any, model: str, rows: Rows) -> dict[str, list[str]]:
    """Calls `async_stream_infer` of the callback client with a message for each row; matches responses by id."""
    scores: dict[str, list[str]] = {}
    client.start_stream(lambda result, error: scores.update(scores_by_id(result, error)))
    for number, row in enumerate(rows):
        client.async_stream_infer(model, [tensor(row[np.newaxis])], request_id=str(number))
    client.stop_stream()  # waits for the last response
    return scores


def scores_by_id(result: Any, error: Any) -> dict[str, list[str]]:
    return {"error": [str(error)]} if error else {result.get_response().id: scores_of(result)}


async def async_stream(address: str, model: str, rows: Rows) -> dict[str, list[str]]:
    async with triton_aio.InferenceServerClient(address) as client:
        scores: dict[str, list[str]] = {}
        async for result, error in client.stream_infer(requests(model, rows)):
            scores.update(scores_by_id(result, error))
    return scores


async def requests(model: str, rows: Rows) -> AsyncIterator[dict[str, object]]:
    for number, row in enumerate(rows):
        yield {
            "model_name": model,
            "inputs": [tensor(row[np.newaxis], triton_aio)],
            "request_id": str(number),
        }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], np.load(sys.argv[3]))))
