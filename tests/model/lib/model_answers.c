/*
 * model_answers.c - how many of its calls a contractor took in 30 days (R62).
 *
 * Every answer and every miss is kept with its time and counted anew when asked; what was told is
 * remembered, for it is told once.
 */
#include "tests/model/lib/model.h"

enum { WINDOW_DAYS = 30, RINGS_MIN = 20, PERCENT = 100 };

/* Today and the 29 days before, by UTC days. */
static bool
is_recent(const struct model *model, uint64_t time_ms)
{
    return time_ms / MODEL_DAY_MS + WINDOW_DAYS > model->now_ms / MODEL_DAY_MS;
}

int
model_rings(const struct model *model, int contractor)
{
    const struct model_contractor *who = &model->contractors[contractor];
    int rings = 0;

    for (int i = 0; i < who->rings_count; i++) {
        rings += is_recent(model, who->rings[i].time_ms);
    }
    return rings;
}

int
model_answers(const struct model *model, int contractor)
{
    const struct model_contractor *who = &model->contractors[contractor];
    int answers = 0;

    for (int i = 0; i < who->rings_count; i++) {
        answers += who->rings[i].answered && is_recent(model, who->rings[i].time_ms);
    }
    return answers;
}

void
model_ring_ended(struct model *model, int contractor, bool answered)
{
    struct model_contractor *who = &model->contractors[contractor];
    int rings;
    int answers;
    bool low;

    if (who->rings_count < MODEL_RINGS) {
        who->rings[who->rings_count++] = (struct model_ring){model->now_ms, answered};
    }
    rings = model_rings(model, contractor);
    answers = model_answers(model, contractor);
    low = rings >= RINGS_MIN && answers * 2 < rings;
    if (low && !who->rate_told) {
        model_event(model, ZR_EVENT_ANSWER_RATE_LOW,
                    &(struct model_event){.contractor = contractor,
                                          .number = (uint64_t)rings,
                                          .code = (uint8_t)(answers * PERCENT / rings)});
    }
    who->rate_told = low;
}
