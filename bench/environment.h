/*
 * environment.h - under which conditions figures were taken: without this block they mean nothing.
 */
#ifndef ZR_BENCH_ENVIRONMENT_H
#define ZR_BENCH_ENVIRONMENT_H

#include <jansson.h>
#include <zipring.h>

/* The command line, kept for the block; argv must outlive the program's reports. */
void environment_note_command(int argc, char **argv);

/* Machine, kernel, versions, command line; `hello` (may be NULL) adds the server's. New reference.
 */
json_t *environment_json(const struct zr_hello_reply *hello);

#endif
