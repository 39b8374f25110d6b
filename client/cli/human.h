/*
 * human.h - the objects of output.c for eyes: aligned lines and tables.
 */
#ifndef ZR_CLI_HUMAN_H
#define ZR_CLI_HUMAN_H

#include <jansson.h>

/* One reply: its fields as lines, its lists as tables below them. */
void human_print_answer(json_t *object);

/* An array of objects as a table; "none" when it is empty. */
void human_print_table(json_t *rows);

/* An object on one line, "name=value": what is absent, empty or 0 is left out. */
void human_print_line(json_t *object);

#endif
