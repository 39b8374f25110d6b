/*
 * config.h - settings from an INI file and from `key=value` on the command line.
 *
 * One table (config.def) makes the struct, the parser and the sample. An unknown key is an error
 * that names the nearest one; a value out of range says the range. Nothing is guessed.
 */
#ifndef ZR_CONFIG_H
#define ZR_CONFIG_H

#include "server/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CONFIG_TEXT_BYTES_MAX = 1024, CONFIG_ERROR_BYTES_MAX = 256 };

struct config {
#define TEXT(name, standard, doc)             char name[CONFIG_TEXT_BYTES_MAX];
#define NUMBER(name, standard, min, max, doc) uint64_t name;
#define SWITCH(name, standard, doc)           bool name;
#include "server/base/config.def"
#undef TEXT
#undef NUMBER
#undef SWITCH
    char error[CONFIG_ERROR_BYTES_MAX]; /* What is wrong and what to do, after INVALID. */
};

/* Every setting at its default. */
void config_init(struct config *config);

/* Set one. INVALID: config->error says why. */
MUST_USE enum status config_set(struct config *config, const char *name, const char *value);

/* Read a file over what is set. INVALID: config->error has file:line. */
MUST_USE enum status config_read(struct config *config, const char *path);

/* Rules between settings, and those that must be given. */
MUST_USE enum status config_judge(struct config *config);

/* Write all settings with their docs, as a file that config_read takes. */
void config_print(const struct config *config, FILE *file);

#endif
