/* The table of a list of candidates: table.c makes it, pairs.c scores with it. */
#ifndef MODEL_WORKER_TABLE_H
#define MODEL_WORKER_TABLE_H

#include "forest.h"

/* BLOCK: the number of candidates that are walked together. */
enum { WORDS = 2, BLOCK = 64 * WORDS };

/* A set of candidates of one block. */
typedef struct {
    uint64_t word[WORDS];
} mask;

enum { SHARED = 0xFFFFFFFF };

/* For every rank of the slots of the candidates' columns: the candidates of each block that go left at that rank. */
struct table {
    const forest *forest;
    size_t count, blocks, ranks, width;
    uint32_t *first_rank; /* of a slot; SHARED if its column belongs to the request */
    uint32_t *columns;
    double *values; /* [count, width] */
    mask *left;     /* [blocks, ranks] */
};

#endif
