/* Packs and scores a model while memory fails: at the first allocation, at the second, until there is enough for all.
 * Whatever is scored all the same must be right. Linked with --wrap for malloc, calloc and realloc.
 */
#include "forest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

static size_t until_failure; /* 0: never */

static int fails(void) { return until_failure && !--until_failure; }

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }

enum { ROWS = 20, MOST_BYTES = 1 << 20, MOST_SCORES = 10000 };

typedef struct {
    double rows[MOST_SCORES], own[ROWS], by_row[MOST_SCORES];
    uint32_t counts[1], positions[ROWS];
    int has_expected, is_wrong;
} trial;

static void check(trial *of, const forest *packed, const double *scores) {
    size_t size = ROWS * forest_classes(packed) * sizeof *scores;
    if (of->has_expected) of->is_wrong |= memcmp(of->by_row, scores, size) != 0;
    else memcpy(of->by_row, scores, size);
}

/* Rows that are a list, as such and in factored form: only in the first column do they differ. */
static void score(trial *of, const forest *packed) {
    static double scores[MOST_SCORES];
    uint32_t wide = forest_columns(packed), first = 0;
    for (size_t i = 0; i < ROWS; i++) {
        for (uint32_t j = 0; j < wide; j++) of->rows[i * wide + j] = j;
        of->own[i] = of->rows[i * wide] = (double)i / 4 - 3, of->positions[i] = (uint32_t)i;
    }
    of->counts[0] = ROWS;
    if (forest_predict(packed, of->rows, ROWS, scores) == 0) check(of, packed, scores);
    table *candidates = table_make(packed, &first, 1, of->own, ROWS);
    if (!candidates) return;
    if (table_predict(candidates, of->rows, 1, NULL, NULL, scores) == 0) check(of, packed, scores);
    if (table_predict(candidates, of->rows, 1, of->counts, of->positions, scores) == 0) check(of, packed, scores);
    table_free(candidates);
}

static void run(trial *of, const char *text, size_t size) {
    char reason[100];
    forest *packed = forest_pack(text, size, reason, sizeof reason);
    if (packed) score(of, packed);
    forest_free(packed);
}

int main(int count, char **paths) {
    static char text[MOST_BYTES];
    static trial of;
    FILE *file = count == 2 ? fopen(paths[1], "rb") : NULL;
    if (!file) return 2;
    size_t size = fread(text, 1, MOST_BYTES - 1, file), failures = 0;
    fclose(file);
    run(&of, text, size);
    of.has_expected = 1;
    do {
        until_failure = ++failures;
        run(&of, text, size);
    } while (!until_failure);
    printf("%zu failures\n", failures - 1);
    return of.is_wrong;
}
