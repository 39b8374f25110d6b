/*
 * log.c - see log.h.
 */
#include "server/base/log.h"

#include "protocol/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LOG_LINE_BYTES_MAX = 1024 };

static enum log_level log_level_max = LOG_LEVEL_INFO;

void
log_set_level(enum log_level level)
{
    CHECK(level >= LOG_LEVEL_ERROR);
    CHECK(level <= LOG_LEVEL_DEBUG);
    log_level_max = level;
}

void
log_line(enum log_level level, const char *event, const char *format, ...)
{
    char line[LOG_LINE_BYTES_MAX];
    va_list arguments;
    int used;
    int more;

    CHECK(event != NULL);
    CHECK(format != NULL);
    if (level > log_level_max) {
        return;
    }
    used = snprintf(line, sizeof line - 1, "<%d>event=%s ", (int)level, event);
    CHECK(used > 0);
    CHECK((size_t)used < sizeof line - 1);

    va_start(arguments, format);
    more = vsnprintf(line + used, sizeof line - 1 - (size_t)used, format, arguments);
    va_end(arguments);
    used += more < 0 ? 0 : more;
    if ((size_t)used > sizeof line - 2) {
        used = (int)sizeof line - 2;
    }
    line[used] = '\n';
    /* A log that cannot be written has nowhere to be reported. */
    (void)!write(STDERR_FILENO, line, (size_t)used + 1);
}
