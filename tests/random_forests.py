"""Texts of LightGBM models that nobody would train: every shape of tree, kind of node, number and objective there is.

The dice are an argument: seeded for the same forests each time, or hypothesis' own, which shrink.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.random_rows import ODD

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
    "none": 3,  # no line at all
}
_WIDTHS = (1, 2, 3, 5, 8, 8, 13, 40, 3000)
_LEAVES = (1, 1, 2, 3, 7, 31, 31, 300)
_WORDS = (0, 1, 1, 2, 5, 100)
_SETS = 4  # of one tree, at most, and one more that repeats another
_MISSING = (0, 4, 8)  # bits of decision_type: nothing, zero or NaN


@dataclass(frozen=True, slots=True)
class _Style:
    """What the trees of one forest have in common; `is_mixed`: its nodes look at one column in several ways."""

    columns: int
    most_leaves: int
    used: Sequence[int]
    categorical: frozenset[int]
    is_mixed: bool
    thresholds: Mapping[int, Sequence[float]]
    leaf_value: Callable[[], float]


def random_forest(dice: Random, most_trees: int = 12, most_leaves: int = 300) -> bytes:
    """The text of a forest of up to `most_trees` trees for each class, one at least."""
    objective = dice.choice(list(OBJECTIVES))
    classes, iterations = OBJECTIVES[objective], dice.randint(1, most_trees)
    style = _style(dice, most_leaves)
    trees = [f"Tree={number}\n{_tree(dice, style)}\n\n" for number in range(classes * iterations)]
    return (_header(dice, objective, classes, style.columns, trees) + "".join(trees) + _TAIL).encode()


def _style(dice: Random, most_leaves: int) -> _Style:
    columns = dice.choice(_WIDTHS)
    used = sorted({dice.randrange(columns) for _ in range(dice.randint(1, 8))})
    share = dice.choice((0.0, 0.0, 0.3, 1.0))
    categorical = frozenset(column for column in used if dice.random() < share)
    thresholds = {column: [_threshold(dice) for _ in range(dice.choice((1, 3, 10, 100)))] for column in used}
    return _Style(columns, most_leaves, used, categorical, dice.random() < 0.3, thresholds, _leaf_values(dice))


def _threshold(dice: Random) -> float:
    way = dice.random()
    if way < 0.2:
        return dice.choice([value for value in ODD if not math.isnan(value)])
    return _normal(dice) if way < 0.9 else float(dice.randint(-3, 3))


def _leaf_values(dice: Random) -> Callable[[], float]:
    """Mostly what training makes; at times what overflows, underflows or cancels out."""
    scale = dice.choice((1e-3, 1.0, 1.0, 1.0, 30.0, 1e307, 1e-310))
    return lambda: dice.choice((0.0, -0.0, scale)) if dice.random() < 0.05 else _normal(dice) * scale


def _normal(dice: Random) -> float:
    return min(max(dice.gauss(0, 1), -9.0), 9.0)  # hypothesis' dice know no bounds


# ---- one tree ----


def _tree(dice: Random, style: _Style) -> str:
    leaves = min(dice.choice(_LEAVES), style.most_leaves)
    left, right = _children(dice, leaves)
    sets = _sets(dice) if style.categorical else []
    columns = [dice.choice(style.used) for _ in range(leaves - 1)]
    nodes = [_node(dice, style, column, len(sets)) for column in columns]
    lines = [f"num_leaves={leaves}", f"num_cat={len(sets)}", _line("split_feature", columns)]
    lines += [_line("threshold", [threshold for threshold, _ in nodes])]
    lines += [_line("decision_type", [kind for _, kind in nodes])]
    lines += [_line("left_child", left), _line("right_child", right)]
    lines += [_line("leaf_value", [_text(dice, style.leaf_value()) for _ in range(leaves)])]
    if sets:
        bounds = [sum(map(len, sets[:end])) for end in range(len(sets) + 1)]
        lines += [_line("cat_boundaries", bounds), _line("cat_threshold", [word for words in sets for word in words])]
    return "\n".join([*lines, "is_linear=0", "shrinkage=1"])


def _children(dice: Random, leaves: int) -> tuple[list[int], list[int]]:
    """Splits one leaf after the other: the newest (a chain), the oldest (a wide tree) or any."""
    pick = dice.choice((lambda count: count - 1, lambda _: 0, dice.randrange))
    left, right = list[int](), list[int]()
    places = list[tuple[list[int], int]]()  # of leaves, in their parents
    for node in range(leaves - 1):
        leaf = 0
        if places:
            side, parent = places.pop(pick(len(places)))
            leaf, side[parent] = ~side[parent], node
        left.append(~leaf)
        right.append(~(node + 1))
        places += [(left, node), (right, node)]
    return (right, left) if dice.random() < 0.3 else (left, right)


def _node(dice: Random, style: _Style, column: int, sets: int) -> tuple[str, int]:
    """The threshold and decision_type of a node."""
    is_categorical = column in style.categorical and not (style.is_mixed and dice.random() < 0.3)
    missing = dice.choice(_MISSING) if style.is_mixed else _MISSING[column % 3]
    kind = missing + 2 * dice.randrange(2) + is_categorical
    if is_categorical:
        return str(dice.randrange(sets)), kind
    return _text(dice, dice.choice(style.thresholds[column])), kind


def _sets(dice: Random) -> list[list[int]]:
    """Words of bits: some sets empty, some twice, one at least with a word."""
    sets = [_words(dice) for _ in range(dice.randint(1, _SETS))]
    sets.append(list(dice.choice(sets)))
    return sets if any(sets) else [*sets, [1]]


def _words(dice: Random) -> list[int]:
    return [dice.choice((0, 1, 1 << 31, 2**32 - 1, dice.randrange(2**32))) for _ in range(dice.choice(_WORDS))]


def _line(name: str, values: Sequence[object]) -> str:
    return f"{name}={' '.join(map(str, values))}"


def _text(dice: Random, value: float) -> str:
    """As LightGBM writes it, or as short as can be."""
    return dice.choice((f"{value:.17g}", repr(value)))


# ---- around the trees ----

_TAIL = "end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n\npandas_categorical:null\n"


def _header(dice: Random, objective: str, classes: int, columns: int, trees: Sequence[str]) -> str:
    lines = ["tree", f"version={dice.choice(('v2', 'v3', 'v4'))}", f"num_class={classes}"]
    lines += [f"num_tree_per_iteration={classes}", "label_index=0", f"max_feature_idx={columns - 1}"]
    lines += [] if objective == "none" else [f"objective={objective}"]
    lines += ["average_output"] if dice.random() < 0.2 else []
    lines += [_line("feature_names", [f"f{column}" for column in range(columns)])]
    lines += [_line("feature_infos", ["none"] * columns), _line("tree_sizes", list(map(len, trees)))]
    return "\n".join(lines) + "\n\n"
