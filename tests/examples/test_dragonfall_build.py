"""A step of the build runs only when its outputs are outdated."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from examples.dragonfall.build import Step, refresh
from examples.dragonfall.failure import ExampleFailed

QUIET = Console(quiet=True)


class CopyStep:
    """A step that copies its source to its output, and fails on request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source, self.output = folder / "source", folder / "output"
        self.source.write_text("one")
        self.fails = False
        self.step = Step("copy", (self.source,), (self.output,), self._make)

    def _make(self, _: Console) -> None:
        self.output.write_text(self.source.read_text())
        if self.fails:
            raise ExampleFailed("incomplete")

    def refresh(self) -> bool:
        return refresh(self.step, self.folder, QUIET)


@pytest.fixture
def copy(tmp_path: Path) -> CopyStep:
    return CopyStep(tmp_path)


def test_step_runs_the_first_time(copy: CopyStep) -> None:
    assert copy.refresh()
    assert copy.output.read_text() == "one"


def test_step_with_a_current_output_is_skipped(copy: CopyStep) -> None:
    copy.refresh()
    assert not copy.refresh()


def test_step_with_a_changed_source_runs_again(copy: CopyStep) -> None:
    copy.refresh()
    copy.source.write_text("two")
    assert copy.refresh()
    assert copy.output.read_text() == "two"


def test_step_with_a_missing_output_runs_again(copy: CopyStep) -> None:
    copy.refresh()
    copy.output.unlink()
    assert copy.refresh()


def test_failed_step_runs_again(copy: CopyStep) -> None:
    copy.fails = True
    with pytest.raises(ExampleFailed):
        copy.refresh()
    copy.fails = False
    assert copy.refresh()


def test_failed_step_does_not_count_as_an_earlier_success(copy: CopyStep) -> None:
    copy.refresh()
    copy.source.write_text("two")
    copy.fails = True
    with pytest.raises(ExampleFailed):
        copy.refresh()
    copy.source.write_text("one")
    copy.fails = False
    assert copy.refresh()
    assert copy.output.read_text() == "one"
