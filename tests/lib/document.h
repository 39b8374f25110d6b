/*
 * document.h - the parts of protocol/PROTOCOL.md that are made from the .def files.
 *
 * The document holds each between `<!-- generated: NAME -->` and `<!-- end: NAME -->`. The tool
 * tests/docs/describe prints one, `make docs` puts them all in place, test_document compares.
 */
#ifndef ZR_DOCUMENT_H
#define ZR_DOCUMENT_H

#include <stdbool.h>
#include <stdio.h>

/* Names of the sections, ended by NULL: statuses, enumerations, operations, messages, session. */
extern const char *const document_sections[];

/* Write one section. False: no such section. */
bool document_write(FILE *out, const char *section);

#endif
