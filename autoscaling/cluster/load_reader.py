"""The load that a command line names: a shape, or a file."""

from __future__ import annotations

from pathlib import Path

from autoscaling.cluster.load import Load
from autoscaling.cluster.load_file import read_file
from autoscaling.cluster.load_shapes import SHAPES, shaped


def read(text: str) -> Load:
    """`SHAPE` or `SHAPE:key=value,...`, else a CSV file; raises Misconfigured."""
    if text.partition(":")[0] in SHAPES and not Path(text).exists():
        return shaped(text)
    return read_file(Path(text))
