/*
 * operations.c - the table of operations, from the rows of messages.def: what dispatch and tools
 * look a request up in.
 *
 * The rows ascend by op, so the lookup is a binary search; tests/unit/test_operations holds them
 * to it.
 */
#include "protocol/check.h"
#include "protocol/message.h"

#define ROLE_BIT(role) (1u << (unsigned)ZR_ROLE_##role)
enum {
    SW = ROLE_BIT(SWITCH),
    CC = ROLE_BIT(CALLCENTER),
    PO = ROLE_BIT(PORTAL),
    CO = ROLE_BIT(CONTRACTOR),
    PAY = ROLE_BIT(PAYMENTS),
    ADM = ROLE_BIT(ADMIN),
    AUD = ROLE_BIT(AUDITOR),
    BEN = ROLE_BIT(BENCH),
    ROLES_ALL = SW | CC | PO | CO | PAY | ADM | AUD | BEN,
};

static const struct zr_operation operations[] = {
#define MESSAGE(NAME, name, op, version, kind, roles, request, reply) \
    {#NAME,                                                           \
     ZR_OP_##NAME,                                                    \
     version,                                                         \
     ZR_OP_KIND_##kind,                                               \
     roles,                                                           \
     &zr_##request##_shape,                                           \
     &zr_##reply##_shape},
#include "protocol/messages.def"
};

enum { OPERATIONS_COUNT = sizeof operations / sizeof operations[0] };

const struct zr_operation *
zr_operations(size_t *operations_count)
{
    CHECK(operations_count != NULL);
    *operations_count = OPERATIONS_COUNT;
    return operations;
}

const struct zr_operation *
zr_operation_find(uint16_t op)
{
    size_t low = 0;
    size_t high = OPERATIONS_COUNT;

    /* The rows ascend by op. */
    while (low < high) {
        const size_t middle = (low + high) / 2;

        if (operations[middle].op == op) {
            return &operations[middle];
        }
        if (operations[middle].op < op) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}
