"""Bills of materials: they name all that an image contains, and match the schema of CycloneDX 1.6."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from k8s.images.contents import WrongTree, hashes_of, read_contents

PROJECT = Path(__file__).parents[2]
PYTHON = PROJECT / "build" / "audit" / "bin" / "python"
ALONE = pytest.mark.whole_machine  # other tests lay the code of the images out again
IMAGES = ("supervisor", "model-worker")
BASE = f"docker.io/library/python@sha256:{'ab' * 32}"
WHEEL = hashlib.sha256(b"wheel").hexdigest()
METADATA = "Name: Tiny_Package\nVersion: 1.2\nLicense: MIT License\nRequires-Dist: six\n\ntext\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The tree of an image with one package, its lock file and pip's report; returns the folder of all three."""
    packages = tmp_path / "root/opt/ensemble-mesh/lib/python3.11/site-packages"
    for name, content in {
        "tiny_package/__init__.py": "",
        "tiny_package/__pycache__/__init__.cpython-311.pyc": "compiled",
        "tiny_package.libs/libtiny.so": "library",
        "tiny_package-1.2.dist-info/METADATA": METADATA,
        "mesh/__init__.py": "",
        "../../../pyvenv.cfg": "",
        "../../../bin/python": "",
    }.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(content)
    record = "tiny_package/__init__.py,,\ntiny_package.libs/libtiny.so,,\ntiny_package-1.2.dist-info/METADATA,,\n"
    (packages / "tiny_package-1.2.dist-info/RECORD").write_text(f"{record}tiny_package-1.2.dist-info/RECORD,,\n")
    entry = {"name": "Tiny.Package", "version": "1.2", "file": "tiny_package-1.2.whl", "sha256": WHEEL}
    (tmp_path / "report.json").write_text(json.dumps([entry]))
    (tmp_path / "lock.txt").write_text(
        f"tiny-package==1.2 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{WHEEL}\n"
    )
    return tmp_path


def read(tree: Path) -> Any:
    return read_contents(tree / "root", tree / "report.json", tree / "lock.txt")


def test_packages_have_the_hash_of_their_file_and_of_their_libraries(tree: Path) -> None:
    (package,) = read(tree).packages
    assert (package.name, package.version, package.licence, package.sha256) == ("tiny-package", "1.2", "MIT", WHEEL)
    assert package.libraries == {"libtiny.so": hashlib.sha256(b"library").hexdigest()}
    assert package.requires == ("six",)
    assert set(read(tree).own) == {"mesh"}


def test_file_of_no_part_is_refused(tree: Path) -> None:
    (tree / "root/usr").mkdir()
    (tree / "root/usr/backdoor.so").write_bytes(b"")
    with pytest.raises(WrongTree, match=r"usr/backdoor\.so belong to no part of the image"):
        read(tree)


def test_package_whose_file_is_not_locked_is_refused(tree: Path) -> None:
    lock = tree / "lock.txt"
    lock.write_text(lock.read_text().replace(WHEEL, "1" * 64))
    with pytest.raises(WrongTree, match=r"the file of tiny-package is not in .*lock\.txt"):
        read(tree)


def test_package_that_pip_did_not_install_is_refused(tree: Path) -> None:
    report = tree / "report.json"
    report.write_text(report.read_text().replace('"1.2"', '"1.3"'))
    with pytest.raises(WrongTree, match=r"pip did not install tiny-package 1\.2"):
        read(tree)


def test_locks_of_several_versions_of_a_package_are_joined(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "a==1 ; python_version < '3.12' \\\n  --hash=sha256:x\na==2 ; python_version >= '3.12' --hash=sha256:y\n"
    )
    assert hashes_of(lock) == {"a": frozenset({"x", "y"})}


@pytest.fixture(scope="module", params=IMAGES)
def bill(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The bill of materials of an image, which `sbom` has checked with the official schema."""
    image, tmp_path = str(request.param), tmp_path_factory.mktemp("bills")
    if not PYTHON.exists():
        pytest.skip("the tools are not installed; run `make build/audit/stamp`")
    if not (PROJECT / "build/images" / f"{image}.packages.json").exists():
        pytest.skip("the files of the images are not installed; run `make image-roots`")
    command: list[str | Path] = [PYTHON, "-m", "k8s.images.sbom", image]
    for name in ("first", "second"):
        subprocess.run([*command, tmp_path / name, "--base", BASE], check=True, cwd=PROJECT)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    found: dict[str, Any] = json.loads((tmp_path / "first").read_text())
    return found


@ALONE
def test_bill_of_an_image_names_every_part(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = {one["name"]: one for one in bill["components"]}
    image = bill["metadata"]["component"]["name"].removeprefix("ensemble-mesh/")
    own = {"mesh", image.replace("-", "_")}
    assert own <= parts.keys()
    assert parts["docker.io/library/python"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    if image == "model-worker":
        assert {"libgomp", "lightgbm"} <= parts.keys()
        assert parts["libgomp"]["licenses"] == [{"expression": "GPL-3.0-or-later WITH GCC-exception-3.1"}]
    locked = hashes_of(PROJECT / "requirements" / f"{image}.txt")
    packages = {name: one for name, one in parts.items() if one.get("purl")}
    assert packages.keys() <= locked.keys()
    assert {"grpcio", "protobuf", "prometheus-client", "cryptography"} <= packages.keys()
    for name, one in packages.items():
        (digest,) = one["hashes"]
        assert digest["content"] in locked[name]
        assert one["licenses"], name
        assert one["purl"] == f"pkg:pypi/{name}@{one['version']}"
    assert not re.search(r"https?://(?!cyclonedx\.org)", json.dumps(parts)), "a registry is named"


@ALONE
def test_bill_says_what_needs_what(bill: dict[str, Any]) -> None:
    needs = {one["ref"]: set(one.get("dependsOn", ())) for one in bill["dependencies"]}
    assert "grpcio" in needs["grpcio-health-checking"]
    assert needs["image"] >= {one["bom-ref"] for one in bill["components"]}


def test_base_without_a_digest_is_refused() -> None:
    if not PYTHON.exists():
        pytest.skip("the tools are not installed; run `make build/audit/stamp`")
    command: list[str | Path] = [PYTHON, "-m", "k8s.images.sbom", "supervisor", "x", "--base", "python:3.11"]
    done = subprocess.run(command, check=False, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "'python:3.11' has no digest; give NAME@sha256:DIGEST" in done.stderr
