/*
 * wallet.c - options of wallet topup, show, ledger: they need no more than their fields.
 *
 * A top-up has no key: its provider reference credits once, for ever (I14). Asking again with the
 * same reference is safe and answers with the first credit.
 */
#include "client/cli/families.h"

#define CONTRACTOR_OPTION                                                   \
    {                                                                       \
        "contractor", "contractor", "CONTRACTOR", "Its number or its UUID", \
            PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL                   \
    }

const struct param wallet_topup_params[] = {
    CONTRACTOR_OPTION,
    {"amount-cents", "amount_cents", "CENTS", "At least 2500", PARAM_REQUIRED, NULL, NULL},
    {"ref", "provider_ref", "TEXT", NULL, PARAM_REQUIRED, "provider-ref", NULL},
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

const struct param wallet_contractor_params[] = {CONTRACTOR_OPTION,
                                                 {NULL, NULL, NULL, NULL, 0, NULL, NULL}};
