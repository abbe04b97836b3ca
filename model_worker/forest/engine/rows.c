/* Scores rows. Nothing here rounds differently from LightGBM: the leaf values of each row are added in the order of the
 * trees, beginning with 0.0 (src/boosting/gbdt_prediction.cpp).
 */
#include "forest.h"

#include <math.h>
#include <string.h>

/* LightGBM treats a value of at most this size as zero (kZeroThreshold, a float). */
static const double SMALLEST = 1e-35f;

/* ---- values to bins ---- */

/* Returns how many of the ascending `thresholds` are below `value`, which is not NaN. */
static uint32_t count_below(const double *thresholds, uint32_t count, double value) {
    const double *first = thresholds;
    if (!count) return 0;
    while (count > 1) {
        uint32_t half = count / 2;
        first += first[half - 1] < value ? half : 0;
        count -= half;
    }
    return (uint32_t)(first - thresholds) + (*first < value);
}

/* A category is a whole number from 0. C truncates the value to it: -0.5 is category 0. */
static uint16_t is_outside(const forest *f, const slot *set, double value) {
    if (!set->words || !(value > -1.0 && value < 32.0 * set->words)) return 1;
    uint32_t category = (uint32_t)value;
    return !(f->words[set->first_word + category / 32] >> category % 32 & 1);
}

void bin_value(const forest *f, const feature *input, double value, uint16_t *bins, size_t stride) {
    int is_nan = isnan(value), is_zero = fabs(value) <= SMALLEST;
    uint32_t bin = is_nan || is_zero ? input->bin_of_zero
                                     : count_below(f->thresholds + input->first_threshold, input->thresholds, value);
    const slot *slots = f->slot + input->first_slot;
    for (uint32_t i = 0; i < input->slots; i++) {
        uint32_t result = bin, above = input->thresholds;
        switch (slots[i].rule) {
            case NOTHING_MISSING: break;
            case ZERO_LEFT: result = is_nan || is_zero ? 0 : bin; break;
            case ZERO_RIGHT: result = is_nan || is_zero ? above : bin; break;
            case NAN_LEFT: result = is_nan ? 0 : bin; break;
            case NAN_RIGHT: result = is_nan ? above : bin; break;
            case CATEGORY: result = is_outside(f, &slots[i], is_zero ? 0.0 : value); break;
        }
        bins[i * stride] = (uint16_t)result;
    }
}

void bin_row(const forest *f, const double *row, uint16_t *bins, size_t stride) {
    for (uint32_t i = 0; i < f->features; i++) {
        const feature *input = &f->feature[i];
        bin_value(f, input, row[input->column], bins + input->first_slot * stride, stride);
    }
}

/* ---- sums to scores ---- */

static double sigmoid(double steepness, double sum) { return 1.0 / (1.0 + exp(-steepness * sum)); }

static void softmax(double *sums, uint32_t classes) {
    double largest = sums[0], total = 0.0;
    for (uint32_t i = 1; i < classes; i++) largest = sums[i] > largest ? sums[i] : largest;
    for (uint32_t i = 0; i < classes; i++) total += sums[i] = exp(sums[i] - largest);
    for (uint32_t i = 0; i < classes; i++) sums[i] /= total;
}

void transform(const forest *f, double *sums) {
    for (uint32_t i = 0; i < f->classes; i++) {
        if (f->is_average) sums[i] /= (int)(f->trees / f->classes);
        switch (f->output) {
            case IDENTITY: case SOFTMAX: break;
            case SIGNED_SQUARE: sums[i] = ((sums[i] > 0) - (sums[i] < 0)) * sums[i] * sums[i]; break;
            case EXPONENTIAL: sums[i] = exp(sums[i]); break;
            case SIGMOID: sums[i] = sigmoid(f->steepness, sums[i]); break;
            case LOG1P_EXP: sums[i] = log1p(exp(sums[i])); break;
        }
    }
    if (f->output == SOFTMAX) softmax(sums, f->classes);
}

/* ---- rows ---- */

/* Goes one step down a tree; at a leaf it stays. It has no branch: the processor would mispredict every third one. */
static inline int step(const node *nodes, int at, const uint16_t *bins, size_t stride) {
    int is_leaf = -(at < 0);
    const node *here = &nodes[at & ~is_leaf];
    int next = here->child[bins[here->slot * stride] > here->rank];
    return (at & is_leaf) | (next & ~is_leaf);
}

/* Walks one row through eight trees in step. While one lane waits for memory, the other lanes continue. */
static void walk_trees(const forest *f, const tree *trees, const uint16_t *bins, double values[LANES]) {
    int at[LANES], is_walking = 1;
    for (int lane = 0; lane < LANES; lane++) at[lane] = trees[lane].root;
    while (is_walking) {
        int leaves = -1;
        for (int lane = 0; lane < LANES; lane++) {
            at[lane] = step(f->nodes + trees[lane].first_node, at[lane], bins, 1);
            leaves &= at[lane];
        }
        is_walking = leaves >= 0;
    }
    for (int lane = 0; lane < LANES; lane++) values[lane] = f->leaves[trees[lane].first_leaf + (uint32_t)~at[lane]];
}

/* Walks eight rows through one tree in step. */
static void walk_rows(const forest *f, const tree *in, const uint16_t *bins, double values[LANES]) {
    const node *nodes = f->nodes + in->first_node;
    int at[LANES], is_walking = 1;
    for (int lane = 0; lane < LANES; lane++) at[lane] = in->root;
    while (is_walking) {
        int leaves = -1;
        for (int lane = 0; lane < LANES; lane++) {
            at[lane] = step(nodes, at[lane], bins + lane, LANES);
            leaves &= at[lane];
        }
        is_walking = leaves >= 0;
    }
    for (int lane = 0; lane < LANES; lane++) values[lane] = f->leaves[in->first_leaf + (uint32_t)~at[lane]];
}

static void predict_one(const forest *f, const double *row, uint16_t *bins, double *scores) {
    bins[0] = 0; /* for a forest that reads no feature */
    bin_row(f, row, bins, 1);
    memset(scores, 0, f->classes * sizeof *scores);
    for (uint32_t i = 0; i < f->trees;) {
        double values[LANES];
        tree group[LANES];
        uint32_t count = f->trees - i < LANES ? f->trees - i : LANES;
        for (uint32_t lane = 0; lane < LANES; lane++) group[lane] = f->tree[lane < count ? i + lane : i];
        walk_trees(f, group, bins, values);
        for (uint32_t lane = 0; lane < count; lane++, i++) scores[i % f->classes] += values[lane];
    }
    transform(f, scores);
}

static void predict_lanes(const forest *f, const double *rows, uint32_t count, uint16_t *bins, double *scores) {
    memset(bins, 0, ((size_t)f->slots + 1) * LANES * sizeof *bins);
    for (uint32_t lane = 0; lane < count; lane++) bin_row(f, rows + (size_t)lane * f->columns, bins + lane, LANES);
    memset(scores, 0, count * f->classes * sizeof *scores);
    for (uint32_t i = 0; i < f->trees; i++) {
        double values[LANES];
        walk_rows(f, &f->tree[i], bins, values);
        for (uint32_t lane = 0; lane < count; lane++) scores[lane * f->classes + i % f->classes] += values[lane];
    }
    for (uint32_t lane = 0; lane < count; lane++) transform(f, scores + lane * f->classes);
}

void predict_rows(const forest *f, const double *rows, size_t count, uint16_t *bins, double *scores) {
    while (count) {
        uint32_t lanes = count < LANES ? (uint32_t)count : LANES;
        if (lanes < 3) {
            lanes = 1;
            predict_one(f, rows, bins, scores);
        } else
            predict_lanes(f, rows, lanes, bins, scores);
        rows += (size_t)lanes * f->columns, scores += (size_t)lanes * f->classes, count -= lanes;
    }
}
