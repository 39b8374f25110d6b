/*
 * parse.c - see parse.h.
 */
#include "bench/parse.h"

#include "protocol/check.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_MAX = 1000000, MIX_BYTES_MAX = 256 };

#define DURATION_NS_MAX 86400e9

struct unit {
    const char *name;
    double factor;
};

/* A finite decimal number >= 0 and where it ends; strtod() alone would take "inf", "0x1p3". */
static bool
number_take(const char *text, double *number, const char **end)
{
    char *stop = NULL;

    if (!isdigit((unsigned char)text[0]) || strspn(text, "0123456789.") > 15) {
        return false;
    }
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        return false;
    }
    errno = 0;
    *number = strtod(text, &stop);
    *end = stop;
    return errno == 0;
}

/* A number, then exactly one of the units (the last unit has a NULL name). */
static bool
quantity_take(const char *text, const struct unit *units, double *value)
{
    const char *end = NULL;
    double number = 0;

    if (text == NULL || !number_take(text, &number, &end)) {
        return false;
    }
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcmp(end, unit->name) == 0) {
            *value = number * unit->factor;
            return true;
        }
    }
    return false;
}

bool
parse_rate(const char *text, double *per_s)
{
    static const struct unit units[] = {{"", 1},    {"/s", 1},    {"k", 1e3}, {"k/s", 1e3},
                                        {"M", 1e6}, {"M/s", 1e6}, {NULL, 0}};
    double value = 0;

    CHECK(per_s != NULL);
    if (!quantity_take(text, units, &value) || value <= 0 || value > 1e9) {
        return false;
    }
    *per_s = value;
    return true;
}

bool
parse_duration(const char *text, uint64_t *ns)
{
    static const struct unit units[] = {{"", 1e9}, {"s", 1e9},  {"ms", 1e6}, {"us", 1e3},
                                        {"ns", 1}, {"m", 60e9}, {NULL, 0}};
    double value = 0;

    CHECK(ns != NULL);
    if (!quantity_take(text, units, &value) || value > DURATION_NS_MAX) {
        return false;
    }
    *ns = (uint64_t)value;
    return true;
}

bool
parse_count(const char *text, uint32_t min, uint32_t max, uint32_t *count)
{
    char *end = NULL;
    unsigned long value;

    CHECK(count != NULL);
    CHECK(min <= max);
    if (text == NULL || !isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < min || value > max) {
        return false;
    }
    *count = (uint32_t)value;
    return true;
}

bool
parse_percent(const char *text, double *fraction)
{
    static const struct unit units[] = {{"", 0.01}, {"%", 0.01}, {NULL, 0}};
    double value = 0;

    CHECK(fraction != NULL);
    if (!quantity_take(text, units, &value) || value > 10) {
        return false;
    }
    *fraction = value;
    return true;
}

/* One "name=weight" of a mix. */
static bool
mix_take(char *item, const char *const *names, uint32_t *weights)
{
    char *equals = strchr(item, '=');
    uint32_t weight = 0;

    if (equals == NULL || !parse_count(equals + 1, 1, WEIGHT_MAX, &weight)) {
        return false;
    }
    *equals = '\0';
    for (uint32_t i = 0; names[i] != NULL; i++) {
        if (strcmp(item, names[i]) == 0 && weights[i] == 0) {
            weights[i] = weight;
            return true;
        }
    }
    return false;
}

bool
parse_mix(const char *text, const char *const *names, uint32_t *weights)
{
    char copy[MIX_BYTES_MAX];
    char *rest = copy;
    char *item;

    CHECK(names != NULL);
    CHECK(weights != NULL);
    if (text == NULL || text[0] == '\0' || strlen(text) >= sizeof copy) {
        return false;
    }
    (void)snprintf(copy, sizeof copy, "%s", text);
    for (uint32_t i = 0; names[i] != NULL; i++) {
        weights[i] = 0;
    }
    while ((item = strsep(&rest, ",")) != NULL) {
        if (!mix_take(item, names, weights)) {
            return false;
        }
    }
    return true;
}
