/* Packs and scores a model while one allocation fails: the first, then the second, until none fails. All scores that
 * are computed must be right. Linked with --wrap for malloc, calloc and realloc.
 */
#include "forest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

static size_t until_failure; /* 0: no failure */

static int fails(void) { return until_failure && !--until_failure; }

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }

enum { ROWS = 20, MAX_BYTES = 1 << 20, MAX_SCORES = 10000 };

typedef struct {
    double rows[MAX_SCORES], own[ROWS], by_row[MAX_SCORES];
    uint32_t counts[1], positions[ROWS];
    int has_expected, is_wrong;
} trial;

static void check(trial *t, const forest *packed, const double *scores) {
    size_t size = ROWS * forest_classes(packed) * sizeof *scores;
    if (t->has_expected) t->is_wrong |= memcmp(t->by_row, scores, size) != 0;
    else memcpy(t->by_row, scores, size);
}

/* Scores rows that differ in the first column only, as plain rows, as a list and as picks. */
static void score(trial *t, const forest *packed) {
    static double scores[MAX_SCORES];
    uint32_t wide = forest_columns(packed), first = 0;
    for (size_t i = 0; i < ROWS; i++) {
        for (uint32_t j = 0; j < wide; j++) t->rows[i * wide + j] = j;
        t->own[i] = t->rows[i * wide] = (double)i / 4 - 3, t->positions[i] = (uint32_t)i;
    }
    t->counts[0] = ROWS;
    if (forest_predict(packed, t->rows, ROWS, scores) == 0) check(t, packed, scores);
    table *candidates = table_make(packed, &first, 1, t->own, ROWS);
    if (!candidates) return;
    if (table_predict(candidates, t->rows, 1, NULL, NULL, scores) == 0) check(t, packed, scores);
    if (table_predict(candidates, t->rows, 1, t->counts, t->positions, scores) == 0) check(t, packed, scores);
    table_free(candidates);
}

static void run(trial *t, const char *text, size_t size) {
    char reason[100];
    forest *packed = forest_pack(text, size, reason, sizeof reason);
    if (packed) score(t, packed);
    forest_free(packed);
}

int main(int count, char **paths) {
    static char text[MAX_BYTES];
    static trial t;
    FILE *file = count == 2 ? fopen(paths[1], "rb") : NULL;
    if (!file) return 2;
    size_t size = fread(text, 1, MAX_BYTES - 1, file), failures = 0;
    fclose(file);
    run(&t, text, size);
    t.has_expected = 1;
    do {
        until_failure = ++failures;
        run(&t, text, size);
    } while (!until_failure);
    printf("%zu failures\n", failures - 1);
    return t.is_wrong;
}
