/*
 * parse.h - the small languages of the options: rates, durations, counts, mixes.
 *
 * Pure: text in, value out; false when the text is anything else, to its last character.
 */
#ifndef ZR_BENCH_PARSE_H
#define ZR_BENCH_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* "2500", "20k/s", "1.5M/s": per second, > 0. */
bool parse_rate(const char *text, double *per_s);

/* "20s", "500ms", "2m", "150us", "20" (seconds): nanoseconds, 0 .. 24 h. */
bool parse_duration(const char *text, uint64_t *ns);

/* "12", "64": an integer of min .. max. */
bool parse_count(const char *text, uint32_t min, uint32_t max, uint32_t *count);

/* "3%", "0.5%", "3": percent, as a fraction of 1; 0 .. 10. */
bool parse_percent(const char *text, double *fraction);

/*
 * "route=90,connect=10" over `names` (ended by NULL): weights[i] belongs to names[i]. Names not
 * given get 0. False for an unknown name, one given twice, or a sum of 0.
 */
bool parse_mix(const char *text, const char *const *names, uint32_t *weights);

#endif
