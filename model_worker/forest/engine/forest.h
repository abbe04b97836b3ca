/* A LightGBM forest in a form that is quick to walk: what pack.c makes of a model's text, and rows.c and
 * tables.c score.
 *
 * Every threshold of a feature is replaced by its rank among that feature's thresholds, and every value of a row by
 * the number of thresholds below it (its bin): x <= threshold is the same as bin <= rank, for all doubles. What a
 * missing value does at a node is put into the bin as well, once a row instead of at every node: see `slot`.
 */
#ifndef MODEL_WORKER_FOREST_H
#define MODEL_WORKER_FOREST_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

/* Left where bins[slot] <= rank. A child is a node of the same tree, or ~leaf. */
typedef struct {
    uint16_t slot, rank;
    int16_t child[2];
} node;

/* `root` is 0, or ~0 where the tree is a single leaf. */
typedef struct {
    uint32_t first_node, first_leaf;
    int16_t root, height;
} tree;

/* How a value becomes a bin. Where it is missing (NaN, or zero as well), the bin is below or above every rank. */
enum rule { NOTHING_MISSING, ZERO_LEFT, ZERO_RIGHT, NAN_LEFT, NAN_RIGHT, CATEGORY };

/* One way to look at a feature. Of a categorical one each set of categories is a slot: bin 0 for those in `words`,
 * where the bit of each category is; bin 1 for others. */
typedef struct {
    enum rule rule;
    uint32_t first_word, words;
} slot;

/* A column that at least one node asks for: its thresholds, ascending, and its slots, which are neighbours. */
typedef struct {
    uint32_t column, first_threshold, thresholds, first_slot, slots;
    uint16_t bin_of_zero;
} feature;

enum output { IDENTITY, SIGNED_SQUARE, EXPONENTIAL, SIGMOID, LOG1P_EXP, SOFTMAX };

typedef struct forest {
    uint32_t columns, classes, trees, features, slots;
    node *nodes;
    double *leaves;
    tree *tree;
    feature *feature;
    slot *slot;
    double *thresholds;
    uint32_t *words;
    int16_t height; /* of the highest tree */
    int is_average;
    enum output output;
    double steepness; /* of SIGMOID */
} forest;

/* Rows that are walked in step. */
enum { LANES = 8 };

/* The bins of one feature's slots, `stride` apart, for a value of its column; and of all features, for a row. */
void look_at(const forest *packed, const feature *of, double value, uint16_t *bins, size_t stride);
void look_at_row(const forest *packed, const double *row, uint16_t *bins, size_t stride);

/* Turns the sums of one row into its scores [classes], in place. */
void finish(const forest *packed, double *sums);

/* Scores [count, classes]; `bins` is room for [slots + 1, LANES]. */
void predict_rows(const forest *packed, const double *rows, size_t count, uint16_t *bins, double *scores);

/* ---- what the worker calls ---- */

/* Packs the text of a model, NUL-terminated at text[size]; NULL where that cannot be, with a sentence in `reason`. */
EXPORT forest *forest_pack(const char *text, size_t size, char *reason, size_t room);
EXPORT void forest_free(forest *packed);
EXPORT uint32_t forest_columns(const forest *packed);
EXPORT uint32_t forest_classes(const forest *packed);

/* Scores [count, classes] of `rows` [count, columns]. All that score return 0, or -1 without memory for their work. */
EXPORT int forest_predict(const forest *packed, const double *rows, size_t count, double *scores);

/* A list of candidates: the columns in which the rows of one request differ, looked at beforehand. */
typedef struct table table;

/* `columns` [width] are ascending, `values` [count, width]; NULL without memory. The forest must outlive the table. */
EXPORT table *table_make(const forest *packed, const uint32_t *columns, size_t width, const double *values,
                         size_t count);
EXPORT void table_free(table *candidates);

/* Scores [pairs, classes] for `shared` [requests, columns], whose candidate columns are not read. Request i asks for
 * counts[i] of `positions`, all of them below the table's count; both NULL: each for every candidate. */
EXPORT int table_predict(const table *candidates, const double *shared, size_t requests, const uint32_t *counts,
                         const uint32_t *positions, double *scores);

#endif
