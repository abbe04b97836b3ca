/* Packs any bytes as a model. If that succeeds, it scores the model in every form: all scores must be equal to the last
 * bit. libFuzzer calls the entry (`make fuzz`); replay.c calls it with files.
 */
#include "forest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Larger models are packed, but not scored: that would take too much time. */
enum { MAX_COLUMNS = 300, MAX_CLASSES = 50, REQUESTS = 3, MAX_CANDIDATES = 131 };

static uint32_t random_state;

static uint32_t random_below(uint32_t limit) {
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(random_state >> 4) * limit >> 28);
}

static void demand(int holds, const char *otherwise) {
    if (holds) return;
    fprintf(stderr, "%s\n", otherwise);
    abort();
}

/* Allocates exactly the size, so that the sanitizer detects an access to the next byte. */
static void *allocate(size_t count, size_t size) {
    void *made = malloc(count ? count * size : 1);
    demand(made != NULL, "no memory for the harness");
    return made;
}

/* ---- rows on the thresholds of a model ---- */

static double special_value(void) {
    const double special[] = {NAN, 0.0, -0.0, INFINITY, -INFINITY, 5e-324, 1e-35f, -1e-35f, 1e300, -1e300, -1.0, -0.5,
                              0.5, 1.0, 31.5, 64.0, 2147483647.0, 2147483648.0, 4294967296.0, 9.3e18};
    return special[random_below(sizeof special / sizeof *special)];
}

/* Returns a threshold of the feature or its neighbour, a category, or a special value. */
static double value_for(const forest *packed, const feature *input) {
    uint32_t choice = random_below(4);
    if (choice == 0 || (choice == 1 && !input->thresholds)) return special_value();
    if (choice == 1) return random_below(100);
    if (!input->thresholds) {
        const slot *set = &packed->slot[input->first_slot + random_below(input->slots)];
        return random_below(32 * (set->words < 1000 ? set->words : 1000) + 2);
    }
    double threshold = packed->thresholds[input->first_threshold + random_below(input->thresholds)];
    return choice == 2 ? threshold : nextafter(threshold, random_below(2) ? INFINITY : -INFINITY);
}

static void fill(const forest *packed, double *row) {
    for (uint32_t i = 0; i < packed->columns; i++) row[i] = special_value();
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
    uint32_t wide = packed->columns, first = random_below(stride);
    list made = {.packed = packed, .count = count, .columns = allocate(wide, sizeof(uint32_t))};
    for (uint32_t i = first; i < wide; i += stride) made.columns[made.width++] = i;
    made.shared = allocate((size_t)REQUESTS * wide, sizeof(double));
    made.values = allocate((size_t)count * made.width, sizeof(double));
    made.pairs = allocate((size_t)REQUESTS * count * wide, sizeof(double));
    double *row = allocate(wide, sizeof(double));
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

static void free_list(list *l) {
    free(l->columns), free(l->shared), free(l->values), free(l->pairs), free(l->expected);
}

static double *allocate_scores(const list *l, size_t pairs) {
    return allocate(pairs * l->packed->classes, sizeof(double));
}

static void check(const list *l, const double *scores, size_t pair, size_t count, const char *otherwise) {
    size_t classes = l->packed->classes;
    demand(memcmp(scores, l->expected + pair * classes, count * classes * sizeof *scores) == 0, otherwise);
}

static void score_by_row(list *l) {
    size_t pairs = (size_t)REQUESTS * l->count;
    l->expected = allocate_scores(l, pairs);
    for (size_t i = 0; i < pairs; i++)
        forest_predict(l->packed, l->pairs + i * l->packed->columns, 1, l->expected + i * l->packed->classes);
}

static void check_batches(const list *l) {
    for (size_t size = 2; size <= REQUESTS * l->count; size = size < 12 ? size + 1 : 3 * size) {
        double *scores = allocate_scores(l, size);
        forest_predict(l->packed, l->pairs, size, scores);
        check(l, scores, 0, size, "the scores of a batch differ from the scores of its rows");
        free(scores);
    }
}

static void check_all(const list *l, const table *candidates) {
    double *scores = allocate_scores(l, (size_t)REQUESTS * l->count);
    table_predict(candidates, l->shared, REQUESTS, NULL, NULL, scores);
    check(l, scores, 0, (size_t)REQUESTS * l->count, "the scores of a list differ from the scores of its rows");
    free(scores);
}

/* Scores no picks, a few, and more than there are candidates, in random order. */
static void check_picks(const list *l, const table *candidates) {
    uint32_t counts[REQUESTS] = {random_below(2 * l->count), random_below(6), random_below(l->count + 1)};
    uint32_t all = counts[0] + counts[1] + counts[2], *positions = allocate(all, sizeof *positions);
    for (uint32_t i = 0; i < all; i++) positions[i] = random_below(l->count);
    double *scores = allocate_scores(l, all);
    table_predict(candidates, l->shared, REQUESTS, counts, positions, scores);
    for (uint32_t request = 0, i = 0; request < REQUESTS; request++)
        for (uint32_t end = i + counts[request]; i < end; i++)
            check(l, scores + (size_t)i * l->packed->classes, (size_t)request * l->count + positions[i], 1,
                  "the score of a pick differs from the score of its row");
    free(positions), free(scores);
}

static void score(const forest *packed, uint32_t count, uint32_t stride) {
    list l = make_list(packed, count, stride);
    score_by_row(&l);
    check_batches(&l);
    table *candidates = table_make(packed, l.columns, l.width, l.values, count);
    check_all(&l, candidates);
    check_picks(&l, candidates);
    table_free(candidates);
    free_list(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char reason[100], *text = allocate(size + 1, 1);
    memcpy(text, data, size);
    text[size] = '\0';
    forest *packed = forest_pack(text, size, reason, sizeof reason);
    free(text);
    random_state = (uint32_t)size;
    if (packed && packed->columns <= MAX_COLUMNS && packed->classes <= MAX_CLASSES) {
        score(packed, 1 + random_below(20), 1 + random_below(3));
        score(packed, MAX_CANDIDATES, 5);
    }
    forest_free(packed);
    return 0;
}
