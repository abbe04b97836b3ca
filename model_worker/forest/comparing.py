"""Holds the engine against LightGBM on the probes of a model, in every form in which it scores."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from model_worker.forest import Candidates, Forest, Picks
from model_worker.forest.probes import GROUP, Group, groups


def find_difference(engine: Forest, judge: Forest, model: bytes) -> str | None:
    """The first probe that the engine does not score as the judge does, to the last bit, as a sentence; or None."""
    if (engine.features, engine.classes) != (judge.features, judge.classes):
        return f"{engine.features} columns and {engine.classes} classes instead of {judge.features} and {judge.classes}"
    probes = groups(model, judge.features)
    expected = judge.predict(b"".join(group.rows for group in probes), len(probes) * GROUP)
    size = len(expected) // (len(probes) * GROUP)
    for form, score in _FORMS.items():
        for place, scores in score(engine, probes, size):
            if scores != expected[place * size :][: len(scores)]:
                return _told(form, place, scores, expected, size)
    return None


def _told(form: str, place: int, scores: bytes, expected: bytes, size: int) -> str:
    rows = range(len(scores) // size)
    row = next(row for row in rows if scores[row * size :][:size] != expected[(place + row) * size :][:size])
    ours, theirs = (
        array("d", part[:size]).tolist() for part in (scores[row * size :], expected[(place + row) * size :])
    )
    return f"probe {place + row} scored {form}: {ours} instead of {theirs}"


# The last two forms walk as the third does: they are tried on so many groups only.
_SOME = 32
_TIMES = 9  # a list of so many copies of a group has more candidates than the engine walks at once
_FEW = 3  # picks, which the engine scores as rows

# A form yields the place of a first probe, and the scores from there on.
_Scored = Iterator[tuple[int, bytes]]


def _by_row(engine: Forest, probes: Sequence[Group], _size: int) -> _Scored:
    row_bytes = len(probes[0].rows) // GROUP
    for place in range(len(probes) * GROUP):
        group, row = divmod(place, GROUP)
        yield place, engine.predict(probes[group].rows[row * row_bytes :][:row_bytes], 1)


def _in_a_batch(engine: Forest, probes: Sequence[Group], size: int) -> _Scored:
    """One row of each group after the other, so that neighbours have nothing in common."""
    row_bytes = len(probes[0].rows) // GROUP
    rows = [group.rows[row * row_bytes :][:row_bytes] for row in range(GROUP) for group in probes]
    scores = engine.predict(b"".join(rows), len(rows))
    for place in range(len(rows)):
        group, row = divmod(place, GROUP)
        yield place, scores[(row * len(probes) + group) * size :][:size]


def _among_rows(engine: Forest, probes: Sequence[Group], _size: int) -> _Scored:
    """Lists that the engine has to find by itself."""
    yield 0, engine.predict(b"".join(group.rows for group in probes[:_SOME]), _SOME * GROUP)


def _alone(engine: Forest, probes: Sequence[Group], _size: int) -> _Scored:
    """Each list for one request, once and then several times over."""
    for place, group in enumerate(probes[:_SOME]):
        for times in (1, _TIMES):
            table = engine.table(Candidates(group.columns, _own(group) * times, GROUP * times))
            scores = table.predict(group.rows[: len(group.rows) // GROUP], 1)
            size = len(scores) // times
            yield from ((place * GROUP, scores[copy * size :][:size]) for copy in range(times))


def _picked(engine: Forest, probes: Sequence[Group], size: int) -> _Scored:
    """One table for all groups that differ in the same columns; each picks its own rows, a few and the rest."""
    for columns in dict.fromkeys(group.columns for group in probes):
        places = [place for place, group in enumerate(probes) if group.columns == columns]
        alike = [probes[place] for place in places]
        candidates = Candidates(columns, b"".join(map(_own, alike)), len(alike) * GROUP)
        shared = b"".join(group.rows[: len(group.rows) // GROUP] * 2 for group in alike)
        counts = array("I", [_FEW, GROUP - _FEW] * len(alike))
        picks = Picks(counts.tobytes(), array("I", range(candidates.count)).tobytes())
        scores = engine.table(candidates).predict(shared, len(counts), picks)
        yield from ((place * GROUP, scores[n * GROUP * size :][: GROUP * size]) for n, place in enumerate(places))


def _own(group: Group) -> bytes:
    """The candidates' columns of a group, float64 [GROUP, columns]."""
    values = array("d", group.rows)
    features = len(values) // GROUP
    columns = [values[column::features] for column in group.columns]
    return array("d", chain.from_iterable(zip(*columns, strict=True))).tobytes()


_FORMS: dict[str, Callable[[Forest, Sequence[Group], int], _Scored]] = {
    "by row": _by_row,
    "in a batch": _in_a_batch,
    "in factored form": _picked,
    "as lists among rows": _among_rows,
    "as lists alone": _alone,
}
