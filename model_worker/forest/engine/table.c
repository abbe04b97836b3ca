/* Makes the table of a list of candidates: at each rank, the set of the candidates that go left. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

/* The maximum size of a table: 256 MiB. */
enum { MAX_MASKS = 1 << 24 };

static uint32_t ranks_of(const forest *f, const feature *input, uint32_t number) {
    return f->slot[input->first_slot + number].rule == CATEGORY ? 1 : input->thresholds;
}

/* Returns the next feature from `at` on that reads a column of the candidates, and moves `place` to that column. */
static uint32_t next_input(const table *t, uint32_t at, size_t *place) {
    const forest *f = t->forest;
    for (; at < f->features; at++) {
        while (*place < t->width && t->columns[*place] < f->feature[at].column) ++*place;
        if (*place < t->width && t->columns[*place] == f->feature[at].column) break;
    }
    return at;
}

/* Numbers the ranks of the slots of the candidates' columns. */
static void number_ranks(table *t) {
    const forest *f = t->forest;
    size_t place = 0;
    for (uint32_t i = 0; i < f->slots; i++) t->first_rank[i] = SHARED;
    for (uint32_t i = next_input(t, 0, &place); i < f->features; i = next_input(t, i + 1, &place))
        for (uint32_t j = 0; j < f->feature[i].slots; j++) {
            t->first_rank[f->feature[i].first_slot + j] = (uint32_t)t->ranks;
            t->ranks += ranks_of(f, &f->feature[i], j);
        }
}

/* Adds one candidate to the masks of its block, at the lowest rank at which it goes left. */
static void mark_candidate(const table *t, const feature *input, double value, size_t candidate, uint16_t *bins) {
    const forest *f = t->forest;
    mask *left = t->left + candidate / BLOCK * t->ranks;
    uint64_t bit = (uint64_t)1 << candidate % 64;
    bin_value(f, input, value, bins, 1);
    for (uint32_t i = 0; i < input->slots; i++)
        if (bins[i] < ranks_of(f, input, i))
            left[t->first_rank[input->first_slot + i] + bins[i]].word[candidate % BLOCK / 64] |= bit;
}

/* A candidate that goes left at a rank goes left at all higher ranks. */
static void extend(mask *left, uint32_t ranks) {
    for (uint32_t rank = 1; rank < ranks; rank++)
        for (int i = 0; i < WORDS; i++) left[rank].word[i] |= left[rank - 1].word[i];
}

static void mark_candidates(const table *t, uint16_t *bins) {
    const forest *f = t->forest;
    size_t place = 0;
    for (uint32_t i = next_input(t, 0, &place); i < f->features; i = next_input(t, i + 1, &place)) {
        const feature *input = &f->feature[i];
        for (size_t candidate = 0; candidate < t->count; candidate++)
            mark_candidate(t, input, t->values[candidate * t->width + place], candidate, bins);
        for (size_t block = 0; block < t->blocks; block++)
            for (uint32_t j = 0; j < input->slots; j++)
                extend(t->left + block * t->ranks + t->first_rank[input->first_slot + j], ranks_of(f, input, j));
    }
}

table *table_make(const forest *f, const uint32_t *columns, size_t width, const double *values, size_t count) {
    table *t = calloc(1, sizeof *t);
    uint16_t *bins = malloc(((size_t)f->slots + 1) * sizeof *bins);
    if (!t || !bins) goto fail;
    t->forest = f, t->count = count, t->width = width, t->blocks = (count + BLOCK - 1) / BLOCK;
    t->first_rank = malloc(((size_t)f->slots + 1) * sizeof *t->first_rank);
    t->columns = malloc((width + 1) * sizeof *columns);
    t->values = malloc((count * width + 1) * sizeof *values);
    if (!t->first_rank || !t->columns || !t->values) goto fail;
    memcpy(t->columns, columns, width * sizeof *columns);
    memcpy(t->values, values, count * width * sizeof *values);
    number_ranks(t);
    if (t->blocks && t->ranks > MAX_MASKS / t->blocks) goto fail;
    t->left = calloc(t->blocks * t->ranks + 1, sizeof *t->left);
    if (!t->left) goto fail;
    mark_candidates(t, bins);
    free(bins);
    return t;
fail:
    free(bins);
    table_free(t);
    return NULL;
}

void table_free(table *t) {
    if (!t) return;
    free(t->first_rank), free(t->columns), free(t->values), free(t->left), free(t);
}
