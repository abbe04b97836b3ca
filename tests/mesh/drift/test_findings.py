"""Findings: the PSI of samples without drift, its correction, and the rate of false alarms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from mesh.drift.counts import Counts, Layout, no_counts
from mesh.drift.findings import MIN_SAMPLES, find, raw_psi
from mesh.drift.reference import Distribution, Reference

BINS = 10
TRAINING = 20_000
FEATURES = 20


def reference_of(distributions: dict[str, Distribution]) -> Reference:
    return Reference(TRAINING, distributions, {}, {}, None)


def layout_of(missing: int = 0) -> Layout:
    counts = (TRAINING // BINS,) * BINS
    edges = tuple(range(BINS - 1))
    one = Distribution(counts, missing, tuple(map(float, edges)))
    return Layout(reference_of({f"f{number}": one for number in range(FEATURES)}))


def drawn(rng: np.random.Generator, samples: int, missing: float = 0.0) -> Counts:
    shares = [(1 - missing) / BINS] * BINS + [missing, 0.0]
    places = np.concatenate([rng.multinomial(samples, shares) for _ in range(FEATURES)])
    return Counts(samples, places, np.zeros(FEATURES))


@pytest.mark.parametrize("samples", [500, 2_000, 10_000])
def test_psi_without_drift_is_chi_squared(samples: int) -> None:
    rng = np.random.default_rng(samples)
    scale = samples * TRAINING / (samples + TRAINING)
    shares = np.full(BINS, 1 / BINS)
    values = np.array(
        [
            scale * raw_psi(*(rng.multinomial(rows, shares).astype(float) for rows in (samples, TRAINING)))
            for _ in range(4_000)
        ]
    )
    assert values.mean() == pytest.approx(BINS - 1, rel=0.03)
    for level in (0.90, 0.99):
        assert (values > chi2.ppf(level, BINS - 1)).mean() == pytest.approx(1 - level, rel=0.35)


def test_correction_removes_what_a_small_sample_adds() -> None:
    rng, layout = np.random.default_rng(1), layout_of()
    found = [one.psi or 0.0 for _ in range(50) for one in find(layout, drawn(rng, MIN_SAMPLES))]
    uncorrected = (BINS - 1) / MIN_SAMPLES
    assert np.mean(found) < 0.5 * uncorrected
    assert np.mean(np.array(found) == 0.0) > 0.4


@pytest.mark.parametrize("missing", [0.0, 0.001, 0.02, 0.5])
@pytest.mark.parametrize("samples", [MIN_SAMPLES, 4_000])
def test_no_alert_in_thousands_of_windows_without_drift(samples: int, missing: float) -> None:
    rng = np.random.default_rng(samples)
    layout = layout_of(round(TRAINING * missing / (1 - missing)))
    worst = max(find(layout, drawn(rng, samples, missing))[0].severity for _ in range(500))
    assert worst < 1  # 500 windows of 20 features


def test_psi_is_jeffreys_divergence_of_the_shares() -> None:
    live, before = np.array([3e6, 1e6]), np.array([2e6, 2e6])
    expected = 0.25 * np.log(0.75 / 0.5) - 0.25 * np.log(0.25 / 0.5)
    assert raw_psi(live, before) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("bins", [2, 10, 51])
def test_no_alert_for_a_feature_that_is_missing_in_most_rows(bins: int) -> None:
    rng = np.random.default_rng(bins)
    one = Distribution((2_000 // bins,) * bins, 18_000, tuple(map(float, range(bins - 1))))
    layout = Layout(reference_of({f"f{number}": one for number in range(FEATURES)}))
    worst, present = 0.0, 250
    for _ in range(300):
        places = [[*rng.multinomial(present, [1 / bins] * bins), 9 * present, 0] for _ in range(FEATURES)]
        counts = Counts(10 * present, np.array(places).ravel(), np.zeros(FEATURES))
        worst = max(worst, *(one.severity for one in find(layout, counts)))
    assert worst < 1


def test_few_samples_give_no_findings() -> None:
    rng, layout = np.random.default_rng(1), layout_of()
    assert find(layout, drawn(rng, MIN_SAMPLES - 1)) == []
    assert find(layout, no_counts(layout)) == []


def test_feature_that_lost_all_its_values_is_found_without_a_psi() -> None:
    layout = layout_of()
    counts = no_counts(layout)
    counts.places[layout.starts[:-1]] = 1_000
    counts.places[layout.starts[3]] = 0
    counts.places[layout.starts[4] - 2] = 1_000
    (lost,) = [one for one in find(layout, counts) if one.name == "f3"]
    assert (lost.cause, lost.missing, lost.psi) == ("missing", 1.0, None)
    assert lost.severity > 1
