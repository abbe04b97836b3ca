from __future__ import annotations

import json
from collections import Counter

from loadtest.replica_faults.trial import Trial
from loadtest.report import as_json


def test_counts_inside_of_dataclasses_stay_counts() -> None:
    trial = Trial(3, Counter(["full", "full", "partial"]), 1.0, 2.0, None, 0.5, 0.0)
    assert json.loads(as_json({"frozen": trial}))["frozen"] == {
        "answers": 3,
        "classes": {"full": 2, "partial": 1},
        "control_p99_ms": 1.0,
        "p99_ms": 2.0,
        "out_s": None,
        "back_s": 0.5,
        "second_tries": 0.0,
        "stuck_s": None,
    }
