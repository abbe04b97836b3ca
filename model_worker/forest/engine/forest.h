/* A LightGBM forest in a form that is fast to walk. pack.c makes it of a model's text; rows.c, pairs.c and lists.c
 * score it.
 *
 * Packing replaces every threshold of a feature by its rank among that feature's thresholds, and scoring replaces every
 * value of a row by its bin, the number of thresholds below it. For all doubles, x <= threshold is the same as
 * bin <= rank. The rule for missing values is applied to the bin, once a row instead of at every node: see `slot`.
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

/* A row goes left if bins[slot] <= rank. A child is a node of the same tree, or ~leaf. */
typedef struct {
    uint16_t slot, rank;
    int16_t child[2];
} node;

/* `root` is 0, or ~0 if the tree is a single leaf. */
typedef struct {
    uint32_t first_node, first_leaf;
    int16_t root, height;
} tree;

/* How a value becomes a bin. A missing value (NaN; in the ZERO rules also zero) has a bin below or above every rank. */
enum rule { NOTHING_MISSING, ZERO_LEFT, ZERO_RIGHT, NAN_LEFT, NAN_RIGHT, CATEGORY };

/* A feature together with a rule. A categorical feature has a slot for each set of categories: its bin is 0 for the
 * categories whose bit in `words` is set, and 1 for all other values. */
typedef struct {
    enum rule rule;
    uint32_t first_word, words;
} slot;

/* A column that at least one node reads: its thresholds, ascending, and its slots, which are neighbours. */
typedef struct {
    uint32_t column, first_threshold, thresholds, first_slot, slots;
    uint16_t bin_of_zero;
} feature;

/* The function from the sums of a row to its scores. */
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

/* The number of rows that are walked in step. */
enum { LANES = 8 };

/* Writes the bins of all slots of one feature, `stride` apart, for a value of its column. */
void bin_value(const forest *packed, const feature *input, double value, uint16_t *bins, size_t stride);

/* Writes the bins of all slots of a row, `stride` apart. */
void bin_row(const forest *packed, const double *row, uint16_t *bins, size_t stride);

/* Turns the sums of one row into its scores [classes], in place. */
void transform(const forest *packed, double *sums);

/* Writes the scores [count, classes]; `bins` has space for [slots + 1, LANES]. */
void predict_rows(const forest *packed, const double *rows, size_t count, uint16_t *bins, double *scores);

/* ---- the interface of the library ---- */

/* Packs the text of a model, which ends with a NUL at text[size]. Returns NULL if that is not possible, with the reason
 * as a sentence in `reason`, which has space for `reason_size` bytes. */
EXPORT forest *forest_pack(const char *text, size_t size, char *reason, size_t reason_size);
EXPORT void forest_free(forest *packed);
EXPORT uint32_t forest_columns(const forest *packed);
EXPORT uint32_t forest_classes(const forest *packed);

/* Writes the scores [count, classes] of `rows` [count, columns]. Returns 0, or -1 if out of memory; so does
 * table_predict. */
EXPORT int forest_predict(const forest *packed, const double *rows, size_t count, double *scores);

/* A list of candidates: the bins of the columns in which the rows of one request differ, made in advance. */
typedef struct table table;

/* `columns` [width] are ascending, `values` are [count, width]. Returns NULL if the table needs too much memory. The
 * forest must outlive the table. */
EXPORT table *table_make(const forest *packed, const uint32_t *columns, size_t width, const double *values,
                         size_t count);
EXPORT void table_free(table *candidates);

/* Writes the scores [pairs, classes] for `shared` [requests, columns], whose candidate columns are not read. Request i
 * asks for counts[i] of `positions`, each below the table's count. If both are NULL, each request asks for every
 * candidate. */
EXPORT int table_predict(const table *candidates, const double *shared, size_t requests, const uint32_t *counts,
                         const uint32_t *positions, double *scores);

#endif
