/*
 * commands.h - the commands of zipring-bench: each takes its own argv and gives the exit code.
 *
 * When one cannot go on it fills *fault, which main() prints, and returns its exit code.
 */
#ifndef ZR_BENCH_COMMANDS_H
#define ZR_BENCH_COMMANDS_H

#include "bench/fault.h"

enum bench_exit command_run(int argc, char **argv, struct fault *fault);
enum bench_exit command_demo(int argc, char **argv, struct fault *fault);
enum bench_exit command_compare(int argc, char **argv, struct fault *fault);
enum bench_exit command_summary(int argc, char **argv, struct fault *fault);

#endif
