"""Copies of the engine with one fault each. The proof must detect each fault before a worker serves with the engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.model_worker.forest.compiled import ENGINE, compiled


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change in one source file, and the kind of model whose scores it changes."""

    name: str
    source: str
    old: str
    new: str
    kind: str = "regression"


def build(mutant: Mutant, folder: Path) -> str:
    """Returns the path of the library with the fault; it is compiled without optimization, because it runs once."""
    sources = []
    for path in sorted(ENGINE.glob("*.c")):
        text = path.read_text()
        if path.name == mutant.source:
            assert text.count(mutant.old) == 1, f"{mutant.name}: not exactly once in {mutant.source}"
            text = text.replace(mutant.old, mutant.new)
        sources.append(folder / path.name)
        sources[-1].write_text(text)
    return str(compiled(folder / "engine.so", sources, "-shared", "-fPIC", "-fvisibility=hidden", "-Wno-error"))


MUTANTS = (
    Mutant("search goes one threshold too far", "rows.c", "first[half - 1] < value", "first[half - 1] <= value"),
    Mutant("value equal to a threshold goes right", "rows.c", "(*first < value)", "(*first <= value)"),
    Mutant("bin equal to a rank goes right", "rows.c", "* stride] > here->rank", "* stride] >= here->rank"),
    Mutant(
        "missing zero goes to the wrong side",
        "rows.c",
        "is_nan || is_zero ? above : bin",
        "is_nan || is_zero ? 0 : bin",
        "missing_zero",
    ),
    Mutant("NaN goes to the wrong side", "rows.c", "is_nan ? 0 : bin", "is_nan ? above : bin", "missing_nan"),
    Mutant("default side is inverted", "tree.c", "(kind & 2) != 0", "(kind & 2) == 0", "missing_nan"),
    Mutant("NaN is not missing", "tree.c", "case 2: return", "case 3: return", "missing_nan"),
    Mutant("zero is not missing", "tree.c", "case 1: return", "case 3: return", "missing_zero"),
    Mutant(
        "NaN is not treated as zero",
        "rows.c",
        "is_nan || is_zero ? input->bin_of_zero",
        "is_zero ? input->bin_of_zero",
        "missing_none",
    ),
    Mutant(
        "bin of zero is 0", "rank.c", "< 0.0) input->bin_of_zero++", "< -1e300) input->bin_of_zero++", "missing_none"
    ),
    Mutant("only exact zero is zero", "rows.c", "SMALLEST = 1e-35f", "SMALLEST = 0.0", "missing_zero"),
    Mutant("limit of zero is a double", "rows.c", "SMALLEST = 1e-35f", "SMALLEST = 1e-35", "missing_zero"),
    Mutant("category is rounded down", "rows.c", "value > -1.0", "value >= 0.0", "categorical"),
    Mutant(
        "category is rounded to the nearest",
        "rows.c",
        "category = (uint32_t)value",
        "category = (uint32_t)(value + 0.5)",
        "categorical",
    ),
    Mutant("bit of the next category", "rows.c", "category % 32 & 1", "(category + 1) % 32 & 1", "categorical"),
    Mutant("all sets of a column are one set", "rank.c", " || compare(here, order[i - 1])", "", "categorical"),
    Mutant(
        "trees are added from the last",
        "rows.c",
        "lane = 0; lane < count; lane++, i++)",
        "lane = count; lane-- > 0; i++)",
    ),
    Mutant(
        "sums of the next class for rows in step",
        "rows.c",
        "lane * f->classes + i % f->classes] +=",
        "lane * f->classes + (i + 1) % f->classes] +=",
        "multiclass",
    ),
    Mutant(
        "sigmoid in another form",
        "rows.c",
        "1.0 / (1.0 + exp(-steepness * sum))",
        "1.0 - 1.0 / (1.0 + exp(steepness * sum))",
        "binary",
    ),
    Mutant("softmax without the maximum", "rows.c", "exp(sums[i] - largest)", "exp(sums[i])", "multiclass"),
    Mutant("no average", "rows.c", "if (f->is_average)", "if (0)", "rf"),
    Mutant(
        "exponential in another form",
        "rows.c",
        "sums[i] = exp(sums[i]); break",
        "sums[i] = expm1(sums[i]) + 1.0; break",
        "poisson",
    ),
    Mutant(
        "sums of all candidates in single precision",
        "pairs.c",
        "sums[i * stride] += value",
        "sums[i * stride] += (float)value",
    ),
    Mutant(
        "sums of some candidates in single precision",
        "pairs.c",
        "__builtin_ctzll(left)) * stride] += value",
        "__builtin_ctzll(left)) * stride] += (float)value",
    ),
    Mutant(
        "bit of a pick is too low", "pairs.c", "(uint64_t)1 << positions[i] % 64", "(uint64_t)1 << positions[i] % 32"
    ),
    Mutant("word of a pick is too low", "pairs.c", "positions[i] % BLOCK / 64]", "positions[i] % BLOCK / 128]"),
    Mutant(
        "pick gets the score of its neighbour",
        "pairs.c",
        "(size_t)positions[i] * f->classes",
        "(size_t)(positions[i] ^ 1) * f->classes",
    ),
    Mutant("few picks all get the first candidate", "pairs.c", "t->values[position * t->width + i]", "t->values[i]"),
    Mutant("last word lacks a candidate", "pairs.c", "<< count % 64) - 1", "<< count % 64) - 2"),
    Mutant("full words lack a candidate", "pairs.c", "64 * (i + 1) ? ~(uint64_t)0", "64 * (i + 1) ? ~(uint64_t)1"),
    Mutant(
        "a rank does not extend to the next",
        "table.c",
        "uint32_t rank = 1; rank < ranks",
        "uint32_t rank = 2; rank < ranks",
    ),
    Mutant("masks of the first block for all", "pairs.c", "t->left + block * t->ranks, members", "t->left, members"),
    Mutant("last pending branch is not walked", "pairs.c", "if (!depth) return;", "if (depth < 2) return;"),
    Mutant(
        "differences in the first column are ignored",
        "lists.c",
        "if (differs[i]) columns",
        "if (differs[i] && i) columns",
    ),
    Mutant(
        "last column of the candidates is ignored",
        "table.c",
        "*place < t->width && t->columns[*place] == f",
        "*place + 1 < t->width && t->columns[*place] == f",
    ),
)
