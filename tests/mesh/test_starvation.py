"""The share of time that a thread waits for a CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.starvation import WINDOW_S, CpuStarvation

STEPS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 10**9), st.integers(0, 10**9)), max_size=30)


class Kernel:
    """A fake schedstat and a fake clock."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s, self.run_ns, self.wait_ns = 0.0, 0, 0
        patch.setattr(CpuStarvation, "_read", lambda _: (self.run_ns, self.wait_ns))

    def gauge(self) -> CpuStarvation:
        return CpuStarvation(clock=lambda: self.now_s)

    def go(self, seconds: float, run_ns: int, wait_ns: int) -> None:
        self.now_s += seconds
        self.run_ns += run_ns
        self.wait_ns += wait_ns


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with pytest.MonkeyPatch.context() as patch:
        yield Kernel(patch)


@given(STEPS)
def test_share_is_always_from_0_to_1(steps: list[tuple[float, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        kernel = Kernel(patch)
        gauge = kernel.gauge()
        for step in steps:
            kernel.go(*step)
            assert 0.0 <= gauge.share() <= 1.0


def test_share_of_a_thread_that_only_waits_is_1(kernel: Kernel) -> None:
    gauge = kernel.gauge()
    kernel.go(WINDOW_S, 0, 1000)
    assert gauge.share() == 1.0


def test_share_of_a_thread_that_only_runs_is_0(kernel: Kernel) -> None:
    gauge = kernel.gauge()
    kernel.go(WINDOW_S, 1000, 0)
    assert gauge.share() == 0.0


def test_weight_of_a_sample_grows_with_its_duration(kernel: Kernel) -> None:
    gauge = kernel.gauge()
    kernel.go(WINDOW_S / 5, 0, 1000)
    assert gauge.share() == pytest.approx(0.2)


def test_frequent_reads_return_the_last_share(kernel: Kernel) -> None:
    gauge = kernel.gauge()
    kernel.go(WINDOW_S, 500, 500)
    assert gauge.share() == 0.5
    kernel.go(WINDOW_S / 100, 1000, 0)
    assert gauge.share() == 0.5


def test_share_of_a_thread_that_sleeps_is_0(kernel: Kernel) -> None:
    gauge = kernel.gauge()
    kernel.go(WINDOW_S, 0, 1000)
    gauge.share()
    kernel.go(WINDOW_S, 0, 0)
    assert gauge.share() == 0.0


def test_peek_returns_the_share_without_taking_a_sample(kernel: Kernel) -> None:
    gauge, unobserved = kernel.gauge(), kernel.gauge()
    kernel.go(WINDOW_S / 5, 0, 1000)
    assert gauge.peek() == pytest.approx(0.2)
    kernel.go(WINDOW_S / 5, 0, 1000)
    assert gauge.peek() == gauge.share() == unobserved.share() == pytest.approx(0.4)


def test_share_of_this_thread_can_be_read_from_the_kernel() -> None:
    clock = iter([0.0, 1.0])
    gauge = CpuStarvation(clock=lambda: next(clock))
    assert 0.0 <= gauge.share() <= 1.0
