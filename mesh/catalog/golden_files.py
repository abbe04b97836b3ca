"""Checks the golden rows that a catalog names: each file belongs to its model file, and fits its features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mesh.block import HAS_SCHEME
from mesh.bounded_file import read_bytes
from mesh.catalog.catalog import Draft
from mesh.catalog.faults import Fault, Location
from mesh.catalog.files import header_of
from mesh.catalog.members import Member
from mesh.golden import MAX_BYTES, BadGolden, check_model, decode, rows_of
from mesh.model_file import BadModel, with_categories
from mesh.s3 import address as s3_address
from mesh.sha256 import sha256_of


def golden_faults(draft: Draft, *, models_may_be_missing: bool = False) -> Iterator[Fault]:
    """Yields a fault for each file of golden rows with which no worker would serve its model.

    Files on S3 are not read: the check needs no network. It scores nothing; a worker and `mesh verify` do. With
    `models_may_be_missing`, the workers have the golden rows that this machine lacks.
    """
    for at, model in draft.models():
        if model.golden is None and model.golden_sha256 is not None:
            yield draft.tree.fault((*at, "golden_sha256"), "is set without `golden`", "add `golden`, or remove it")
        if model.golden is None or (models_may_be_missing and _is_missing(model.golden)):
            continue
        if (problem := _problem(model, model.golden)) is not None:
            yield _fault(draft, at, *problem)


def _fault(draft: Draft, at: Location, key: str, sentence: str) -> Fault:
    problem, _, fix = sentence.partition("; ")
    return draft.tree.fault((*at, key), problem, fix or "publish the golden rows again")


def _is_missing(golden: str) -> bool:
    return not HAS_SCHEME.match(golden) and not Path(golden).exists()


def _problem(model: Member, golden: str) -> tuple[str, str] | None:
    """Returns the key and a sentence for the first problem; None if there is none."""
    if HAS_SCHEME.match(golden):
        return _address_problem(golden)
    try:
        data = read_bytes(Path(golden), MAX_BYTES, is_named_by_file=True)
    except OSError as error:
        return "golden", f"{golden}: {error.strerror or error}; publish the golden rows, or correct the path"
    if model.golden_sha256 is not None and (actual := sha256_of(Path(golden))) != model.golden_sha256:
        fix = "restore the file, or set this SHA-256 if you changed it"
        return "golden_sha256", f"differs from the SHA-256 of the file, {actual}; {fix}"
    try:
        _check(model, data)
    except (BadGolden, BadModel) as error:
        return "golden", f"{golden}: {error}"
    return None


def _address_problem(golden: str) -> tuple[str, str] | None:
    if not golden.startswith(s3_address.SCHEME):
        return "golden", f"{golden} has an unknown scheme; give a path or s3://BUCKET/KEY"
    try:
        s3_address.parse(golden)
    except ValueError as error:
        return "golden", str(error)
    return None


def _check(model: Member, data: bytes) -> None:
    golden = decode(data)
    path = Path(model.uri)
    if not path.is_file():  # on S3, or missing, which is another fault
        check_model(golden, model.sha256 or golden.model_sha256, golden.features, golden.classes)
        return
    header = header_of(model)
    check_model(golden, sha256_of(path), header.feature_names, header.classes)
    known = header if header.open_lists is None else with_categories(header, golden.categories)
    rows_of(golden, known.categories)
