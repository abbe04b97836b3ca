"""Finds faults in a LightGBM text model before LightGBM loads it, because LightGBM does not check its files.

Field meanings: LightGBM, src/io/tree.cpp (`Tree::Tree(const char*)`) and src/boosting/gbdt_model_text.cpp.
Imports almost nothing and counts by methods in C: a fresh interpreter runs it at each start of a worker.
"""

from __future__ import annotations

from collections.abc import Set
from operator import gt

from model_worker.fields import FaultError, Fields, UnservableError, demand, parse_integer

# Bit 0: categorical; bit 1: the default is left; bits 2 and 3: the missing type (none, zero, NaN).
_DECISION_TYPES = frozenset(b"%d" % kind for kind in range(12))
_CATEGORICAL = frozenset(b"%d" % kind for kind in range(1, 12, 2))
_TREE_LINES = 22  # LightGBM reads at most this number of lines
_FLAG = b"\naverage_output"  # the only line without a value, in the header of a random forest
# The result of these objectives is the raw score.
_RAW_OBJECTIVES = frozenset(
    (b"", b"regression", b"regression_l1", b"huber", b"fair", b"quantile", b"mape", b"lambdarank", b"none", b"custom")
)
# LightGBM reads these fields, but predictions do not use them: only their number of values matters.
_PER_LEAF = (b"leaf_weight", b"leaf_count")
_PER_NODE = (b"split_gain", b"internal_value", b"internal_weight", b"internal_count")


def find_fault(model: bytes) -> str | None:
    """Returns the first fault in the text of a model as a sentence; None if every tree is safe to walk."""
    try:
        _check_model(model)
    except UnservableError as fault:
        return str(fault)
    except FaultError as fault:
        kind = "is damaged, or its version of LightGBM is too old" if _is_old(model) else "is damaged"
        return f"the file {kind}: {fault}"
    return None


def _is_old(model: bytes) -> bool:
    """Whether LightGBM 2.0 to 2.2 saved the model: newer versions write v3 or v4."""
    return b"\nversion=v2\n" in model[: model.find(b"\n\n") + 1]


def _check_model(model: bytes) -> None:
    end = model.find(b"\n\n")
    demand(model.startswith(b"tree\n") and end > 0, "it does not start with the header of a model")
    demand(b"\0" not in model and b"\r" not in model, "it has bytes that do not occur in a text model")
    header = Fields(model[5:end].replace(_FLAG, b""))
    columns = header.integer(b"max_feature_idx") + 1
    classes = header.integer(b"num_tree_per_iteration")
    demand(1 <= classes == header.integer(b"num_class"), "num_class is not equal to num_tree_per_iteration")
    _check_objective(header, classes)
    header.check_count(b"feature_names", columns)
    header.check_count(b"feature_infos", columns)
    if not header.value(b"tree_sizes"):
        raise UnservableError("the model has no trees, so every row has the same score; train it on labels that differ")
    sizes = header.integers(b"tree_sizes")
    demand(len(sizes) % classes == 0, "the classes do not have the same number of trees")
    _check_trees(model, end + 2, sizes, {b"%d" % column for column in range(columns)})
    _check_end(model, end + 2 + sum(sizes))
    if _FLAG in model[:end] and _is_old(model):
        _check_old_forest(model, header)


def _check_end(model: bytes, start: int) -> None:
    """Requires what follows the trees: LightGBM 2.0 and 2.1 write only the importances of the features."""
    if _is_old(model) and model[start:].lstrip(b"\n").startswith(b"feature importances:\n"):
        demand(model.endswith(b"\n"), "its last line is cut off")
        return
    demand(model.startswith(b"end of trees\n", start), "the trees do not end where tree_sizes says")
    demand(b"\nend of parameters\n" in model and model.endswith(b"\n"), "it is cut off after the trees")


def _check_old_forest(model: bytes, header: Fields) -> None:
    """Requires that the leaves of a random forest are raw scores, of which LightGBM computes the result.

    LightGBM 2.2.2 and older wrote results, such as probabilities, and the file does not say which of the two it has.
    Results are never negative, and among raw scores some are.
    """
    objective = header.value(b"objective").split(b" ")[0] if b"objective" in header else b""
    leaves = (line for line in model.split(b"\n") if line.startswith(b"leaf_value="))
    if objective not in _RAW_OBJECTIVES and not any(b"=-" in line or b" -" in line for line in leaves):
        raise UnservableError(
            "the file is too old: LightGBM 4 gives wrong scores for random forests of LightGBM 2.2.2 and older; train "
            "the model again"
        )


def _check_objective(header: Fields, classes: int) -> None:
    """Requires the right number of classes: LightGBM transforms that many scores per row without a check."""
    words = header.value(b"objective").split(b" ") if b"objective" in header else []
    counts = {word for word in words if word.startswith(b"num_class:")}
    demand(counts <= {b"num_class:%d" % classes}, "the objective is for another number of classes")


def _check_trees(model: bytes, start: int, sizes: list[int], columns: Set[bytes]) -> None:
    for number, size in enumerate(sizes):
        name, end = b"Tree=%d\n" % number, start + size
        demand(size > 0 and model.startswith(name, start), "tree {} is not where tree_sizes says", number)
        try:
            _check_tree(model[start + len(name) : end].rstrip(b"\n"), columns)
        except FaultError as fault:
            raise FaultError(f"tree {number}: {fault}") from None
        start = end


def _check_tree(text: bytes, columns: Set[bytes]) -> None:
    tree = Fields(text)
    demand(len(tree) <= _TREE_LINES, "more than {} fields", _TREE_LINES)
    leaves = tree.integer(b"num_leaves")
    demand(leaves >= 1, "num_leaves is less than 1")
    tree.check_finite(b"leaf_value", leaves)
    tree.check_finite(b"shrinkage", 1)
    if leaves > 1:
        _check_sizes(tree, leaves)
        _check_splits(tree, leaves - 1, columns)
    if b"is_linear" in tree and tree.integer(b"is_linear"):
        _check_linear_leaves(tree, leaves, columns)


def _check_sizes(tree: Fields, leaves: int) -> None:
    for names, count in ((_PER_LEAF, leaves), (_PER_NODE, leaves - 1)):
        for name in names:
            if name in tree:
                tree.check_count(name, count)


def _check_splits(tree: Fields, nodes: int, columns: Set[bytes]) -> None:
    tree.check_thresholds(b"threshold", nodes)
    tree.values_among(b"split_feature", nodes, columns)
    kinds = tree.values_among(b"decision_type", nodes, _DECISION_TYPES)
    _check_shape(tree.values(b"left_child", nodes), tree.values(b"right_child", nodes), nodes)
    if not _CATEGORICAL.isdisjoint(kinds) or tree.value(b"num_cat") != b"0":
        _check_categories(tree, kinds)


def _check_shape(left: list[bytes], right: list[bytes], nodes: int) -> None:
    """Requires that the children form one tree: every leaf `~i` and every node except the root is a child once."""
    node_of = _nodes_by_text(nodes)
    children = set(left + right)
    # The number of different children is the number of places for them, so each allowed child occurs exactly once.
    each_once = len(children) == 2 * nodes and children <= node_of.keys()
    demand(each_once, "the child indices do not form a tree")
    lefts, rights = list(map(node_of.__getitem__, left)), list(map(node_of.__getitem__, right))
    if not (all(map(gt, lefts, range(nodes))) and all(map(gt, rights, range(nodes)))):
        # LightGBM numbers parents before children, so this walk is rare.
        demand(_reached(lefts, rights) == nodes, "the child indices form a cycle")


def _reached(lefts: list[int], rights: list[int]) -> int:
    """Returns the number of nodes that are reachable from the root; each is the child of at most one node."""
    reached, to_visit = 0, [0]
    while to_visit:
        node = to_visit.pop()
        reached += 1
        to_visit += [child for child in (lefts[node], rights[node]) if child < len(lefts)]
    return reached


def _nodes_by_text(nodes: int, _known: dict[int, dict[bytes, int]] = {}) -> dict[bytes, int]:  # noqa: B006 (a cache)
    """Returns the number of each allowed child by its text, to avoid parsing; each leaf has the number `nodes`."""
    if nodes not in _known:
        _known[nodes] = {b"%d" % leaf: nodes for leaf in range(-nodes - 1, 0)}
        _known[nodes].update((b"%d" % node, node) for node in range(1, nodes))
    return _known[nodes]


def _check_categories(tree: Fields, kinds: list[bytes]) -> None:
    """Requires that the threshold of each categorical node is the index of an existing bit set."""
    sets = tree.integer(b"num_cat")
    demand(sets > 0, "num_cat does not fit the categorical splits")
    bounds, words = tree.integers(b"cat_boundaries"), tree.integers(b"cat_threshold")
    demand(len(bounds) == sets + 1 and bounds == sorted(bounds), "cat_boundaries does not fit num_cat")
    demand(bounds[0] == 0 and bounds[-1] == len(words), "cat_boundaries does not fit cat_threshold")
    demand(min(words) >= 0 and max(words) < 2**32, "cat_threshold has a value that is not a 32-bit word")
    thresholds = zip(tree.values(b"threshold", len(kinds)), kinds, strict=True)
    fits = all(0 <= parse_integer(threshold) < sets for threshold, kind in thresholds if kind in _CATEGORICAL)
    demand(fits, "a categorical threshold is not the index of a bit set")


def _check_linear_leaves(tree: Fields, leaves: int, columns: Set[bytes]) -> None:
    tree.check_finite(b"leaf_const", leaves)
    terms = tree.integers(b"num_features")
    demand(len(terms) == leaves and min(terms) >= 0, "num_features does not fit the leaves")
    # One list for all leaves, with an additional blank after each leaf.
    lists = (b"leaf_features", b"leaf_coeff")
    packed = Fields(b"\n".join(name + b"=" + b" ".join(tree.value(name).split()) for name in lists))
    if sum(terms) == 0:
        demand(not any(packed.value(name) for name in lists), "leaf_features does not fit num_features")
        return
    packed.values_among(b"leaf_features", sum(terms), columns)
    packed.check_finite(b"leaf_coeff", sum(terms))
