"""The page of metrics names every metric that there is, with its kind and labels, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from tests.k8s.monitoring.scrapes import Family, Scrape, Scrapes

PAGE = (Path(__file__).parents[3] / "docs/metrics.md").read_text()
_LINE = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)


def _said_of(service: str) -> set[Family]:
    section = PAGE.partition(f"\n## {service}\n")[2].partition("\n## ")[0]
    return {
        Family(name, kind, frozenset(label for label in labels.split(", ") if label != "none"))
        for name, kind, labels in _LINE.findall(section)
    }


def _measured(scrape: Scrape) -> set[Family]:
    return set(scrape.families)


def test_the_page_says_what_a_supervisor_measures(scrapes: Scrapes) -> None:
    assert _measured(scrapes.supervisor) == _said_of("Supervisor")


def test_the_page_says_what_a_worker_measures(scrapes: Scrapes) -> None:
    assert _measured(scrapes.worker) == _said_of("Model worker")
