"""Lays out the files that an image adds to its base. The Dockerfile and `make image-roots` both run this script.

    install.py packages IMAGE ROOT   installs the packages of requirements/IMAGE.txt, without files that are never used
    install.py code IMAGE ROOT       installs the service and `mesh`; for the worker also builds the engine
    install.py base                  in place: compiles this Python's own library and removes pip

ROOT is the / of the image. The same input gives the same bytes: no file contains the time of the build.
"""

from __future__ import annotations

import compileall
import json
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

# The services that our two stores and the usual credential chain call; the 430 other services are 25 MB.
AWS_SERVICES = ("dynamodb", "s3", "signin", "sso", "sso-oidc", "sts")
# Workers call LightGBM's library through its C API and find it by the location of the package.
KEPT_OF_LIGHTGBM = ("__init__.py", "lib")
# OpenMP, which that library needs: slim images lack it, and this wheel contains it.
LIBGOMP = "scikit_learn.libs/libgomp-*.so.*"
ONLY_FOR_LIBGOMP = ("sklearn", "scikit_learn.libs", "scikit_learn-*")
# The writer of the decision log only encodes Parquet; the libraries for other services and formats are 50 MB.
UNUSED_OF_ARROW = (
    "libarrow_flight*", "libarrow_python_flight*", "_flight*", "libarrow_s3*", "_s3fs*", "_gcsfs*", "_azurefs*",
    "_hdfs*", "_orc*", "_dataset_orc*", "_parquet_encryption*", "_dataset_parquet_encryption*",
    "libarrow_python_parquet_encryption*", "_pyarrow_cpp_tests*", "_substrait*", "libarrow_python.so",
    "libarrow_python.so.*.*", "*.pxi", "include", "includes", "src",
)  # fmt: skip
# Files that no running program reads.
FOR_DEVELOPERS = ("**/tests", "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.h", "**/*.a", "numpy/f2py")
# Files of a checkout that an image does not need: C sources and build output.
NOT_IN_IMAGES = ("__pycache__", "loading", "reference", "_engine*", "*.c", "*.h")
# The commands are for people. The supervisor's image has them, because the chart checks a catalog before an upgrade.
ONLY_FOR_SUPERVISORS = ("cli",)
INSTALLERS = ("pip", "pip-*", "setuptools*", "wheel*", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")
NEVER_IMPORTED = r"/(idlelib|lib2to3|tkinter|turtledemo|ensurepip|pydoc_data|test|site-packages)/"


def main() -> None:
    """Runs one of the three commands above."""
    match sys.argv[1:]:
        case ["packages", image, root]:
            install_packages(image, Path(root).absolute())
        case ["code", image, root]:
            install_code(image, Path(root).absolute())
        case ["base"]:
            compile_base()
        case _:
            sys.exit(__doc__)


def install_packages(image: str, root: Path) -> None:
    """Creates an environment at HOME with the packages of the lock file, from the index that pip is configured for.

    Beside `root`, ROOT.packages.json says which files these are: `make sbom` reads it.
    """
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
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile", "--no-cache-dir"]
    lock = PROJECT / "requirements" / f"{image}.txt"
    report = root.with_name(f"{root.name}.packages.json")
    options += ["--quiet", "--root-user-action", "ignore"]
    subprocess.run([*pip, "install", *options, "--report", report, "-r", lock], check=True)
    keep_names_and_digests(report)
    _remove(script for script in (home / "bin").iterdir() if not script.name.startswith("python"))
    _remove(_except(AWS_SERVICES, (entry for entry in (packages / "botocore" / "data").iterdir() if entry.is_dir())))
    if image == "model-worker":
        keep_libraries_of_lightgbm(packages, root)
    else:
        _remove(_found(packages / "pyarrow", UNUSED_OF_ARROW))
    _remove(_found(packages, FOR_DEVELOPERS))
    finish_layout(root)


def keep_names_and_digests(report: Path) -> None:
    """Replaces pip's report by the name, version, file name and SHA-256 of each package, without its address."""
    installed = [(one["metadata"], one["download_info"]) for one in json.loads(report.read_text())["install"]]
    kept = [
        {
            "name": metadata["name"],
            "version": metadata["version"],
            "file": source["url"].rpartition("/")[2].partition("#")[0],
            "sha256": source["archive_info"]["hashes"]["sha256"],
        }
        for metadata, source in installed
    ]
    report.write_text(json.dumps(sorted(kept, key=lambda one: one["name"]), indent=1) + "\n")


def keep_libraries_of_lightgbm(packages: Path, root: Path) -> None:
    """Keeps LightGBM's library and OpenMP.

    OpenMP goes to /usr/lib, where every loader looks: the process that proves a model has an empty environment.
    """
    _remove(_except(KEPT_OF_LIGHTGBM, (packages / "lightgbm").iterdir()))
    (libgomp,) = packages.glob(LIBGOMP)
    (root / "usr" / "lib").mkdir(parents=True)
    libgomp.rename(root / "usr" / "lib" / "libgomp.so.1")
    _remove(_found(packages, ONLY_FOR_LIBGOMP))


def install_code(image: str, root: Path) -> None:
    """Installs the service and `mesh`."""
    left_out = NOT_IN_IMAGES if image == "supervisor" else (*NOT_IN_IMAGES, *ONLY_FOR_SUPERVISORS)
    for package in ("mesh", image.replace("-", "_")):
        shutil.rmtree(root / PACKAGES / package, ignore_errors=True)
        shutil.copytree(PROJECT / package, root / PACKAGES / package, ignore=shutil.ignore_patterns(*left_out))
    if image == "model-worker":
        build_engine(root / PACKAGES)
    finish_layout(root)


def build_engine(packages: Path) -> None:
    """Builds the workers' scoring engine as setuptools does: same sources, same flags, same place."""
    (engine,) = _pyproject()["tool"]["setuptools"]["ext-modules"]
    _remove({packages / Path(source).parent for source in engine["sources"]})
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        print(f"no C compiler ({compiler[0]}), so the scoring engine is not built: the workers will use LightGBM")
        return
    binary = packages / (engine["name"].replace(".", "/") + sysconfig.get_config_var("EXT_SUFFIX"))
    libraries = [f"-l{library}" for library in engine["libraries"]]
    shared = [*engine["extra-compile-args"], "-fPIC", "-shared", "-o", binary]
    # With relative names, so that the binary does not contain the path of the build.
    subprocess.run([*compiler, *shared, *engine["sources"], *libraries], cwd=PROJECT, check=True)


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def finish_layout(root: Path) -> None:
    """Compiles all Python files below `root` and gives all files the same time."""
    compile_all(root, root=root)
    set_times((root, *root.rglob("*")))


def compile_base() -> None:
    """Compiles the standard library and removes the installers.

    Slim images lack the compiled files, and on a read-only root each start would compile the library again.
    """
    _remove(_found(LIBRARY / "site-packages", INSTALLERS))
    _remove(_found(LIBRARY, ["ensurepip/_bundled"]))
    _remove(_found(Path(sysconfig.get_path("scripts")), ["pip*", "wheel"]))
    compile_all(LIBRARY, leave_out=NEVER_IMPORTED)
    # Only changed paths: a layer contains every file whose time it sets.
    folders = (path for path in LIBRARY.rglob("*") if path.is_dir())
    compiled = LIBRARY.rglob("__pycache__/*.pyc")
    set_times((LIBRARY, *folders, *compiled, Path(sysconfig.get_path("scripts"))))


def compile_all(place: Path, leave_out: str = "$^", root: Path | None = None) -> None:
    """Compiles without a later comparison with the sources, because no file of an image changes."""
    compileall.compile_dir(
        place,
        quiet=1,
        force=True,
        rx=re.compile(leave_out),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        stripdir=root,
        prependdir="/" if root else None,
    )


def set_times(paths: Iterable[Path]) -> None:
    """Sets the time of each path to EPOCH_S; does not follow links, whose targets may be outside."""
    for path in paths:
        os.utime(path, (EPOCH_S, EPOCH_S), follow_symlinks=False)


def _found(place: Path, patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from list(place.glob(pattern))


def _except(names: Iterable[str], paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if path.name not in names)


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
