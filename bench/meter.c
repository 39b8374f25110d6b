/*
 * meter.c - see meter.h.
 */
#include "bench/meter.h"

#include "bench/clock.h"
#include "protocol/check.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first line of a /proc file; false when there is none. */
static bool
line_read(const char *path, char *line, size_t line_bytes)
{
    FILE *file = fopen(path, "re");
    bool got;

    if (file == NULL) {
        return false;
    }
    got = fgets(line, (int)line_bytes, file) != NULL;
    (void)fclose(file);
    return got;
}

/* Sum of the run times of all its threads; a thread that ended takes its time with it. */
static uint64_t
schedstat_read(pid_t pid)
{
    char path[64];
    char line[128];
    uint64_t run_ns = 0;
    const struct dirent *entry;
    DIR *threads;

    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    threads = opendir(path);
    if (threads == NULL) {
        return 0;
    }
    while ((entry = readdir(threads)) != NULL) { // NOLINT(concurrency-mt-unsafe): one thread.
        const long thread = strtol(entry->d_name, NULL, 10);

        if (thread <= 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/%d/task/%ld/schedstat", (int)pid, thread);
        if (line_read(path, line, sizeof line)) {
            run_ns += strtoull(line, NULL, 10);
        }
    }
    (void)closedir(threads);
    return run_ns;
}

/* Fields 14 and 15 of proc(5) stat, counted from behind the name, which may hold anything. */
static bool
stat_read(struct meter_sample *sample, pid_t pid)
{
    const uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
    char path[64];
    char line[1024];
    char *field;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!line_read(path, line, sizeof line)) {
        return false;
    }
    field = strrchr(line, ')');
    for (int i = 2; i < 14 && field != NULL; i++) {
        field = strchr(field + 1, ' ');
    }
    if (field == NULL) {
        return false;
    }
    sample->server_user_ns = strtoull(field, &field, 10) * tick_ns;
    sample->server_system_ns = strtoull(field, NULL, 10) * tick_ns;
    return true;
}

void
meter_take(struct meter_sample *sample, pid_t server_pid, uint64_t requests)
{
    CHECK(sample != NULL);
    *sample = (struct meter_sample){.requests = requests};
    sample->time_ns = clock_now_ns();
    sample->self_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (server_pid > 0) {
        sample->server_known = stat_read(sample, server_pid);
        sample->server_run_ns = schedstat_read(server_pid);
    }
}

void
meter_between(struct meter_result *result, const struct meter_sample *begin,
              const struct meter_sample *end)
{
    const double elapsed_ns = (double)(end->time_ns - begin->time_ns);
    const uint64_t user_ns = end->server_user_ns - begin->server_user_ns;
    const uint64_t system_ns = end->server_system_ns - begin->server_system_ns;
    double server_ns;

    *result = (struct meter_result){.requests = end->requests - begin->requests};
    if (elapsed_ns <= 0) {
        return;
    }
    result->self_cpu = (double)(end->self_ns - begin->self_ns) / elapsed_ns;
    result->server_known = begin->server_known && end->server_known;
    if (!result->server_known) {
        return;
    }
    result->from_schedstat = end->server_run_ns > begin->server_run_ns;
    server_ns = result->from_schedstat ? (double)(end->server_run_ns - begin->server_run_ns)
                                       : (double)(user_ns + system_ns);
    result->server_us = server_ns / 1e3;
    result->server_cpu = server_ns / elapsed_ns;
    if (result->requests > 0) {
        result->server_us_per_request = result->server_us / (double)result->requests;
    }
    if (user_ns + system_ns > 0) {
        result->server_system_share = (double)system_ns / (double)(user_ns + system_ns);
    }
}
