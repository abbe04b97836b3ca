"""Proves the models of a version with the program of the model worker, which keeps the proofs in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mesh.cli.publish.version_folder import ModelFile
from mesh.errors import Misconfigured

# -P: Python must not run a folder `model_worker` of the current directory instead of the installed package.
_PROGRAM = (sys.executable, "-P", "-m", "model_worker.prove")


def keep_proofs(models: Sequence[ModelFile], folder: Path) -> list[str]:
    """Proves `models` and keeps the proofs in `folder`; returns the warnings.

    Raises Misconfigured with all models that no worker would serve.
    """
    command = [*_PROGRAM, "--proofs", str(folder), "--", *(str(model.path) for model in models)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    results: list[dict[str, Any]] = [json.loads(line) for line in run.stdout.splitlines()]
    if len(results) != len(models):
        raise Misconfigured([f"--proofs {folder}: {run.stderr.strip() or 'the program that proves models failed'}"])
    refused = [f"{result['uri']}: {result['refused']}; train it again" for result in results if "refused" in result]
    if refused:
        raise Misconfigured(refused)
    return list(_sentences(results))


def _sentences(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    for result in results:
        for warning in result["warnings"]:
            yield f"{result['uri']}: {warning}"
        if result["engine_reason"]:
            yield f"{result['uri']}: LightGBM scores this model: {result['engine_reason']}"
