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

/*
 * Bits of HELLO's features. KEEPALIVE: the client sends one for each connected leg at least every
 * few minutes, so that a leg's concurrency unit lives 5 min without one, not 30 (M3 "unit_ttl").
 */
enum { FEATURE_KEEPALIVE = 1, FEATURES_KNOWN = FEATURE_KEEPALIVE };

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
