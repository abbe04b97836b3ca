"""Proves models without serving them, and keeps the proofs in a folder, so that an image or a volume brings them along.

A proof holds on machines with the same processor, C library, Python, LightGBM and engine only; run this where, or on
what, the workers run.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from mesh.model_file import BadModel, parse_header
from mesh.printable import one_line
from mesh.settings import Check, Parser, WrongSettingsError, read, seconds, whole
from model_worker.artifact import LocalFiles, fetch
from model_worker.forest.lightgbm_c import find_library
from model_worker.forest.packed import find_engine
from model_worker.proving import ProofOptions, start_proof
from model_worker.settings import default_cache

EXIT_USAGE, EXIT_BAD_MODEL = 2, 3


def main() -> int:
    """Prints a JSON line for each model, in order; returns 0, 2 for wrong usage, or 3 if a model is refused."""
    try:
        values = read(_parser(), _CHECKS, sys.argv[1:])
        library = find_library()
    except (WrongSettingsError, ModuleNotFoundError) as error:
        print(f"model_worker.prove: {one_line(str(error))}", file=sys.stderr)
        return EXIT_USAGE
    options = ProofOptions(values["proof_memory_mb"], values["proof_s"], values["proofs"], "")
    refused = False
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # each thread waits for one child
        for result in threads.map(partial(_prove, library=library, options=options), values["files"]):
            print(json.dumps(result), flush=True)
            refused = refused or "refused" in result
    return EXIT_BAD_MODEL if refused else 0


def _prove(uri: str, library: str, options: ProofOptions) -> dict[str, Any]:
    """Returns the result for one model: `engine_reason`, which is empty if our engine may serve, or `refused`."""
    warnings: list[str] = []
    try:
        artifact = fetch(LocalFiles(), uri, None)
        with artifact.file:
            parse_header(artifact.model)  # a worker rejects the same headers
            objection = start_proof(artifact, library, find_engine(), options, warnings.append).wait()
    except BadModel as error:
        return {"uri": uri, "refused": error.reason, "warnings": warnings}
    return {"uri": uri, "sha256": artifact.sha256, "engine_reason": objection or "", "warnings": warnings}


def _parser() -> Parser:
    parser = Parser(prog="model_worker.prove", description="Proves models and keeps the proofs.", allow_abbrev=False)
    add = parser.add_argument
    add("--proofs", default=default_cache("proofs"), help="folder that keeps the proofs; '' for none (%(default)s)")
    add("--proof-memory-mb", default="2048", help="memory, in MiB, of the child that tries a model (%(default)s)")
    add("--proof-s", default="20", help="maximum seconds for the child that tries a model (%(default)s)")
    add("files", nargs="+", metavar="FILE", help="LightGBM text file of a model")
    return parser


_CHECKS: dict[str, Check] = {"proof_memory_mb": whole(256, 1_000_000), "proof_s": seconds(0.001, 3600)}

if __name__ == "__main__":
    sys.exit(main())
