/*
 * condition.c - see condition.h.
 */
#include "bench/condition.h"

#include "bench/parse.h"
#include "protocol/check.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONDITION_BYTES_MAX = 1024 };

bool
percentile_parse(const char *text, uint32_t *ppm)
{
    char *end = NULL;
    double percent;

    CHECK(ppm != NULL);
    if (strcmp(text, "max") == 0) {
        *ppm = HISTOGRAM_PPM;
        return true;
    }
    if (text[0] != 'p' || text[1] < '0' || text[1] > '9') {
        return false;
    }
    percent = strtod(text + 1, &end);
    if (*end != '\0' || percent <= 0 || percent >= 100) {
        return false;
    }
    /* Rounded: 99.99 is not a binary fraction. */
    *ppm = (uint32_t)(percent * HISTOGRAM_PPM / 100.0 + 0.5);
    return true;
}

/* The left side: "errors", "dropped", "achieved" or "step.percentile". */
static bool
subject_parse(struct condition *condition, char *subject)
{
    char *dot = strchr(subject, '.');

    if (strcmp(subject, "errors") == 0) {
        condition->kind = CONDITION_ERRORS;
        return true;
    }
    if (strcmp(subject, "dropped") == 0) {
        condition->kind = CONDITION_DROPPED;
        return true;
    }
    if (strcmp(subject, "achieved") == 0) {
        condition->kind = CONDITION_ACHIEVED;
        return true;
    }
    if (dot == NULL) {
        return false;
    }
    *dot = '\0';
    condition->kind = CONDITION_PERCENTILE;
    condition->step = step_find(subject);
    return condition->step != STEPS_COUNT && percentile_parse(dot + 1, &condition->ppm);
}

static bool
limit_parse(struct condition *condition, const char *text)
{
    uint64_t ns = 0;
    uint32_t count = 0;

    switch (condition->kind) {
    case CONDITION_PERCENTILE:
        if (!parse_duration(text, &ns)) {
            return false;
        }
        condition->limit = (double)ns;
        return true;
    case CONDITION_ERRORS:
    case CONDITION_DROPPED:
        if (!parse_count(text, 0, UINT32_MAX, &count)) {
            return false;
        }
        condition->limit = (double)count;
        return true;
    case CONDITION_ACHIEVED:
        return parse_rate(text, &condition->limit);
    }
    return false;
}

static bool
condition_parse(struct condition *condition, char *text)
{
    char *comparator = strpbrk(text, "<>");

    if (comparator == NULL || strlen(text) >= sizeof condition->text) {
        return false;
    }
    (void)snprintf(condition->text, sizeof condition->text, "%s", text);
    condition->above = *comparator == '>';
    *comparator = '\0';
    return subject_parse(condition, text) && limit_parse(condition, comparator + 1);
}

bool
conditions_parse(struct conditions *conditions, const char *text)
{
    char copy[CONDITION_BYTES_MAX];
    char *rest = copy;
    char *item;

    CHECK(conditions != NULL);
    if (text == NULL || strlen(text) >= sizeof copy) {
        return false;
    }
    (void)snprintf(copy, sizeof copy, "%s", text);
    while ((item = strsep(&rest, ",")) != NULL) {
        if (conditions->count == CONDITIONS_MAX ||
            !condition_parse(&conditions->list[conditions->count], item)) {
            return false;
        }
        conditions->count++;
    }
    return true;
}

static double
condition_measure(const struct condition *condition, const struct recorder *recorder)
{
    switch (condition->kind) {
    case CONDITION_PERCENTILE:
        return (double)histogram_percentile(&recorder->steps[condition->step].intended,
                                            condition->ppm);
    case CONDITION_ERRORS:
        return (double)recorder_errors(recorder);
    case CONDITION_DROPPED:
        return (double)recorder->dropped;
    case CONDITION_ACHIEVED:
        return (double)recorder->landed / recorder_window_s(recorder);
    }
    return 0;
}

bool
condition_fires(const struct condition *condition, const struct recorder *recorder, double *value)
{
    CHECK(condition != NULL);
    CHECK(value != NULL);
    *value = condition_measure(condition, recorder);
    return condition->above ? *value > condition->limit : *value < condition->limit;
}
