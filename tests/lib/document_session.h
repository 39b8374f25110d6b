/*
 * document_session.h - the worked session of PROTOCOL.md, as annotated hex of the vectors.
 */
#ifndef ZR_DOCUMENT_SESSION_H
#define ZR_DOCUMENT_SESSION_H

#include <stdio.h>

/* Every frame of a HELLO, PING, ROUTE, CONNECT and END, one line a field. */
void document_write_session(FILE *out);

#endif
