"""The part of a model's entry in the catalog that decides what its worker serves."""

from __future__ import annotations

from mesh.catalog.members import Member


def served_model(model: Member) -> str:
    """Returns a text that is equal for two entries of a catalog if, and only if, one worker can serve both.

    `mesh up` writes it next to the address of a worker, so that a supervisor with a new catalog does not ask the worker
    of the catalog before.
    """
    digest = f" sha256 {model.sha256}" if model.sha256 else ""
    categories = f" categories {','.join(model.categories)}" if model.categories else ""
    return model.uri + digest + categories
