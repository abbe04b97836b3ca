"""Catalogs that hurt: a text that takes long or much memory is refused, with its place and the fix."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.catalog import catalog, yaml_limits
from mesh.catalog.catalog import MAX_VERSIONS
from mesh.catalog.catalog_file import load_catalog
from mesh.catalog.faults import MAX_FAULTS, read_tree
from mesh.catalog.members import MAX_MODELS
from mesh.errors import Misconfigured
from supervisor.start_catalogs import load_catalogs

CATALOG = Path("mesh.yaml")
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGES = "m0: &m0 {k: v}\n" + "".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}\n" for n in range(1, 9))
BOMBS = {
    "billion laughs": (LAUGHS, "values, with those that aliases repeat; remove what no version uses"),
    "merges": (MERGES, "values, with those that aliases repeat"),
    "recursive alias": ("a: &a [*a]", "the alias *a is inside of the value that it repeats; remove the alias"),
    "recursive mapping": ("a: &a {b: {c: *a}}", "the alias *a is inside of the value that it repeats"),
    "deep lists": ("a: " + "[" * 5000, "more than 50 levels of lists and mappings in each other; remove some"),
    "deep blocks": ("- " * 20_000, "more than 50 levels"),
    "deep keys": ("? " * 20_000, "more than 50 levels"),
    "deep indent": ("".join(f"{' ' * n}a:\n" for n in range(900)), "more than 50 levels"),
    "many values": (f"a: [{'x,' * 150_000}]", "more than 100,000 values"),
    "long text": ("a: " + "x" * (4 * 2**20), "is longer than 4 MiB; remove what no version uses"),
    "long number": ("a: " + "9" * 4000, "a number with more than 100 characters; shorten it, or put it in quotes"),
    "hexadecimal": ("budget_ms: 0x" + "f" * 5000, "a number with more than 100 characters"),
    "base 60": ("a: " + ":".join(["1"] * 100_000), "a number with more than 100 characters"),
    "tag without value": ("a: !!int", "the value does not fit its tag !!int"),
    "tag of time": ("a: !!timestamp never", "the value does not fit its tag !!timestamp"),
    "tag of boolean": ("a: !!bool perhaps", "the value does not fit its tag !!bool"),
    "python object": ("a: !!python/object/apply:os.system [id]", "could not determine a constructor for the tag"),
}


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_with_its_line_and_the_fix(name: str) -> None:
    text, said = BOMBS[name]
    with pytest.raises(Misconfigured) as caught:
        catalog.read(CATALOG, text=text)
    (fault,) = caught.value.faults
    assert fault.startswith("mesh.yaml:")
    assert said in fault
    assert len(fault) < 500


def test_command_and_supervisor_refuse_bombs_with_little_memory(tmp_path: Path) -> None:
    for number, (text, _) in enumerate(BOMBS.values()):
        (tmp_path / f"{number}.yaml").write_text(text)
    files = sorted(map(str, tmp_path.glob("*.yaml")))
    command = [sys.executable, "-m", "mesh.cli.main", "catalog", "check", "--quick", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit_memory, timeout=110)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == len(BOMBS)
    assert "Traceback" not in done.stderr
    with pytest.raises(Misconfigured) as caught:
        load_catalogs([Path(file) for file in files])
    assert len(caught.value.faults) == len(BOMBS)


def test_endless_file_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"^/dev/zero: is larger than 4 MiB; is it the right file\?"):
        read_tree(Path("/dev/zero"))


def test_a_catalog_may_use_aliases() -> None:
    tree = read_tree(CATALOG, "base: &base {replicas: 2, list: &list [1, 2]}\nother: {<<: *base, again: *list}\n")
    assert tree.values["other"] == {"replicas": 2, "list": [1, 2], "again": [1, 2]}


def test_a_large_catalog_is_read() -> None:
    models = "".join(f"      - {{name: m{n}, uri: m{n}.txt, weight: 2}}\n" for n in range(MAX_MODELS))
    versions = "".join(f"  v{n}:\n    traffic: 20\n    models:\n{models}" for n in range(5))
    text = f"game: big\nfeatures: {{path: p.sqlite}}\nversions:\n{versions}"
    assert catalog.read(CATALOG, text=text).faults == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "versions: {"
            + ", ".join(f"v{n}: {{models: [{{name: m, uri: m.txt}}]}}" for n in range(MAX_VERSIONS + 1))
            + "}",
            "versions: has 101 entries; give at most 100",
        ),
        (
            "versions: {v: {models: [" + "{name: m, uri: m.txt}, " * (MAX_MODELS + 1) + "]}}",
            "versions.v.models: has 501 entries; give at most 500",
        ),
        ("members: [" + "{name: m, uri: m.txt}, " * (MAX_MODELS + 1) + "]", "members: has 501 entries"),
        ("context: {" + ", ".join(f"c{n}: text" for n in range(1001)) + "}", "context: has 1,001 entries"),
    ],
)
def test_too_many_entries_are_a_fault_of_their_place(text: str, said: str) -> None:
    head = "game: x\nfeatures: {path: p.sqlite}\n"
    assert any(said in str(fault) for fault in catalog.read(CATALOG, text=f"{head}{text}\n").faults)


def test_a_file_of_nonsense_has_a_bounded_number_of_faults_of_bounded_length() -> None:
    keys = "".join(f"nonsense{n}: {n}\n" for n in range(20_000))
    faults = catalog.read(CATALOG, text=f"game: {'A' * 100_000}\n{'k' * 900}: 1\n{keys}").faults
    assert len(faults) <= MAX_FAULTS + 100
    assert max(len(str(fault)) for fault in faults) < 1000


def test_offers_with_a_pipe_as_their_table_do_not_stop_the_supervisor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "offers.csv")
    file = tmp_path / "mesh.yaml"
    file.write_text("game: x\nfeatures: {path: p.sqlite}\noffers: {path: offers.csv, fallback: a}\n")
    with pytest.raises(Misconfigured, match=r"offers\.csv is missing"):
        load_catalog(file)


@given(st.text("{}[],:-?&*!|>'\"#%@` \nax01.~<=", max_size=80))
@settings(max_examples=300)
def test_any_text_is_read_or_refused(text: str) -> None:
    faults = []
    try:
        read_tree(CATALOG, text)
    except Misconfigured as error:
        faults = error.faults
    assert all(fault.startswith("mesh.yaml") for fault in faults)


def test_manifests_have_larger_limits() -> None:
    assert yaml_limits.ManifestLoader.max_nodes > yaml_limits.MAX_NODES
