"""Proves a model: by a kept proof, by the proof of another worker that starts now, or in a child process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO, NamedTuple

from model_worker.artifact import Artifact
from model_worker.kept_proofs import KeptProof, NoStore, ProofFolder, ProofStore
from model_worker.proof import Proof, trial_command
from model_worker.proof_facts import proof_facts
from model_worker.trial import PROOF_FAILED


class ProofOptions(NamedTuple):
    """The limits of the child, and the folders of kept proofs; an empty name means no folder."""

    memory_mb: int
    seconds: float
    folder: str
    trusted: str


def start_proof(
    artifact: Artifact, library: str, engine: str | None, options: ProofOptions, report: Callable[[str], None]
) -> Proving:
    """Starts the proof of a model for LightGBM's `library` and our `engine`; `report` receives its warnings."""
    command = trial_command(library, options.memory_mb, options.seconds, engine, artifact.sha256)
    store: ProofStore = NoStore()
    if options.folder or options.trusted:
        facts = proof_facts(artifact.sha256, library, engine)
        store = ProofFolder(options.folder, options.trusted, facts, report)
    return Proving(artifact.file, command, options.seconds, store)


class Proving:
    """The proof of the open file `model`. A child starts at construction, so that it runs while the parent imports.

    `command` is the command of the child, and `seconds` its time; also another worker's proof is awaited for `seconds`.
    `model` must stay open until `wait` returns.
    """

    def __init__(self, model: BinaryIO, command: Sequence[str], seconds: float, store: ProofStore) -> None:
        self._model = model
        self._command = command
        self._seconds = seconds
        self._store = store
        self._kept = store.read()
        self._turn = None
        self._child: Proof | None = None
        if self._kept is None and (turn := store.take_turn()) is not None:
            self._turn = turn
            self._kept = store.read()  # another worker may have proved the model since
            if self._kept is None:
                self._child = self._start()

    def wait(self) -> str | None:
        """Returns the reason why our engine must not serve the model, or None; raises `BadModel` if nothing may."""
        try:
            if self._kept is None and self._child is None:
                self._store.wait_for_turn(self._seconds)
                self._kept = self._store.read()
            if self._kept is not None:
                return self._kept.objection
            return self._prove(self._child or self._start())
        finally:
            if self._turn is not None:
                self._turn.release()

    def _start(self) -> Proof:
        return Proof(self._model, self._command, self._seconds)

    def _prove(self, child: Proof) -> str | None:
        objection = child.wait()
        if objection is None or not objection.startswith(PROOF_FAILED):
            self._store.write(KeptProof(objection))
        return objection
