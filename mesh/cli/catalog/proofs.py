"""Adds the faults that only a worker's proof finds to checked catalogs: a file that is cut off, a score that is NaN."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mesh.catalog.faults import Fault, Location
from mesh.catalog.sources import NO_CATEGORIES
from mesh.cli.checked_catalogs import CheckedCatalog
from mesh.cli.proofs import ProofResult, prove


def with_proofs(checked: Sequence[CheckedCatalog]) -> tuple[list[CheckedCatalog], list[str]]:
    """Proves the models of `checked` that are on this machine and have no fault; returns the catalogs and notes.

    The notes are sentences, such as the reason why LightGBM scores a model. Models on S3 are not downloaded.
    """
    results = prove([path for one in checked for _, path in _sound_models(one)])
    notes = [note for result in results.values() for note in result.notes]
    return [_with_refusals(one, results) for one in checked], notes


def _sound_models(checked: CheckedCatalog) -> Iterator[tuple[Location, Path]]:
    """Yields the place and the path of each model file in which the check of the headers found no fault of its own."""
    faulty = [fault.at for fault in checked.faults if isinstance(fault, Fault) and not _may_be_sound(fault)]
    for at, model in checked.draft.models() if checked.draft else ():
        is_sound = not any(place[: len(at)] == at for place in faulty)
        if is_sound and "://" not in model.uri and Path(model.uri).is_file():
            yield at, Path(model.uri)


def _with_refusals(checked: CheckedCatalog, results: Mapping[Path, ProofResult]) -> CheckedCatalog:
    faults: list[Fault | str] = list(checked.faults)
    for at, path in _sound_models(checked):
        refused = results[path].refused
        if checked.draft is not None and refused is not None:
            problem, _, fix = refused.partition("; ")
            problem = f"no worker serves {path}: {problem}"
            faults = [fault for fault in faults if not _lacks_categories(fault, at)]
            faults.append(checked.draft.tree.fault((*at, "uri"), problem, fix or "replace the file"))
    return replace(checked, faults=tuple(sorted(faults, key=_line)))


def _may_be_sound(fault: Fault) -> bool:
    """Whether a worker may serve the model in spite of the fault."""
    return fault.at[-1:] == ("name",) or _lacks_categories(fault)


def _lacks_categories(fault: Fault | str, at: Location | None = None) -> bool:
    """Whether a feature of the model has no categories: they are at the end of a file, which may be cut off."""
    if not isinstance(fault, Fault) or at not in (None, fault.at[:-1]):
        return False
    return fault.problem.endswith(NO_CATEGORIES)


def _line(fault: Fault | str) -> int:
    return fault.line if isinstance(fault, Fault) else 0
