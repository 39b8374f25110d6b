/*
 * families.h - what each family of commands gives to the table: its options and its handlers.
 */
#ifndef ZR_CLI_FAMILIES_H
#define ZR_CLI_FAMILIES_H

#include "client/cli/cli.h"

/* territory.c */
extern const struct param import_zips_params[];
enum cli_exit import_zips_run(struct cli *cli);

/* category.c */
extern const struct param category_add_params[], category_put_params[];
enum cli_exit category_add_run(struct cli *cli);
enum cli_exit category_put_run(struct cli *cli);

/* contractor.c */
extern const struct param contractor_add_params[], contractor_show_params[];
extern const struct param contractor_status_params[];
enum cli_exit contractor_add_run(struct cli *cli);
enum cli_exit contractor_show_run(struct cli *cli);
enum cli_exit contractor_status_run(struct cli *cli);

/* schedule.c, profile.c */
extern const struct param contractor_hours_params[], contractor_caps_params[];
extern const struct param contractor_dest_params[], contractor_filters_params[];
enum cli_exit contractor_hours_run(struct cli *cli);
enum cli_exit contractor_caps_run(struct cli *cli);
enum cli_exit contractor_dest_run(struct cli *cli);
enum cli_exit contractor_filters_run(struct cli *cli);

/* wallet.c */
extern const struct param wallet_topup_params[], wallet_contractor_params[];
extern const struct param wallet_reverse_params[], wallet_autotopup_params[];
extern const struct param wallet_result_params[], wallet_adjust_params[];
extern const struct param dispute_open_params[], dispute_resolve_params[], dispute_show_params[];
enum cli_exit wallet_autotopup_run(struct cli *cli);
enum cli_exit wallet_result_run(struct cli *cli);

/* claim.c */
extern const struct param claim_params[], release_params[], pause_params[], resume_params[];
extern const struct param claims_params[], slot_params[], claim_show_params[];
extern const struct param offer_params[], waitlist_params[];
enum cli_exit claim_run(struct cli *cli);
enum cli_exit pause_run(struct cli *cli);
enum cli_exit claims_run(struct cli *cli);
enum cli_exit slot_run(struct cli *cli);
enum cli_exit offer_run(struct cli *cli);

/* call.c */
extern const struct param route_params[], next_params[], connect_params[], qualify_params[];
extern const struct param end_params[], call_params[], decline_params[];
enum cli_exit route_run(struct cli *cli);
enum cli_exit next_run(struct cli *cli);
enum cli_exit reported_call_run(struct cli *cli);
enum cli_exit call_show_run(struct cli *cli);
enum cli_exit explain_run(struct cli *cli);

/* map.c */
extern const struct param map_params[];
enum cli_exit map_run(struct cli *cli);

/* watch.c */
extern const struct param watch_params[];
enum cli_exit watch_run(struct cli *cli);

/* policy.c */
extern const struct param policy_get_params[], policy_put_params[];
enum cli_exit policy_get_run(struct cli *cli);
enum cli_exit policy_put_run(struct cli *cli);

/* principal.c */
extern const struct param principal_add_params[], principal_revoke_params[];
enum cli_exit principal_run(struct cli *cli);

/* admin.c */
extern const struct param no_params[], clock_params[], audit_params[], suppress_params[];
enum cli_exit ping_run(struct cli *cli);
enum cli_exit suppress_run(struct cli *cli);

/* dev.c */
extern const struct param dev_params[], dev_cert_params[];
enum cli_exit dev_run(struct cli *cli);
enum cli_exit dev_cert_run(struct cli *cli);

#endif
