"""docs/metrics.md lists exactly the existing metrics, with kind and labels."""

from __future__ import annotations

import re
from pathlib import Path

from tests.k8s.monitoring.scrapes import Family, Scrape, Scrapes

PAGE = (Path(__file__).parents[3] / "docs/metrics.md").read_text()
_LINE = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)


def _documented(service: str) -> set[Family]:
    section = PAGE.partition(f"\n## {service}\n")[2].partition("\n## ")[0]
    return {
        Family(name, kind, frozenset(label for label in labels.split(", ") if label != "none"))
        for name, kind, labels in _LINE.findall(section)
    }


def _measured(scrape: Scrape) -> set[Family]:
    return set(scrape.families)


def test_page_lists_the_metrics_of_a_supervisor(scrapes: Scrapes) -> None:
    assert _measured(scrapes.supervisor) == _documented("Supervisor")


def test_page_lists_the_metrics_of_a_worker(scrapes: Scrapes) -> None:
    assert _measured(scrapes.worker) == _documented("Model worker")


def test_page_lists_the_metrics_of_a_certificate(scrapes: Scrapes) -> None:
    assert _measured(scrapes.certificate) == _documented("Certificates")


def test_page_lists_the_metrics_of_traces(scrapes: Scrapes) -> None:
    assert _measured(scrapes.traces) == _documented("Traces")
