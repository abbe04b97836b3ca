/* Packs the text of a LightGBM model, and believes nothing that it says: every count, index, cycle and number is
 * checked here, so that what scores need not. Fields: LightGBM, src/io/tree.cpp and src/boosting/gbdt_model_text.cpp.
 */
#include "forest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LEAVES = 32768, MAX_RANKS = 65535, MAX_SLOTS = 65535 };

/* More would be for categories that no int can be, which LightGBM sends to the right. */
enum { MAX_WORDS = 1 << 26 };

/* Some text without its end marker. */
typedef struct {
    const char *at, *end;
} span;

/* What is known of a node before ranks and slots are; `set` is that of its categories, once all sets are there. */
typedef struct {
    uint32_t column;
    enum rule rule;
    double threshold;
    uint32_t first_word, words;
    const uint32_t *set;
} split;

typedef struct {
    forest *packed;
    split *splits; /* beside packed->nodes */
    size_t nodes, leaves, words, thresholds, node_room, leaf_room, tree_room, word_room;
    char *reason;
    size_t room;
} packer;

static int fail(packer *to, const char *sentence) {
    if (to->room) snprintf(to->reason, to->room, "%s", sentence);
    return 0;
}

/* ---- text: lines, fields, numbers ---- */

static span next_line(span *text) {
    const char *end = memchr(text->at, '\n', (size_t)(text->end - text->at));
    span line = {text->at, end ? end : text->end};
    text->at = end ? end + 1 : text->end;
    return line;
}

static int is_text(span text, const char *word) {
    size_t size = strlen(word);
    return (size_t)(text.end - text.at) == size && memcmp(text.at, word, size) == 0;
}

/* The value of the line `name=value`. */
static int value_of(span line, const char *name, span *value) {
    size_t size = strlen(name);
    if ((size_t)(line.end - line.at) <= size || memcmp(line.at, name, size) || line.at[size] != '=') return 0;
    *value = (span){line.at + size + 1, line.end};
    return 1;
}

/* The next of some numbers with one blank between them; whole, `low` to `high`. */
static int read_whole(span *text, int64_t low, int64_t high, int64_t *number) {
    if (text->at == text->end) return 0; /* nowhere, where the field is missing */
    int is_negative = *text->at == '-';
    const char *at = text->at + is_negative, *first = at;
    int64_t value = 0;
    while (at < text->end && *at >= '0' && *at <= '9' && at - first < 18) value = 10 * value + (*at++ - '0');
    if (at == first || (at < text->end && *at != ' ')) return 0;
    *number = is_negative ? -value : value;
    text->at = at < text->end ? at + 1 : at;
    return low <= *number && *number <= high;
}

static int read_double(span *text, double *number) {
    char *after;
    if (text->at >= text->end || !strchr("-+.0123456789in", *text->at)) return 0;
    *number = strtod(text->at, &after);
    if (after == text->at || after > text->end || (after < text->end && *after != ' ')) return 0;
    text->at = after < text->end ? after + 1 : after;
    return !isnan(*number);
}

/* ---- one tree ---- */

enum field { LEAVES, CATEGORIES, COLUMNS, THRESHOLDS, KINDS, LEFT, RIGHT, VALUES, BOUNDS, WORDS, LINEAR, FIELDS };
static const char *const FIELD_NAMES[FIELDS] = {
    "num_leaves",  "num_cat",    "split_feature", "threshold",      "decision_type", "left_child",
    "right_child", "leaf_value", "cat_boundaries", "cat_threshold", "is_linear",
};

/* Reads the fields of a tree up to a blank line. */
static int read_fields(packer *to, span *text, span fields[FIELDS]) {
    memset(fields, 0, FIELDS * sizeof *fields);
    for (;;) {
        span line = next_line(text), value;
        if (line.at == line.end) return 1;
        for (int name = 0; name < FIELDS; name++)
            if (value_of(line, FIELD_NAMES[name], &value)) {
                if (fields[name].at) return fail(to, "a field of a tree is there twice");
                fields[name] = value;
            }
    }
}

static int grow(void **array, size_t *room, size_t wanted, size_t size) {
    if (wanted <= *room) return 1;
    size_t more = 2 * wanted + 64;
    void *grown = realloc(*array, more * size);
    if (!grown) return 0;
    *array = grown;
    *room = more;
    return 1;
}

static int make_room(packer *to, size_t nodes, size_t leaves) {
    forest *packed = to->packed;
    size_t beside = to->node_room;
    nodes += to->nodes + 1; /* and the last one of all, which only lanes without a tree to walk look at */
    return grow((void **)&packed->nodes, &beside, nodes, sizeof *packed->nodes) &&
           grow((void **)&to->splits, &to->node_room, nodes, sizeof *to->splits) &&
           grow((void **)&packed->leaves, &to->leaf_room, to->leaves + leaves, sizeof *packed->leaves) &&
           grow((void **)&packed->tree, &to->tree_room, packed->trees + 1u, sizeof *packed->tree);
}

static int read_leaves(packer *to, span values, size_t leaves) {
    double *into = to->packed->leaves + to->leaves;
    for (size_t leaf = 0; leaf < leaves; leaf++)
        if (!read_double(&values, &into[leaf]) || isinf(into[leaf])) return fail(to, "a leaf's value is no number");
    return values.at == values.end || fail(to, "leaf_value has more values than the tree has leaves");
}

/* decision_type: bit 0 categorical, bit 1 missing values go left, bits 2 and 3 what is missing: nothing, 0 or NaN. */
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
        split *one = &to->splits[to->nodes + i];
        int64_t column, kind, child[2];
        *one = (split){0};
        if (!read_whole(&columns, 0, (int64_t)to->packed->columns - 1, &column))
            return fail(to, "split_feature is out of range");
        if (!read_whole(&kinds, 0, 11, &kind)) return fail(to, "decision_type is out of range");
        if (!read_double(&thresholds, &one->threshold)) return fail(to, "a threshold is no number");
        for (int side = 0; side < 2; side++) {
            if (!read_whole(&children[side], -(int64_t)nodes - 1, (int64_t)nodes - 1, &child[side]))
                return fail(to, "a child is out of range");
            to->packed->nodes[to->nodes + i].child[side] = (int16_t)child[side];
        }
        one->column = (uint32_t)column;
        one->rule = rule_of(kind);
        if (one->rule == CATEGORY && !(one->threshold >= 0 && one->threshold < (double)sets))
            return fail(to, "a categorical threshold is not the index of a set");
    }
    int is_all = columns.at == columns.end && thresholds.at == thresholds.end && kinds.at == kinds.end &&
                 children[0].at == children[0].end && children[1].at == children[1].end;
    return is_all || fail(to, "a field has more values than the tree has nodes");
}

/* Gives the categorical nodes of a tree their sets. */
static int read_sets(packer *to, span fields[FIELDS], size_t nodes, int64_t sets) {
    span bounds = fields[BOUNDS], words = fields[WORDS];
    size_t first = to->words;
    int64_t word, *bound;
    if (!sets) return 1;
    while (words.at < words.end) {
        if (!read_whole(&words, 0, UINT32_MAX, &word)) return fail(to, "cat_threshold is not made of 32-bit words");
        if (!grow((void **)&to->packed->words, &to->word_room, to->words + 1, sizeof *to->packed->words))
            return fail(to, "out of memory");
        to->packed->words[to->words++] = (uint32_t)word;
    }
    if (!(bound = malloc(((size_t)sets + 1) * sizeof *bound))) return fail(to, "out of memory");
    int fits = 1;
    for (int64_t i = 0; fits && i <= sets; i++)
        fits = read_whole(&bounds, i ? bound[i - 1] : 0, (int64_t)(to->words - first), &bound[i]);
    fits = fits && bound[0] == 0 && bounds.at == bounds.end;
    for (size_t i = 0; fits && i < nodes; i++) {
        split *one = &to->splits[to->nodes + i];
        if (one->rule != CATEGORY) continue;
        int64_t set = (int64_t)one->threshold;
        one->first_word = (uint32_t)(first + (size_t)bound[set]);
        one->words = (uint32_t)(bound[set + 1] - bound[set] < MAX_WORDS ? bound[set + 1] - bound[set] : MAX_WORDS);
    }
    free(bound);
    return fits || fail(to, "cat_boundaries does not fit cat_threshold");
}

/* The height of a tree whose nodes and leaves are each reached once; 0 where they are not. */
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

static int read_tree(packer *to, span *text) {
    span fields[FIELDS];
    int64_t leaves, sets = 0, is_linear = 0;
    forest *packed = to->packed;
    if (!read_fields(to, text, fields)) return 0;
    if (fields[LINEAR].at && !read_whole(&fields[LINEAR], 0, 1, &is_linear))
        return fail(to, "is_linear is neither 0 nor 1");
    if (is_linear) return fail(to, "linear trees");
    if (!read_whole(&fields[LEAVES], 1, INT32_MAX, &leaves)) return fail(to, "num_leaves is no count");
    if (leaves > MAX_LEAVES) return fail(to, "a tree of more than 32,768 leaves");
    if (fields[CATEGORIES].at && !read_whole(&fields[CATEGORIES], 0, fields[BOUNDS].end - fields[BOUNDS].at, &sets))
        return fail(to, "num_cat is out of range");
    size_t nodes = (size_t)leaves - 1;
    if (!make_room(to, nodes, (size_t)leaves)) return fail(to, "out of memory");
    if (!read_leaves(to, fields[VALUES], (size_t)leaves)) return 0;
    if (nodes && !(read_splits(to, fields, nodes, sets) && read_sets(to, fields, nodes, sets))) return 0;
    int16_t height = nodes ? height_of(packed->nodes + to->nodes, nodes) : 0;
    if (nodes && !height) return fail(to, "the children do not form a tree");
    packed->tree[packed->trees++] = (tree){(uint32_t)to->nodes, (uint32_t)to->leaves, nodes ? 0 : ~0, height};
    if (height > packed->height) packed->height = height;
    to->nodes += nodes;
    to->leaves += (size_t)leaves;
    return to->leaves < UINT32_MAX / 2 || fail(to, "more than two thousand million leaves");
}

/* ---- the header ---- */

/* A number of the objective as LightGBM reads it, which is not always the nearest double: plain digits, in two parts. */
static int read_steepness(span text, double *number) {
    double whole = 0.0, fraction = 0.0, power = 1.0;
    const char *at = text.at;
    while (at < text.end && *at >= '0' && *at <= '9') whole = 10.0 * whole + (*at++ - '0');
    if (at < text.end && *at == '.')
        for (at++; at < text.end && *at >= '0' && *at <= '9'; power *= 10.0) fraction = 10.0 * fraction + (*at++ - '0');
    *number = whole + fraction / power;
    return at > text.at && at == text.end;
}

static int read_objective(packer *to, span value) {
    static const struct { const char *name; enum output output, of_roots; } KNOWN[] = {
        {"binary", SIGMOID, SIGMOID}, {"multiclassova", SIGMOID, SIGMOID}, {"cross_entropy", SIGMOID, SIGMOID},
        {"multiclass", SOFTMAX, SOFTMAX}, {"cross_entropy_lambda", LOG1P_EXP, LOG1P_EXP},
        {"poisson", EXPONENTIAL, EXPONENTIAL}, {"gamma", EXPONENTIAL, EXPONENTIAL}, {"tweedie", EXPONENTIAL, EXPONENTIAL},
        {"regression", IDENTITY, SIGNED_SQUARE}, {"regression_l1", IDENTITY, SIGNED_SQUARE},
        {"fair", IDENTITY, SIGNED_SQUARE}, {"quantile", IDENTITY, SIGNED_SQUARE}, {"mape", IDENTITY, SIGNED_SQUARE},
        {"huber", IDENTITY, IDENTITY}, {"lambdarank", IDENTITY, IDENTITY}, {"rank_xendcg", IDENTITY, IDENTITY},
        {"custom", IDENTITY, IDENTITY},
    };
    span word = {value.at, value.at};
    int known = -1;
    while (word.end < value.end && *word.end != ' ') word.end++;
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (is_text(word, KNOWN[i].name)) known = (int)i;
    if (known < 0) return fail(to, "an objective that the engine does not know");
    to->packed->output = KNOWN[known].output;
    while (word.end < value.end) {
        word = (span){word.end + 1, word.end + 1};
        while (word.end < value.end && *word.end != ' ') word.end++;
        if (is_text(word, "sqrt")) to->packed->output = KNOWN[known].of_roots;
        if (word.end - word.at < 8 || memcmp(word.at, "sigmoid:", 8)) continue;
        if (!read_steepness((span){word.at + 8, word.end}, &to->packed->steepness))
            return fail(to, "the objective's sigmoid is no plain number");
    }
    return 1;
}

static int read_header(packer *to, span *text) {
    int64_t last_column = -1, classes = 0;
    span value;
    forest *packed = to->packed;
    if (!is_text(next_line(text), "tree")) return fail(to, "it does not start with the header of a model");
    for (;;) {
        span line = next_line(text);
        if (line.at == line.end) break;
        if (is_text(line, "average_output")) packed->is_average = 1;
        if (value_of(line, "max_feature_idx", &value) && !read_whole(&value, 0, text->end - text->at, &last_column))
            return fail(to, "max_feature_idx is out of range");
        if (value_of(line, "num_tree_per_iteration", &value) && !read_whole(&value, 1, 100000, &classes))
            return fail(to, "num_tree_per_iteration is out of range");
        if (value_of(line, "objective", &value) && !read_objective(to, value)) return 0;
    }
    if (last_column < 0 || !classes) return fail(to, "the header lacks max_feature_idx or num_tree_per_iteration");
    packed->columns = (uint32_t)last_column + 1;
    packed->classes = (uint32_t)classes;
    return 1;
}

static int read_model(packer *to, span text) {
    span line, value;
    if (!read_header(to, &text)) return 0;
    for (;;) {
        do line = next_line(&text);
        while (line.at == line.end && text.at < text.end);
        if (is_text(line, "end of trees")) break;
        if (!value_of(line, "Tree", &value)) return fail(to, "a tree does not begin where the one before ends");
        if (!read_tree(to, &text)) return 0;
    }
    if (to->packed->trees % to->packed->classes) return fail(to, "it does not have as many trees for every class");
    return 1;
}

/* ---- thresholds to ranks, and ways of looking at a feature to slots ---- */

static int compare(const split *a, const split *b) {
    if (a->column != b->column) return a->column < b->column ? -1 : 1;
    if ((a->rule == CATEGORY) != (b->rule == CATEGORY)) return a->rule == CATEGORY ? 1 : -1;
    if (a->rule != CATEGORY) return a->threshold < b->threshold ? -1 : a->threshold > b->threshold;
    if (a->words != b->words) return a->words < b->words ? -1 : 1;
    return a->set == b->set ? 0 : memcmp(a->set, b->set, a->words * sizeof *a->set);
}

static int compare_places(const void *one, const void *other) {
    return compare(*(const split *const *)one, *(const split *const *)other);
}

/* Appends the features, thresholds and slots of the splits in `order`, and gives each node its slot and rank. */
static int rank_all(packer *to, split **order) {
    forest *packed = to->packed;
    size_t thresholds = 0, slots = 0;
    for (size_t i = 0; i < to->nodes;) {
        uint32_t column = order[i]->column;
        int32_t slot_of[CATEGORY] = {-1, -1, -1, -1, -1};
        feature *one = &packed->feature[packed->features++];
        *one = (feature){.column = column, .first_threshold = (uint32_t)thresholds, .first_slot = (uint32_t)slots};
        for (; i < to->nodes && order[i]->column == column; i++) {
            const split *here = order[i];
            node *into = &packed->nodes[here - to->splits];
            if (here->rule == CATEGORY) {
                int is_new = !one->slots || packed->slot[slots - 1].rule != CATEGORY || compare(here, order[i - 1]);
                if (is_new) packed->slot[slots++] = (slot){CATEGORY, here->first_word, here->words};
                into->slot = (uint16_t)(slots - 1), into->rank = 0;
            } else {
                if (thresholds == one->first_threshold || packed->thresholds[thresholds - 1] != here->threshold)
                    packed->thresholds[thresholds++] = here->threshold;
                if (slot_of[here->rule] < 0) {
                    slot_of[here->rule] = (int32_t)slots;
                    packed->slot[slots++] = (slot){here->rule, 0, 0};
                }
                into->slot = (uint16_t)slot_of[here->rule];
                into->rank = (uint16_t)(thresholds - 1 - one->first_threshold);
            }
            one->thresholds = (uint32_t)thresholds - one->first_threshold;
            one->slots = (uint32_t)slots - one->first_slot;
            if (one->thresholds > MAX_RANKS) return fail(to, "a column with more than 65,535 thresholds");
            if (slots > MAX_SLOTS) return fail(to, "more than 65,535 columns and sets of categories");
        }
        const double *first = packed->thresholds + one->first_threshold;
        while (one->bin_of_zero < one->thresholds && first[one->bin_of_zero] < 0.0) one->bin_of_zero++;
    }
    packed->slots = (uint32_t)slots;
    to->thresholds = thresholds;
    return 1;
}

static int settle(packer *to) {
    forest *packed = to->packed;
    size_t nodes = to->nodes + 1; /* nothing is of size 0 */
    if (packed->nodes) packed->nodes[to->nodes] = (node){0};
    split **order = malloc(nodes * sizeof *order);
    packed->thresholds = malloc(nodes * sizeof *packed->thresholds);
    packed->slot = malloc(nodes * sizeof *packed->slot);
    packed->feature = malloc(nodes * sizeof *packed->feature);
    if (!order || !packed->thresholds || !packed->slot || !packed->feature) {
        free(order);
        return fail(to, "out of memory");
    }
    for (size_t i = 0; i < to->nodes; i++) {
        order[i] = &to->splits[i];
        if (order[i]->words) order[i]->set = packed->words + order[i]->first_word;
    }
    qsort(order, to->nodes, sizeof *order, compare_places);
    int is_ranked = rank_all(to, order);
    free(order);
    return is_ranked;
}

static void fit(void **array, size_t count, size_t size) {
    void *fitted = count ? realloc(*array, count * size) : NULL;
    if (fitted) *array = fitted;
}

/* Gives back the room that is left over, so that a step too far is one that the sanitizers see. */
static void fit_all(packer *to) {
    forest *packed = to->packed;
    fit((void **)&packed->nodes, to->nodes + 1, sizeof *packed->nodes);
    fit((void **)&packed->leaves, to->leaves, sizeof *packed->leaves);
    fit((void **)&packed->tree, packed->trees, sizeof *packed->tree);
    fit((void **)&packed->words, to->words, sizeof *packed->words);
    fit((void **)&packed->slot, packed->slots, sizeof *packed->slot);
    fit((void **)&packed->thresholds, to->thresholds, sizeof *packed->thresholds);
    fit((void **)&packed->feature, packed->features, sizeof *packed->feature);
}

forest *forest_pack(const char *text, size_t size, char *reason, size_t room) {
    packer to = {.packed = calloc(1, sizeof(forest)), .reason = reason, .room = room};
    if (!to.packed) return NULL;
    to.packed->steepness = 1.0;
    int is_packed = read_model(&to, (span){text, text + size}) && settle(&to);
    free(to.splits);
    if (is_packed) {
        fit_all(&to);
        return to.packed;
    }
    forest_free(to.packed);
    return NULL;
}

void forest_free(forest *packed) {
    if (!packed) return;
    free(packed->nodes), free(packed->leaves), free(packed->tree), free(packed->feature);
    free(packed->slot), free(packed->thresholds), free(packed->words), free(packed);
}

uint32_t forest_columns(const forest *packed) { return packed->columns; }
uint32_t forest_classes(const forest *packed) { return packed->classes; }
