"""Fuzzes the engine with libFuzzer, which generates models and is guided by the code that they reach: `make fuzz`."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import lightgbm

from tests.forests import KINDS, train
from tests.model_worker.forest.compiled import ENGINE, HARNESS, SANITIZED, engine_sources
from tests.random_forests import random_forest

BUILD = Path(__file__).parents[3] / "build"
UNPACKED = BUILD / "clang/usr"  # `make fuzz-tools` unpacks it there
NO_CLANG = "clang is not installed: `make fuzz-tools` gets it if there is apt-get"
_LIBRARIES = f"{UNPACKED}/lib/x86_64-linux-gnu:{UNPACKED}/lib/llvm-14/lib"
_RANDOM_SEEDS = 40
MEMORY_MB = 2000
_FIELDS = (
    "tree", "Tree=", "end of trees", "average_output", "max_feature_idx=", "num_tree_per_iteration=", "objective=",
    "num_leaves=", "num_cat=", "split_feature=", "threshold=", "decision_type=", "left_child=", "right_child=",
    "leaf_value=", "cat_boundaries=", "cat_threshold=", "is_linear=",
)  # fmt: skip
_VALUES = (
    "binary sigmoid:1", "multiclass num_class:3", "regression sqrt", "cross_entropy_lambda", "poisson", " -1", " -2",
    " inf", " -inf", " 1e-35", " 5e-324", " 1e308", " 4294967295", " 32767", " 32768", " 2147483647", " 0 0",
)  # fmt: skip


def find_clang() -> str | None:
    """Returns the installed clang if it includes libFuzzer, or the unpacked clang, or None."""
    found = (shutil.which("clang", path=path) for path in (None, str(UNPACKED / "lib/llvm-14/bin")))
    return next((clang for clang in found if clang and _has_fuzzer(clang)), None)


def _has_fuzzer(clang: str) -> bool:
    entry = (
        b"#include <stddef.h>\nint LLVMFuzzerTestOneInput(const char *data, size_t size) { return data && size < 0; }"
    )
    command = [clang, "-fsanitize=fuzzer", "-x", "c", "-", "-o", os.devnull]
    return subprocess.run(command, input=entry, capture_output=True, check=False, env=_environ(clang)).returncode == 0


def _environ(clang: str) -> dict[str, str] | None:
    return {**os.environ, "LD_LIBRARY_PATH": _LIBRARIES} if clang.startswith(str(UNPACKED)) else None


def fuzz(clang: str, folder: Path, seconds: int) -> int:
    """Returns the exit code of libFuzzer: 0 if it found no fault. `folder` keeps failing models and the corpus."""
    _write_seeds(folder / "seeds")
    (folder / "words").write_text("".join(f'"{word}"\n' for word in [*(f"\\x0a{name}" for name in _FIELDS), *_VALUES]))
    (folder / "corpus").mkdir(exist_ok=True)
    fuzzer = _compiled(clang, folder / "fuzzer")
    # libFuzzer compares the peak of its memory, which Linux begins with the peak of the process that started it.
    most_mb = MEMORY_MB + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    limits = [f"-max_total_time={seconds}", "-timeout=10", f"-rss_limit_mb={most_mb}", "-max_len=12000"]
    options = [f"-dict={folder}/words", f"-artifact_prefix={folder}/", "-print_final_stats=1"]
    return subprocess.run([fuzzer, *limits, *options, folder / "corpus", folder / "seeds"], check=False).returncode


def _compiled(clang: str, target: Path) -> Path:
    # gcc defines this macro with its sanitizer, clang does not; the engine tests it.
    flags = [
        *SANITIZED,
        "-fsanitize=fuzzer",
        "-D__SANITIZE_ADDRESS__",
        "-std=gnu11",
        "-ffp-contract=off",
        f"-I{ENGINE}",
    ]
    sources = [*engine_sources(), HARNESS / "fuzz.c"]
    subprocess.run([clang, *flags, *sources, "-o", target, "-lm"], check=True, env=_environ(clang))
    return target


def _write_seeds(folder: Path) -> None:
    """Writes models of one or two trees, without fields that the engine does not read: short models fail sooner."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        booster = lightgbm.Booster(model_file=train(kind, folder).path)
        for trees in (1, 2):
            (folder / f"{kind}_{trees}.txt").write_bytes(_cut(booster.model_to_string(num_iteration=trees).encode()))
        (folder / f"{kind}.txt").unlink()
    for seed in range(_RANDOM_SEEDS):
        (folder / f"random_{seed}.txt").write_bytes(_cut(random_forest(Random(seed), max_trees=2, max_leaves=7)))


def _cut(model: bytes) -> bytes:
    unread = (b"internal_", b"leaf_weight", b"leaf_count", b"split_gain", b"feature_", b"tree_sizes")
    lines = model[: model.index(b"end of trees")].splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(unread)) + b"end of trees\n"


def main(seconds: int) -> int:
    """Fuzzes in build/fuzz; without clang, prints a message and returns 0."""
    if (clang := find_clang()) is None:
        print(NO_CLANG)
        return 0
    return fuzz(clang, BUILD / "fuzz", seconds)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
