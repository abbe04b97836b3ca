"""The digest of the model files of a version."""

from __future__ import annotations

import hashlib

from mesh.version_digest import version_digest


def test_digest_is_that_of_the_lines_in_the_order_of_the_names() -> None:
    expected = hashlib.sha256(b"a 11\nb 22\n").hexdigest()[:16]
    assert version_digest({"b": "22", "a": "11"}) == expected


def test_digest_changes_when_two_models_swap_their_files() -> None:
    assert version_digest({"a": "11", "b": "22"}) != version_digest({"a": "22", "b": "11"})
