/*
 * lookahead.h - fetch what the next frames will read, while the present one is worked on.
 *
 * A ROUTE reads two places of memory that nobody has looked at lately: the line of its slot, and
 * then those of its contractors. Frames that came together can fetch theirs together: the waits
 * overlap, and a busy connection's calls cost less than those that come alone (performance.md "What
 * the prototype taught").
 */
#ifndef ZR_LOOKAHEAD_H
#define ZR_LOOKAHEAD_H

#include "server/handlers/service.h"

/* request_port.on_frames_ahead of base/request.h; `context` is the service. */
void lookahead_fetch(void *context, const uint8_t *const *frames, size_t frames_count);

#endif
