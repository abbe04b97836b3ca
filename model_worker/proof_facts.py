"""The facts that a proof depends on: if one of them changes, the proof no longer holds."""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from typing import NamedTuple

# The child that tries a model runs these files; a change of any of them makes all kept proofs stale.
_SOURCES = (
    "__init__.py",
    "child_process.py",
    "fields.py",
    "forest/__init__.py",
    "forest/comparison.py",
    "forest/expanded_table.py",
    "forest/lightgbm_c.py",
    "forest/packed.py",
    "forest/probes.py",
    "forest/score_buffer.py",
    "structure.py",
    "trial.py",
)
_CPU_LINES = (b"vendor_id", b"cpu family", b"model", b"flags", b"Features")
_CPUINFO_BYTES = 16_384  # the first processor; on a machine with many, the whole file takes long


class ProofFacts(NamedTuple):
    """What a proof depends on. All fields are text, mostly SHA-256 digests; `engine` is empty if none was proved.

    `system` contains the versions of Python and of the C library, whose exp and log1p the engines use. `cpu` describes
    the processor and its flags: the C library and the engine choose code by them.
    """

    model: str
    engine: str
    lightgbm: str
    proof: str
    system: str
    cpu: str

    @property
    def key(self) -> str:
        """The digest of all facts."""
        return sha256("\0".join(self).encode()).hexdigest()


def proof_facts(model_sha256: str, library: str, engine: str | None) -> ProofFacts:
    """Returns the facts for a model file, LightGBM's `library` and the library of our `engine` on this machine.

    Raises OSError if a file cannot be read.
    """
    return ProofFacts(
        model=model_sha256,
        engine=_digest(engine) if engine else "",
        lightgbm=_digest(library),
        proof=_digest_of_sources(),
        system=_system(),
        cpu=_cpu(),
    )


def _digest(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123 (pathlib adds 6 ms to the start)
        return sha256(file.read()).hexdigest()


def _digest_of_sources() -> str:
    folder = __file__.rpartition("/")[0]
    digests = [_digest(f"{folder}/{name}") for name in _SOURCES]
    return sha256("".join(digests).encode()).hexdigest()


def _system() -> str:
    names = getattr(os, "confstr_names", {})
    libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in names else ""
    return f"{sys.platform} {os.uname().machine}, {libc or os.uname().release}, Python {sys.version}"


def _cpu(cpuinfo: str = "/proc/cpuinfo") -> str:
    """Returns the digest of the model and the flags of the first processor; empty without such a file."""
    try:
        with open(cpuinfo, "rb") as file:  # noqa: PTH123
            text = file.read(_CPUINFO_BYTES)
    except OSError:
        return ""
    first, _, _ = text.partition(b"\n\n")
    lines = [line for line in first.splitlines() if line.partition(b":")[0].strip() in _CPU_LINES]
    return sha256(b"\n".join(lines)).hexdigest()
