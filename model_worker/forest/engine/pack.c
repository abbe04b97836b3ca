/* Packs the text of a LightGBM model. The text is not trusted: packing checks every count, index, cycle and number, so
 * that scoring does not have to. Fields: LightGBM, src/io/tree.cpp and src/boosting/gbdt_model_text.cpp.
 */
#include "pack.h"

#include <stdio.h>

int fail(packer *to, const char *sentence) {
    if (to->reason_size) snprintf(to->reason, to->reason_size, "%s", sentence);
    return 0;
}

/* ---- the header ---- */

/* Reads plain digits in two parts, as LightGBM reads a number of the objective: not always the nearest double. */
static int read_steepness(span text, double *number) {
    double whole = 0.0, fraction = 0.0, power = 1.0;
    const char *at = text.at;
    while (at < text.end && *at >= '0' && *at <= '9') whole = 10.0 * whole + (*at++ - '0');
    if (at < text.end && *at == '.')
        for (at++; at < text.end && *at >= '0' && *at <= '9'; power *= 10.0) fraction = 10.0 * fraction + (*at++ - '0');
    *number = whole + fraction / power;
    return at > text.at && at == text.end;
}

static const struct {
    const char *name;
    enum output output, with_sqrt;
} OBJECTIVES[] = {
    {"binary", SIGMOID, SIGMOID}, {"multiclassova", SIGMOID, SIGMOID}, {"cross_entropy", SIGMOID, SIGMOID},
    {"multiclass", SOFTMAX, SOFTMAX}, {"cross_entropy_lambda", LOG1P_EXP, LOG1P_EXP},
    {"poisson", EXPONENTIAL, EXPONENTIAL}, {"gamma", EXPONENTIAL, EXPONENTIAL}, {"tweedie", EXPONENTIAL, EXPONENTIAL},
    {"regression", IDENTITY, SIGNED_SQUARE}, {"regression_l1", IDENTITY, SIGNED_SQUARE},
    {"fair", IDENTITY, SIGNED_SQUARE}, {"quantile", IDENTITY, SIGNED_SQUARE}, {"mape", IDENTITY, SIGNED_SQUARE},
    {"huber", IDENTITY, IDENTITY}, {"lambdarank", IDENTITY, IDENTITY}, {"rank_xendcg", IDENTITY, IDENTITY},
    {"custom", IDENTITY, IDENTITY},
};

static int read_objective(packer *to, span value) {
    span word = {value.at, value.at};
    int known = -1;
    while (word.end < value.end && *word.end != ' ') word.end++;
    for (size_t i = 0; i < sizeof OBJECTIVES / sizeof *OBJECTIVES; i++)
        if (equals(word, OBJECTIVES[i].name)) known = (int)i;
    if (known < 0) return fail(to, "an objective that the engine does not support");
    to->packed->output = OBJECTIVES[known].output;
    while (word.end < value.end) {
        word = (span){word.end + 1, word.end + 1};
        while (word.end < value.end && *word.end != ' ') word.end++;
        if (equals(word, "sqrt")) to->packed->output = OBJECTIVES[known].with_sqrt;
        if (word.end - word.at < 8 || memcmp(word.at, "sigmoid:", 8)) continue;
        if (!read_steepness((span){word.at + 8, word.end}, &to->packed->steepness))
            return fail(to, "the objective's sigmoid is not a plain number");
    }
    return 1;
}

static int read_header(packer *to, span *text) {
    int64_t last_column = -1, classes = 0;
    span value;
    forest *packed = to->packed;
    if (!equals(next_line(text), "tree")) return fail(to, "the file does not start with the header of a model");
    for (;;) {
        span line = next_line(text);
        if (line.at == line.end) break;
        if (equals(line, "average_output")) packed->is_average = 1;
        if (read_value(line, "max_feature_idx", &value) && !read_whole(&value, 0, text->end - text->at, &last_column))
            return fail(to, "max_feature_idx is out of range");
        if (read_value(line, "num_tree_per_iteration", &value) && !read_whole(&value, 1, 100000, &classes))
            return fail(to, "num_tree_per_iteration is out of range");
        if (read_value(line, "objective", &value) && !read_objective(to, value)) return 0;
    }
    if (last_column < 0 || !classes) return fail(to, "the header lacks max_feature_idx or num_tree_per_iteration");
    packed->columns = (uint32_t)last_column + 1;
    packed->classes = (uint32_t)classes;
    return 1;
}

/* ---- the whole model ---- */

static int read_model(packer *to, span text) {
    span line, value;
    if (!read_header(to, &text)) return 0;
    for (;;) {
        do line = next_line(&text);
        while (line.at == line.end && text.at < text.end);
        /* LightGBM 2.0 and 2.1 do not mark the end of the trees. */
        if (equals(line, "end of trees") || equals(line, "feature importances:")) break;
        if (!read_value(line, "Tree", &value)) return fail(to, "a tree does not begin where the previous tree ends");
        if (!read_tree(to, &text)) return 0;
    }
    if (to->packed->trees % to->packed->classes) return fail(to, "the classes do not have the same number of trees");
    return 1;
}

static void shrink(void **array, size_t count, size_t size) {
    void *smaller = count ? realloc(*array, count * size) : NULL;
    if (smaller) *array = smaller;
}

/* Gives back unused space, so that the sanitizers detect an access behind the last element. */
static void shrink_arrays(packer *to) {
    forest *packed = to->packed;
    shrink((void **)&packed->nodes, to->nodes + 1, sizeof *packed->nodes);
    shrink((void **)&packed->leaves, to->leaves, sizeof *packed->leaves);
    shrink((void **)&packed->tree, packed->trees, sizeof *packed->tree);
    shrink((void **)&packed->words, to->words, sizeof *packed->words);
    shrink((void **)&packed->slot, packed->slots, sizeof *packed->slot);
    shrink((void **)&packed->thresholds, to->thresholds, sizeof *packed->thresholds);
    shrink((void **)&packed->feature, packed->features, sizeof *packed->feature);
}

forest *forest_pack(const char *text, size_t size, char *reason, size_t reason_size) {
    packer to = {.packed = calloc(1, sizeof(forest)), .reason = reason, .reason_size = reason_size};
    if (!to.packed) return NULL;
    to.packed->steepness = 1.0;
    int is_packed = read_model(&to, (span){text, text + size}) && assign_ranks(&to);
    free(to.splits);
    if (is_packed) {
        shrink_arrays(&to);
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
