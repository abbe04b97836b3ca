/* Scores pairs of a request and a candidate. All candidates of a block walk through a tree together. At a node that
 * reads one of their columns, the set is divided in two, and each part continues alone.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

/* A request for up to so many candidates is scored faster as rows. */
enum { FEW = 4 };

/* Compiled twice: for any processor, and for a processor with AVX2 and BMI. The loader chooses. The target x86-64-v3
 * depends on the features of the processor; arch=haswell would depend on its manufacturer. */
#if defined(__x86_64__) && defined(__GLIBC__) && __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__)
#define DISPATCHED __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define DISPATCHED
#endif

static int is_empty(mask m) {
    uint64_t any = 0;
    for (int i = 0; i < WORDS; i++) any |= m.word[i];
    return !any;
}

/* A branch that some candidates take; it is walked after the current one. */
typedef struct {
    int at;
    mask members;
} branch;

static void add_to_all(double *sums, uint32_t stride, uint32_t count, double value) {
    for (uint32_t i = 0; i < count; i++) sums[i * stride] += value;
}

static void add_to(double *sums, uint32_t stride, mask members, double value) {
    for (int i = 0; i < WORDS; i++)
        for (uint64_t left = members.word[i]; left; left &= left - 1)
            sums[((unsigned)i * 64 + (unsigned)__builtin_ctzll(left)) * stride] += value;
}

/* Adds the leaf values of one tree to the sums of all candidates of a block. */
static inline __attribute__((always_inline)) void walk_block(const table *t, const tree *in, const uint16_t *bins,
                                                             const mask *left, mask members, branch *pending,
                                                             double *sums, uint32_t count) {
    const forest *f = t->forest;
    const node *nodes = f->nodes + in->first_node;
    const double *leaves = f->leaves + in->first_leaf;
    branch now = {in->root, members};
    size_t depth = 0, parts = 0; /* depth: of the stack `pending` */
    for (;;) {
        while (now.at >= 0) {
            node here = nodes[now.at];
            uint32_t rank = t->first_rank[here.slot];
            if (rank == SHARED) {
                now.at = here.child[bins[here.slot] > here.rank];
                continue;
            }
            mask goes_left, goes_right;
            for (int i = 0; i < WORDS; i++) {
                uint64_t at_rank = left[rank + here.rank].word[i];
                goes_left.word[i] = now.members.word[i] & at_rank;
                goes_right.word[i] = now.members.word[i] & ~at_rank;
            }
            if (is_empty(goes_right)) now.at = here.child[0];
            else if (is_empty(goes_left)) now.at = here.child[1];
            else {
                pending[depth++] = (branch){here.child[1], goes_right};
                now = (branch){here.child[0], goes_left};
                parts++;
            }
        }
        if (!parts) { add_to_all(sums, f->classes, count, leaves[~now.at]); return; }
        add_to(sums, f->classes, now.members, leaves[~now.at]);
        if (!depth) return;
        now = pending[--depth];
    }
}

static mask first_members(size_t count) {
    mask members;
    for (size_t i = 0; i < WORDS; i++)
        members.word[i] = count >= 64 * (i + 1) ? ~(uint64_t)0 : count <= 64 * i ? 0 : ((uint64_t)1 << count % 64) - 1;
    return members;
}

/* The working memory of table_predict; `sums`, `picked` and `rows` are allocated for picks only. */
typedef struct {
    uint16_t *bins; /* [slots, LANES] */
    branch *pending;
    double *sums; /* [candidates, classes] */
    mask *picked; /* [blocks] */
    double *rows; /* [LANES, columns] */
} scratch;

static void free_scratch(scratch *s) {
    free(s->bins), free(s->pending), free(s->sums), free(s->picked), free(s->rows);
}

static int allocate_scratch(scratch *s, const table *t, int has_picks) {
    const forest *f = t->forest;
    size_t sums = t->count * f->classes + 1, rows = (size_t)LANES * f->columns;
    *s = (scratch){.bins = malloc(((size_t)f->slots + 1) * LANES * sizeof *s->bins),
                  .pending = malloc(((size_t)f->height + 1) * sizeof *s->pending)};
    if (has_picks) {
        s->sums = malloc(sums * sizeof *s->sums);
        s->picked = malloc((t->blocks + 1) * sizeof *s->picked);
        s->rows = malloc(rows * sizeof *s->rows);
    }
    if (s->bins && s->pending && (!has_picks || (s->sums && s->picked && s->rows))) return 1;
    free_scratch(s);
    return 0;
}

/* Writes the sums of one request [candidates, classes]: of all candidates, or of the candidates in `picked`. */
DISPATCHED static void sum_request(const table *t, const mask *picked, const uint16_t *bins, branch *pending,
                                   double *sums) {
    const forest *f = t->forest;
    memset(sums, 0, t->count * f->classes * sizeof *sums);
    for (size_t block = 0; block < t->blocks; block++) {
        size_t first = block * BLOCK, count = t->count - first < BLOCK ? t->count - first : BLOCK;
        mask members = picked ? picked[block] : first_members(count);
        if (is_empty(members)) continue;
        for (uint32_t i = 0; i < f->trees; i++)
            walk_block(t, &f->tree[i], bins, t->left + block * t->ranks, members, pending,
                       sums + first * f->classes + i % f->classes, (uint32_t)count);
    }
}

static void score_all(const table *t, const double *shared, const scratch *s, double *scores) {
    const forest *f = t->forest;
    bin_row(f, shared, s->bins, 1);
    sum_request(t, NULL, s->bins, s->pending, scores);
    for (size_t i = 0; i < t->count; i++) transform(f, scores + i * f->classes);
}

static void score_picked(const table *t, const double *shared, const uint32_t *positions, size_t count,
                         const scratch *s, double *scores) {
    const forest *f = t->forest;
    memset(s->picked, 0, t->blocks * sizeof *s->picked);
    for (size_t i = 0; i < count; i++)
        s->picked[positions[i] / BLOCK].word[positions[i] % BLOCK / 64] |= (uint64_t)1 << positions[i] % 64;
    bin_row(f, shared, s->bins, 1);
    sum_request(t, s->picked, s->bins, s->pending, s->sums);
    for (size_t i = 0; i < count; i++) {
        memcpy(scores + i * f->classes, s->sums + (size_t)positions[i] * f->classes, f->classes * sizeof *scores);
        transform(f, scores + i * f->classes);
    }
}

/* Writes the row of one pair. */
static void write_row(const table *t, const double *shared, uint32_t position, double *row) {
    memcpy(row, shared, t->forest->columns * sizeof *row);
    for (size_t i = 0; i < t->width; i++) row[t->columns[i]] = t->values[position * t->width + i];
}

int table_predict(const table *t, const double *shared, size_t requests, const uint32_t *counts,
                  const uint32_t *positions, double *scores) {
    const forest *f = t->forest;
    size_t waiting = 0; /* rows of requests for few candidates, which are scored together */
    scratch s;
    if (!allocate_scratch(&s, t, counts != NULL)) return -1;
    for (size_t i = 0; i < requests; i++, shared += f->columns) {
        size_t count = counts ? counts[i] : t->count;
        int is_few = counts && count <= FEW;
        for (size_t j = 0; j < (is_few ? count : 0); j++) {
            write_row(t, shared, *positions++, s.rows + waiting++ * f->columns);
            if (waiting < LANES) continue;
            predict_rows(f, s.rows, waiting, s.bins, scores);
            scores += waiting * f->classes, waiting = 0;
        }
        if (is_few) continue;
        predict_rows(f, s.rows, waiting, s.bins, scores);
        scores += waiting * f->classes, waiting = 0;
        if (counts) score_picked(t, shared, positions, count, &s, scores), positions += count;
        else score_all(t, shared, &s, scores);
        scores += count * f->classes;
    }
    predict_rows(f, s.rows, waiting, s.bins, scores);
    free_scratch(&s);
    return 0;
}
