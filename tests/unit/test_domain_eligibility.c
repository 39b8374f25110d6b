/*
 * test_domain_eligibility.c - may he be rung, and who is rung in which order (M3, R27, R47, E23).
 */
#include "server/domain/cascade.h"
#include "server/domain/policy.h"
#include "tests/lib/domain_world.h"

#include <string.h>

enum { NOW = 1000000, ROUNDS = 3000 };

/* One question, at its point of "just yes": every bound is met exactly. */
struct question {
    struct eligibility_contractor contractor;
    struct eligibility_call call;
};

static struct question
question_just_yes(void)
{
    return (struct question){
        .contractor = {.licence_expires_ms = NOW + 1,
                       .phone = 12815550100,
                       .available_cents = DW_RATE,
                       .rate_max_cents = DW_RATE,
                       .units = 1,
                       .leases = 1,
                       .max_concurrency = 3,
                       .status = ZR_CONTRACTOR_APPROVED},
        .call = {.now_ms = NOW,
                 .rate_cents = DW_RATE,
                 .screened = true,
                 .screening_required = true,
                 .funds_rule = ZR_FUNDS_SLOT_RATE},
    };
}

static uint32_t
judge(const struct question *question)
{
    return eligibility_judge(&question->contractor, &question->call);
}

/* ---- one row per reason ----------------------------------------------------------------- */

/* R1 */
static void
not_approved(struct question *question)
{
    question->contractor.status = ZR_CONTRACTOR_SUSPENDED;
}

/* R1, M2: deadlines are exclusive, at the very millisecond the licence is over. */
static void
licence_over(struct question *question)
{
    question->contractor.licence_expires_ms = NOW;
}

/* R63 */
static void
contractor_paused(struct question *question)
{
    question->contractor.paused = true;
}

static void
claim_paused(struct question *question)
{
    question->call.claim_paused = true;
}

/* One cent short. */
static void
no_funds(struct question *question)
{
    question->contractor.available_cents--;
}

/* E26, E52: the rate of a call that rings elsewhere is gone too. */
static void
no_funds_by_lease(struct question *question)
{
    question->contractor.leased_cents = 1;
}

/* M3: `funds_rule` MAX_RATE asks for the dearest claim's rate. */
static void
no_funds_by_max_rate(struct question *question)
{
    question->call.funds_rule = ZR_FUNDS_MAX_RATE;
    question->contractor.rate_max_cents = DW_RATE + 1;
}

/* E27: connected and ringing calls together. */
static void
at_concurrency(struct question *question)
{
    question->contractor.leases = 2;
}

static void
over_concurrency(struct question *question)
{
    question->contractor.units = 9;
}

/* E33 */
static void
already_tried(struct question *question)
{
    question->call.tried = true;
}

static void
no_phone(struct question *question)
{
    question->contractor.phone = 0;
}

/* E41: SMS alone delivers no live call. */
static void
sms_only(struct question *question)
{
    question->contractor.modes = MODE_SMS;
}

/* R50: every own destination is out of order. */
static void
dest_down(struct question *question)
{
    question->contractor.dest_down = true;
}

/* What the profile found comes on top. */
static void
profile_closed(struct question *question)
{
    question->contractor.profile_reasons = REASON_OUT_OF_HOURS;
}

/* R6 */
static void
unscreened(struct question *question)
{
    question->call.screened = false;
}

static const struct {
    void (*spoil)(struct question *);
    uint32_t reason;
} reasons[] = {
    {not_approved, REASON_NOT_APPROVED},
    {licence_over, REASON_NOT_APPROVED},
    {contractor_paused, REASON_PAUSED},
    {claim_paused, REASON_PAUSED},
    {no_funds, REASON_NO_FUNDS},
    {no_funds_by_lease, REASON_NO_FUNDS},
    {no_funds_by_max_rate, REASON_NO_FUNDS},
    {at_concurrency, REASON_AT_CONCURRENCY},
    {over_concurrency, REASON_AT_CONCURRENCY},
    {already_tried, REASON_ALREADY_TRIED},
    {no_phone, REASON_MODE_UNSUPPORTED},
    {profile_closed, REASON_OUT_OF_HOURS},
    {unscreened, REASON_SCREENING_MISSING},
};
enum { REASONS = sizeof reasons / sizeof reasons[0] };

static void
test_each_reason_alone(void **state)
{
    (void)state;

    for (size_t i = 0; i < REASONS; i++) {
        struct question question = question_just_yes();

        assert_int_equal(judge(&question), 0);
        reasons[i].spoil(&question);
        assert_int_equal(judge(&question), reasons[i].reason);
    }
}

/* M3: all failing bits are kept, in every combination. */
static void
test_reasons_add_up(void **state)
{
    (void)state;

    for (uint32_t mask = 0; mask < 1u << REASONS; mask++) {
        struct question question = question_just_yes();
        uint32_t expected = 0;

        for (size_t i = 0; i < REASONS; i++) {
            if ((mask & 1u << i) != 0) {
                reasons[i].spoil(&question);
                expected |= reasons[i].reason;
            }
        }
        assert_int_equal(judge(&question), expected);
    }
}

/* R19, R28, E41: how a call is delivered, by the modes and the phones that there are. */
static void
test_delivery_modes(void **state)
{
    struct question question = question_just_yes();

    (void)state;
    question.contractor.modes = MODE_APP;
    question.contractor.phone = 0; /* An app needs no number. */
    assert_int_equal(judge(&question), 0);
    dest_down(&question);
    assert_int_equal(judge(&question), 0);
    sms_only(&question);
    assert_int_equal(judge(&question), REASON_MODE_UNSUPPORTED);
    question = question_just_yes();
    question.contractor.modes = MODE_PHONE | MODE_APP;
    assert_int_equal(judge(&question), 0);
    dest_down(&question);
    assert_int_equal(judge(&question), REASON_DEST_DOWN);
}

/* Every status but APPROVED. */
static void
test_only_approved_contractors_ring(void **state)
{
    (void)state;

    for (int status = ZR_CONTRACTOR_PENDING; status <= ZR_CONTRACTOR_CLOSED; status++) {
        struct question question = question_just_yes();

        question.contractor.status = (uint8_t)status;
        assert_int_equal(judge(&question),
                         status == ZR_CONTRACTOR_APPROVED ? 0 : REASON_NOT_APPROVED);
    }
}

/* The sides of each bound that let pass. */
static void
test_bounds_that_pass(void **state)
{
    struct question question = question_just_yes();

    (void)state;
    question.contractor.licence_expires_ms = 0; /* Never expires. */
    assert_int_equal(judge(&question), 0);
    question.call.screened = false;
    question.call.screening_required = false;
    assert_int_equal(judge(&question), 0);
    question.call.funds_rule = ZR_FUNDS_MAX_RATE; /* The slot's rate is the dearest. */
    assert_int_equal(judge(&question), 0);
    question.contractor.rate_max_cents = 0;
    assert_int_equal(judge(&question), 0);
    question.contractor.available_cents = 0; /* A free slot asks for nothing. */
    question.call.rate_cents = 0;
    assert_int_equal(judge(&question), 0);
    question.contractor.available_cents = -1; /* But not in debt. */
    assert_int_equal(judge(&question), REASON_NO_FUNDS);
}

static void
test_negative_rates_are_bugs(void **state)
{
    struct question question = question_just_yes();

    (void)state;
    question.call.rate_cents = -1;
    expect_assert_failure((void)judge(&question));
    question = question_just_yes();
    question.contractor.leased_cents = -1;
    expect_assert_failure((void)judge(&question));
}

/* ---- the cascade ------------------------------------------------------------------------ */

/* What `look` knows: contractors of the mask are paused. */
struct crowd {
    uint64_t paused;
    uint32_t looks;
};

static void
look(void *context, uint32_t contractor, const struct eligibility_call *call,
     struct eligibility_contractor *known)
{
    struct crowd *crowd = context;
    const struct question yes = question_just_yes();

    assert_int_equal(call->now_ms, NOW);
    crowd->looks++;
    *known = yes.contractor;
    known->phone = 12815550000 + contractor;
    known->paused = (crowd->paused >> contractor & 1) != 0;
}

struct scene {
    struct slot_row slot;
    struct crowd crowd;
    struct cascade_call call;
    struct cascade_decision decision;
};

/* Contractors 1..count; the primary stands at index `primary`. */
static void
scene_make(struct scene *scene, int count, int primary)
{
    memset(scene, 0, sizeof *scene);
    for (int i = 0; i < count; i++) {
        slot_append(&scene->slot, (uint64_t)i + 500, (uint32_t)i + 1,
                    i == primary ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP);
    }
    scene->call = (struct cascade_call){.now_ms = NOW, .want = 1, .screened = true};
}

static void
scene_decide(struct scene *scene)
{
    const struct cascade_slot where = {&scene->slot, &policy_default, DW_RATE};

    cascade_decide(&scene->decision, &where, &scene->call, look, &scene->crowd);
}

/* The contractor that is rung as number `i`. */
static uint32_t
candidate(const struct scene *scene, int i)
{
    return scene->decision.judged[scene->decision.candidates[i]].contractor;
}

/* R47, R52: an eligible primary is first, also when a backup came earlier. */
static void
test_the_primary_rings_first(void **state)
{
    struct scene scene;

    (void)state;
    scene_make(&scene, 3, 2);
    scene.call.want = 4;
    scene_decide(&scene);
    assert_int_equal(scene.decision.candidates_count, 3);
    assert_int_equal(candidate(&scene, 0), 3);
    assert_int_equal(candidate(&scene, 1), 1);
    assert_int_equal(candidate(&scene, 2), 2);
    assert_false(cascade_skips_primary(&scene.decision));
}

/* R53: the rate is that of the title rank, whoever is rung first. */
static void
test_each_candidate_has_the_rate_of_its_rank(void **state)
{
    struct scene scene;

    (void)state;
    scene_make(&scene, 4, 0);
    scene.crowd.paused = 1u << 1; /* The primary. */
    scene.call.want = 2;
    scene_decide(&scene);
    assert_int_equal(candidate(&scene, 0), 2);
    assert_int_equal(scene.decision.judged[0].reasons, REASON_PAUSED);
    assert_int_equal(scene.decision.judged[0].rate_cents, DW_RATE);
    assert_int_equal(scene.decision.judged[1].rate_cents, DW_RATE_2);
    assert_int_equal(scene.decision.judged[2].rate_cents, DW_RATE_3);
    assert_int_equal(scene.decision.judged[3].rate_cents, DW_RATE_3);
    assert_int_equal(scene.decision.judged[1].rank, 2);
    assert_int_equal(scene.decision.judged[1].claim_seq, 501);
    assert_true(scene.decision.judged[1].phone == 12815550002);
}

/* `want` bounds who is offered, never who is judged (R68). */
static void
test_everyone_is_judged_whatever_is_wanted(void **state)
{
    (void)state;

    for (int want = 1; want <= TICKET_CANDIDATES_MAX; want++) {
        struct scene scene;

        scene_make(&scene, 8, 0);
        scene.call.want = (uint8_t)want;
        scene_decide(&scene);
        assert_int_equal(scene.decision.candidates_count, want);
        assert_int_equal(scene.decision.judged_count, 8);
        assert_int_equal(scene.crowd.looks, 8);
    }
}

/* E33: who had his turn has it no more, eligible or not. */
static void
test_the_tried_are_passed_over(void **state)
{
    static const uint32_t tried[] = {1, 3};
    struct scene scene;

    (void)state;
    scene_make(&scene, 4, 0);
    scene.call.tried = tried;
    scene.call.tried_count = 2;
    scene.call.want = 4;
    scene_decide(&scene);
    assert_int_equal(scene.decision.candidates_count, 2);
    assert_int_equal(candidate(&scene, 0), 2);
    assert_int_equal(candidate(&scene, 1), 4);
    assert_int_equal(scene.decision.judged[0].reasons, REASON_ALREADY_TRIED);
}

/* E28: nobody fits, every reason is there; a paused claim is its contractor's too. */
static void
test_no_coverage_keeps_the_reasons(void **state)
{
    struct scene scene;

    (void)state;
    scene_make(&scene, 2, 0);
    scene.slot.claims[0].paused = 1;
    scene.crowd.paused = 1u << 2;
    scene_decide(&scene);
    assert_int_equal(scene.decision.candidates_count, 0);
    assert_int_equal(scene.decision.judged[0].reasons, REASON_PAUSED);
    assert_int_equal(scene.decision.judged[1].reasons, REASON_PAUSED);
    scene_make(&scene, 0, SLOT_NO_CLAIM);
    scene_decide(&scene);
    assert_int_equal(scene.decision.judged_count, 0);
    assert_false(cascade_skips_primary(&scene.decision));
}

static void
test_want_is_1_to_4(void **state)
{
    struct scene scene;

    (void)state;
    scene_make(&scene, 1, 0);
    scene.call.want = 0;
    expect_assert_failure(scene_decide(&scene));
    scene.call.want = TICKET_CANDIDATES_MAX + 1;
    expect_assert_failure(scene_decide(&scene));
}

/* E23, R27: random slots and conditions: never over an eligible primary, and always the same. */
static void
test_no_decision_skips_an_eligible_primary(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const int count = (int)test_random_below(&seed, SLOT_CLAIMS_MAX + 1);
        struct scene scene;
        struct cascade_decision again;

        scene_make(&scene, count, (int)test_random_below(&seed, (uint64_t)count + 1) - 1);
        scene.crowd.paused = test_random(&seed);
        scene.call.want = (uint8_t)(1 + test_random_below(&seed, TICKET_CANDIDATES_MAX));
        scene_decide(&scene);
        assert_false(cascade_skips_primary(&scene.decision));
        again = scene.decision;
        scene_decide(&scene);
        assert_int_equal(scene.decision.candidates_count, again.candidates_count);
        assert_memory_equal(scene.decision.candidates, again.candidates,
                            again.candidates_count * sizeof again.candidates[0]);
        for (uint8_t i = 1; i < again.candidates_count; i++) {
            assert_true(again.candidates[i - 1] < again.candidates[i]);
        }
    }
}

/* What the audit query would find if a decision did skip one. */
static void
test_a_skipped_primary_is_noticed(void **state)
{
    struct cascade_decision decision = {.judged_count = 2, .judged = {{.rank = 1}, {.rank = 2}}};

    (void)state;
    assert_true(cascade_skips_primary(&decision)); /* Nobody rung at all. */
    decision.candidates_count = 1;
    assert_false(cascade_skips_primary(&decision));
    decision.candidates[0] = 1;
    assert_true(cascade_skips_primary(&decision));
    decision.judged[0].reasons = REASON_PAUSED;
    assert_false(cascade_skips_primary(&decision));
    decision.judged[0] = (struct cascade_judgement){.rank = 2}; /* The title is vacant. */
    assert_false(cascade_skips_primary(&decision));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_reason_alone),
        cmocka_unit_test(test_reasons_add_up),
        cmocka_unit_test(test_delivery_modes),
        cmocka_unit_test(test_only_approved_contractors_ring),
        cmocka_unit_test(test_bounds_that_pass),
        cmocka_unit_test(test_negative_rates_are_bugs),
        cmocka_unit_test(test_the_primary_rings_first),
        cmocka_unit_test(test_each_candidate_has_the_rate_of_its_rank),
        cmocka_unit_test(test_everyone_is_judged_whatever_is_wanted),
        cmocka_unit_test(test_the_tried_are_passed_over),
        cmocka_unit_test(test_no_coverage_keeps_the_reasons),
        cmocka_unit_test(test_want_is_1_to_4),
        cmocka_unit_test(test_no_decision_skips_an_eligible_primary),
        cmocka_unit_test(test_a_skipped_primary_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
