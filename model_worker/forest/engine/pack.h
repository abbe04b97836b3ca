/* The parts of packing: pack.c reads the header, tree.c reads the trees, rank.c assigns ranks and slots. */
#ifndef MODEL_WORKER_PACK_H
#define MODEL_WORKER_PACK_H

#include "forest.h"
#include "text.h"

/* A node before it has a rank and a slot. `set` are its categories; it is NULL until the sets of all trees are read. */
typedef struct {
    uint32_t column;
    enum rule rule;
    double threshold;
    uint32_t first_word, words;
    const uint32_t *set;
} split;

/* A forest while it is packed. The `_space` fields are the allocated sizes of its arrays, in elements. */
typedef struct {
    forest *packed;
    split *splits; /* parallel to packed->nodes */
    size_t nodes, leaves, words, thresholds, node_space, leaf_space, tree_space, word_space;
    char *reason;
    size_t reason_size;
} packer;

/* Writes the reason for which the model is rejected; returns 0. */
int fail(packer *to, const char *sentence);

/* Appends one tree from the lines up to the next blank line. Like assign_ranks, it returns 0 after a call of `fail`. */
int read_tree(packer *to, span *text);

/* Makes the features, thresholds and slots of the splits of all trees, and sets the slot and rank of each node. */
int assign_ranks(packer *to);

#endif
