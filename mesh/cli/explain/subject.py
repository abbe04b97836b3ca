"""The subject of an explanation: the models of a version, and their rows for the offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.catalog.version import Combine
from mesh.cli.proofs import prove
from mesh.errors import Misconfigured
from mesh.reference.explanation import Case, Voter


@dataclass(frozen=True, slots=True)
class Subject:
    """The offer to explain, and a second one if the two are compared.

    `facts` name the subject, such as its game and player. `notes` are sentences.
    """

    rule: Combine
    voters: tuple[Voter, ...]
    cases: tuple[Case, ...]
    facts: Mapping[str, str]
    notes: tuple[str, ...] = ()


def prove_all(paths: Sequence[Path]) -> None:
    """Proves model files, because a damaged one can crash LightGBM; raises Misconfigured with those it refuses."""
    results = prove(paths)
    refused = [f"{path}: {one.refused}; replace the file" for path, one in results.items() if one.refused is not None]
    if refused:
        raise Misconfigured(refused)
