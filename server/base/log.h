/*
 * log.h - logfmt lines on stderr with the priority prefixes of sd-daemon(3).
 *
 * A failure is logged once, where it is handled (style.md "Errors"). Callers pass whole
 * `key=value` pairs in the format; values with spaces are quoted by them. Never log a
 * caller's number, a ticket or a key.
 */
#ifndef ZR_LOG_H
#define ZR_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Lines above this level are dropped. Set once before threads start; INFO by default. */
void log_set_level(enum log_level level);

/* One line: "<6>event=NAME key=value ...". Thread-safe: one write(2) a line, cut at 1 KiB. */
void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
