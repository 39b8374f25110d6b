/*
 * answer_rate.c - see answer_rate.h.
 */
#include "server/domain/answer_rate.h"

#include "server/domain/event.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

/* Slide the window to the day of the command: the places of days that passed since are empty. */
static void
days_turn(struct answer_rate_row *row, const struct command *command)
{
    const uint32_t today = (uint32_t)(command->time_ms / DAY_MS);

    if (today <= row->day) {
        return;
    }
    if (today - row->day > ANSWER_RATE_DAYS) {
        row->day = today - ANSWER_RATE_DAYS; /* Nothing of the row is left. */
    }
    while (row->day < today) {
        row->day++;
        row->days[row->day % ANSWER_RATE_DAYS] = (struct answer_day){0};
    }
}

static struct answer_rate
days_sum(const struct answer_rate_row *row)
{
    struct answer_rate rate = {0};

    for (unsigned i = 0; i < ANSWER_RATE_DAYS; i++) {
        rate.rings += (uint32_t)row->days[i].answered + row->days[i].missed;
        rate.answered += row->days[i].answered;
    }
    return rate;
}

static bool
rate_is_low(const struct answer_rate *rate)
{
    return rate->rings >= ANSWER_RATE_RINGS_MIN && rate->answered * 2 < rate->rings;
}

void
answer_rate_count(struct state *state, const struct command *command, uint32_t contractor,
                  bool answered)
{
    struct answer_rate_row row;
    struct answer_day *day;
    struct answer_rate rate;
    uint16_t *count;

    (void)state_answer_rate_get(state, contractor, &row);
    days_turn(&row, command);
    day = &row.days[row.day % ANSWER_RATE_DAYS];
    count = answered ? &day->answered : &day->missed;
    *count = (uint16_t)(*count + (*count < UINT16_MAX));
    rate = days_sum(&row);
    if (rate_is_low(&rate) && row.told == 0) {
        event_emit(state, command,
                   &(struct event_row){.type = ZR_EVENT_ANSWER_RATE_LOW,
                                       .contractor = contractor,
                                       .number = rate.rings,
                                       .code = (uint8_t)(rate.answered * 100 / rate.rings)});
    }
    row.told = rate_is_low(&rate);
    state_answer_rate_put(state, contractor, &row);
}

struct answer_rate
answer_rate_of(struct state *state, const struct command *command, uint32_t contractor)
{
    struct answer_rate_row row;

    (void)state_answer_rate_get(state, contractor, &row);
    days_turn(&row, command);
    return days_sum(&row);
}
