"""Checks the references that a catalog names: each file is a reference, and was made with the models of its version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mesh.block import HAS_SCHEME
from mesh.bounded_file import read_bytes
from mesh.catalog.catalog import Draft, VersionDraft
from mesh.catalog.faults import Fault
from mesh.drift.reference import MAX_BYTES, BadReference, Reference, decode
from mesh.s3 import address as s3_address
from mesh.sha256 import sha256_of


def reference_faults(draft: Draft) -> Iterator[Fault]:
    """Yields a fault for each reference with which a supervisor could not compare the requests of the version.

    Files on S3 are not read: the check needs no network.
    """
    for name, version in draft.versions.items():
        uri = version.reference
        problem = None if uri is None else _problem(version, uri)
        if problem is not None:
            said, _, fix = problem.partition("; ")
            yield draft.tree.fault(("versions", name, "reference"), said, fix)


def _problem(version: VersionDraft, uri: str) -> str | None:
    """Returns the first problem and the fix; None if there is none."""
    if HAS_SCHEME.match(uri):
        return _address_problem(uri)
    try:
        reference = decode(read_bytes(Path(uri), MAX_BYTES, is_named_by_file=True))
    except OSError as error:
        fix = "make it with `mesh drift reference`, or correct the path"
        return f"{uri}: {error.strerror or error}; {fix}"
    except BadReference as error:
        return f"{uri} {error}"
    return _model_problem(version, uri, reference)


def _address_problem(uri: str) -> str | None:
    if not uri.startswith(s3_address.SCHEME):
        return f"{uri} has an unknown scheme; give a path or s3://BUCKET/KEY"
    try:
        s3_address.parse(uri)
    except ValueError as error:
        return str(error)
    return None


def _model_problem(version: VersionDraft, uri: str, reference: Reference) -> str | None:
    models = [model for model in version.models if model is not None and not model.shadow]
    if models and len(models) == len(version.models) and not reference.scores.keys() & {one.name for one in models}:
        return f"{uri} has the scores of no model of this version; make it again with `mesh drift reference`"
    for model in models:
        expected = reference.models.get(model.name)
        actual = model.sha256 or (sha256_of(Path(model.uri)) if Path(model.uri).is_file() else expected)
        if expected is not None and actual != expected:
            return f"{uri} was made with another file of the model {model.name}; make it again with the new file"
    return None
