"""Compares the engine with LightGBM on the probes of a model, in every form in which the engine scores."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

from model_worker.forest import Candidates, Forest, Picks
from model_worker.forest.probes import GROUP, Group, groups


def find_difference(engine: Forest, judge: Forest, model: bytes) -> str | None:
    """Returns the first probe whose scores differ in any bit, as a sentence; None if all are equal.

    `engine` is the model in our own engine, `judge` the same model in LightGBM.
    """
    if (engine.features, engine.classes) != (judge.features, judge.classes):
        return f"{engine.features} columns and {engine.classes} classes instead of {judge.features} and {judge.classes}"
    probes, size = groups(model, judge.features), _FLOAT64_BYTES * judge.classes
    reference = _ReferenceScores(judge, probes)
    scored = {form: score(engine, probes, size) for form, score in _FORMS.items()}
    expected = reference.scores()
    for form, scores in scored.items():
        if scores != expected[: len(scores)]:
            return _describe(form, scores, expected, size)
    return None


class _ReferenceScores:
    """The judge's scores of the probes. A thread computes them beside the engine: both release Python's lock."""

    def __init__(self, judge: Forest, probes: Sequence[Group]) -> None:
        self._judge = judge
        self._probes = probes
        self._scores: bytes | Exception | None = None
        # A daemon: if the engine fails, nothing waits for this thread.
        self._thread = threading.Thread(target=self._predict, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # there is no memory for its stack
            raise MemoryError(str(error)) from error

    def scores(self) -> bytes:
        """Waits for the scores; raises the error of the judge."""
        self._thread.join()
        if not isinstance(self._scores, bytes):
            raise self._scores or MemoryError
        return self._scores

    def _predict(self) -> None:
        try:
            self._scores = self._judge.predict(_rows(self._probes), len(self._probes) * GROUP)
        except Exception as error:  # `scores` raises it
            self._scores = error


def _describe(form: str, scores: bytes, expected: bytes, size: int) -> str:
    places = range(len(scores) // size)
    place = next(place for place in places if _cut(scores, place, size) != _cut(expected, place, size))
    ours, theirs = (array("d", _cut(part, place, size)).tolist() for part in (scores, expected))
    return f"probe {place} scored {form}: {ours} instead of {theirs}"


_FLOAT64_BYTES = 8

# A form returns the scores of all probes, or of the first ones, in order. `size` is the size of the scores of a row in
# bytes.
_Form = Callable[[Forest, Sequence[Group], int], bytes]
# The forms after the third use the same walk as the third, so they are compared on this number of groups only.
_SOME = 32
_FEW = 3  # picks: so few that the engine scores them as rows
_COPIES = 9  # copies of a group: so many that the list has more candidates than one block of the engine


def _by_row(engine: Forest, probes: Sequence[Group], _size: int) -> bytes:
    row_bytes = _row_bytes(probes)
    return b"".join([engine.predict(_cut(group.rows, row, row_bytes), 1) for group in probes for row in range(GROUP)])


def _in_a_batch(engine: Forest, probes: Sequence[Group], size: int) -> bytes:
    """Takes one row of each group in turn, so that the engine finds no lists among neighbours."""
    row_bytes = _row_bytes(probes)
    rows = [_cut(group.rows, row, row_bytes) for row in range(GROUP) for group in probes]
    scores = engine.predict(b"".join(rows), len(rows))
    return b"".join(
        [_cut(scores, row * len(probes) + group, size) for group in range(len(probes)) for row in range(GROUP)]
    )


def _in_factored_form(engine: Forest, probes: Sequence[Group], size: int) -> bytes:
    """Makes one table for all groups with the same columns; each group picks its own rows: a few, then the rest."""
    scored: dict[int, bytes] = {}
    for columns in dict.fromkeys(group.columns for group in probes):
        places = [place for place, group in enumerate(probes) if group.columns == columns]
        alike = [probes[place] for place in places]
        candidates = Candidates(columns, b"".join(map(_own, alike)), len(alike) * GROUP)
        counts = array("I", [_FEW, GROUP - _FEW] * len(alike))
        picks = Picks(counts.tobytes(), array("I", range(candidates.count)).tobytes())
        shared = b"".join([2 * _shared(group) for group in alike])
        scores = engine.table(candidates).predict(shared, len(counts), picks)
        scored.update((place, _cut(scores, number, GROUP * size)) for number, place in enumerate(places))
    return b"".join(scored[place] for place in range(len(probes)))


def _as_lists_among_rows(engine: Forest, probes: Sequence[Group], _size: int) -> bytes:
    """Sends plain rows in which the engine finds the lists by itself."""
    return engine.predict(_rows(probes[:_SOME]), _SOME * GROUP)


def _as_lists_alone(engine: Forest, probes: Sequence[Group], _size: int) -> bytes:
    """Scores each list as a whole, for one request."""
    return b"".join([_alone(engine, group, 1) for group in probes[:_SOME]])


def _copy_in_long_lists(engine: Forest, probes: Sequence[Group], size: int, copy: int) -> bytes:
    """Repeats each list in a longer list, and returns the scores of one copy."""
    return b"".join([_cut(_alone(engine, group, _COPIES), copy, GROUP * size) for group in probes[:_SOME]])


def _alone(engine: Forest, group: Group, copies: int) -> bytes:
    return engine.table(Candidates(group.columns, _own(group) * copies, GROUP * copies)).predict(_shared(group), 1)


def _rows(probes: Sequence[Group]) -> bytes:
    return b"".join([group.rows for group in probes])


def _row_bytes(probes: Sequence[Group]) -> int:
    return len(probes[0].rows) // GROUP


def _shared(group: Group) -> bytes:
    return group.rows[: len(group.rows) // GROUP]


def _own(group: Group) -> bytes:
    """Returns the candidates' columns of a group, float64 [GROUP, columns]."""
    values = array("d", group.rows)
    features = len(values) // GROUP
    columns = [values[column::features] for column in group.columns]
    return array("d", chain.from_iterable(zip(*columns, strict=True))).tobytes()


def _cut(data: bytes, place: int, size: int) -> bytes:
    return data[place * size : (place + 1) * size]


_FORMS: dict[str, _Form] = {
    "by row": _by_row,
    "in a batch": _in_a_batch,
    "in factored form": _in_factored_form,
    "as lists among rows": _as_lists_among_rows,
    "as lists alone": _as_lists_alone,
    **{f"in copy {copy} of a long list": partial(_copy_in_long_lists, copy=copy) for copy in (0, _COPIES - 1)},
}
