/*
 * check.c - what happens when a CHECK fails: say which one, and stop.
 *
 * Weak, so that a unit test can put its own in place and prove that a CHECK fires.
 */
#include "protocol/check.h"

#include <stdio.h>
#include <stdlib.h>

__attribute__((weak)) _Noreturn void
zr_check_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "<0>CHECK failed: %s at %s:%d\n", condition, file, line);
    abort();
}
