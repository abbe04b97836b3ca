"""The rules for cohorts and their messages that supervisors follow and simulations repeat.

Reasons and measurements: docs/decisions/0002-cohorts.md.
"""

from __future__ import annotations

import math

MESSAGE_CPU_S = 0.0002  # of one message, in all processes together: the value that the rules assume
MAX_COHORT_ROWS = 4096
MAX_COHORT_REQUESTS = 512
# While a cohort is under way, journeys get at most this share of the time: a journey costs MESSAGE_CPU_S per message.
JOURNEYS_SHARE = 0.5
# The maximum work in one message: with several replicas, which share the work, and with a single one.
GRAIN_S = 0.008
GRAIN_ALONE_S = 0.05
MAX_MESSAGE_ROWS = 1024  # a worker refuses larger messages if its --max-batch-rows (4096) is made smaller


def best_messages(work_s: float, models: int) -> int:
    """Returns the number of messages, at least 1, for which `work_s` of rows of one model is done soonest.

    All `models` of the panel send at the same time, through one event loop. With k messages each, the loop needs
    models * MESSAGE_CPU_S * k and then a replica needs work_s / k: the sum is least at the square root of their ratio.
    """
    return max(1, round(math.sqrt(work_s / (models * MESSAGE_CPU_S))))


def grain_rows(row_s: float, is_alone: bool) -> int:
    """Returns the maximum rows of a message by their work, at least 1; `is_alone`: the model has a single replica."""
    return max(1, int((GRAIN_ALONE_S if is_alone else GRAIN_S) / row_s))
