"""The dashboards equal their source, query only existing metrics, and are valid for Grafana."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s.monitoring.dashboards import DASHBOARDS, FOLDER, files
from tests.k8s.monitoring import known
from tests.k8s.monitoring.scrapes import Scrapes

PAGES: dict[str, Any] = {name: json.loads(dashboard.json()) for name, dashboard in DASHBOARDS.items()}
STANDS_FOR = {"__rate_interval": "1m", "__range": "3h", "budget_ms": "300"}
each_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


def expressions(page: Any) -> list[str]:
    """Every expression of a page, with a value for each of its variables."""
    raw = [target["expr"] for panel in page["panels"] for target in panel.get("targets", ())]
    return [re.sub(r"\$(\w+[a-z_])", lambda found: STANDS_FOR.get(found[1], "any"), expr) for expr in raw]


def test_committed_files_equal_their_source() -> None:
    assert {path: path.read_text() for path in FOLDER.glob("*.json")} == files()


def test_each_page_has_its_own_valid_uid() -> None:
    uids = [page["uid"] for page in PAGES.values()]

    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", uid) for uid in uids)


@each_page
def test_page_has_the_fields_that_grafana_requires(page: Any) -> None:
    assert page["schemaVersion"] >= 36  # since then a datasource is an object with a uid
    assert page["title"]
    assert all(panel["title"] and panel["type"] for panel in page["panels"])


@each_page
def test_every_panel_uses_the_chosen_prometheus(page: Any) -> None:
    variables = {variable["name"]: variable for variable in page["templating"]["list"]}
    used = [panel["datasource"] for panel in page["panels"] if panel["type"] != "row"]
    used += [target["datasource"] for panel in page["panels"] for target in panel.get("targets", ())]

    assert variables["datasource"]["type"] == "datasource"
    assert all(one == {"type": "prometheus", "uid": "${datasource}"} for one in used)


@each_page
def test_every_used_variable_can_be_set(page: Any) -> None:
    variables = {variable["name"] for variable in page["templating"]["list"]}
    queries = [v["query"]["query"] for v in page["templating"]["list"] if v["type"] == "query"]
    raw = [target["expr"] for panel in page["panels"] for target in panel.get("targets", ())]
    used = {name for text in (*raw, *queries) for name in re.findall(r"\$([a-z_]+)", text)}

    assert {name for name in used if not name.startswith("__")} <= variables


@each_page
def test_panels_have_unique_ids_and_do_not_overlap(page: Any) -> None:
    ids = [panel["id"] for panel in page["panels"]]
    places = [panel["gridPos"] for panel in page["panels"]]

    assert len(set(ids)) == len(ids)
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    assert [pair for pair in itertools.combinations(places, 2) if _overlap(*pair)] == []


@each_page
def test_queries_of_a_panel_have_unique_letters(page: Any) -> None:
    letters = [[target["refId"] for target in panel.get("targets", ())] for panel in page["panels"]]

    assert all(len(set(one)) == len(one) for one in letters)


@each_page
def test_page_uses_only_existing_metrics_and_labels(page: Any, scrapes: Scrapes) -> None:
    names = known.metrics(scrapes)

    assert [fault for expression in expressions(page) for fault in known.faults(expression, names)] == []


@each_page
def test_promtool_accepts_every_expression(promtool: str, page: Any, tmp_path: Path) -> None:
    rules = [{"record": f"panel:{place}", "expr": expr} for place, expr in enumerate(expressions(page))]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )
