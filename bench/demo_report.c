/*
 * demo_report.c - see demo_report.h.
 *
 * The invariants stand in one list, each with its sentence, so that the summary, the JSON and
 * the exit code cannot disagree.
 */
#include "bench/demo_report.h"

#include "bench/environment.h"
#include "bench/report.h"
#include "protocol/check.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define RATE_SHARE_MIN  0.95 /* Calls that came to their end, of the rate asked. */
#define ENDED_SHARE_MIN 0.80 /* Of the rate asked: connected and ended. */

struct invariant {
    const char *text;
    bool holds;
};

enum { INVARIANTS_MAX = 16 };

struct findings {
    struct meter_result meter;
    struct verdict verdict;
    double finished_per_s;
    double ended_per_s;
    int64_t audit_charged_cents; /* During the calls. */
    struct invariant invariants[INVARIANTS_MAX];
    uint32_t invariants_count;
    bool all_hold;
};

static void
invariant_add(struct findings *findings, const char *text, bool holds)
{
    CHECK(findings->invariants_count < INVARIANTS_MAX);
    findings->invariants[findings->invariants_count++] = (struct invariant){text, holds};
    findings->all_hold = findings->all_hold && holds;
}

static bool
ledger_is_balanced(const struct demo *demo)
{
    return demo->audit_after.balanced && demo->audit_after.postings_sum_cents == 0;
}

static void
findings_judge_books(struct findings *findings, const struct demo *demo)
{
    const struct zr_audit_reply *audit = &demo->audit_after;
    const struct tally *tally = &demo->driver.tally;
    const uint64_t charges = demo->audit_after.charges - demo->audit_before.charges;

    invariant_add(findings, "every balance is the sum of its postings", audit->balanced);
    invariant_add(findings, "all postings add up to 0", audit->postings_sum_cents == 0);
    invariant_add(findings, "the audit found no violation", audit->violations == 0);
    invariant_add(findings, "no call passed over an eligible primary",
                  audit->decisions_skipped_primary == 0);
    invariant_add(findings, "the ledger charged what the client was told, to the cent",
                  findings->audit_charged_cents == tally->charged_cents);
    invariant_add(findings, "each charge is one call that the client saw charged",
                  charges == tally->settlements[ZR_SETTLEMENT_CHARGED]);
    invariant_add(findings, "every wallet is its top-up less its charges, with nothing held",
                  demo->wallets_wrong == 0);
    invariant_add(findings, "every ZIP of the table is known to the server",
                  demo->zips_known == demo->zips.count);
}

static void
findings_make(struct findings *findings, const struct demo *demo)
{
    const struct recorder *recorder = &demo->driver.recorder;
    const double window_s = recorder_window_s(recorder);
    const double rate = demo->options.drive.rate_per_s;

    *findings = (struct findings){.all_hold = true};
    meter_between(&findings->meter, &demo->driver.meter_begin, &demo->driver.meter_end);
    report_judge(&findings->verdict, &demo->driver, &findings->meter);
    findings->finished_per_s = (double)recorder->landed / window_s;
    findings->ended_per_s = (double)recorder->steps[STEP_CALL].ok_in_window / window_s;
    findings->audit_charged_cents =
        demo->audit_after.charged_cents - demo->audit_before.charged_cents;
    findings_judge_books(findings, demo);
    invariant_add(findings, "no request failed and no call broke",
                  recorder_errors(recorder) == 0 && demo->driver.tally.broken == 0 &&
                      demo->driver.flights_busy == 0);
    invariant_add(findings, "no call was dropped by the generator", recorder->dropped == 0);
    invariant_add(findings, "95 % of the calls asked for came to their end in time",
                  findings->finished_per_s >= RATE_SHARE_MIN * rate);
    invariant_add(findings, "80 % of the calls asked for were connected and ended",
                  findings->ended_per_s >= ENDED_SHARE_MIN * rate);
}

static void
setup_print(const struct demo *demo)
{
    (void)printf("network      %" PRIu32 " ZIPs, %" PRIu32 " categories, %" PRIu32
                 " contractors, %" PRIu64 " claims (%" PRIu64
                 " slots were full), set up in %.1f s\n",
                 demo->zips_known, demo->categories_count, demo->world.contractors_count,
                 demo->claims, demo->claims_refused, demo->setup_s);
}

static void
books_print(const struct demo *demo, const struct findings *findings)
{
    const struct zr_audit_reply *audit = &demo->audit_after;

    (void)printf("books        charged %" PRId64 ".%02" PRId64 " dollars in %" PRIu64
                 " calls; the audit looked at %" PRIu64 " accounts, %" PRIu64 " postings, %" PRIu64
                 " slots, %" PRIu64 " calls\n",
                 findings->audit_charged_cents / 100, findings->audit_charged_cents % 100,
                 audit->charges - demo->audit_before.charges, audit->accounts, audit->postings,
                 audit->slots, audit->calls);
    for (uint32_t i = 0; i < findings->invariants_count; i++) {
        (void)printf("  %s  %s\n", findings->invariants[i].holds ? "holds " : "BROKEN",
                     findings->invariants[i].text);
    }
}

static json_t *
setup_json(const struct demo *demo)
{
    json_t *line = json_object();

    CHECK(line != NULL);
    (void)json_object_set_new(line, "zips", json_integer(demo->zips_known));
    (void)json_object_set_new(line, "categories", json_integer(demo->categories_count));
    (void)json_object_set_new(line, "contractors", json_integer(demo->world.contractors_count));
    (void)json_object_set_new(line, "claims", json_integer((json_int_t)demo->claims));
    (void)json_object_set_new(line, "setup_s", json_real(demo->setup_s));
    return line;
}

/* route_p50_us, route_p99_us ...: from the intended time. */
static void
latencies_add(json_t *line, const struct recorder *recorder)
{
    for (uint32_t i = 0; i < STEPS_COUNT; i++) {
        const struct histogram *histogram = &recorder->steps[i].intended;
        char key[64];

        if (histogram->total == 0) {
            continue;
        }
        (void)snprintf(key, sizeof key, "%s_p50_us", step_name((enum step)i));
        (void)json_object_set_new(line, key,
                                  json_real((double)histogram_percentile(histogram, 500000) / 1e3));
        (void)snprintf(key, sizeof key, "%s_p99_us", step_name((enum step)i));
        (void)json_object_set_new(line, key,
                                  json_real((double)histogram_percentile(histogram, 990000) / 1e3));
    }
}

static void
calls_add(json_t *line, const struct demo *demo, const struct findings *findings)
{
    const struct tally *tally = &demo->driver.tally;
    json_t *broken = json_array();

    for (uint32_t i = 0; i < findings->invariants_count; i++) {
        if (!findings->invariants[i].holds) {
            (void)json_array_append_new(broken, json_string(findings->invariants[i].text));
        }
    }
    (void)json_object_set_new(line, "calls", json_integer((json_int_t)tally->calls));
    (void)json_object_set_new(line, "routes", json_integer((json_int_t)tally->routes));
    (void)json_object_set_new(line, "route_nexts", json_integer((json_int_t)tally->nexts));
    (void)json_object_set_new(line, "connects", json_integer((json_int_t)tally->connects));
    (void)json_object_set_new(line, "ends", json_integer((json_int_t)tally->ends));
    (void)json_object_set_new(line, "charged_cents", json_integer(findings->audit_charged_cents));
    (void)json_object_set_new(line, "charged_cents_client", json_integer(tally->charged_cents));
    (void)json_object_set_new(line, "rate_asked", json_real(demo->options.drive.rate_per_s));
    (void)json_object_set_new(line, "calls_per_s", json_real(findings->ended_per_s));
    (void)json_object_set_new(line, "calls_finished_per_s", json_real(findings->finished_per_s));
    (void)json_object_set_new(line, "ledger_balanced", json_boolean(ledger_is_balanced(demo)));
    (void)json_object_set_new(line, "violations",
                              json_integer((json_int_t)demo->audit_after.violations));
    (void)json_object_set_new(line, "wallets_wrong", json_integer((json_int_t)demo->wallets_wrong));
    latencies_add(line, &demo->driver.recorder);
    (void)json_object_set_new(line, "generator_cpu", json_real(findings->meter.self_cpu));
    (void)json_object_set_new(line, "generator_lag_p99_us",
                              json_real(findings->verdict.lag_p99_us));
    (void)json_object_set_new(line, "valid", json_boolean(findings->verdict.valid));
    (void)json_object_set_new(line, "broken_invariants", broken);
    (void)json_object_set_new(line, "ok", json_boolean(findings->all_hold));
}

static bool
surge_save(const struct demo *demo, const struct findings *findings, struct fault *fault)
{
    json_t *report;
    bool saved;

    if (demo->options.json == NULL) {
        return true;
    }
    report = report_json(&demo->driver, &findings->meter, &findings->verdict);
    (void)json_object_set_new(report, "environment",
                              environment_json(zr_client_hello(demo->clients[DEMO_SWITCH])));
    saved = report_save(report, demo->options.json, fault);
    json_decref(report);
    return saved;
}

static void
line_print(json_t *line)
{
    (void)json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(8));
    (void)printf("\n");
    (void)fflush(stdout);
    json_decref(line);
}

enum bench_exit
demo_report(struct demo *demo, struct fault *fault)
{
    static struct findings findings;
    json_t *line = setup_json(demo);
    bool saved;

    setup_print(demo);
    if (demo->options.setup_only) {
        line_print(line);
        return BENCH_EXIT_DONE;
    }
    findings_make(&findings, demo);
    report_print(&demo->driver, &findings.meter, &findings.verdict);
    books_print(demo, &findings);
    calls_add(line, demo, &findings);
    saved = surge_save(demo, &findings, fault);
    line_print(line);
    if (!saved) {
        return fault->exit_code;
    }
    return findings.all_hold ? BENCH_EXIT_DONE : BENCH_EXIT_FAILED;
}
