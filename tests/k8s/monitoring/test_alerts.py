"""The alerts fire when they should, use only existing metrics, and link to their runbook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_worker.trial import PROOF_FAILED
from tests.k8s.monitoring import known
from tests.k8s.monitoring.promql import named
from tests.k8s.monitoring.scrapes import Scrapes

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent
TEXT = (ROOT / "k8s/chart/files/alerts.yaml").read_text()
CASES = ("alerts_test.yaml", "certificate_test.yaml", "slow_burn_test.yaml")
RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load(TEXT)["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the rules for the game of the cases, as the chart renders them, and with the cases."""
    (tmp_path / "alerts.yaml").write_text(TEXT.replace("GAME", "dragonfall"))
    for name in CASES:
        (tmp_path / name).write_text((HERE / name).read_text())
    return tmp_path


def test_promtool_accepts_the_rules(promtool: str, folder: Path) -> None:
    done = subprocess.run([promtool, "check", "rules", "alerts.yaml"], cwd=folder, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", CASES)
def test_alerts_fire_in_exactly_the_expected_cases(promtool: str, folder: Path, name: str) -> None:
    done = subprocess.run([promtool, "test", "rules", name], cwd=folder, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    checks = [
        check
        for name in CASES
        for case in yaml.safe_load((HERE / name).read_text())["tests"]
        for check in case["alert_rule_test"]
    ]
    fires = {check["alertname"] for check in checks if check.get("exp_alerts")}
    is_silent = {check["alertname"] for check in checks if not check.get("exp_alerts")}

    assert set(ALERTS) == fires == is_silent


def test_rules_use_only_existing_metrics_and_labels(scrapes: Scrapes) -> None:
    names, found = known.metrics(scrapes), []
    for rule in RULES:
        found += known.faults(rule["expr"], names)
        if "record" in rule:  # later rules may use a recorded metric
            labels = {"namespace"} | set(named(rule["expr"]).grouped) | set(rule.get("labels", {}))
            names.setdefault(rule["record"], set()).update(labels)

    assert found == []


def test_alert_for_a_failed_proof_uses_the_workers_reason() -> None:
    assert f'reason="{PROOF_FAILED}"' in ALERTS["MeshEngineProofFailed"]["expr"]


def test_every_rule_selects_this_game_only() -> None:
    assert [rule for rule in RULES if "GAME" not in rule["expr"]] == []


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_severity_texts_and_runbook(name: str) -> None:
    alert = ALERTS[name]

    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    assert alert["annotations"]["runbook"] == f"docs/operating.md#{name.lower()}"
    assert re.search(r"{{ \$(labels|value)", alert["annotations"]["description"])


def test_runbook_has_one_section_per_alert() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    chapter = page.partition("\n## When an alert fires\n")[2].partition("\n## ")[0]

    assert set(re.findall(r"^### (\w+)$", chapter, re.MULTILINE)) == set(ALERTS)
