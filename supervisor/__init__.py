"""The supervisor: reads a player's features, asks every model of the ensemble, answers before the deadline.

The words of this package:

- route: one version of one game; its implementation is `Ensemble`.
- request: one call of a game backend, or one message of its stream.
- ticket: an admitted request, with the future of its answer.
- passenger: the context and the offers of a request, from which its rows are built.
- line: the waiting tickets of one caller on one route.
- cohort: the tickets of one route that depart together.
- journey: the work for a cohort, from its departure to its last answer.
- seat: the rows and the player of a ticket whose cohort asks the models.
- panel: the models of a version.
- vote: the scores of one model for all rows of a cohort; in `votes` [models, rows], a number is one vote on one row.
- ballot: all votes of a cohort.
- quorum: the minimum number of models that must vote for an answer with scores.
- lane: the connection to one replica of a model.
- shipment: rows of one vote that go to a replica in one message. On the wire, this message is a `ModelInferRequest`.
- deal: to distribute the queued rows of a model over its lanes.
"""

import mesh  # noqa: F401 (sets options that gRPC reads when it is imported)
