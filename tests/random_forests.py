"""Random LightGBM text models, with every shape of tree, kind of node, form of number and objective.

The random generator is an argument: a seeded one for the same forests each time, or one of hypothesis, which shrinks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.random_rows import SPECIAL

OBJECTIVES = {
    "binary sigmoid:1": 1,
    "binary sigmoid:0.7": 1,
    "binary sigmoid:1.0131": 1,
    "multiclass num_class:3": 3,
    "multiclass num_class:7": 7,
    "multiclassova num_class:3 sigmoid:1": 3,
    "multiclassova num_class:2 sigmoid:2.5": 2,
    "cross_entropy": 1,
    "cross_entropy_lambda": 1,
    "poisson": 1,
    "poisson sqrt": 1,
    "gamma": 1,
    "tweedie": 1,
    "regression": 1,
    "regression sqrt": 1,
    "regression_l1": 1,
    "regression_l1 sqrt": 1,
    "huber": 1,
    "huber sqrt": 1,
    "fair": 1,
    "quantile": 1,
    "mape": 1,
    "lambdarank": 1,
    "rank_xendcg": 1,
    "custom": 1,
    "none": 3,  # no line
}
_WIDTHS = (1, 2, 3, 5, 8, 8, 13, 40, 3000)
_LEAVES = (1, 1, 2, 3, 7, 31, 31, 300)
_WORDS = (0, 1, 1, 2, 5, 100)
_SETS = 4  # the maximum of one tree; one more repeats another set
_MISSING = (0, 4, 8)  # bits of decision_type: nothing, zero or NaN is missing


@dataclass(frozen=True, slots=True)
class _Style:
    """The common properties of the trees of one forest; `is_mixed`: nodes read the same column by several rules."""

    columns: int
    max_leaves: int
    used: Sequence[int]
    categorical: frozenset[int]
    is_mixed: bool
    thresholds: Mapping[int, Sequence[float]]
    leaf_value: Callable[[], float]


def random_forest(rng: Random, max_trees: int = 12, max_leaves: int = 300) -> bytes:
    """Returns the text of a forest with 1 to `max_trees` trees for each class."""
    objective = rng.choice(list(OBJECTIVES))
    classes, iterations = OBJECTIVES[objective], rng.randint(1, max_trees)
    style = _style(rng, max_leaves)
    trees = [f"Tree={number}\n{_tree(rng, style)}\n\n" for number in range(classes * iterations)]
    return (_header(rng, objective, classes, style.columns, trees) + "".join(trees) + _TAIL).encode()


def _style(rng: Random, max_leaves: int) -> _Style:
    columns = rng.choice(_WIDTHS)
    used = sorted({rng.randrange(columns) for _ in range(rng.randint(1, 8))})
    share = rng.choice((0.0, 0.0, 0.3, 1.0))
    categorical = frozenset(column for column in used if rng.random() < share)
    thresholds = {column: [_threshold(rng) for _ in range(rng.choice((1, 3, 10, 100)))] for column in used}
    return _Style(columns, max_leaves, used, categorical, rng.random() < 0.3, thresholds, _leaf_values(rng))


def _threshold(rng: Random) -> float:
    way = rng.random()
    if way < 0.2:
        return rng.choice([value for value in SPECIAL if not math.isnan(value)])
    return _near_zero(rng) if way < 0.9 else float(rng.randint(-3, 3))


def _leaf_values(rng: Random) -> Callable[[], float]:
    """Returns a source of leaf values: usually as training makes them, sometimes so that sums overflow or underflow."""
    scale = rng.choice((1e-3, 1.0, 1.0, 1.0, 30.0, 1e307, 1e-310))
    return lambda: rng.choice((0.0, -0.0, scale)) if rng.random() < 0.05 else _near_zero(rng) * scale


def _near_zero(rng: Random) -> float:
    return max(-9.0, min(rng.gauss(0, 1), 9.0))  # the generator of hypothesis returns any number


# ---- one tree ----


def _tree(rng: Random, style: _Style) -> str:
    leaves = min(rng.choice(_LEAVES), style.max_leaves)
    left, right = _children(rng, leaves)
    sets = _sets(rng) if style.categorical else []
    columns = [rng.choice(style.used) for _ in range(leaves - 1)]
    nodes = [_node(rng, style, column, len(sets)) for column in columns]
    lines = [f"num_leaves={leaves}", f"num_cat={len(sets)}", _line("split_feature", columns)]
    lines += [_line("threshold", [threshold for threshold, _ in nodes])]
    lines += [_line("decision_type", [kind for _, kind in nodes])]
    lines += [_line("left_child", left), _line("right_child", right)]
    lines += [_line("leaf_value", [_text(rng, style.leaf_value()) for _ in range(leaves)])]
    if sets:
        bounds = [sum(map(len, sets[:end])) for end in range(len(sets) + 1)]
        lines += [_line("cat_boundaries", bounds), _line("cat_threshold", [word for words in sets for word in words])]
    return "\n".join([*lines, "is_linear=0", "shrinkage=1"])


def _children(rng: Random, leaves: int) -> tuple[list[int], list[int]]:
    """Splits leaves one by one: always the newest (a chain), the oldest (a wide tree) or a random one."""
    pick = rng.choice((lambda count: count - 1, lambda _: 0, rng.randrange))
    left, right = list[int](), list[int]()
    places = list[tuple[list[int], int]]()  # of the leaves in the lists of children
    for node in range(leaves - 1):
        leaf = 0
        if places:
            side, parent = places.pop(pick(len(places)))
            leaf, side[parent] = ~side[parent], node
        left.append(~leaf)
        right.append(~(node + 1))
        places += [(left, node), (right, node)]
    return (right, left) if rng.random() < 0.3 else (left, right)


def _node(rng: Random, style: _Style, column: int, sets: int) -> tuple[str, int]:
    """Returns the threshold and decision_type of a node."""
    is_categorical = column in style.categorical and not (style.is_mixed and rng.random() < 0.3)
    missing = rng.choice(_MISSING) if style.is_mixed else _MISSING[column % 3]
    kind = missing + 2 * rng.randrange(2) + is_categorical
    if is_categorical:
        return str(rng.randrange(sets)), kind
    return _text(rng, rng.choice(style.thresholds[column])), kind


def _sets(rng: Random) -> list[list[int]]:
    """Returns sets as words of bits: some are empty, one occurs twice, and at least one has a word."""
    sets = [_words(rng) for _ in range(rng.randint(1, _SETS))]
    sets.append(list(rng.choice(sets)))
    return sets if any(sets) else [*sets, [1]]


def _words(rng: Random) -> list[int]:
    return [rng.choice((0, 1, 1 << 31, 2**32 - 1, rng.randrange(2**32))) for _ in range(rng.choice(_WORDS))]


def _line(name: str, values: Sequence[object]) -> str:
    return f"{name}={' '.join(map(str, values))}"


def _text(rng: Random, value: float) -> str:
    """Writes `value` as LightGBM does, or in the shortest form."""
    return rng.choice((f"{value:.17g}", repr(value)))


# ---- the parts around the trees ----

_TAIL = "end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n\npandas_categorical:null\n"


def _header(rng: Random, objective: str, classes: int, columns: int, trees: Sequence[str]) -> str:
    lines = ["tree", f"version={rng.choice(('v2', 'v3', 'v4'))}", f"num_class={classes}"]
    lines += [f"num_tree_per_iteration={classes}", "label_index=0", f"max_feature_idx={columns - 1}"]
    lines += [] if objective == "none" else [f"objective={objective}"]
    lines += ["average_output"] if rng.random() < 0.2 else []
    lines += [_line("feature_names", [f"f{column}" for column in range(columns)])]
    lines += [_line("feature_infos", ["none"] * columns), _line("tree_sizes", list(map(len, trees)))]
    return "\n".join(lines) + "\n\n"
