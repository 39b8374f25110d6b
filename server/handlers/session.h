/*
 * session.h - HELLO and what needs no table: PING, ECHO, SERVER_STATS.
 *
 * HELLO ties a connection to a principal: the row under the SHA-256 of the peer's public key,
 * whose tenant and role the certificate's URI SAN must name too. Revoking is deleting the row;
 * each change of a principal raises an epoch, and connections of an older epoch are looked up
 * again before they may do anything more, and at least four times a second.
 */
#ifndef ZR_SESSION_H
#define ZR_SESSION_H

#include "server/handlers/service.h"

/* What this server grants of HELLO's features; what is not in it cannot be required. */
enum { FEATURES_KNOWN = ZR_FEATURE_KEEPALIVE };

enum frame_verdict session_hello(struct service *service, const struct request *request,
                                 struct zr_builder *reply);
enum frame_verdict session_ping(struct service *service, const struct request *request,
                                struct zr_builder *reply);
enum frame_verdict session_echo(struct service *service, const struct request *request,
                                struct zr_builder *reply);
enum frame_verdict session_stats(struct service *service, const struct request *request,
                                 struct zr_builder *reply);

/* on_session_check of base/request.h: is the principal still who it was? */
bool session_check(void *context, struct session *session);

#endif
