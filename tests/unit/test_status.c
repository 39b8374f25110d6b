/*
 * test_status.c - the statuses of the wire: names, texts, classes, and their order.
 */
#include "protocol/status.h"
#include "tests/lib/test.h"

#include <string.h>

struct outcome {
    const char *name;
    const char *text;
    uint16_t code;
};

static const struct outcome outcomes[] = {
#define OUTCOME(name, code, text) {#name, (text), (code)},
#include "protocol/outcomes.def"
#undef OUTCOME
};

enum { OUTCOMES = sizeof outcomes / sizeof outcomes[0] };

static void
test_every_status_has_its_name_and_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < OUTCOMES; i++) {
        assert_string_equal(zr_status_code_name(outcomes[i].code), outcomes[i].name);
        assert_string_equal(zr_status_code_text(outcomes[i].code), outcomes[i].text);
        assert_true(strlen(outcomes[i].text) > 0);
    }
}

static void
test_every_status_is_of_a_known_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < OUTCOMES; i++) {
        const uint8_t class = zr_status_class(outcomes[i].code);

        assert_int_equal(class % 0x10, 0);
        assert_true(class <= ZR_CLASS_PROTOCOL);
        assert_true((class == ZR_CLASS_DONE) == (outcomes[i].code == ZR_STATUS_OK));
    }
}

/* A client acts on the class of a status that it does not know; a text is there all the same. */
static void
test_an_unknown_status_has_no_name_but_a_text(void **state)
{
    (void)state;
    assert_null(zr_status_code_name(0x20FF));
    assert_non_null(strstr(zr_status_code_text(0x20FF), "class"));
    assert_int_equal(zr_status_class(0x20FF), ZR_CLASS_REFUSED);
}

static void
test_classes_have_the_names_that_scripts_read(void **state)
{
    static const char *const names[] = {"done",    "bad_request", "refused", "not_executed",
                                        "unknown", "denied",      "protocol"};

    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        assert_string_equal(zr_status_class_name((uint8_t)(i * 0x10)), names[i]);
    }
    assert_string_equal(zr_status_class_name(0x70), "protocol");
}

/* Rank in the order of precedence (protocol.md "Status"): frame, version, role, deadline ... */
static int
rank_of(uint16_t code)
{
    for (int i = 0; i < (int)OUTCOMES; i++) {
        if (outcomes[i].code == code) {
            return i;
        }
    }
    fail_msg("no status %04x", code);
    return -1;
}

static void
test_the_order_of_precedence_is_the_contract(void **state)
{
    static const uint16_t order[] = {
        ZR_STATUS_BAD_FRAME,
        ZR_STATUS_UNKNOWN_OP,
        ZR_STATUS_UNSUPPORTED_VERSION,
        ZR_STATUS_FORBIDDEN,
        ZR_STATUS_DEADLINE_EXCEEDED,
        ZR_STATUS_KEY_EXPIRED,
        ZR_STATUS_IDEMPOTENCY_MISMATCH,
        ZR_STATUS_INVALID_FIELD,
        ZR_STATUS_NOT_FOUND,
        ZR_STATUS_UNKNOWN_ZIP,
        ZR_STATUS_NOT_OFFERED,
        ZR_STATUS_BAD_TICKET,
        ZR_STATUS_TICKET_EXPIRED,
        ZR_STATUS_TICKET_SUPERSEDED,
        ZR_STATUS_NOT_APPROVED,
        ZR_STATUS_ALREADY_CLAIMED,
        ZR_STATUS_SLOT_FULL,
        ZR_STATUS_SLOT_TAKEN,
        ZR_STATUS_NO_FUNDS,
    };

    (void)state;
    for (size_t i = 1; i < sizeof order / sizeof order[0]; i++) {
        assert_true(rank_of(order[i - 1]) < rank_of(order[i]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_its_name_and_text),
        cmocka_unit_test(test_every_status_is_of_a_known_class),
        cmocka_unit_test(test_an_unknown_status_has_no_name_but_a_text),
        cmocka_unit_test(test_classes_have_the_names_that_scripts_read),
        cmocka_unit_test(test_the_order_of_precedence_is_the_contract),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
