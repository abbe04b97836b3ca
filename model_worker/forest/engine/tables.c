/* Scores lists of candidates, whose rows differ in a few columns only: a tree is walked once for all of them, and where
 * they part, each part goes on alone.
 */
#include "forest.h"

#include <stdlib.h>
#include <string.h>

/* BLOCK: the candidates that are walked together. FEW: up to so many candidates of one request are quicker scored as
 * rows. LIST: from so many rows on that are nearly alike, they are scored as a list. MOST_MASKS: of one table, 256 MiB. */
enum { WORDS = 2, BLOCK = 64 * WORDS, FEW = 4, LIST = 16, MOST_MASKS = 1 << 24 };

/* Compiled twice, for any processor and for one with AVX2 and BMI (x86-64-v3: by what it can do, not by its maker, as
 * arch=haswell would); the loader takes the one that fits. */
#if defined(__x86_64__) && defined(__GLIBC__) && __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__)
#define DISPATCHED __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define DISPATCHED
#endif

/* A set of candidates of one block. */
typedef struct {
    uint64_t word[WORDS];
} mask;

enum { SHARED = 0xFFFFFFFF };

/* For every rank of the candidates' slots, the candidates of each block that go left there. */
struct table {
    const forest *forest;
    size_t count, blocks, ranks, width;
    uint32_t *first_rank; /* of a slot; SHARED where the slot is the request's own */
    uint32_t *columns;
    double *values; /* [count, width] */
    mask *left;     /* [blocks, ranks] */
};

static uint32_t ranks_of(const forest *f, const feature *of, uint32_t place) {
    return f->slot[of->first_slot + place].rule == CATEGORY ? 1 : of->thresholds;
}

/* The next feature from `at` on whose column is the candidates' own; `place` becomes that of the column. Both ascend. */
static uint32_t next_own(const table *t, uint32_t at, size_t *place) {
    const forest *f = t->forest;
    for (; at < f->features; at++) {
        while (*place < t->width && t->columns[*place] < f->feature[at].column) ++*place;
        if (*place < t->width && t->columns[*place] == f->feature[at].column) break;
    }
    return at;
}

/* Gives the slots of the candidates' columns their ranks. */
static void number_ranks(table *t) {
    const forest *f = t->forest;
    size_t place = 0;
    for (uint32_t i = 0; i < f->slots; i++) t->first_rank[i] = SHARED;
    for (uint32_t i = next_own(t, 0, &place); i < f->features; i = next_own(t, i + 1, &place))
        for (uint32_t j = 0; j < f->feature[i].slots; j++) {
            t->first_rank[f->feature[i].first_slot + j] = (uint32_t)t->ranks;
            t->ranks += ranks_of(f, &f->feature[i], j);
        }
}

/* Adds one candidate to the masks of its block, at the lowest rank where it goes left. */
static void mark(const table *t, const feature *of, double value, size_t candidate, uint16_t *bins) {
    const forest *f = t->forest;
    mask *left = t->left + candidate / BLOCK * t->ranks;
    uint64_t bit = (uint64_t)1 << candidate % 64;
    look_at(f, of, value, bins, 1);
    for (uint32_t i = 0; i < of->slots; i++)
        if (bins[i] < ranks_of(f, of, i))
            left[t->first_rank[of->first_slot + i] + bins[i]].word[candidate % BLOCK / 64] |= bit;
}

/* Who goes left at a rank does so at all higher ones. */
static void spread(mask *left, uint32_t ranks) {
    for (uint32_t rank = 1; rank < ranks; rank++)
        for (int i = 0; i < WORDS; i++) left[rank].word[i] |= left[rank - 1].word[i];
}

static void mark_all(const table *t, uint16_t *bins) {
    const forest *f = t->forest;
    size_t place = 0;
    for (uint32_t i = next_own(t, 0, &place); i < f->features; i = next_own(t, i + 1, &place)) {
        const feature *of = &f->feature[i];
        for (size_t candidate = 0; candidate < t->count; candidate++)
            mark(t, of, t->values[candidate * t->width + place], candidate, bins);
        for (size_t block = 0; block < t->blocks; block++)
            for (uint32_t j = 0; j < of->slots; j++)
                spread(t->left + block * t->ranks + t->first_rank[of->first_slot + j], ranks_of(f, of, j));
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
    if (t->blocks && t->ranks > MOST_MASKS / t->blocks) goto fail;
    t->left = calloc(t->blocks * t->ranks + 1, sizeof *t->left);
    if (!t->left) goto fail;
    mark_all(t, bins);
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

static int is_empty(mask m) {
    uint64_t any = 0;
    for (int i = 0; i < WORDS; i++) any |= m.word[i];
    return !any;
}

/* A branch that some candidates take, to be walked later. */
typedef struct {
    int at;
    mask who;
} branch;

static void add_to_all(double *sums, uint32_t stride, uint32_t count, double value) {
    for (uint32_t i = 0; i < count; i++) sums[i * stride] += value;
}

static void add_to(double *sums, uint32_t stride, mask who, double value) {
    for (int i = 0; i < WORDS; i++)
        for (uint64_t left = who.word[i]; left; left &= left - 1)
            sums[((unsigned)i * 64 + (unsigned)__builtin_ctzll(left)) * stride] += value;
}

/* Adds a tree's values to the sums of all candidates of a block at once: where they part, each part goes on alone. */
static inline __attribute__((always_inline)) void walk_block(const table *t, const tree *in, const uint16_t *bins,
                                                             const mask *left, mask who, branch *later, double *sums,
                                                             uint32_t count) {
    const forest *f = t->forest;
    const node *nodes = f->nodes + in->first_node;
    const double *leaves = f->leaves + in->first_leaf;
    branch now = {in->root, who};
    size_t waiting = 0, parts = 0;
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
                uint64_t both = left[rank + here.rank].word[i];
                goes_left.word[i] = now.who.word[i] & both;
                goes_right.word[i] = now.who.word[i] & ~both;
            }
            if (is_empty(goes_right)) now.at = here.child[0];
            else if (is_empty(goes_left)) now.at = here.child[1];
            else {
                later[waiting++] = (branch){here.child[1], goes_right};
                now = (branch){here.child[0], goes_left};
                parts++;
            }
        }
        if (!parts) { add_to_all(sums, f->classes, count, leaves[~now.at]); return; }
        add_to(sums, f->classes, now.who, leaves[~now.at]);
        if (!waiting) return;
        now = later[--waiting];
    }
}

static mask everyone(size_t count) {
    mask who;
    for (size_t i = 0; i < WORDS; i++)
        who.word[i] = count >= 64 * (i + 1) ? ~(uint64_t)0 : count <= 64 * i ? 0 : ((uint64_t)1 << count % 64) - 1;
    return who;
}

/* What scoring needs to work with; `sums`, `picked` and `rows` only with picks. */
typedef struct {
    uint16_t *bins; /* [slots, LANES] */
    branch *later;
    double *sums; /* [candidates, classes] */
    mask *picked; /* [blocks] */
    double *rows; /* [LANES, columns] */
} bench;

static void clear(bench *on) { free(on->bins), free(on->later), free(on->sums), free(on->picked), free(on->rows); }

static int set_up(bench *on, const table *t, int has_picks) {
    const forest *f = t->forest;
    size_t sums = t->count * f->classes + 1, rows = (size_t)LANES * f->columns;
    *on = (bench){.bins = malloc(((size_t)f->slots + 1) * LANES * sizeof *on->bins),
                  .later = malloc(((size_t)f->height + 1) * sizeof *on->later)};
    if (has_picks) {
        on->sums = malloc(sums * sizeof *on->sums);
        on->picked = malloc((t->blocks + 1) * sizeof *on->picked);
        on->rows = malloc(rows * sizeof *on->rows);
    }
    if (on->bins && on->later && (!has_picks || (on->sums && on->picked && on->rows))) return 1;
    clear(on);
    return 0;
}

/* The sums of one request [candidates, classes]: of all candidates, or of those in `picked`. */
DISPATCHED static void sum_request(const table *t, const mask *picked, const uint16_t *bins, branch *later,
                                   double *sums) {
    const forest *f = t->forest;
    memset(sums, 0, t->count * f->classes * sizeof *sums);
    for (size_t block = 0; block < t->blocks; block++) {
        size_t first = block * BLOCK, count = t->count - first < BLOCK ? t->count - first : BLOCK;
        mask who = picked ? picked[block] : everyone(count);
        if (is_empty(who)) continue;
        for (uint32_t i = 0; i < f->trees; i++)
            walk_block(t, &f->tree[i], bins, t->left + block * t->ranks, who, later,
                       sums + first * f->classes + i % f->classes, (uint32_t)count);
    }
}

static void score_all(const table *t, const double *shared, const bench *on, double *scores) {
    const forest *f = t->forest;
    look_at_row(f, shared, on->bins, 1);
    sum_request(t, NULL, on->bins, on->later, scores);
    for (size_t i = 0; i < t->count; i++) finish(f, scores + i * f->classes);
}

static void score_picked(const table *t, const double *shared, const uint32_t *positions, size_t count, const bench *on,
                         double *scores) {
    const forest *f = t->forest;
    memset(on->picked, 0, t->blocks * sizeof *on->picked);
    for (size_t i = 0; i < count; i++)
        on->picked[positions[i] / BLOCK].word[positions[i] % BLOCK / 64] |= (uint64_t)1 << positions[i] % 64;
    look_at_row(f, shared, on->bins, 1);
    sum_request(t, on->picked, on->bins, on->later, on->sums);
    for (size_t i = 0; i < count; i++) {
        memcpy(scores + i * f->classes, on->sums + (size_t)positions[i] * f->classes, f->classes * sizeof *scores);
        finish(f, scores + i * f->classes);
    }
}

/* The row of one pair. */
static void write_out(const table *t, const double *shared, uint32_t position, double *row) {
    memcpy(row, shared, t->forest->columns * sizeof *row);
    for (size_t i = 0; i < t->width; i++) row[t->columns[i]] = t->values[position * t->width + i];
}

int table_predict(const table *t, const double *shared, size_t requests, const uint32_t *counts,
                  const uint32_t *positions, double *scores) {
    const forest *f = t->forest;
    size_t waiting = 0; /* rows of requests for a few candidates, which are scored together */
    bench on;
    if (!set_up(&on, t, counts != NULL)) return -1;
    for (size_t i = 0; i < requests; i++, shared += f->columns) {
        size_t count = counts ? counts[i] : t->count;
        int is_few = counts && count <= FEW;
        for (size_t j = 0; j < (is_few ? count : 0); j++) {
            write_out(t, shared, *positions++, on.rows + waiting++ * f->columns);
            if (waiting < LANES) continue;
            predict_rows(f, on.rows, waiting, on.bins, scores);
            scores += waiting * f->classes, waiting = 0;
        }
        if (is_few) continue;
        predict_rows(f, on.rows, waiting, on.bins, scores);
        scores += waiting * f->classes, waiting = 0;
        if (counts) score_picked(t, shared, positions, count, &on, scores), positions += count;
        else score_all(t, shared, &on, scores);
        scores += count * f->classes;
    }
    predict_rows(f, on.rows, waiting, on.bins, scores);
    clear(&on);
    return 0;
}

/* ---- rows that are a list of candidates without saying so ---- */

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* How many rows from the first one on differ from it in at most `limit` columns: those in `columns` [width], ascending.
 * `differs` is room for [wide]. */
static size_t alike(const double *rows, size_t count, uint32_t wide, uint32_t limit, uint64_t *differs,
                    uint32_t *columns, size_t *width) {
    size_t row = 1, known = 0;
    if (count < LIST) return count; /* whatever they are, they are no list */
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

/* Without memory it scores nothing and returns 0. */
static int predict_alike(const forest *f, const double *rows, size_t count, const uint32_t *columns, size_t width,
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
        size_t width, run = alike(rows + done * f->columns, count - done, f->columns, limit, differs, columns, &width);
        const double *first = rows + (done - plain) * f->columns;
        double *into = scores + (done - plain) * f->classes;
        int is_list = run >= LIST && predict_alike(f, rows + done * f->columns, run, columns, width,
                                                   scores + done * f->classes);
        done += run;
        plain += is_list ? 0 : run;
        if (!is_list && done < count) continue;
        predict_rows(f, first, plain, bins, into);
        plain = 0;
    }
    free(bins), free(columns), free(differs);
    return has_memory ? 0 : -1;
}
