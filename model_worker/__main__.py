"""Serves one LightGBM model: reads settings, fetches, proves, loads and warms up the model, serves it, drains."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

from mesh.model_file import BadModel, ModelHeader, parse_header
from mesh.printable import one_line
from mesh.s3.address import SCHEME
from mesh.settings import WrongSettingsError
from model_worker.artifact import Artifact, ArtifactSource, LocalFiles, fetch
from model_worker.forest import Forest
from model_worker.settings import Settings, read_settings

if TYPE_CHECKING:
    from model_worker.identity import Engine, Identity

EXIT_USAGE, EXIT_BAD_MODEL, EXIT_UNFED = 2, 3, 4
MAX_FAULTS = 3  # in a message


def main() -> int:
    """Returns the exit code: 0 after a drain, 2 for wrong usage or a port in use, 3 for a rejected model.

    4 is for a model whose features have no source: unlike 3, this may change without a change of the model.
    """
    gc.disable()  # the start makes no garbage; `settle_heap` enables the collector
    try:
        settings = read_settings(sys.argv[1:])
    except WrongSettingsError as error:
        return _report(EXIT_USAGE, *error.faults)
    _exit_silently_on_signals()
    os.nice(settings.nice)
    try:
        identity, forest = _prepare(settings)
    except UnfedModel as error:
        return _report(EXIT_UNFED, f"{settings.name}: refused {settings.uri}: {error}")
    except BadModel as error:
        return _report(EXIT_BAD_MODEL, f"{settings.name}: refused {settings.uri}: {error}")
    except ModuleNotFoundError as error:
        return _report(EXIT_USAGE, str(error))
    return _serve(settings, identity, forest)


class UnfedModel(BadModel):
    """A model that no supervisor could feed."""


def _prepare(settings: Settings) -> tuple[Identity, Forest]:
    """Checks, proves, loads and warms up the model; raises `BadModel`."""
    artifact = fetch(_source(settings, settings.uri, settings.sha256), settings.uri, settings.sha256)
    header = parse_header(artifact.model, settings.categories)
    # From here on each import is as late as possible, so that a bad model is rejected quickly.
    from model_worker.forest.lightgbm_c import find_library
    from model_worker.forest.packed import find_engine
    from model_worker.proving import ProofOptions, start_proof

    library = find_library()
    engine = find_engine() if settings.engine == "auto" else None
    limits = ProofOptions(settings.proof_memory_mb, settings.proof_s, settings.proofs, settings.trusted_proofs)
    with artifact.file:
        proving = start_proof(artifact, library, engine, limits, lambda warning: _say(f"{settings.name}: {warning}"))
        # Imports gRPC while the child tries the model: both take about the same time.
        import model_worker.server  # noqa: F401
        from mesh import serving
        from model_worker.forest.loader import NOT_BUILT, SWITCHED_OFF, load
        from model_worker.identity import Identity

        if settings.follow_parent:
            serving.follow_parent()
        objection = proving.wait()
    if settings.inputs:
        _check_inputs(settings, header)
    if engine is None:
        objection = NOT_BUILT if settings.engine == "auto" else SWITCHED_OFF
    forest, serves = load(artifact.model, library, settings.num_threads, engine, objection)
    if settings.golden is not None:
        _replay(settings, settings.golden, artifact, header, forest, serves)
    return Identity(settings.name, header, artifact.sha256, serves), forest


def _check_inputs(settings: Settings, header: ModelHeader) -> None:
    """Raises `UnfedModel` if the sources of the game cannot fill the features of the model."""
    from pathlib import Path

    from mesh.catalog.worker_inputs import faults, read_inputs
    from mesh.errors import Misconfigured

    try:
        known = read_inputs(Path(settings.inputs))
    except Misconfigured as error:
        _say(f"{settings.name}: the features of the model are not checked: {error.reason}")
        return
    found = faults(header, known)
    if found:
        more = f" (and {len(found) - MAX_FAULTS} more)" if len(found) > MAX_FAULTS else ""
        raise UnfedModel(". ".join(found[:MAX_FAULTS]) + more)
    if known.unknown:
        _say(f"{settings.name}: not all features are checked: unknown here: {', '.join(known.unknown)}")


def _replay(
    settings: Settings, uri: str, artifact: Artifact, header: ModelHeader, forest: Forest, engine: Engine
) -> None:
    """Raises `BadModel` unless the loaded model gives the scores of its golden rows."""
    from model_worker.golden import read_golden, replay

    source = _source(settings, uri, settings.golden_sha256)
    rows = read_golden(source, uri, settings.golden_sha256, artifact, header)
    seconds = replay(rows, forest, engine, artifact.model)
    _say(f"{settings.name}: scored {len(rows.golden.rows)} golden rows as expected, in {seconds * 1000:.1f} ms")


def _source(settings: Settings, uri: str, sha256: str | None) -> ArtifactSource:
    if not uri.startswith(SCHEME):
        return LocalFiles()
    from model_worker.s3.files import S3Files

    return S3Files(sha256, settings.cache, settings.fetch_s, settings.max_model_mb * 2**20)


def _serve(settings: Settings, identity: Identity, forest: Forest) -> int:
    from mesh import serving
    from mesh.errors import Misconfigured
    from mesh.logs.setup import log_to_stderr
    from model_worker.server import serve

    log_output = log_to_stderr(settings.log_level, settings.log_format)
    try:
        return serving.run(serve(settings, identity, forest, log_output), settings.loop)
    except (OSError, Misconfigured) as error:
        return _report(EXIT_USAGE, f"{settings.name}: {error}")


def _exit_silently_on_signals() -> None:
    """Without these handlers, Ctrl-C during the start prints a traceback. The server replaces them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))


def _report(code: int, *sentences: str) -> int:
    for sentence in sentences:
        _say(sentence)
    return code


def _say(sentence: str) -> None:
    print(f"model_worker: {one_line(sentence)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
