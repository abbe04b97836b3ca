"""The objects that apply schedules, and an upgrade during a window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mesh.catalog import catalog
from mesh.catalog.deployment.autoscalers import Autoscaler, autoscalers
from mesh.catalog.deployment.diff import changes
from mesh.cli.k8s import chart_output
from mesh.errors import Misconfigured
from supervisor.schedules import Targets
from tests.k8s import catalogs, objects
from tests.k8s.objects import Objects


@pytest.fixture(scope="module")
def everything(helm: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Objects, list[Autoscaler]]:  # noqa: ARG001
    file = catalogs.everything(tmp_path_factory.mktemp("catalog"))
    return objects.of(chart_output.render(file, "everything")), list(autoscalers(catalog.load(file)))


def test_config_map_lists_every_scheduled_autoscaler(everything: tuple[Objects, list[Autoscaler]]) -> None:
    game, scalers = everything
    text = game.named("ConfigMap", "everything-schedules")["data"]["schedules.json"]
    found = {(one.kind, one.name): one.schedule for one in Targets.validate_json(text)}
    assert found == {(one.kind, one.name): one.schedule for one in scalers if one.schedule}
    assert len(found) == 3


def test_cron_jobs_run_at_the_minutes_of_the_windows(everything: tuple[Objects, list[Autoscaler]]) -> None:
    jobs = [one["spec"] for one in everything[0].of_kind("CronJob")]
    assert sorted((job["schedule"], job["timeZone"]) for job in jobs) == [
        ("0 * * * *", "Europe/Berlin"),
        ("0 * * * *", "UTC"),
        ("30 * * * *", "Europe/Berlin"),
    ]


def test_job_may_change_only_the_scheduled_autoscalers(everything: tuple[Objects, list[Autoscaler]]) -> None:
    rules = everything[0].named("Role", "everything-schedules")["rules"]
    assert {rule["resources"][0]: sorted(rule["resourceNames"]) for rule in rules} == {
        "horizontalpodautoscalers": ["everything-2026-10-01-whales", "everything-supervisor"],
        "scaledobjects": ["everything-2026-10-01-0x1f"],
    }
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "patch"}


@pytest.mark.usefixtures("helm")
def test_catalog_without_schedules_has_no_cron_job(tmp_path: Path) -> None:
    game = objects.of(chart_output.render(catalogs.small(tmp_path), "small"))
    assert game.of_kind("CronJob") == []
    assert "small-schedules" not in game.names("ConfigMap")


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize(
    ("schedule", "word"),
    [
        ('{cron: "0 18 1 * *", hours: 1, min: 1}', "cron"),
        ('{cron: "0 18 * * *", hours: 1, min: 99}', "schedule[0].min: 99 is above replicas.max 10"),
    ],
)
def test_wrong_schedule_is_refused_by_the_chart(tmp_path: Path, schedule: str, word: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        chart_output.render(catalogs.small(tmp_path, model=f"schedule: [{schedule}]"), "small")
    assert word in str(raised.value)


def test_minimum_that_a_window_has_set_is_not_a_change(tmp_path: Path) -> None:
    model = 'schedule: [{cron: "0 18 * * *", hours: 4, min: 7}]'
    then = list(autoscalers(catalog.load(catalogs.small(tmp_path, model=model))))

    def changed(minimum: int) -> list[Any]:
        now = [Autoscaler(one.kind, one.name, {**one.spec, "minReplicas": minimum}) for one in then]
        return [change.name for change in changes(now, then)]

    assert changed(7) == ["small-supervisor", "small-1-minnows"]
    assert changed(6) == ["small-supervisor", "small-1-whales", "small-1-minnows"]
    assert json.dumps(changed(2)) == "[]"
