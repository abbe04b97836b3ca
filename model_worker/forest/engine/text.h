/* Reads lines, fields and numbers of a model's text. The functions are inline: packing reads every number by them. */
#ifndef MODEL_WORKER_TEXT_H
#define MODEL_WORKER_TEXT_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A part of the text, without an end marker. */
typedef struct {
    const char *at, *end;
} span;

static inline span next_line(span *text) {
    const char *end = memchr(text->at, '\n', (size_t)(text->end - text->at));
    span line = {text->at, end ? end : text->end};
    text->at = end ? end + 1 : text->end;
    return line;
}

static inline int equals(span text, const char *word) {
    size_t size = strlen(word);
    return (size_t)(text.end - text.at) == size && memcmp(text.at, word, size) == 0;
}

/* Sets `value` if the line is `name=value`. */
static inline int read_value(span line, const char *name, span *value) {
    size_t size = strlen(name);
    if ((size_t)(line.end - line.at) <= size || memcmp(line.at, name, size) || line.at[size] != '=') return 0;
    *value = (span){line.at + size + 1, line.end};
    return 1;
}

/* Reads the next whole number, from `low` to `high`, of a list with one blank between its numbers. */
static inline int read_whole(span *text, int64_t low, int64_t high, int64_t *number) {
    if (text->at == text->end) return 0; /* both are NULL if the field is missing */
    int is_negative = *text->at == '-';
    const char *at = text->at + is_negative, *first = at;
    int64_t value = 0;
    while (at < text->end && *at >= '0' && *at <= '9' && at - first < 18) value = 10 * value + (*at++ - '0');
    if (at == first || (at < text->end && *at != ' ')) return 0;
    *number = is_negative ? -value : value;
    text->at = at < text->end ? at + 1 : at;
    return low <= *number && *number <= high;
}

/* Reads the next number of such a list; it may be infinite, but not NaN. */
static inline int read_double(span *text, double *number) {
    char *after;
    if (text->at >= text->end || !strchr("-+.0123456789in", *text->at)) return 0;
    *number = strtod(text->at, &after);
    if (after == text->at || after > text->end || (after < text->end && *after != ' ')) return 0;
    text->at = after < text->end ? after + 1 : after;
    return !isnan(*number);
}

#endif
