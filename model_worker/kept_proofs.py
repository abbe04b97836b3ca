"""Keeps proofs in files, so that a model is tried once on a machine instead of at each start of a worker.

A file is never trusted by its name or place: its whole content must be the content for the facts of this start. Only
proofs that passed are kept, and the reason why the engine does not support a model. A failed proof is not kept: its
cause may be a lack of time or memory, and the model is tried again at the next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import threading
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple, Protocol

from model_worker.proof_facts import ProofFacts

_MAX_BYTES = 65_536
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_LOCK_BITS = 60  # a lock on one byte of a file, whose place comes from the key


class KeptProof(NamedTuple):
    """A proof that passed. `objection` is the reason why the engine does not support the model; None if it does."""

    objection: str | None


class Turn(Protocol):
    """The right to prove; other workers wait until `release`."""

    def release(self) -> None:
        """Ends the turn. Idempotent."""


class ProofStore(Protocol):
    """The place where proofs are kept."""

    def read(self) -> KeptProof | None:
        """Returns the kept proof, or None."""

    def write(self, proof: KeptProof) -> None:
        """Keeps a proof; a failure is reported, not raised."""

    def take_turn(self) -> Turn | None:
        """Returns the turn to prove, or None while another worker proves the same."""

    def wait_for_turn(self, seconds: float) -> None:
        """Returns when no other worker proves the same, or after `seconds`."""


class NoStore:
    """Keeps nothing."""

    def read(self) -> None:
        """Returns None."""

    def write(self, proof: KeptProof) -> None:
        """Does nothing."""

    def take_turn(self) -> Turn:
        """Returns a turn."""
        return _FileTurn(None)

    def wait_for_turn(self, seconds: float) -> None:
        """Returns at once."""


class ProofFolder:
    """The proof for `facts` in a file of `folder`, which this user owns.

    `trusted` is another folder, which is only read; its files may have any owner, because the operator named it.
    `report` receives one sentence for each file that is not trusted, and one if proofs cannot be kept.
    """

    def __init__(self, folder: str, trusted: str, facts: ProofFacts, report: Callable[[str], None]) -> None:
        self._folder = folder
        self._trusted = trusted
        self._facts = facts
        self._report_once = report
        self._reported: set[str] = set()

    def read(self) -> KeptProof | None:
        """Returns the kept proof; None if there is none, or if the file is not trusted."""
        name = f"{self._facts.key}.json"
        own = self._read(f"{self._folder}/{name}", must_own=True) if self._folder else None
        if own is not None or not self._trusted:
            return own
        return self._read(f"{self._trusted}/{name}", must_own=False)

    def write(self, proof: KeptProof) -> None:
        """Writes the file under a temporary name, then renames it."""
        if not self._folder:
            return
        path = f"{self._folder}/{self._facts.key}.json"
        temporary = f"{path}.{os.getpid()}.new"
        try:
            os.makedirs(self._folder, exist_ok=True)  # noqa: PTH103 (pathlib adds 6 ms to the start)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)  # noqa: PTH108
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with open(descriptor, "wb") as file:  # noqa: PTH123
                os.fchmod(descriptor, 0o644)
                file.write(encode(self._facts, proof))
            os.rename(temporary, path)  # noqa: PTH104
        except OSError as error:
            self._report(f"the proof is not kept: {error.filename or path}: {error.strerror}")

    def take_turn(self) -> Turn | None:
        """Returns the turn; without a writable folder, every worker proves by itself."""
        descriptor = self._open_lock()
        if descriptor is None:
            return _FileTurn(None)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._place())
        except OSError:
            os.close(descriptor)
            return None
        return _FileTurn(descriptor)

    def wait_for_turn(self, seconds: float) -> None:
        """Waits on a thread, because a wait for a lock has no time limit."""
        descriptor = self._open_lock()
        if descriptor is None:
            return
        waiting = threading.Thread(target=self._wait, args=(descriptor,), daemon=True)
        waiting.start()
        waiting.join(seconds)

    def _wait(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            # Shared: all workers that wait continue together.
            fcntl.lockf(descriptor, fcntl.LOCK_SH, 1, self._place())
        os.close(descriptor)

    def _open_lock(self) -> int | None:
        if not self._folder:
            return None
        try:
            os.makedirs(self._folder, exist_ok=True)  # noqa: PTH103
            return os.open(f"{self._folder}/lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError:
            return None  # `write` reports the cause

    def _report(self, sentence: str) -> None:
        if sentence not in self._reported:
            self._reported.add(sentence)
            self._report_once(sentence)

    def _place(self) -> int:
        return int(self._facts.key, 16) & (1 << _LOCK_BITS) - 1

    def _read(self, path: str, must_own: bool) -> KeptProof | None:
        try:
            data = _content(path, must_own)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report(f"{path}: not trusted: {error.strerror or error}; the model is proved again")
            return None
        proof = decode(self._facts, data)
        if proof is None:
            self._report(f"{path}: not trusted: it is damaged, or is not the proof of this model; it is proved again")
        return proof


class _FileTurn:
    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def encode(facts: ProofFacts, proof: KeptProof) -> bytes:
    """Returns the content of a file: a JSON object in one line, and its SHA-256 in the next line."""
    text = json.dumps({"facts": facts._asdict(), "objection": proof.objection}, sort_keys=True).encode()
    return b"%s\n%s\n" % (text, sha256(text).hexdigest().encode())


def decode(facts: ProofFacts, data: bytes) -> KeptProof | None:
    """Returns the proof in `data`; None unless `data` is exactly the content of a proof for `facts`."""
    try:
        document = json.loads(data.partition(b"\n")[0])
        objection = document["objection"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not (objection is None or (isinstance(objection, str) and objection)):
        return None
    proof = KeptProof(objection)
    return proof if encode(facts, proof) == data else None


def _content(path: str, must_own: bool) -> bytes:
    """Returns the content of a file that is not too large; raises OSError, also if the file may be someone else's."""
    # Not blocking, because the open of a FIFO would wait.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        if must_own and status.st_uid != os.geteuid():
            raise OSError(f"its owner is the user {status.st_uid}")
        if must_own and status.st_mode & _OTHERS_MAY_WRITE:
            raise OSError("other users may write it")
        return file.read(_MAX_BYTES)
