"""The share of time that a thread waits for a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh import starvation
from mesh.starvation import WINDOW_S, CpuStarvation

STEPS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 10**9), st.integers(0, 10**9)), max_size=30)


class Kernel:
    """What schedstat would say, and the time."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s, self.run_ns, self.wait_ns = 0.0, 0, 0
        patch.setattr(starvation, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        patch.setattr(CpuStarvation, "_read", lambda _: (self.run_ns, self.wait_ns))

    def go(self, seconds: float, run_ns: int, wait_ns: int) -> None:
        self.now_s += seconds
        self.run_ns += run_ns
        self.wait_ns += wait_ns


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with pytest.MonkeyPatch.context() as patch:
        yield Kernel(patch)


@given(STEPS)
def test_the_share_is_never_below_nothing_or_above_everything(steps: list[tuple[float, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        kernel = Kernel(patch)
        gauge = CpuStarvation()
        for step in steps:
            kernel.go(*step)
            assert 0.0 <= gauge.share() <= 1.0


def test_a_thread_that_only_waits_is_starved(kernel: Kernel) -> None:
    gauge = CpuStarvation()
    kernel.go(WINDOW_S, 0, 1000)
    assert gauge.share() == 1.0


def test_a_thread_that_only_runs_is_not(kernel: Kernel) -> None:
    gauge = CpuStarvation()
    kernel.go(WINDOW_S, 1000, 0)
    assert gauge.share() == 0.0


def test_a_moment_weighs_by_its_length(kernel: Kernel) -> None:
    gauge = CpuStarvation()
    kernel.go(WINDOW_S / 5, 0, 1000)
    assert gauge.share() == pytest.approx(0.2)


def test_asking_often_changes_nothing(kernel: Kernel) -> None:
    gauge = CpuStarvation()
    kernel.go(WINDOW_S, 500, 500)
    assert gauge.share() == 0.5
    kernel.go(WINDOW_S / 100, 1000, 0)
    assert gauge.share() == 0.5


def test_a_thread_that_slept_is_not_starved(kernel: Kernel) -> None:
    gauge = CpuStarvation()
    kernel.go(WINDOW_S, 0, 1000)
    gauge.share()
    kernel.go(WINDOW_S, 0, 0)
    assert gauge.share() == 0.0


def test_this_threads_own_share_can_be_read() -> None:
    gauge = CpuStarvation()
    gauge._sampled_s -= 1
    assert 0.0 <= gauge.share() <= 1.0
