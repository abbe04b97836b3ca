"""The requests of a workload, and the search for its knee, for commands that measure a mesh of their own."""

from __future__ import annotations

import argparse

from loadtest.errors import CannotMeasure
from loadtest.input_options import chosen_inputs
from loadtest.run.job import Question
from loadtest.run.knee import knee_of
from loadtest.run.measurement import Progress, Setting
from loadtest.run.search import search_knee
from loadtest.workloads import W15, W15X100, TrainedEnsemble, player_ids

DEADLINE_MS = 300.0
WORKLOADS = {one.game: one for one in (W15, W15X100)}
_FIRST_RATE_RPS = {W15.game: 400.0, W15X100.game: 50.0}


def setting_of(ensemble: TrainedEnsemble, address: str) -> Setting:
    """Returns how requests of `ensemble` are sent to the supervisor at `address`."""
    question = Question(address, ensemble.method, ensemble.game, "", DEADLINE_MS, {}, player_ids(ensemble.players))
    return Setting(question, processes=1, max_unanswered=10_000, seed=1, oracle=None, raises_priority=False)


def question_of(options: argparse.Namespace) -> Question:
    """Returns the requests of the options of `add_inputs`, --address, --method, --version and --deadline-ms.

    Without --method, GetOffer, or Score if the game has no offers. Raises CannotMeasure or Misconfigured.
    """
    inputs = chosen_inputs(options)
    return Question(
        address=options.address,
        method=options.method or ("GetOffer" if inputs.has_offers else "Score"),
        game=inputs.game,
        version=options.version,
        deadline_ms=options.deadline_ms,
        context=inputs.context,
        player_ids=inputs.player_ids,
        drawn=inputs.drawn,
        offer_ids=inputs.offer_ids,
        candidates=inputs.candidates,
    )


async def find_knee(ensemble: TrainedEnsemble, setting: Setting, slo_ms: float, progress: Progress) -> float:
    """Returns the highest rate per second with a p99 of at most `slo_ms`. Raises CannotMeasure."""
    searched = argparse.Namespace(
        rate=_FIRST_RATE_RPS[ensemble.game],
        seconds=None,
        slo_ms=slo_ms,
        full_share=0.99,
        arrivals="poisson",
        seed=0,
    )
    _, steps = await search_knee(searched, setting, progress)
    knee_rps = knee_of(steps)
    if knee_rps is None:
        raise CannotMeasure("no rate kept the objective; raise --slo-ms, or give --knee")
    return knee_rps
