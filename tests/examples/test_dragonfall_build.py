"""A step of the build runs when it must and only then."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from examples.dragonfall.build import Step, refresh
from examples.dragonfall.failure import ExampleFailed

QUIET = Console(quiet=True)


class Workshop:
    """A step that copies its source to its output, and fails on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source, self.output = folder / "source", folder / "output"
        self.source.write_text("one")
        self.fails = False
        self.step = Step("copy", (self.source,), (self.output,), self._make)

    def _make(self, _: Console) -> None:
        self.output.write_text(self.source.read_text())
        if self.fails:
            raise ExampleFailed("half done")

    def refresh(self) -> bool:
        return refresh(self.step, self.folder, QUIET)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_a_step_runs_the_first_time(workshop: Workshop) -> None:
    assert workshop.refresh()
    assert workshop.output.read_text() == "one"


def test_a_step_whose_output_is_current_is_skipped(workshop: Workshop) -> None:
    workshop.refresh()
    assert not workshop.refresh()


def test_a_step_whose_source_changed_runs_again(workshop: Workshop) -> None:
    workshop.refresh()
    workshop.source.write_text("two")
    assert workshop.refresh()
    assert workshop.output.read_text() == "two"


def test_a_step_whose_output_is_gone_runs_again(workshop: Workshop) -> None:
    workshop.refresh()
    workshop.output.unlink()
    assert workshop.refresh()


def test_a_step_that_failed_runs_again(workshop: Workshop) -> None:
    workshop.fails = True
    with pytest.raises(ExampleFailed):
        workshop.refresh()
    workshop.fails = False
    assert workshop.refresh()


def test_a_failed_step_is_not_taken_for_an_earlier_success(workshop: Workshop) -> None:
    workshop.refresh()
    workshop.source.write_text("two")
    workshop.fails = True
    with pytest.raises(ExampleFailed):
        workshop.refresh()
    workshop.source.write_text("one")
    workshop.fails = False
    assert workshop.refresh()
    assert workshop.output.read_text() == "one"
