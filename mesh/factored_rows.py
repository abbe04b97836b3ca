"""Factored rows: a dialect of the Open Inference Protocol for requests whose rows differ only in a few columns.

To rank 100 offers, plain rows repeat the player's columns 100 times. A `ModelInferRequest` of this dialect has other
tensors than `features`, all of them raw, in any order:

- `shared` FP64 [requests, features]: a row for each request; the candidates' columns of it may be anything;
- `counts` UINT32 [requests] and `picks` UINT32 [pairs]: how many candidates each request asks for, one at least, and
  which; without both, each asks for all;
- `columns` UINT32 [columns] and `candidates` FP64 [candidates, columns]: where the candidates' columns belong in a row,
  ascending, and their values.

The answer has a row of scores for each pair of a request and one of its candidates, in order. A stream remembers the
last candidates that came on it, under the name that the parameter `candidates` gave them: messages of that name need
not bring them again. One that names others is refused with FAILED_PRECONDITION, to be sent again with its candidates.
A worker that takes such messages says so by a property of its metadata: how many pairs a message may ask for.
"""

from __future__ import annotations

from collections.abc import Mapping

SHARED, COUNTS, PICKS, COLUMNS, CANDIDATES = "shared", "counts", "picks", "columns", "candidates"
NAME_PARAMETER = "candidates"
PROPERTY = "factored_rows"
MAX_CANDIDATES = 10_000  # what an offers table holds at most


def pairs_taken(properties: Mapping[str, str]) -> int | None:
    """How many pairs a message may ask a worker of these metadata for; None when it takes no factored rows."""
    told = properties.get(PROPERTY, "")
    return int(told) if told.isdecimal() and int(told) else None
