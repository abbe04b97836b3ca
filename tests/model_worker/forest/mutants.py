"""Engines with one fault each: what the proof must find before a worker serves with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.model_worker.forest.compiled import ENGINE, compiled


@dataclass(frozen=True, slots=True)
class Mutant:
    """One place of a source file changed, and the kind of model on which that matters."""

    name: str
    source: str
    old: str
    new: str
    kind: str = "regression"


def build(mutant: Mutant, folder: Path) -> str:
    """The path of the library with the mutant's fault; compiled without optimizing, for it is used once."""
    sources = []
    for path in sorted(ENGINE.glob("*.c")):
        text = path.read_text()
        if path.name == mutant.source:
            assert text.count(mutant.old) == 1, f"{mutant.name}: not once in {mutant.source}"
            text = text.replace(mutant.old, mutant.new)
        sources.append(folder / path.name)
        sources[-1].write_text(text)
    return str(compiled(folder / "engine.so", sources, "-shared", "-fPIC", "-fvisibility=hidden", "-Wno-error"))


MUTANTS = (
    Mutant("a search that goes too far", "rows.c", "first[half - 1] < value", "first[half - 1] <= value"),
    Mutant("a threshold that is not left of itself", "rows.c", "(*first < value)", "(*first <= value)"),
    Mutant("a rank that is not left of itself", "rows.c", "* stride] > here->rank", "* stride] >= here->rank"),
    Mutant(
        "zero on the wrong side",
        "rows.c",
        "is_nan || is_zero ? above : bin",
        "is_nan || is_zero ? 0 : bin",
        "missing_zero",
    ),
    Mutant("NaN on the wrong side", "rows.c", "is_nan ? 0 : bin", "is_nan ? above : bin", "missing_nan"),
    Mutant("a default side turned round", "pack.c", "(kind & 2) != 0", "(kind & 2) == 0", "missing_nan"),
    Mutant("NaN that is not missing", "pack.c", "case 2: return", "case 3: return", "missing_nan"),
    Mutant("zero that is not missing", "pack.c", "case 1: return", "case 3: return", "missing_zero"),
    Mutant(
        "NaN that is not zero",
        "rows.c",
        "is_nan || is_zero ? of->bin_of_zero",
        "is_zero ? of->bin_of_zero",
        "missing_none",
    ),
    Mutant("zero below all", "pack.c", "< 0.0) one->bin_of_zero++", "< -1e300) one->bin_of_zero++", "missing_none"),
    Mutant("only zero is zero", "rows.c", "SMALLEST = 1e-35f", "SMALLEST = 0.0", "missing_zero"),
    Mutant("a smallest that is rounded otherwise", "rows.c", "SMALLEST = 1e-35f", "SMALLEST = 1e-35", "missing_zero"),
    Mutant("a category that is rounded down", "rows.c", "value > -1.0", "value >= 0.0", "categorical"),
    Mutant(
        "a category that is rounded",
        "rows.c",
        "category = (uint32_t)value",
        "category = (uint32_t)(value + 0.5)",
        "categorical",
    ),
    Mutant(
        "a bit next to that of the category", "rows.c", "category % 32 & 1", "(category + 1) % 32 & 1", "categorical"
    ),
    Mutant("all sets taken for one", "pack.c", " || compare(here, order[i - 1])", "", "categorical"),
    Mutant(
        "trees added from the last", "rows.c", "lane = 0; lane < count; lane++, i++)", "lane = count; lane-- > 0; i++)"
    ),
    Mutant(
        "another class for rows in step",
        "rows.c",
        "lane * f->classes + i % f->classes] +=",
        "lane * f->classes + (i + 1) % f->classes] +=",
        "multiclass",
    ),
    Mutant(
        "another sigmoid",
        "rows.c",
        "1.0 / (1.0 + exp(-steepness * sum))",
        "1.0 - 1.0 / (1.0 + exp(steepness * sum))",
        "binary",
    ),
    Mutant("a softmax of its own", "rows.c", "exp(sums[i] - largest)", "exp(sums[i])", "multiclass"),
    Mutant("no average", "rows.c", "if (f->is_average)", "if (0)", "rf"),
    Mutant(
        "another exponential",
        "rows.c",
        "sums[i] = exp(sums[i]); break",
        "sums[i] = expm1(sums[i]) + 1.0; break",
        "poisson",
    ),
    Mutant("sums in single precision", "tables.c", "sums[i * stride] += value", "sums[i * stride] += (float)value"),
    Mutant(
        "parts in single precision",
        "tables.c",
        "__builtin_ctzll(left)) * stride] += value",
        "__builtin_ctzll(left)) * stride] += (float)value",
    ),
    Mutant("a pick's bit too low", "tables.c", "(uint64_t)1 << positions[i] % 64", "(uint64_t)1 << positions[i] % 32"),
    Mutant("a pick's word too low", "tables.c", "positions[i] % BLOCK / 64]", "positions[i] % BLOCK / 128]"),
    Mutant(
        "a pick that is another's",
        "tables.c",
        "(size_t)positions[i] * f->classes",
        "(size_t)(positions[i] ^ 1) * f->classes",
    ),
    Mutant("few picks, each the first", "tables.c", "t->values[position * t->width + i]", "t->values[i]"),
    Mutant("a candidate less in the last word", "tables.c", "<< count % 64) - 1", "<< count % 64) - 2"),
    Mutant("a candidate less in full words", "tables.c", "64 * (i + 1) ? ~(uint64_t)0", "64 * (i + 1) ? ~(uint64_t)1"),
    Mutant(
        "a rank that nobody passes on", "tables.c", "uint32_t rank = 1; rank < ranks", "uint32_t rank = 2; rank < ranks"
    ),
    Mutant("masks of another block", "tables.c", "t->left + block * t->ranks, who", "t->left, who"),
    Mutant("branches that nobody takes later", "tables.c", "if (!waiting) return;", "if (waiting < 2) return;"),
    Mutant(
        "a first column that is always alike", "tables.c", "if (differs[i]) columns", "if (differs[i] && i) columns"
    ),
    Mutant(
        "a column more than is looked at",
        "tables.c",
        "*place < t->width && t->columns[*place] == f",
        "*place + 1 < t->width && t->columns[*place] == f",
    ),
)
