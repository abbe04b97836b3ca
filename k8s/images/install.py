"""Lays out what an image adds to its base; the Dockerfile and `make image-roots` both run it, so both hold the same.

    install.py packages IMAGE ROOT   the packages of requirements/IMAGE.txt, less what is never used
    install.py code IMAGE ROOT       the service itself and what it shares with the other; the worker's with its engine
    install.py base                  in place: this Python's own library, compiled, and without pip

ROOT stands for / of the image. The same input gives the same bytes: no file tells when it was made.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
HOME = Path("opt/ensemble-mesh")
PACKAGES = Path(sysconfig.get_path("purelib", "venv", {"base": str(HOME)}))
LIBRARY = Path(sysconfig.get_path("stdlib"))
EPOCH_S = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))

# What our two stores and the usual chain of credentials call; the 430 other services are 25 MB.
AWS_SERVICES = ("dynamodb", "s3", "signin", "sso", "sso-oidc", "sts")
# The workers call LightGBM's library by its C API and find it by the package's place.
OF_LIGHTGBM = ("__init__.py", "lib")
# OpenMP, without which that library cannot be loaded: slim images lack it, and this wheel brings it.
LIBGOMP = "scikit_learn.libs/libgomp-*.so.*"
ONLY_FOR_LIBGOMP = ("sklearn", "scikit_learn.libs", "scikit_learn-*")
# Nothing of this is read by a program that runs.
FOR_DEVELOPERS = ("**/tests", "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.h", "**/*.a", "numpy/f2py")
# What a checkout has beside the code: C, and what it was compiled to there.
OF_CHECKOUTS = ("__pycache__", "cli", "loading", "_engine*", "*.c", "*.h")
INSTALLERS = ("pip", "pip-*", "setuptools*", "wheel*", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")
NEVER_IMPORTED = r"/(idlelib|lib2to3|tkinter|turtledemo|ensurepip|pydoc_data|test|site-packages)/"


def main() -> None:
    """The three commands above."""
    match sys.argv[1:]:
        case ["packages", image, root]:
            install_packages(image, Path(root).absolute())
        case ["code", image, root]:
            install_code(image, Path(root).absolute())
        case ["base"]:
            settle_base()
        case _:
            sys.exit(__doc__)


def install_packages(image: str, root: Path) -> None:
    """An environment at HOME; the index is whichever pip is set up for."""
    home, packages = root / HOME, root / PACKAGES
    venv.create(home, symlinks=True)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        home / "bin" / "python",
        "--disable-pip-version-check",
    ]
    how = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile", "--no-cache-dir"]
    lock = PROJECT / "requirements" / f"{image}.txt"
    subprocess.run([*pip, "install", "--quiet", "--root-user-action", "ignore", *how, "-r", lock], check=True)
    _remove(script for script in (home / "bin").iterdir() if not script.name.startswith("python"))
    _remove(_all_but(AWS_SERVICES, (entry for entry in (packages / "botocore" / "data").iterdir() if entry.is_dir())))
    if image == "model-worker":
        keep_libraries_of_lightgbm(packages, root)
    _remove(_found(packages, FOR_DEVELOPERS))
    settle(root)


def keep_libraries_of_lightgbm(packages: Path, root: Path) -> None:
    """Its own, and OpenMP where every loader looks: the child that tries a model has an empty environment."""
    _remove(_all_but(OF_LIGHTGBM, (packages / "lightgbm").iterdir()))
    (libgomp,) = packages.glob(LIBGOMP)
    (root / "usr" / "lib").mkdir(parents=True)
    libgomp.rename(root / "usr" / "lib" / "libgomp.so.1")
    _remove(_found(packages, ONLY_FOR_LIBGOMP))


def install_code(image: str, root: Path) -> None:
    """The service and `mesh`, without the command of that name, which is for people."""
    for package in ("mesh", image.replace("-", "_")):
        shutil.rmtree(root / PACKAGES / package, ignore_errors=True)
        shutil.copytree(PROJECT / package, root / PACKAGES / package, ignore=shutil.ignore_patterns(*OF_CHECKOUTS))
    if image == "model-worker":
        build_engine(root / PACKAGES)
    settle(root)


def build_engine(packages: Path) -> None:
    """The workers' scoring engine where setuptools puts it, from the sources and by the flags that it takes."""
    (engine,) = _pyproject()["tool"]["setuptools"]["ext-modules"]
    _remove({packages / Path(source).parent for source in engine["sources"]})
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        print(f"there is no C compiler ({compiler[0]}), and no scoring engine: the workers will serve on LightGBM")
        return
    binary = packages / (engine["name"].replace(".", "/") + sysconfig.get_config_var("EXT_SUFFIX"))
    libraries = [f"-l{library}" for library in engine["libraries"]]
    shared = [*engine["extra-compile-args"], "-fPIC", "-shared", "-o", binary]
    # By relative names: no byte of it tells where it was made.
    subprocess.run([*compiler, *shared, *engine["sources"], *libraries], cwd=PROJECT, check=True)


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def settle(root: Path) -> None:
    """Compiles all there is, and gives everything the same time."""
    compile_all(root, root=root)
    give_one_time((root, *root.rglob("*")))


def settle_base() -> None:
    """Compiles the library once: slim images do not, and where nobody may write, each start would do it again."""
    _remove(_found(LIBRARY / "site-packages", INSTALLERS))
    _remove(_found(LIBRARY, ["ensurepip/_bundled"]))
    _remove(_found(Path(sysconfig.get_path("scripts")), ["pip*", "wheel"]))
    compile_all(LIBRARY, leave_out=NEVER_IMPORTED)
    # Only what this changed: a layer holds every file whose time it sets.
    folders = (path for path in LIBRARY.rglob("*") if path.is_dir())
    compiled = LIBRARY.rglob("__pycache__/*.pyc")
    give_one_time((LIBRARY, *folders, *compiled, Path(sysconfig.get_path("scripts"))))


def compile_all(place: Path, leave_out: str = "$^", root: Path | None = None) -> None:
    """Nothing changes while an image runs, so that what is compiled need never be compared with its source."""
    compileall.compile_dir(
        place,
        quiet=1,
        force=True,
        rx=re.compile(leave_out),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        stripdir=root,
        prependdir="/" if root else None,
    )


def give_one_time(paths: Iterable[Path]) -> None:
    """Not links' targets: those may be outside."""
    for path in paths:
        os.utime(path, (EPOCH_S, EPOCH_S), follow_symlinks=False)


def _found(place: Path, patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from list(place.glob(pattern))


def _all_but(names: Iterable[str], paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if path.name not in names)


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
