"""Members: models that versions share, the faults of their votes, and their workers."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from mesh.catalog import catalog as catalogs
from mesh.catalog import value_check
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.autoscalers import autoscalers
from mesh.catalog.deployment.workers import workers_of
from mesh.catalog.files import faults as file_faults
from mesh.errors import Misconfigured

GOOD = """
game: dragonfall
features: {store: dynamodb, table: players, region: eu-west-1}
replicas: {min: 3, max: 9}
members:
  - {name: whales, uri: s3://models/whales.txt, replicas: {min: 5}}
  - {name: pvp, uri: s3://models/pvp.txt}
versions:
  "2026-10":
    traffic: 50
    replicas: {min: 4}
    combine: {kind: weighted_mean}
    models:
      - {member: whales, weight: 2}
      - {name: asia, uri: s3://models/asia.txt}
      - {member: pvp}
  "2026-11":
    traffic: 50
    models:
      - {member: pvp}
      - {name: whales, uri: s3://models/new-whales.txt}
"""


def load(file: Path, text: str = GOOD) -> Catalog:
    file.write_text(text)
    return catalogs.load(file)


def faults(file: Path, old: str, new: str) -> list[str]:
    assert old in GOOD
    with pytest.raises(Misconfigured) as raised:
        load(file, GOOD.replace(old, new))
    return [fault.removeprefix(f"{file}:") for fault in raised.value.faults]


def test_vote_of_a_member_becomes_a_whole_model(file: Path) -> None:
    whales, asia, pvp = load(file).versions["2026-10"].models
    assert (whales.name, whales.uri, whales.weight) == ("whales", "s3://models/whales.txt", 2.0)
    assert [model.home("2026-10") for model in (whales, asia, pvp)] == ["shared", "2026-10", "shared"]
    assert load(file).versions["2026-10"].quorum == 2


def test_model_of_a_version_may_have_the_name_of_a_member_that_the_version_does_not_name(file: Path) -> None:
    pvp, whales = load(file).versions["2026-11"].models
    assert (pvp.is_member, whales.is_member, whales.uri) == (True, False, "s3://models/new-whales.txt")


def test_paths_of_members_start_at_the_folder_of_the_catalog(file: Path) -> None:
    catalog = load(file, GOOD.replace("s3://models/pvp.txt", "pvp.txt"))
    assert catalog.versions["2026-11"].models[0].uri == str(file.parent / "pvp.txt")


def test_key_of_the_other_kind_of_entry_is_suggested(file: Path) -> None:
    found = faults(file, "{member: whales, weight: 2}", "{memer: whales, weight: 2}")
    assert any(one.endswith("models[0].memer: unknown key; did you mean 'member'?") for one in found)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{member: whales, weight: 2}",
            "{member: whale, weight: 2}",
            "14: versions.2026-10.models[0].member: 'whale' is not a member; use one of whales, pvp",
        ),
        (
            "{member: whales, weight: 2}",
            "{member: whales, wieght: 2}",
            "14: versions.2026-10.models[0].wieght: unknown key; did you mean 'weight'?",
        ),
        (
            "{member: whales, weight: 2}",
            "{member: whales, uri: other.txt}",
            "14: versions.2026-10.models[0].uri: unknown key; the known keys are: weight, shadow, member",
        ),
        (
            "{name: asia, uri",
            "{name: pvp, uri",
            "16: versions.2026-10.models[2].member: 'pvp' is already the name of models[1]; give each model",
        ),
        (
            "{name: pvp, uri",
            "{name: pvp, weight: 2, uri",
            "7: members[1].weight: unknown key; the known keys are: image, engine, replicas",
        ),
        (
            "{name: pvp, uri: s3://models/pvp.txt}",
            "{name: pvp, uri: s3://models/pvp.txt, sha256: 12}",
            "7: members[1].sha256: 12 is not text; put it in quotes",
        ),
        (
            "  - {name: pvp, uri: s3://models/pvp.txt}",
            "  - {name: pvp, uri: s3://models/pvp.txt}\n  - {name: pvp, uri: s3://models/pvp.txt}",
            "8: members[2].name: 'pvp' is already the name of members[1]; give each member its own name",
        ),
        (
            "replicas: {min: 5}",
            "replicas: {min: 10}",
            "6: members[0].replicas: min 10 is above max 9; lower min or raise max",
        ),
    ],
)
def test_fault_of_a_member_is_reported_once_with_its_place(file: Path, old: str, new: str, expected: str) -> None:
    (fault,) = faults(file, old, new)
    assert fault.startswith(expected)


def test_version_with_the_name_of_the_members_is_a_fault(file: Path) -> None:
    fault, _ = faults(file, '"2026-11"', "shared")
    assert fault.endswith("the members of the game have this name in metrics and in Kubernetes; rename the version")
    without = "game: g\nfeatures: {path: p}\nversions: {shared: {models: [{name: m, uri: m.txt}]}}"
    assert list(load(file, without).versions) == ["shared"]


def test_kubernetes_name_of_a_member_that_a_model_has_too_is_a_fault(file: Path) -> None:
    text = GOOD.replace('"2026-11"', "shared-new").replace("{name: pvp, uri", "{name: new-whales, uri")
    text = text.replace("{member: pvp}", "{member: new-whales}")
    with pytest.raises(Misconfigured, match="'dragonfall-shared-new-whales' is also that of a model of another"):
        load(file, text)


def test_member_file_is_checked_once_however_many_versions_name_it(file: Path) -> None:
    file.write_text(GOOD.replace("s3://models/pvp.txt", "pvp.txt"))
    (fault,) = file_faults(catalogs.read(file))
    assert str(fault).startswith(f"{file}:7: members[1].uri: {file.parent / 'pvp.txt'} is missing")


def test_member_that_no_version_names_is_a_warning(file: Path) -> None:
    file.write_text(GOOD.replace("      - {member: whales, weight: 2}\n", ""))
    (warning,) = value_check.warnings(catalogs.read(file))
    assert str(warning).startswith(f"{file}:6: members[0].name: no version names 'whales'; remove it")


def test_member_has_one_deployment_and_one_autoscaler(file: Path) -> None:
    catalog = load(file)
    found = {one.name: (one.versions, one.settings.replicas.min) for one in workers_of(catalog)}
    assert found == {
        "dragonfall-shared-whales": (("2026-10",), 5),
        "dragonfall-shared-pvp": (("2026-10", "2026-11"), 3),
        "dragonfall-2026-10-asia": (("2026-10",), 4),
        "dragonfall-2026-11-whales": (("2026-11",), 3),
    }
    assert [one.name for one in autoscalers(catalog)][1:] == list(found)


def test_schema_accepts_members_and_their_votes() -> None:
    schema = jsonschema.Draft202012Validator(catalogs.schema())
    tree = yaml.safe_load(GOOD)
    assert schema.is_valid(tree)
    tree["versions"]["2026-10"]["models"][0]["uri"] = "whales.txt"
    assert not schema.is_valid(tree)
    del tree["versions"]["2026-10"]["models"][0]["uri"]
    tree["members"][0]["weight"] = 2
    assert not schema.is_valid(tree)
