"""Faults in the text of a catalog: all at once, each with its line, its path and the fix."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog import catalog
from mesh.catalog import files as catalog_files
from mesh.catalog.version import Version
from mesh.errors import Misconfigured
from mesh.players.settings import DynamoFeatures, SqliteFeatures

GOOD = """\
game: dragonfall
features: {path: players.sqlite}
offers: {path: offers.csv, fallback: starter-pack}
context: {platform: text}
versions:
  "2026-10":
    traffic: 90
    combine: {kind: mean, quorum: 2}
    models:
      - {name: whales, uri: models/whales.txt, weight: 1.5}
      - {name: minnows, uri: s3://bucket/minnows.txt, class: 2}
  "2026-11":
    traffic: 10
    models:
      - {name: whales, uri: /abs/whales.txt}
"""


def faults(file: Path, text: str) -> list[str]:
    """The faults of `text`, without the file's name: `LINE: PATH: PROBLEM; FIX`."""
    file.write_text(text, encoding="utf-8")
    try:
        found = [str(fault) for fault in catalog.read(file).faults]
    except Misconfigured as error:
        found = error.faults
    assert all(fault.startswith(str(file)) for fault in found)
    return [fault.removeprefix(f"{file}:").strip() for fault in found]


def swap(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_valid_catalog_has_no_faults(file: Path) -> None:
    assert faults(file, GOOD) == []


def test_relative_paths_start_at_the_folder_of_the_file(file: Path) -> None:
    file.write_text(GOOD)
    loaded = catalog.load(file)
    uris = [model.uri for version in loaded.versions.values() for model in version.models]
    assert uris == [str(file.parent / "models/whales.txt"), "s3://bucket/minnows.txt", "/abs/whales.txt"]
    assert isinstance(loaded.features, SqliteFeatures)
    assert loaded.features.path == str(file.parent / "players.sqlite")


def test_missing_keys_have_defaults(file: Path) -> None:
    file.write_text(GOOD)
    loaded = catalog.load(file)
    assert (loaded.budget_ms, loaded.features.timeout_ms, loaded.features.cache_ttl_s) == (300, 50, 5)
    assert loaded.versions["2026-11"].quorum == 1
    assert loaded.versions["2026-10"].models[1].class_ == 2


@pytest.mark.parametrize(("models", "quorum"), [(1, 1), (2, 2), (3, 2), (15, 8)])
def test_default_quorum_is_more_than_half(models: int, quorum: int) -> None:
    listed = [{"name": f"m{number}", "uri": "m.txt"} for number in range(models)]
    assert Version.model_validate({"models": listed}).quorum == quorum


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("features: {path", "features: {pth: x, path", "2: features.pth: unknown key; did you mean 'path'?"),
        ("game: dragonfall", "game: dragonfall\nbudget: 3", "2: budget: unknown key; did you mean 'budget_ms'?"),
        (
            "traffic: 90",
            "traffic: 90\n    trafic: 1",
            "8: versions.2026-10.trafic: unknown key; did you mean 'traffic'?",
        ),
        ("quorum: 2", "quorum: 2, quorm: 2", "8: versions.2026-10.combine.quorm: unknown key; did you mean 'quorum'?"),
        ("weight: 1.5", "wieght: 1.5", "10: versions.2026-10.models[0].wieght: unknown key; did you mean 'weight'?"),
        ("class: 2", "clas: 2", "11: versions.2026-10.models[1].clas: unknown key; did you mean 'class'?"),
        ("game: dragonfall", "game: Dragon_Fall", "1: game: 'Dragon_Fall' is not a DNS label"),
        ("{name: minnows", "{name: mínnows", "11: versions.2026-10.models[1].name: 'mínnows' is not a DNS label"),
        ("name: minnows", "name: " + "m" * 64, f"11: versions.2026-10.models[1].name: '{'m' * 64}' is not a DNS label"),
        ("game: dragonfall", "game: 5", "1: game: 5 is not text; put it in quotes"),
        ('"2026-11"', "2026", "5: versions[2026]: 2026 is not text; put it in quotes"),
        ('"2026-11"', "2026-11-28", "12: versions.2026-11-28: 2026-11-28 is not text; put it in quotes"),
        (
            "- {name: minnows, ",
            "- minnows\n      - {name: minnows, ",
            "11: versions.2026-10.models[1]: 'minnows' is wrong; it should be keys",
        ),
        ("traffic: 90", "traffic: ninety", "7: versions.2026-10.traffic: 'ninety' is wrong"),
        ("quorum: 2", "quorum: 1.5", "8: versions.2026-10.combine.quorum: 1.5 is wrong; it should be a whole number"),
        ("class: 2", "class: two", "11: versions.2026-10.models[1].class: 'two' is wrong; it should be a whole number"),
        ("traffic: 10\n", "traffic: 11\n", "5: versions: the traffic of the versions adds up to 101"),
        ("traffic: 10\n", "traffic: 10.0001\n", "5: versions: the traffic of the versions adds up to 100.0001;"),
        ("traffic: 10\n", "traffic: 10\n    shadow: 101\n", "14: versions.2026-11.shadow: 101 is wrong"),
        ("traffic: 90", "traffic: -1", "7: versions.2026-10.traffic: -1 is wrong"),
        ("weight: 1.5", "weight: .nan", "10: versions.2026-10.models[0].weight: nan is wrong"),
        ("weight: 1.5", "weight: 0", "10: versions.2026-10.models[0].weight: 0 is wrong"),
        ("weight: 1.5", "weight: yes", "10: versions.2026-10.models[0].weight: True is wrong"),
        ("weight: 1.5", "sha256: ABC", "10: versions.2026-10.models[0].sha256: 'ABC' is not a SHA-256"),
        (
            "quorum: 2",
            "quorum: 3",
            "8: versions.2026-10.combine.quorum: 3 votes required, but the version has 2 models",
        ),
        ("kind: mean", "kind: average", "8: versions.2026-10.combine.kind: 'average' is wrong"),
        ("name: minnows", "name: whales", "11: versions.2026-10.models[1].name: 'whales' is already the name of "),
        ("features: {path: players.sqlite}\n", "", "1: features: is missing; add it"),
        (
            "features: {path: players.sqlite}",
            "features: {store: redis, path: x}",
            "2: features.store: 'redis' is wrong",
        ),
        ("context: {platform: text}", "context: {platform: word}", "4: context.platform: 'word' is wrong"),
        (", fallback: starter-pack", "", "3: offers.fallback: is missing; add it"),
        ("uri: models/whales.txt, ", "", "10: versions.2026-10.models[0].uri: is missing; add it"),
        (
            "traffic: 10\n",
            "traffic: 10\n    traffic: 10\n",
            "14: versions.2026-11.traffic: occurs twice, first on line 13",
        ),
        ("weight: 1.5", "name: pvp", "10: versions.2026-10.models[0].name: occurs twice"),
        ("game: dragonfall", "game: dragonfall\nbudget_ms: 0", "2: budget_ms: 0 is wrong"),
    ],
)
def test_fault_has_its_line_its_path_and_the_fix(file: Path, old: str, new: str, expected: str) -> None:
    found = faults(file, swap(old, new))
    assert len(found) >= 1
    assert found[0].startswith(expected)
    assert "; " in found[0]


def test_block_that_occurs_twice_is_one_fault(file: Path) -> None:
    (fault,) = faults(file, swap('"2026-11":', '"2026-10":'))
    assert fault == "12: versions.2026-10: occurs twice, first on line 6; remove one"


def test_quorum_counts_only_the_models_that_vote(file: Path) -> None:
    text = swap("uri: s3://bucket/minnows.txt", "uri: s3://bucket/minnows.txt, shadow: true")
    assert faults(file, text) == [
        "8: versions.2026-10.combine.quorum: 2 votes required, but the version has 1 models that vote; "
        "lower the quorum or add models"
    ]
    file.write_text(text.replace(", quorum: 2", ""))
    version = catalog.load(file).versions["2026-10"]
    assert ([model.name for model in version.voters], version.quorum) == (["whales"], 1)


def test_version_needs_a_model_that_votes(file: Path) -> None:
    assert faults(file, swap("uri: /abs/whales.txt", "uri: /abs/whales.txt, shadow: true")) == [
        "14: versions.2026-11.models: every model is a shadow; let at least one model vote"
    ]


def test_shadow_needs_another_version_with_players(file: Path) -> None:
    text = swap("traffic: 90", "traffic: 100\n    shadow: 10").replace("traffic: 10\n", "traffic: 0\n")
    assert faults(file, text) == [
        "8: versions.2026-10.shadow: is set, but no other version has players whose requests can be compared; "
        "give another version traffic or remove it"
    ]


DYNAMO = "{store: dynamodb, table: players, region: eu-west-1"


def test_table_has_defaults(file: Path) -> None:
    file.write_text(swap("features: {path: players.sqlite}", f"features: {DYNAMO}}}"))
    features = catalog.load(file).features
    assert isinstance(features, DynamoFeatures)
    assert (features.key, features.layout, features.timeout_ms, features.consistent) == (
        "player_id",
        "packed",
        50,
        False,
    )
    assert features.named_columns is None


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("{store: dynamodb, tabel: players, region: x}", "features.table: is missing; add it"),
        (f"{DYNAMO}, lay_out: map}}", "features.lay_out: unknown key; did you mean 'layout'?"),
        (f"{DYNAMO}, layout: maps}}", "features.layout: 'maps' is wrong; it should be 'packed', 'attributes', "),
        (
            f"{DYNAMO}, columns: {{numbers: [a], text: [b]}}}}",
            "features.columns.text: unknown key; did you mean 'texts'?",
        ),
        (f"{DYNAMO}, columns: {{numbers: [a]}}}}", "features.columns: are set, but a packed table stores its own"),
        (f"{DYNAMO}, layout: map, columns: {{numbers: [a], texts: [a]}}}}", "features.columns: 'a' occurs twice"),
        (f"{DYNAMO}, layout: feast, entity: player}}", "features.columns: are missing, but a Feast table"),
        (
            f"{DYNAMO}, layout: feast, columns: {{}}}}",
            "features.entity: is missing, but Feast computes the key from it",
        ),
        (
            "{store: dynamodb, table: ppp, region: EU west}",
            "features.region: 'EU west' is not an AWS region; give a region such",
        ),
        (
            f"{DYNAMO}, endpoint_url: localhost:8000}}",
            "features.endpoint_url: 'localhost:8000' is not a server URL",
        ),
        (f"{DYNAMO}, key: numbers}}", "features.key: 'numbers' is also the name of another attribute"),
        (f"{DYNAMO}, layout: map, key: f, attribute: f}}", "features.key: 'f' is also the name of another attribute"),
        (
            f"{DYNAMO}, layout: attributes, columns: {{texts: [player_id]}}}}",
            "features.columns: 'player_id' is a reserved name in this layout",
        ),
        ("{store: dynamodb, table: p/1, region: x}", "features.table: 'p/1' is not a DynamoDB table name"),
        (f"{DYNAMO}, path: x}}", "features.path: unknown key"),
    ],
)
def test_fault_of_a_table_has_its_line_its_path_and_the_fix(file: Path, features: str, expected: str) -> None:
    found = faults(file, swap("features: {path: players.sqlite}", f"features: {features}"))
    assert found[0].startswith(f"2: {expected}")
    assert "; " in found[0]


def test_rank_mean_needs_offers(file: Path) -> None:
    text = swap("kind: mean", "kind: rank_mean").replace("offers: {path: offers.csv, fallback: starter-pack}\n", "")
    assert [fault.split(": ")[1] for fault in faults(file, text)] == ["versions.2026-10.combine.kind"]


def test_all_faults_are_reported_at_once(file: Path) -> None:
    text = (
        swap("traffic: 90", "traffic: 80")
        .replace("game: dragonfall", "game: Dragonfall")
        .replace("quorum: 2", "quorum: 7")
        .replace("minnows, uri", "whales, uri")
        .replace("weight: 1.5", "weight: -1")
        .replace("features: {path", "features: {pathh: x, path")
    )
    places = {fault.split(": ")[1] for fault in faults(file, text)}
    assert places == {
        "game",
        "features.pathh",
        "versions",
        "versions.2026-10.combine.quorum",
        "versions.2026-10.models[0].weight",
        "versions.2026-10.models[1].name",
    }


def test_load_raises_with_every_fault(file: Path) -> None:
    file.write_text(swap("quorum: 2", "quorum: 3").replace("traffic: 90", "traffic: 91"))
    with pytest.raises(Misconfigured) as caught:
        catalog.load(file)
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not a catalog"),
        ("- a\n- b\n", "is not a catalog"),
        ("a: [", "1: is not valid YAML: expected the node content, but found '<stream end>'; fix the syntax"),
        ("a: 1\n\tb: 2\n", "2: is not valid YAML: the line contains a tab; use spaces"),
        ("a: 1\nb: [1,\nc: 2\n", "is not valid YAML"),
        ("a: 1\nb: @", "2: is not valid YAML: found character '@' that cannot start any token; fix the syntax"),
        ("a: 1\n\nb: 3: 4", "3: is not valid YAML: mapping values are not allowed here; fix the syntax"),
        ("a: !!python/name:os.system x", "1: is not valid YAML: could not determine a constructor for the tag"),
        ("a: \x01", "is not valid YAML"),
        ("a: 2026-13-45", "is not valid YAML"),
    ],
)
def test_file_that_is_not_a_catalog_is_one_fault(file: Path, content: str, problem: str) -> None:
    (fault,) = faults(file, content)
    assert problem in fault


def test_missing_file_is_a_fault(file: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        catalog.read(file)


def test_file_that_is_not_utf8_is_a_fault(file: Path) -> None:
    file.write_bytes(b"game: \xff\xfe")
    with pytest.raises(Misconfigured, match=r"cannot be read: .*; save it as UTF-8$"):
        catalog.read(file)


LOOPS = ["game: &a [*a]\n", "game: &a {x: *a}\n", "&a [*a]\n"]
MALFORMED = {
    "an invalid date": "game: 2026-13-45\n",
    "an invalid number": "game: !!int abc\n",
    "nested too deeply": "game: " + "[" * 2000 + "]" * 2000,
    "a number with too many digits": GOOD.replace("traffic: 90", "traffic: " + "9" * 5000),
    "a number too large for a float": GOOD.replace("traffic: 90", "traffic: " + "9" * 400),
}


@pytest.mark.parametrize(
    "text",
    list(MALFORMED.values()),
    ids=MALFORMED,
)
def test_malformed_file_is_a_fault(file: Path, text: str) -> None:
    assert faults(file, text)


@pytest.mark.parametrize("text", LOOPS)
def test_recursive_alias_is_a_fault(file: Path, text: str) -> None:
    (fault,) = faults(file, text)
    assert "alias" in fault or "is not a catalog" in fault


def test_too_long_path_is_a_fault(file: Path) -> None:
    file.write_text(GOOD.replace("players.sqlite", "p" * 300))
    assert catalog_files.faults(catalog.read(file))


STORE_KEYS = ("store", "timeout_ms", "cache_ttl_s", "cache_players", "unknown_player", "unread_player")


SCALED_KEYS = {"image", "engine", "replicas", "resources", "signal", "in_flight", "hpa", "schedule", "pod"}
SERVING_BLOCKS = {
    "": {
        *("game", "budget_ms", "reserve_ms", "features", "context", "offers", "assignment", "members", "versions"),
        *("decisions", "callers", "tls", "tracing", "supervisor", "kubernetes", "global", "enabled"),
        *SCALED_KEYS,
    },
    "SqliteFeatures": {"path", *STORE_KEYS},
    "DynamoFeatures": {
        *("table", "region", "endpoint_url", "key", "layout", "attribute", "entity", "columns"),
        *("consistent", "ttl", "stale_ok_s"),
        *STORE_KEYS,
    },
    "TableColumns": {"numbers", "texts"},
    "Offers": {"path", "table", "fallback", "rank_by"},
    "Version": {"traffic", "rollout", "guard", "ready", "shadow", "explore", "combine", "reference", "models"}
    | SCALED_KEYS,
    "Explore": {"kind", "share", "top", "temperature"},
    "Assignment": {"salt", "holdout"},
    "Decisions": {"to", "sample", "features", "votes", "flush_s", "max_mb", "players", "exclude"},
    "Rollout": {"start", "steps", "hold_s"},
    "Guard": {"to", "whole", "p99_ms", "window_s", "min_requests"},
    "Combine": {"kind", "quorum", "trim", "threshold"},
    "Member": {"name", "uri", "sha256", "categories", "golden", "golden_sha256", "class", *SCALED_KEYS},
    "MemberVote": {"member", "weight", "shadow"},
    "Model": {
        "name",
        "uri",
        "sha256",
        "categories",
        "golden",
        "golden_sha256",
        "weight",
        "class",
        "shadow",
        *SCALED_KEYS,
    },
}


def test_schema_describes_every_key() -> None:
    schema = catalog.schema()
    blocks = {"": schema, **schema["$defs"]}
    assert SERVING_BLOCKS.items() <= {name: set(block["properties"]) for name, block in blocks.items()}.items()
    assert all(block["additionalProperties"] is False for block in blocks.values() if block["type"] == "object")
    assert schema["properties"]["versions"]["additionalProperties"] is False


def test_schema_accepts_the_example() -> None:
    example = yaml.safe_load(Path("examples/dragonfall/mesh.yaml").read_text())
    schema = jsonschema.Draft202012Validator(catalog.schema())
    assert schema.is_valid(example)
    example["versions"]["2026-10"]["models"][0]["wieght"] = 2
    assert not schema.is_valid(example)


CPU = {"name": "cpu", "container": "worker", "target": {"type": "Utilization", "averageUtilization": 60}}
BLOCKS: list[tuple[str, Any]] = [
    ("features", {"path": "p"}),
    ("features", {"store": "sqlite", "path": "p"}),
    ("features", {"store": "dynamodb", "table": "players", "region": "eu-west-1"}),
    ("features", {"store": "dynamodb", "path": "p"}),
    ("features", {"store": "redis", "path": "p"}),
    ("features", 3),
    ("offers", None),
    ("offers", {"path": "o", "fallback": "x"}),
    ("offers", {"path": 3, "fallback": "x"}),
    ("hpa", {"metrics": None}),
    ("hpa", {"metrics": []}),
    ("hpa", {"metrics": [{"type": "ContainerResource", "containerResource": CPU}]}),
    ("hpa", {"metrics": [{"type": "Resource", "containerResource": CPU}]}),
    ("hpa", {"metrics": [{"containerResource": CPU}]}),
    ("hpa", {"metrics": [{"type": "Pod"}]}),
    ("hpa", {"behavior": {"scaleUp": {"tolerance": 0.1}}}),
    ("hpa", {"behavior": {"scaleUp": {"tolerance": "-0.1"}}}),
    ("resources", {"cpu": 0.5}),
    ("resources", {"cpu": "500m"}),
    ("resources", {"cpu": 0}),
    ("resources", {"cpu_limit": None}),
    ("versions", {"Bad Name": {"models": [{"name": "m", "uri": "m.txt"}]}}),
]


@pytest.mark.parametrize(("key", "block"), BLOCKS)
def test_schema_and_types_accept_the_same_blocks(file: Path, key: str, block: Any) -> None:
    whole = {**yaml.safe_load(GOOD), key: block}
    accepted = not faults(file, yaml.safe_dump(whole))
    assert jsonschema.Draft202012Validator(catalog.schema()).is_valid(whole) is accepted


def test_schema_reports_a_fault_in_a_block_of_several_kinds_once() -> None:
    whole = {**yaml.safe_load(GOOD), "features": {"store": "dynamodb", "table": "players", "region": 3}}
    (error,) = jsonschema.Draft202012Validator(catalog.schema()).iter_errors(whole)
    assert (list(error.path), error.message) == (["features", "region"], "3 is not of type 'string'")


KEYS = st.sampled_from(
    [
        *("game", "features", "path", "offers", "fallback", "versions", "traffic", "combine", "kind", "quorum", "trim"),
        *("models", "name", "uri", "class", "sha256", "weight", "context", "2026-10", "budget_ms", "store", ""),
    ]
)
TOP_KEYS = st.sampled_from(["game", "features", "offers", "versions", "context", "budget_ms"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats()
    | st.sampled_from(["x", "", "mean", "../x", "s3://b/k", "\0", "ünïcode", "2026-10", "text", "a" * 64])
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def _read_all(folder: Path, tree: Any) -> None:
    file = folder / "mesh.yaml"
    file.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    try:
        draft = catalog.read(file)
        found = [*draft.faults, *catalog_files.faults(draft)]
    except Misconfigured as error:
        assert error.faults  # noqa: PT017
    else:
        assert found or draft.catalog is not None
        assert all(str(fault) for fault in found)


def test_random_tree_raises_only_misconfigured(tmp_path: Path) -> None:
    @given(st.dictionaries(TOP_KEYS, TREES, max_size=5) | TREES)
    def one(tree: Any) -> None:
        _read_all(tmp_path, tree)

    _read_all(tmp_path, {"versions": {"v": {"trafic": 1}}})
    one()


def test_catalog_with_one_random_value_raises_only_misconfigured(tmp_path: Path) -> None:
    places = [
        ("game",),
        ("features", "path"),
        ("offers",),
        ("offers", "path"),
        ("context", "platform"),
        ("versions",),
        ("versions", "2026-10"),
        ("versions", "2026-10", "traffic"),
        ("versions", "2026-10", "combine"),
        ("versions", "2026-10", "combine", "quorum"),
        ("versions", "2026-10", "models"),
        ("versions", "2026-10", "models", 0),
        ("versions", "2026-10", "models", 0, "weight"),
        ("versions", "2026-10", "models", 1, "uri"),
    ]

    @given(st.sampled_from(places), LEAVES | st.lists(LEAVES, max_size=2))
    def one(place: tuple[Any, ...], value: Any) -> None:
        tree = yaml.safe_load(GOOD)
        holder = tree
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = value
        _read_all(tmp_path, tree)

    one()


def test_nan_traffic_is_the_only_fault_of_the_traffic(file: Path) -> None:
    found = faults(file, swap("traffic: 90", f"traffic: {math.nan}"))
    assert [fault.split(": ")[1] for fault in found] == ["versions.2026-10.traffic"]
