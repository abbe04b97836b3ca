"""Manifests that hurt are refused with their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.cli.k8s.manifests import read
from mesh.errors import Misconfigured
from tests.mesh.catalog.test_yaml_limits import LAUGHS


@pytest.mark.parametrize("text", [LAUGHS, "[" * 5000, "a: !!timestamp never", "a: 2026-99-99", "a: \udcff"])
def test_file_that_hurts_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "all.yaml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(Misconfigured, match=r"all\.yaml: cannot be read: "):
        read(tmp_path)


def test_list_of_many_objects_is_read(tmp_path: Path) -> None:
    labels = ", ".join(f"label{number}: x" for number in range(200))
    (tmp_path / "all.yaml").write_text(f"kind: ConfigMap\nmetadata: {{labels: {{{labels}}}}}\n---\n" * 50)
    assert len(read(tmp_path).found) == 50
