/*
 * map.h - availability: which trades can still be claimed where, as a colour per ZIP (R11, R42).
 *
 *     GREY    no category is offered
 *     GREEN   none of the offered ones is taken
 *     YELLOW  some are
 *     RED     all are
 *
 * "Taken" has two lenses: PRIMARY, the title of the slot is not to be had; ANY, no position is.
 * Both stand in the slot's row as of its last change, so that a colour is a count.
 *
 * The version of the map is the number of the newest event. It is read before the slots are: an
 * answer may show more than its version says, and a delta after that version may then repeat
 * what was shown; but none is ever missed (E21).
 */
#ifndef ZR_MAP_H
#define ZR_MAP_H

#include "server/handlers/service.h"

enum {
    /* ZIP numbers in one page of MAP_SNAPSHOT, and slots that are looked at for it. A map is
     * 100,000 numbers times all categories: cut like this, no request holds up the calls behind it
     * for more than a millisecond. */
    MAP_PAGE_ZIPS = 1000,
    MAP_PAGE_LOOKS = 40000,
};

enum frame_verdict map_availability(struct service *service, const struct request *request,
                                    struct zr_builder *reply);
enum frame_verdict map_snapshot(struct service *service, const struct request *request,
                                struct zr_builder *reply);

/* What subscribers are told of a MAP_DELTA event: the slot as of the event, the ZIP as of now. */
void map_change_of(struct service *service, struct zr_map_change *change, uint64_t event_seq,
                   const struct event_row *event);

#endif
