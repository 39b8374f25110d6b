/*
 * check.h - the assertion that stays on in production.
 *
 * A CHECK guards against our own bugs: arguments, results, relations between fields.
 * It is never used on what a peer sent or a disk returned; those are refused, not
 * asserted. It is not compiled out, because a server of money that has met its own
 * bug must stop before it writes. One condition each, so that the line names it.
 */
#ifndef ZR_CHECK_H
#define ZR_CHECK_H

/* Print where, and abort. Tests replace it to prove that a CHECK fires. */
_Noreturn void zr_check_failed(const char *condition, const char *file, int line);

#define CHECK(condition) ((condition) ? (void)0 : zr_check_failed(#condition, __FILE__, __LINE__))

/* For loops over whole structures: tests, simulator and fuzzers only. */
#ifdef ZR_CHECK_SLOW
#define CHECK_SLOW(condition) CHECK(condition)
#else
#define CHECK_SLOW(condition) ((void)0)
#endif

#endif
