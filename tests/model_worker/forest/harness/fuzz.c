/* Packs any bytes as a model and scores it, where it was packed, in every form: all must agree to the last bit.
 * The entry is libFuzzer's (`make fuzz`); replay.c calls it for files.
 */
#include "forest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Models with more are only packed: their scores would take all the time. */
enum { MOST_COLUMNS = 300, MOST_CLASSES = 50, REQUESTS = 3, MOST_CANDIDATES = 131 };

static uint32_t dice;

static uint32_t below(uint32_t limit) {
    dice = dice * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(dice >> 4) * limit >> 28);
}

static void demand(int holds, const char *otherwise) {
    if (holds) return;
    fprintf(stderr, "%s\n", otherwise);
    abort();
}

/* Just as much, but for nothing: the sanitizer sees the first byte too many. */
static void *room(size_t count, size_t size) {
    void *made = malloc(count ? count * size : 1);
    demand(made != NULL, "no memory for the harness");
    return made;
}

/* ---- rows on the boundaries of a model ---- */

static double odd_value(void) {
    const double odd[] = {NAN, 0.0, -0.0, INFINITY, -INFINITY, 5e-324, 1e-35f, -1e-35f, 1e300, -1e300, -1.0, -0.5, 0.5,
                          1.0, 31.5, 64.0, 2147483647.0, 2147483648.0, 4294967296.0, 9.3e18};
    return odd[below(sizeof odd / sizeof *odd)];
}

/* A threshold of the feature or a neighbour of it, a category or something odd. */
static double value_for(const forest *packed, const feature *of) {
    uint32_t way = below(4);
    if (way == 0 || (way == 1 && !of->thresholds)) return odd_value();
    if (way == 1) return below(100);
    if (!of->thresholds) {
        const slot *set = &packed->slot[of->first_slot + below(of->slots)];
        return below(32 * (set->words < 1000 ? set->words : 1000) + 2);
    }
    double threshold = packed->thresholds[of->first_threshold + below(of->thresholds)];
    return way == 2 ? threshold : nextafter(threshold, below(2) ? INFINITY : -INFINITY);
}

static void fill(const forest *packed, double *row) {
    for (uint32_t i = 0; i < packed->columns; i++) row[i] = odd_value();
    for (uint32_t i = 0; i < packed->features; i++)
        row[packed->feature[i].column] = value_for(packed, &packed->feature[i]);
}

/* ---- one case: some requests, a list of candidates, and the rows of all pairs ---- */

typedef struct {
    const forest *packed;
    uint32_t count, width, *columns;
    double *shared, *values, *pairs, *expected; /* of the pairs, row by row */
} list;

static list make_list(const forest *packed, uint32_t count, uint32_t stride) {
    uint32_t wide = packed->columns, first = below(stride);
    list made = {.packed = packed, .count = count, .columns = room(wide, sizeof(uint32_t))};
    for (uint32_t i = first; i < wide; i += stride) made.columns[made.width++] = i;
    made.shared = room((size_t)REQUESTS * wide, sizeof(double));
    made.values = room((size_t)count * made.width, sizeof(double));
    made.pairs = room((size_t)REQUESTS * count * wide, sizeof(double));
    double *row = room(wide, sizeof(double));
    for (uint32_t i = 0; i < REQUESTS; i++) fill(packed, made.shared + (size_t)i * wide);
    for (uint32_t i = 0; i < count; i++) {
        fill(packed, row);
        for (uint32_t j = 0; j < made.width; j++) made.values[i * made.width + j] = row[made.columns[j]];
    }
    free(row);
    for (uint32_t i = 0; i < REQUESTS * count; i++) {
        double *pair = made.pairs + (size_t)i * wide, *own = made.values + i % count * made.width;
        memcpy(pair, made.shared + i / count * (size_t)wide, wide * sizeof *pair);
        for (uint32_t j = 0; j < made.width; j++) pair[made.columns[j]] = own[j];
    }
    return made;
}

static void free_list(list *of) {
    free(of->columns), free(of->shared), free(of->values), free(of->pairs), free(of->expected);
}

static double *room_for_scores(const list *of, size_t pairs) {
    return room(pairs * of->packed->classes, sizeof(double));
}

static void check(const list *of, const double *scores, size_t pair, size_t count, const char *otherwise) {
    size_t classes = of->packed->classes;
    demand(memcmp(scores, of->expected + pair * classes, count * classes * sizeof *scores) == 0, otherwise);
}

static void by_row(list *of) {
    size_t pairs = (size_t)REQUESTS * of->count;
    of->expected = room_for_scores(of, pairs);
    for (size_t i = 0; i < pairs; i++)
        forest_predict(of->packed, of->pairs + i * of->packed->columns, 1, of->expected + i * of->packed->classes);
}

static void in_batches(const list *of) {
    for (size_t size = 2; size <= REQUESTS * of->count; size = size < 12 ? size + 1 : 3 * size) {
        double *scores = room_for_scores(of, size);
        forest_predict(of->packed, of->pairs, size, scores);
        check(of, scores, 0, size, "a batch is scored otherwise than its rows");
        free(scores);
    }
}

static void in_full(const list *of, const table *candidates) {
    double *scores = room_for_scores(of, (size_t)REQUESTS * of->count);
    table_predict(candidates, of->shared, REQUESTS, NULL, NULL, scores);
    check(of, scores, 0, (size_t)REQUESTS * of->count, "a list is scored otherwise than its rows");
    free(scores);
}

/* None, a few, and more than there are, in any order. */
static void with_picks(const list *of, const table *candidates) {
    uint32_t counts[REQUESTS] = {below(2 * of->count), below(6), below(of->count + 1)};
    uint32_t all = counts[0] + counts[1] + counts[2], *positions = room(all, sizeof *positions);
    for (uint32_t i = 0; i < all; i++) positions[i] = below(of->count);
    double *scores = room_for_scores(of, all);
    table_predict(candidates, of->shared, REQUESTS, counts, positions, scores);
    for (uint32_t request = 0, i = 0; request < REQUESTS; request++)
        for (uint32_t end = i + counts[request]; i < end; i++)
            check(of, scores + (size_t)i * of->packed->classes, (size_t)request * of->count + positions[i], 1,
                  "a pick is scored otherwise than its row");
    free(positions), free(scores);
}

static void score(const forest *packed, uint32_t count, uint32_t stride) {
    list of = make_list(packed, count, stride);
    by_row(&of);
    in_batches(&of);
    table *candidates = table_make(packed, of.columns, of.width, of.values, count);
    in_full(&of, candidates);
    with_picks(&of, candidates);
    table_free(candidates);
    free_list(&of);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char reason[100], *text = room(size + 1, 1);
    memcpy(text, data, size);
    text[size] = '\0';
    forest *packed = forest_pack(text, size, reason, sizeof reason);
    free(text);
    dice = (uint32_t)size;
    if (packed && packed->columns <= MOST_COLUMNS && packed->classes <= MOST_CLASSES) {
        score(packed, 1 + below(20), 1 + below(3));
        score(packed, MOST_CANDIDATES, 5);
    }
    forest_free(packed);
    return 0;
}
