/* Reads one tree of a model's text. */
#include "pack.h"

enum { MAX_LEAVES = 32768 };

/* The bits of further words belong to categories above INT32_MAX, which LightGBM sends to the right. */
enum { MAX_WORDS = 1 << 26 };

enum field { LEAVES, CATEGORIES, COLUMNS, THRESHOLDS, KINDS, LEFT, RIGHT, VALUES, BOUNDS, WORDS, LINEAR, FIELDS };
static const char *const FIELD_NAMES[FIELDS] = {
    "num_leaves",  "num_cat",    "split_feature", "threshold",      "decision_type", "left_child",
    "right_child", "leaf_value", "cat_boundaries", "cat_threshold", "is_linear",
};

/* Reads the fields of a tree up to the next blank line. */
static int read_fields(packer *to, span *text, span fields[FIELDS]) {
    memset(fields, 0, FIELDS * sizeof *fields);
    for (;;) {
        span line = next_line(text), value;
        if (line.at == line.end) return 1;
        for (int name = 0; name < FIELDS; name++)
            if (read_value(line, FIELD_NAMES[name], &value)) {
                if (fields[name].at) return fail(to, "a tree has the same field twice");
                fields[name] = value;
            }
    }
}

/* Makes space for `wanted` elements; returns 0 if out of memory. */
static int grow(void **array, size_t *space, size_t wanted, size_t size) {
    if (wanted <= *space) return 1;
    size_t more = 2 * wanted + 64;
    void *grown = realloc(*array, more * size);
    if (!grown) return 0;
    *array = grown;
    *space = more;
    return 1;
}

static int grow_arrays(packer *to, size_t nodes, size_t leaves) {
    forest *packed = to->packed;
    size_t space = to->node_space;
    nodes += to->nodes + 1; /* plus a last one: a lane at a leaf still reads the first node of its tree */
    return grow((void **)&packed->nodes, &space, nodes, sizeof *packed->nodes) &&
           grow((void **)&to->splits, &to->node_space, nodes, sizeof *to->splits) &&
           grow((void **)&packed->leaves, &to->leaf_space, to->leaves + leaves, sizeof *packed->leaves) &&
           grow((void **)&packed->tree, &to->tree_space, packed->trees + 1u, sizeof *packed->tree);
}

static int read_leaves(packer *to, span values, size_t leaves) {
    double *into = to->packed->leaves + to->leaves;
    for (size_t leaf = 0; leaf < leaves; leaf++)
        if (!read_double(&values, &into[leaf]) || isinf(into[leaf]))
            return fail(to, "a leaf value is not a finite number");
    return values.at == values.end || fail(to, "leaf_value has more values than the tree has leaves");
}

/* decision_type: bit 0: categorical; bit 1: missing values go left; bits 2 and 3: nothing, 0 or NaN is missing. */
static enum rule rule_of(int64_t kind) {
    int is_left = (kind & 2) != 0;
    if (kind & 1) return CATEGORY;
    switch (kind >> 2) {
        case 1: return is_left ? ZERO_LEFT : ZERO_RIGHT;
        case 2: return is_left ? NAN_LEFT : NAN_RIGHT;
        default: return NOTHING_MISSING;
    }
}

static int read_splits(packer *to, span fields[FIELDS], size_t nodes, int64_t sets) {
    span columns = fields[COLUMNS], thresholds = fields[THRESHOLDS], kinds = fields[KINDS];
    span children[2] = {fields[LEFT], fields[RIGHT]};
    for (size_t i = 0; i < nodes; i++) {
        split *into = &to->splits[to->nodes + i];
        int64_t column, kind, child[2];
        *into = (split){0};
        if (!read_whole(&columns, 0, (int64_t)to->packed->columns - 1, &column))
            return fail(to, "split_feature is out of range");
        if (!read_whole(&kinds, 0, 11, &kind)) return fail(to, "decision_type is out of range");
        if (!read_double(&thresholds, &into->threshold)) return fail(to, "a threshold is not a number");
        for (int side = 0; side < 2; side++) {
            if (!read_whole(&children[side], -(int64_t)nodes - 1, (int64_t)nodes - 1, &child[side]))
                return fail(to, "a child is out of range");
            to->packed->nodes[to->nodes + i].child[side] = (int16_t)child[side];
        }
        into->column = (uint32_t)column;
        into->rule = rule_of(kind);
        if (into->rule == CATEGORY && !(into->threshold >= 0 && into->threshold < (double)sets))
            return fail(to, "a categorical threshold is not the index of a set");
    }
    int is_all = columns.at == columns.end && thresholds.at == thresholds.end && kinds.at == kinds.end &&
                 children[0].at == children[0].end && children[1].at == children[1].end;
    return is_all || fail(to, "a field has more values than the tree has nodes");
}

/* Reads the sets of categories of a tree, and assigns them to its categorical splits. */
static int read_sets(packer *to, span fields[FIELDS], size_t nodes, int64_t sets) {
    span bounds = fields[BOUNDS], words = fields[WORDS];
    size_t first = to->words;
    int64_t word, *bound;
    if (!sets) return 1;
    while (words.at < words.end) {
        if (!read_whole(&words, 0, UINT32_MAX, &word)) return fail(to, "a value of cat_threshold is not a 32-bit word");
        if (!grow((void **)&to->packed->words, &to->word_space, to->words + 1, sizeof *to->packed->words))
            return fail(to, "out of memory");
        to->packed->words[to->words++] = (uint32_t)word;
    }
    if (!(bound = malloc(((size_t)sets + 1) * sizeof *bound))) return fail(to, "out of memory");
    int fits = 1;
    for (int64_t i = 0; fits && i <= sets; i++)
        fits = read_whole(&bounds, i ? bound[i - 1] : 0, (int64_t)(to->words - first), &bound[i]);
    fits = fits && bound[0] == 0 && bounds.at == bounds.end;
    for (size_t i = 0; fits && i < nodes; i++) {
        split *into = &to->splits[to->nodes + i];
        if (into->rule != CATEGORY) continue;
        int64_t set = (int64_t)into->threshold;
        into->first_word = (uint32_t)(first + (size_t)bound[set]);
        into->words = (uint32_t)(bound[set + 1] - bound[set] < MAX_WORDS ? bound[set + 1] - bound[set] : MAX_WORDS);
    }
    free(bound);
    return fits || fail(to, "cat_boundaries does not fit cat_threshold");
}

/* Returns the height of a tree; 0 if there is not exactly one path to each node and leaf, or if out of memory. */
static int16_t height_of(const node *nodes, size_t count) {
    int16_t height = 0, *level = calloc(count, sizeof *level), *to_visit = malloc(count * sizeof *to_visit);
    uint8_t *is_reached = calloc(count + 1, 1);
    size_t waiting = 0, reached = 1;
    if (!level || !to_visit || !is_reached) goto done;
    to_visit[waiting++] = 0;
    level[0] = 1;
    while (waiting) {
        int16_t parent = to_visit[--waiting];
        if (level[parent] > height) height = level[parent];
        for (int side = 0; side < 2; side++) {
            int child = nodes[parent].child[side];
            if (child < 0 ? is_reached[~child]++ : child == 0 || level[child]) { height = 0; goto done; }
            if (child < 0) continue;
            level[child] = (int16_t)(level[parent] + 1);
            to_visit[waiting++] = (int16_t)child;
            reached++;
        }
    }
    if (reached != count) height = 0;
done:
    free(level), free(to_visit), free(is_reached);
    return height;
}

int read_tree(packer *to, span *text) {
    span fields[FIELDS];
    int64_t leaves, sets = 0, is_linear = 0;
    forest *packed = to->packed;
    if (!read_fields(to, text, fields)) return 0;
    if (fields[LINEAR].at && !read_whole(&fields[LINEAR], 0, 1, &is_linear))
        return fail(to, "is_linear is neither 0 nor 1");
    if (is_linear) return fail(to, "linear trees");
    if (!read_whole(&fields[LEAVES], 1, INT32_MAX, &leaves)) return fail(to, "num_leaves is not a count");
    if (leaves > MAX_LEAVES) return fail(to, "a tree of more than 32,768 leaves");
    if (fields[CATEGORIES].at && !read_whole(&fields[CATEGORIES], 0, fields[BOUNDS].end - fields[BOUNDS].at, &sets))
        return fail(to, "num_cat is out of range");
    size_t nodes = (size_t)leaves - 1;
    if (!grow_arrays(to, nodes, (size_t)leaves)) return fail(to, "out of memory");
    if (!read_leaves(to, fields[VALUES], (size_t)leaves)) return 0;
    if (nodes && !(read_splits(to, fields, nodes, sets) && read_sets(to, fields, nodes, sets))) return 0;
    int16_t height = nodes ? height_of(packed->nodes + to->nodes, nodes) : 0;
    if (nodes && !height) return fail(to, "the children do not form a tree");
    packed->tree[packed->trees++] = (tree){(uint32_t)to->nodes, (uint32_t)to->leaves, nodes ? 0 : ~0, height};
    if (height > packed->height) packed->height = height;
    to->nodes += nodes;
    to->leaves += (size_t)leaves;
    return to->leaves < UINT32_MAX / 2 || fail(to, "more than 2,000,000,000 leaves");
}
