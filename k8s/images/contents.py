"""What the tree of an image contains: packages, libraries inside of packages, our own parts, and nothing else.

Each file belongs to one part. A file of no part is an error, so that a list of the parts is complete.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

HOME = Path("opt/ensemble-mesh")
OWN = ("mesh", "supervisor", "model_worker")
ENGINE = "model_worker/forest/_engine*.so"
LIBGOMP = Path("usr/lib/libgomp.so.1")
_HASH = "--hash=sha256:"
# SPDX expressions for what some packages write instead.
_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",  # python-dateutil
    "MIT License": "MIT",
}


class WrongTree(Exception):
    """The tree cannot be described; the text is a sentence with the fix."""


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package. `sha256` is that of its file in the index; `libraries` are those that it bundles."""

    name: str
    version: str
    licence: str | None
    sha256: str
    file: str
    requires: tuple[str, ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contents:
    """The parts of an image: packages, and the SHA-256 of our own parts, of the engine and of OpenMP by their name.

    `openmp_from` is the package, already removed, from whose file the OpenMP library is.
    """

    packages: tuple[Package, ...]
    own: Mapping[str, str]
    engine: Mapping[str, str]
    openmp: str | None
    openmp_from: Package | None


def read_contents(root: Path, report: Path, lock: Path) -> Contents:
    """Reads the tree at `root`. `report` says which files pip installed; `lock` has the hashes that it may install.

    Raises WrongTree if a package has no hash of the lock file, or if a file belongs to no part.
    """
    (folder,) = root.glob(f"{HOME}/lib/python*/site-packages")
    installed = _installed(report, lock)
    packages = tuple(_package(info, installed) for info in sorted(folder.glob("*.dist-info")))
    owned = {path for info in folder.glob("*.dist-info") for path in _recorded(info)}
    unknown = sorted(_unknown(root, folder, owned))
    if unknown:
        more = f" and {len(unknown) - 1} other files" if len(unknown) > 1 else ""
        raise WrongTree(f"{root}: {unknown[0]}{more} belong to no part of the image; lay the tree out again")
    openmp = root / LIBGOMP
    return Contents(
        packages,
        {name: _tree_digest(folder / name) for name in OWN if (folder / name).is_dir()},
        {path.name: _digest(path) for path in folder.glob(ENGINE)},
        _digest(openmp) if openmp.is_file() else None,
        installed.get("scikit-learn") if openmp.is_file() else None,
    )


def hashes_of(lock: Path) -> dict[str, frozenset[str]]:
    """Returns the SHA-256 digests of each package of a lock file, by its name in the form of PEP 503."""
    found: dict[str, frozenset[str]] = {}
    for entry in lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        name, is_pinned, rest = entry.partition("==")
        if is_pinned:  # a package may have several versions, for different versions of Python
            digests = (word.removeprefix(_HASH) for word in rest.split() if word.startswith(_HASH))
            found[_canonical(name)] = found.get(_canonical(name), frozenset()).union(digests)
    return found


def _installed(report: Path, lock: Path) -> dict[str, Package]:
    """The packages of pip's report, by name; each has the digest of its file, which the lock file must have."""
    allowed = hashes_of(lock)
    try:
        entries = json.loads(report.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WrongTree(f"{report}: is missing; lay the tree out again with `make image-roots`") from None
    found = {}
    for entry in entries:
        name = _canonical(entry["name"])
        if entry["sha256"] not in allowed.get(name, ()):
            raise WrongTree(f"{report}: the file of {name} is not in {lock}; lay the tree out again")
        found[name] = Package(name, entry["version"], None, entry["sha256"], entry["file"])
    return found


def _package(info: Path, installed: Mapping[str, Package]) -> Package:
    facts = HeaderParser().parsestr((info / "METADATA").read_text(encoding="utf-8"))
    name = _canonical(facts["Name"])
    one = installed.get(name)
    if one is None or one.version != facts["Version"]:
        raise WrongTree(f"{info}: pip did not install {name} {facts['Version']}; lay the tree out again")
    bundled = [path for path in _recorded(info) if path.parent.name.endswith(".libs") and path.is_file()]
    return Package(
        name,
        one.version,
        _licence(facts),
        one.sha256,
        one.file,
        tuple(facts.get_all("Requires-Dist") or ()),
        {path.name: _digest(path) for path in sorted(bundled)},
    )


def _licence(facts: Message) -> str | None:
    """The licence: an SPDX expression if the package has one, else the text of the package, or its classifiers."""
    classifiers = [one.split(" :: ")[-1] for one in facts.get_all("Classifier") or () if one.startswith("License :: ")]
    given = facts["License-Expression"] or facts["License"] or " or ".join(classifiers)
    text = " ".join(given.split())[:200]
    return _SPDX.get(text, text) or None


def _recorded(info: Path) -> Iterable[Path]:
    with (info / "RECORD").open(encoding="utf-8", newline="") as file:
        return [Path(info.parent, row[0]) for row in csv.reader(file) if row]


def _unknown(root: Path, folder: Path, owned: set[Path]) -> Iterable[str]:
    for path in root.rglob("*"):
        inside = path.relative_to(root)
        if path.is_dir() and not path.is_symlink():
            continue
        if path.is_relative_to(folder) and path.relative_to(folder).parts[0] in OWN:
            continue
        is_environment = inside == HOME / "pyvenv.cfg" or inside.parent == HOME / "bin" or inside == HOME / "lib64"
        if not (is_environment or path in owned or inside == LIBGOMP or _source_of(path) in owned):
            yield str(inside)


def _source_of(path: Path) -> Path:
    """The source of a compiled Python file."""
    return path.parent.parent / f"{path.name.partition('.')[0]}.py" if path.parent.name == "__pycache__" else path


def _tree_digest(folder: Path) -> str:
    """The SHA-256 of the names and digests of all files below `folder`."""
    files: Sequence[Path] = sorted(path for path in folder.rglob("*") if path.is_file())
    listing = "".join(f"{_digest(path)}  {path.relative_to(folder)}\n" for path in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _canonical(name: str) -> str:
    return name.strip().partition("[")[0].replace("_", "-").replace(".", "-").lower()
