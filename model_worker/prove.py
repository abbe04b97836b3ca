"""Proves models without serving them, and keeps the proofs in a folder, so that an image or a volume brings them along.

A proof holds on machines with the same processor, C library, Python, LightGBM and engine only; run this where, or on
what, the workers run.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from mesh.model_file import BadModel
from mesh.settings import Check, Parser, WrongSettingsError, read, seconds, whole
from model_worker.artifact import LocalFiles, fetch
from model_worker.forest.lightgbm_c import find_library
from model_worker.forest.packed import find_engine
from model_worker.proving import ProofOptions, start_proof

EXIT_USAGE, EXIT_BAD_MODEL = 2, 3


def main() -> int:
    """Prints a JSON line for each model; returns 0, 2 for wrong usage, or 3 if a model is refused."""
    try:
        values = read(_parser(), _CHECKS, sys.argv[1:])
        library = find_library()
    except (WrongSettingsError, ModuleNotFoundError) as error:
        print(f"model_worker.prove: {error}", file=sys.stderr)
        return EXIT_USAGE
    options = ProofOptions(values["proof_memory_mb"], values["proof_s"], values["proofs"], "")
    results = [_prove(uri, library, options) for uri in values["files"]]
    for result in results:
        print(json.dumps(result))
    return EXIT_BAD_MODEL if any("refused" in result for result in results) else 0


def _prove(uri: str, library: str, options: ProofOptions) -> dict[str, Any]:
    """Returns the result for one model: `engine_reason`, which is empty if our engine may serve, or `refused`."""
    warnings: list[str] = []
    try:
        artifact = fetch(LocalFiles(), uri, None)
        with artifact.file:
            objection = start_proof(artifact, library, find_engine(), options, warnings.append).wait()
    except BadModel as error:
        return {"uri": uri, "refused": error.reason, "warnings": warnings}
    return {"uri": uri, "sha256": artifact.sha256, "engine_reason": objection or "", "warnings": warnings}


def _parser() -> Parser:
    parser = Parser(prog="model_worker.prove", description="Proves models and keeps the proofs.", allow_abbrev=False)
    add = parser.add_argument
    add("--proofs", required=True, help="folder that keeps the proofs")
    add("--proof-memory-mb", default="2048", help="memory, in MiB, of the child that tries a model (%(default)s)")
    add("--proof-s", default="20", help="maximum seconds for the child that tries a model (%(default)s)")
    add("files", nargs="+", metavar="FILE", help="LightGBM text file of a model")
    return parser


_CHECKS: dict[str, Check] = {"proof_memory_mb": whole(256, 1_000_000), "proof_s": seconds(0.001, 3600)}

if __name__ == "__main__":
    sys.exit(main())
