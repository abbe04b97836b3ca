from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from mesh.model_file import BadModel
from model_worker.kept_proofs import KeptProof, NoStore, ProofFolder, Turn
from model_worker.proof import Proof, trial_command
from model_worker.proof_facts import proof_facts
from model_worker.proving import Proving
from model_worker.trial import PROOF_FAILED

AMPLE_S = 60.0
MUST_NOT_RUN = "import sys; print('the child ran'); sys.exit(1)"


class Shelf(NoStore):
    """A store in memory. `later` appears while this worker waits for another one."""

    def __init__(self, kept: KeptProof | None = None, later: KeptProof | None = None, is_free: bool = True) -> None:
        self.kept = kept
        self.later = later
        self.is_free = is_free
        self.written: list[KeptProof] = []
        self.waited_s: list[float] = []

    def read(self) -> KeptProof | None:  # type: ignore[override]
        return self.kept

    def write(self, proof: KeptProof) -> None:
        self.written.append(proof)

    def take_turn(self) -> Turn | None:  # type: ignore[override]
        return super().take_turn() if self.is_free else None

    def wait_for_turn(self, seconds: float) -> None:
        self.waited_s.append(seconds)
        self.kept = self.later


def outcome(shelf: Shelf, script: str) -> str | None:
    with Path(os.devnull).open("rb") as model:
        return Proving(model, [sys.executable, "-I", "-S", "-c", script], AMPLE_S, shelf).wait()


def child(*lines: str) -> str:
    return "\n".join(f"print({line!r})" for line in lines)


def test_kept_proof_needs_no_child() -> None:
    assert outcome(Shelf(KeptProof(None)), MUST_NOT_RUN) is None
    assert outcome(Shelf(KeptProof("linear trees")), MUST_NOT_RUN) == "linear trees"


@pytest.mark.parametrize(("line", "objection"), [("", None), ("linear trees", "linear trees")])
def test_proof_that_passed_is_kept(line: str, objection: str | None) -> None:
    shelf = Shelf()
    assert outcome(shelf, child("sound", line)) == objection
    assert shelf.written == [KeptProof(objection)]


def test_failed_proof_is_not_kept() -> None:
    shelf = Shelf()
    assert outcome(shelf, child("sound", f"{PROOF_FAILED}: probe 3")) == f"{PROOF_FAILED}: probe 3"
    assert outcome(shelf, child("sound") + "\nraise SystemExit(9)") == f"{PROOF_FAILED}: the engine failed"
    assert shelf.written == []


def test_refused_model_is_not_kept() -> None:
    shelf = Shelf()
    with pytest.raises(BadModel):
        outcome(shelf, MUST_NOT_RUN)
    assert shelf.written == []


def test_proof_of_another_worker_that_starts_at_the_same_time_is_used() -> None:
    shelf = Shelf(later=KeptProof(None), is_free=False)
    assert outcome(shelf, MUST_NOT_RUN) is None
    assert shelf.waited_s == [AMPLE_S]


def test_proof_that_appears_before_the_turn_is_used() -> None:
    class Late(Shelf):
        def take_turn(self) -> Turn | None:  # type: ignore[override]
            self.kept = KeptProof(None)
            return super().take_turn()

    assert outcome(Late(), MUST_NOT_RUN) is None


def test_worker_proves_by_itself_if_the_other_worker_kept_no_proof() -> None:
    shelf = Shelf(is_free=False)
    assert outcome(shelf, child("sound", "")) is None
    assert shelf.written == [KeptProof(None)]


def test_child_refuses_bytes_that_are_not_the_bytes_of_the_digest(model_path: Path, library: str) -> None:
    digest = hashlib.sha256(model_path.read_bytes()).hexdigest()
    for sha256 in (digest, "0" * 64):
        with model_path.open("rb") as model:
            proof = Proof(model, trial_command(library, 2048, AMPLE_S, sha256=sha256), AMPLE_S)
            if sha256 == digest:
                assert proof.wait() is None
            else:
                with pytest.raises(BadModel, match="the file changed"):
                    proof.wait()


def test_real_model_is_proved_once_and_then_read(model_path: Path, library: str, engine: str, tmp_path: Path) -> None:
    digest = hashlib.sha256(model_path.read_bytes()).hexdigest()
    store = ProofFolder(str(tmp_path), "", proof_facts(digest, library, engine), pytest.fail)
    with model_path.open("rb") as model:
        assert Proving(model, trial_command(library, 2048, AMPLE_S, engine, digest), AMPLE_S, store).wait() is None
    with Path(os.devnull).open("rb") as nothing:
        assert Proving(nothing, [sys.executable, "-c", MUST_NOT_RUN], AMPLE_S, store).wait() is None
