/*
 * operation.c - see operation.h. The hard idea: operations are made without looking at any state,
 * so a run is its seed, and what shrinks it needs no state either.
 */
#include "tests/model/lib/operation.h"

#include "tests/lib/test.h"

#include <string.h>

static const struct {
    const char *name;
    const char *labels;
    unsigned group;
    unsigned weights[2]; /* [1]: in a rush. */
} kinds[PLAY_KINDS] = {
#define OPERATION(name, group, weight, rush, labels) {#name, labels, GROUP_##group, {weight, rush}},
#include "tests/model/lib/operations.def"
};

const char *
operation_name(uint8_t kind)
{
    return kinds[kind].name;
}

unsigned
operation_group_of(const char *name)
{
    static const char *const names[] = {"time",     "claims", "people",  "money",   "topups",
                                        "disputes", "calls",  "retries", "restarts"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return 1U << i;
        }
    }
    return strcmp(name, "all") == 0 ? (unsigned)GROUP_ALL : 0;
}

static uint8_t
kind_pick(uint64_t *state, unsigned groups, bool rush)
{
    uint64_t total = 0;
    uint64_t at;
    uint8_t kind = 0;

    for (int i = 0; i < PLAY_KINDS; i++) {
        total += (kinds[i].group & groups) != 0 ? kinds[i].weights[rush] : 0;
    }
    at = test_random_below(state, total);
    for (;; kind++) {
        if ((kinds[kind].group & groups) == 0) {
            continue;
        }
        if (at < kinds[kind].weights[rush]) {
            return kind;
        }
        at -= kinds[kind].weights[rush];
    }
}

/* From a millisecond to twenty days; short ones come more often, calls must live through them. */
static uint32_t
span_pick(uint64_t *state)
{
    static const uint32_t spans[] = {1,        100,       1000,      5000,      10000,
                                     10000,    30000,     30000,     60000,     300000,
                                     300000,   1800000,   3600000,   10800000,  43200000,
                                     86400000, 259200000, 864000000, 1728000000};
    const uint32_t span = spans[test_random_below(state, sizeof spans / sizeof spans[0])];

    return test_random_below(state, 2) == 0 ? span : 1 + (uint32_t)test_random_below(state, span);
}

bool
operations_rush(uint64_t seed)
{
    return seed % 2 == 1;
}

void
operations_make(struct operation *operations, uint32_t count, uint64_t seed, unsigned groups)
{
    uint64_t state = seed;

    for (uint32_t i = 0; i < count; i++) {
        struct operation *operation = &operations[i];

        operation->step = i;
        operation->kind = kind_pick(&state, groups, operations_rush(seed));
        operation->a = (uint8_t)test_random_below(&state, 256);
        operation->b = (uint8_t)test_random_below(&state, 256);
        operation->c = (uint8_t)test_random_below(&state, 256);
        operation->d = (uint8_t)test_random_below(&state, 256);
        operation->n = operation->kind == PLAY_ADVANCE
                           ? span_pick(&state)
                           : (uint32_t)test_random_below(&state, UINT32_MAX);
    }
}

static void
number_print(FILE *file, const struct operation *operation, char letter)
{
    switch (letter) {
    case 'a':
        (void)fprintf(file, "%u", operation->a);
        break;
    case 'b':
        (void)fprintf(file, "%u", operation->b);
        break;
    case 'c':
        (void)fprintf(file, "%u", operation->c);
        break;
    case 'd':
        (void)fprintf(file, "%u", operation->d);
        break;
    default:
        (void)fprintf(file, "%u", operation->n);
        break;
    }
}

void
operation_print(FILE *file, const struct operation *operation)
{
    (void)fprintf(file, "%6u %s ", operation->step, kinds[operation->kind].name);
    for (const char *at = kinds[operation->kind].labels; *at != '\0'; at++) {
        if (*at == '%') {
            number_print(file, operation, *++at);
        } else {
            (void)fputc(*at, file);
        }
    }
    (void)fputc('\n', file);
}
