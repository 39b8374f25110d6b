/*
 * model_caps.c - caps by calls, connects and spend, and their alarms (R13).
 *
 * The hard idea: every use is kept with its time, and a window is summed when somebody asks.
 */
#include "tests/model/lib/model.h"

void
model_use(struct model *model, int contractor, const struct model_usage *usage)
{
    struct model_contractor *who = &model->contractors[contractor];

    if (who->usages_count < MODEL_USAGES) {
        who->usages[who->usages_count++] = *usage;
    }
}

static bool
is_in_window(const struct model *model, int contractor, uint8_t window, uint64_t time_ms)
{
    const int zone = model->contractors[contractor].zone;
    uint64_t then;
    uint64_t now;
    uint64_t end;

    model_window(zone, window, time_ms, &then, &end);
    model_window(zone, window, model->now_ms, &now, &end);
    return then == now;
}

uint64_t
model_cap_used(const struct model *model, int contractor, const struct zr_cap *cap)
{
    const struct model_contractor *who = &model->contractors[contractor];
    int64_t sum = 0;

    for (int i = 0; i < who->usages_count; i++) {
        const struct model_usage *usage = &who->usages[i];

        if (usage->measure != cap->measure ||
            !is_in_window(model, contractor, cap->window, usage->time_ms)) {
            continue;
        }
        if (usage->measure == ZR_CAP_MEASURE_SPEND) {
            const struct model_leg *leg = &model->calls[usage->call].legs[usage->leg];

            sum += leg->hold + leg->amount;
        } else {
            sum += usage->amount;
        }
    }
    return (uint64_t)sum;
}

/* The highest of 75, 90 and 100 % that is reached; 0 = none. */
static uint8_t
cap_level(const struct model *model, int contractor, const struct zr_cap *cap)
{
    static const uint8_t percents[] = {75, 90, 100};
    const uint64_t used = model_cap_used(model, contractor, cap);
    uint8_t level = 0;

    for (int i = 0; i < 3 && cap->limit > 0 && used > 0; i++) {
        level = used * 100 >= cap->limit * percents[i] ? percents[i] : level;
    }
    return level;
}

/* What was used before a CAPS_PUT crosses nothing. */
void
model_caps_put(struct model *model, int contractor)
{
    struct model_contractor *who = &model->contractors[contractor];

    for (int i = 0; i < who->caps.caps_count; i++) {
        uint64_t end;

        model_window(who->zone, who->caps.caps[i].window, model->now_ms, &who->cap_window[i], &end);
        who->cap_said[i] = cap_level(model, contractor, &who->caps.caps[i]);
    }
}

/* CAP_75, CAP_90, CAP_100: once per crossing, and of several at once the highest alone. */
void
model_caps_judge(struct model *model, int contractor)
{
    struct model_contractor *who = &model->contractors[contractor];

    for (int i = 0; i < who->caps.caps_count; i++) {
        const struct zr_cap *cap = &who->caps.caps[i];
        const uint8_t level = cap_level(model, contractor, cap);
        const uint8_t type = level == 100  ? ZR_EVENT_CAP_100
                             : level == 90 ? ZR_EVENT_CAP_90
                                           : ZR_EVENT_CAP_75;
        uint64_t start;
        uint64_t end;

        model_window(who->zone, cap->window, model->now_ms, &start, &end);
        if (level > (who->cap_window[i] == start ? who->cap_said[i] : 0)) {
            model_event(model, type,
                        &(struct model_event){.contractor = contractor,
                                              .amount = (int64_t)cap->limit,
                                              .code = (uint8_t)(cap->window << 4 | cap->measure)});
        }
        who->cap_window[i] = start;
        who->cap_said[i] = level;
    }
}
