"""Factored rows: a form of requests of the Open Inference Protocol whose rows differ in a few columns only.

To rank 100 offers, plain rows repeat the columns of the player 100 times. A `ModelInferRequest` in factored form has
these tensors instead of `features`, all of them raw, in any order:

- `shared` FP64 [requests, features]: a row for each request; the values in the candidates' columns are ignored;
- `counts` UINT32 [requests] and `picks` UINT32 [pairs]: the number of candidates of each request, at least one, and
  their indices; without both tensors, each request asks for all candidates;
- `columns` UINT32 [columns] and `candidates` FP64 [candidates, columns]: the positions of the candidates' columns in a
  row, ascending, and their values.

The response has a row of scores for each pair of a request and one of its candidates, in order. A stream remembers its
last candidates by the name in the parameter `candidates`: later messages with this name may omit them. A message with
another name and without candidates is refused with FAILED_PRECONDITION; send it again with its candidates. A worker
that accepts factored rows has a property in its metadata: the maximum number of pairs in a message.
"""

from __future__ import annotations

from collections.abc import Mapping

SHARED, COUNTS, PICKS, COLUMNS, CANDIDATES = "shared", "counts", "picks", "columns", "candidates"
NAME_PARAMETER = "candidates"
PROPERTY = "factored_rows"
MAX_CANDIDATES = 10_000  # equals MAX_OFFERS in mesh/catalog/offers_table.py, a higher layer


def pairs_taken(properties: Mapping[str, str]) -> int | None:
    """Returns the maximum number of pairs in a message, from the metadata of a worker; None: no factored rows."""
    limit = properties.get(PROPERTY, "")
    return int(limit) if limit.isdecimal() and int(limit) else None
