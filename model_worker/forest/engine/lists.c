/* Finds lists of candidates among plain rows: many rows in sequence that differ in a few columns only. */
#include "forest.h"

#include <stdlib.h>
#include <string.h>

/* The minimum number of such rows that are scored as a list. */
enum { MIN_LIST = 16 };

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Returns the number of rows, from the first on, that differ from the first in at most `limit` columns. Writes these
 * columns to `columns` [width], ascending. `wide` is the number of columns; `differs` has space for [wide]. */
static size_t similar_rows(const double *rows, size_t count, uint32_t wide, uint32_t limit, uint64_t *differs,
                           uint32_t *columns, size_t *width) {
    size_t row = 1, known = 0;
    if (count < MIN_LIST) return count; /* too few rows for a list */
    memset(differs, 0, wide * sizeof *differs);
    for (const double *other = rows + wide; row < count; row++, other += wide) {
        size_t more = 0;
        for (uint32_t i = 0; i < wide; i++) more += !differs[i] & (bits_of(rows[i]) != bits_of(other[i]));
        if (known + more > limit) break;
        for (uint32_t i = 0; more && i < wide; i++) differs[i] |= bits_of(rows[i]) ^ bits_of(other[i]);
        known += more;
    }
    *width = 0;
    for (uint32_t i = 0; known && i < wide; i++)
        if (differs[i]) columns[(*width)++] = i;
    return row;
}

/* Scores rows that differ in `columns` only; returns 0 if out of memory. */
static int predict_list(const forest *f, const double *rows, size_t count, const uint32_t *columns, size_t width,
                        double *scores) {
    double *values = malloc((count * width + 1) * sizeof *values);
    if (!values) return 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < width; j++) values[i * width + j] = rows[i * f->columns + columns[j]];
    table *t = table_make(f, columns, width, values, count);
    free(values);
    int is_scored = t && table_predict(t, rows, 1, NULL, NULL, scores) == 0;
    table_free(t);
    return is_scored;
}

int forest_predict(const forest *f, const double *rows, size_t count, double *scores) {
    uint32_t limit = f->columns / 4;
    uint16_t *bins = malloc(((size_t)f->slots + 1) * LANES * sizeof *bins);
    uint32_t *columns = malloc(((size_t)limit + 1) * sizeof *columns);
    uint64_t *differs = malloc(f->columns * sizeof *differs);
    int has_memory = bins && columns && differs;
    for (size_t done = 0, plain = 0; has_memory && done < count;) {
        const double *rest = rows + done * f->columns;
        size_t width, run = similar_rows(rest, count - done, f->columns, limit, differs, columns, &width);
        const double *first = rows + (done - plain) * f->columns;
        double *into = scores + (done - plain) * f->classes;
        int is_list = run >= MIN_LIST && predict_list(f, rest, run, columns, width, scores + done * f->classes);
        done += run;
        plain += is_list ? 0 : run;
        if (!is_list && done < count) continue;
        predict_rows(f, first, plain, bins, into);
        plain = 0;
    }
    free(bins), free(columns), free(differs);
    return has_memory ? 0 : -1;
}
