/* Replaces thresholds by ranks, and pairs of a feature and a rule by slots. */
#include "pack.h"

enum { MAX_RANKS = 65535, MAX_SLOTS = 65535 };

/* The order of the splits: by column; of one column numeric splits by threshold, then categorical splits by set. */
static int compare(const split *a, const split *b) {
    if (a->column != b->column) return a->column < b->column ? -1 : 1;
    if ((a->rule == CATEGORY) != (b->rule == CATEGORY)) return a->rule == CATEGORY ? 1 : -1;
    if (a->rule != CATEGORY) return a->threshold < b->threshold ? -1 : a->threshold > b->threshold;
    if (a->words != b->words) return a->words < b->words ? -1 : 1;
    return a->set == b->set ? 0 : memcmp(a->set, b->set, a->words * sizeof *a->set);
}

static int compare_pointers(const void *one, const void *other) {
    return compare(*(const split *const *)one, *(const split *const *)other);
}

/* Appends the features, thresholds and slots of the splits in `order`, and sets the slot and rank of each node. */
static int rank_splits(packer *to, split **order) {
    forest *packed = to->packed;
    size_t thresholds = 0, slots = 0;
    for (size_t i = 0; i < to->nodes;) {
        uint32_t column = order[i]->column;
        int32_t slot_of[CATEGORY] = {-1, -1, -1, -1, -1};
        feature *input = &packed->feature[packed->features++];
        *input = (feature){.column = column, .first_threshold = (uint32_t)thresholds, .first_slot = (uint32_t)slots};
        for (; i < to->nodes && order[i]->column == column; i++) {
            const split *here = order[i];
            node *into = &packed->nodes[here - to->splits];
            if (here->rule == CATEGORY) {
                int is_new = !input->slots || packed->slot[slots - 1].rule != CATEGORY || compare(here, order[i - 1]);
                if (is_new) packed->slot[slots++] = (slot){CATEGORY, here->first_word, here->words};
                into->slot = (uint16_t)(slots - 1), into->rank = 0;
            } else {
                if (thresholds == input->first_threshold || packed->thresholds[thresholds - 1] != here->threshold)
                    packed->thresholds[thresholds++] = here->threshold;
                if (slot_of[here->rule] < 0) {
                    slot_of[here->rule] = (int32_t)slots;
                    packed->slot[slots++] = (slot){here->rule, 0, 0};
                }
                into->slot = (uint16_t)slot_of[here->rule];
                into->rank = (uint16_t)(thresholds - 1 - input->first_threshold);
            }
            input->thresholds = (uint32_t)thresholds - input->first_threshold;
            input->slots = (uint32_t)slots - input->first_slot;
            if (input->thresholds > MAX_RANKS) return fail(to, "a column with more than 65,535 thresholds");
            if (slots > MAX_SLOTS) return fail(to, "more than 65,535 columns and sets of categories");
        }
        const double *first = packed->thresholds + input->first_threshold;
        while (input->bin_of_zero < input->thresholds && first[input->bin_of_zero] < 0.0) input->bin_of_zero++;
    }
    packed->slots = (uint32_t)slots;
    to->thresholds = thresholds;
    return 1;
}

int assign_ranks(packer *to) {
    forest *packed = to->packed;
    size_t nodes = to->nodes + 1; /* no array has size 0 */
    if (packed->nodes) packed->nodes[to->nodes] = (node){0};
    split **order = malloc(nodes * sizeof *order);
    packed->thresholds = malloc(nodes * sizeof *packed->thresholds);
    packed->slot = malloc(nodes * sizeof *packed->slot);
    packed->feature = malloc(nodes * sizeof *packed->feature);
    if (!order || !packed->thresholds || !packed->slot || !packed->feature) {
        free(order);
        return fail(to, "out of memory");
    }
    for (size_t i = 0; i < to->nodes; i++) {
        order[i] = &to->splits[i];
        if (order[i]->words) order[i]->set = packed->words + order[i]->first_word;
    }
    qsort(order, to->nodes, sizeof *order, compare_pointers);
    int is_ranked = rank_splits(to, order);
    free(order);
    return is_ranked;
}
