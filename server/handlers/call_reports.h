/*
 * call_reports.h - CONNECT, QUALIFY, KEEPALIVE and END on their way to the committer and back.
 *
 * The worker proves the ticket (the journal is trusted, so the rule does not), and adds what
 * only its memory knows: the lease that a CONNECT turns into a hold, the newest ticket of a call
 * for an END without one. On the way back the memory learns how the call stands.
 */
#ifndef ZR_CALL_REPORTS_H
#define ZR_CALL_REPORTS_H

#include "server/handlers/service.h"

enum frame_verdict call_connect_handle(struct service *service, const struct request *request,
                                       const struct zr_operation *operation,
                                       struct zr_builder *reply);
enum frame_verdict call_qualify_handle(struct service *service, const struct request *request,
                                       const struct zr_operation *operation,
                                       struct zr_builder *reply);
enum frame_verdict call_end_handle(struct service *service, const struct request *request,
                                   const struct zr_operation *operation, struct zr_builder *reply);

/* The job did nothing (class 10, 30): what it took along from the call comes back (E27, E38). */
void call_report_take_back(struct service *service, const struct job *job);

/* The committer answered: bring the memory up to date. */
void call_report_done(struct service *service, const struct job *job);

#endif
