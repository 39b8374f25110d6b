/*
 * fault.c - see fault.h.
 */
#include "bench/fault.h"

#include "protocol/check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

bool
fault_set(struct fault *fault, enum bench_exit exit_code, const char *format, ...)
{
    va_list arguments;

    CHECK(fault != NULL);
    CHECK(exit_code != BENCH_EXIT_DONE);
    fault->exit_code = exit_code;
    va_start(arguments, format);
    (void)vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    return false;
}
