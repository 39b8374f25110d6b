/*
 * catalogue.h - the territory: which ZIPs there are, which categories, offered where (R8, R11).
 */
#ifndef ZR_CATALOGUE_H
#define ZR_CATALOGUE_H

#include "server/base/mac.h"
#include "server/domain/command.h"

/*
 * One part of an import. Parts are staged; the last one, sent last, checks that all are there and
 * carry the digest, and flips all rows in at once, so an import is all or nothing. Replaces rows,
 * removes none: a ZIP with claims cannot vanish under them.
 */
uint16_t catalogue_zip_put_apply(struct state *state, const struct command *command,
                                 const struct zr_zip_put_request *request,
                                 struct zr_zip_put_reply *reply, struct effects *effects);

uint16_t catalogue_category_put_apply(struct state *state, const struct command *command,
                                      const struct zr_category_put_request *request,
                                      struct zr_category_put_reply *reply, struct effects *effects);

uint16_t catalogue_category_list(struct state *state,
                                 const struct zr_category_list_request *request,
                                 struct zr_category_list_reply *reply);

#endif
