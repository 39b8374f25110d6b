/*
 * schedule.h - when a contractor takes calls: weekly hours, dated exceptions, vacations,
 * "unavailable until" (R34, M3).
 *
 * Hours are [open, close) of the wall clock's quarters (E24): what counts is what the clock
 * shows. A quarter that a night in spring leaves out is never open; one that a night in autumn
 * shows twice is open twice (E25).
 *
 * The hard idea is `until_ms`. To judge a schedule takes calendar arithmetic, and a surge
 * judges the same contractor thousands of times a second; so a judgement says how long it
 * holds, and whoever asks may keep it until then or until the row changes.
 */
#ifndef ZR_SCHEDULE_H
#define ZR_SCHEDULE_H

#include "server/domain/state.h"

/*
 * Judge the instant now_ms (before LOCALTIME_MS_MAX). *reasons gets REASON_OUT_OF_HOURS and
 * REASON_VACATION as they apply, 0 = takes calls. The answer is the same at every instant of
 * [now_ms, *until_ms); *until_ms is after now_ms and at most a day away.
 */
void schedule_judge(const struct schedule_row *row, uint64_t now_ms, uint32_t *reasons,
                    uint64_t *until_ms);

/* True when the weekly hours are empty. Exceptions open single days, they are no hours (M2). */
bool schedule_never_open(const struct schedule_row *row);

/* Is the condition UNAVAILABLE (M2) so: hours empty, on vacation or before unavailable_until? */
bool schedule_is_unavailable(const struct schedule_row *row, uint64_t now_ms);

/*
 * The next instant after now_ms at which a vacation starts or ends, unavailable_until comes or
 * the zone changes; UINT64_MAX = never. Until then schedule_is_unavailable() stays as it is.
 */
uint64_t schedule_next_edge_ms(const struct schedule_row *row, uint64_t now_ms);

/* The zone by which the contractor's day is counted at that instant (localtime.h). */
uint8_t schedule_zone_at(const struct schedule_row *row, uint64_t now_ms);

/* When the change of zone that is written in the row acts, or acted; UINT64_MAX = none is. */
uint64_t schedule_zone_change_ms(const struct schedule_row *row);

/*
 * Move to another zone: the first one at once, a later one from the old zone's next midnight, so
 * that the day of a cap never ends early (M3). Takes the place of a move that is still ahead.
 * At the change the local date stays or goes on; the hour of the clock may go back.
 */
void schedule_set_zone(struct schedule_row *row, uint8_t zone, uint64_t now_ms);

/* Abort when the row breaks its own bounds. On write and after read. */
void schedule_check(const struct schedule_row *row);

#endif
