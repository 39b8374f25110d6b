/*
 * execute.c - see execute.h.
 */
#include "server/commit/execute.h"

#include "protocol/check.h"
#include "server/commit/decisions.h"
#include "server/commit/explain.h"

#include <endian.h>
#include <string.h>
#include <xxhash.h>

enum {
    KEY_AHEAD_MS = 5 * 60 * 1000,
    IDEMPOTENCY_KEY_BYTES = sizeof(struct zr_id) + sizeof(uint32_t),
    RETRY_AFTER_MS = 10,
};

/* The stored reply of a keyed command; the reply's body follows. */
struct idempotency_row {
    uint64_t digest[2]; /* XXH3-128 of op, version and body. */
    uint16_t status;
    uint16_t block;
    uint32_t reserved;
};
_Static_assert(sizeof(struct idempotency_row) == 24, "stored layout");

/* ---- replies --------------------------------------------------------------------------------- */

static struct zr_header
reply_header(const struct job *job, uint16_t status, uint16_t detail)
{
    return (struct zr_header){
        .op = (uint16_t)(job->header.op | ZR_OP_RESPONSE),
        .version = job->header.version,
        .flags = job->duplicate ? ZR_FLAG_DUPLICATE : 0,
        .id = job->header.id,
        .status = status,
        .detail = detail,
    };
}

static void
reply_encode(struct job *job, uint16_t status, uint16_t detail, const void *reply)
{
    const struct zr_header header = reply_header(job, status, detail);
    struct zr_builder builder;

    zr_builder_init(&builder, job->reply, sizeof job->reply);
    zr_message_encode(&builder, &header, job->operation->reply, reply);
    CHECK(!builder.failed);
    job->status = status;
    job->reply_bytes = (uint32_t)builder.length;
}

void
execute_refuse(struct job *job, uint16_t status, uint16_t detail)
{
    job->duplicate = false;
    job->revision = 0; /* Of what it carried before, or of a batch that is thrown away. */
    reply_encode(job, status, detail, NULL);
}

static bool
class_has_body(uint16_t status)
{
    return zr_status_class(status) == ZR_CLASS_DONE || zr_status_class(status) == ZR_CLASS_REFUSED;
}

/* ---- idempotency ----------------------------------------------------------------------------- */

/* Time first, as UUIDv7 has it, so that keys stay in time order; then whose it is. */
static void
key_bytes_of(uint8_t bytes[IDEMPOTENCY_KEY_BYTES], const struct zr_id *key, uint32_t tenant)
{
    const uint32_t tenant_be = htobe32(tenant);

    memcpy(bytes, key->bytes, sizeof key->bytes);
    memcpy(bytes + sizeof key->bytes, &tenant_be, sizeof tenant_be);
}

static uint64_t
key_time_ms(const uint8_t *key)
{
    uint64_t time = 0;

    for (size_t i = 0; i < 6; i++) {
        time = time << 8 | key[i];
    }
    return time;
}

/* OK: a key that may be used now. */
static uint16_t
key_judge(const struct zr_id *key, uint64_t now_ms)
{
    const uint64_t time_ms = key_time_ms(key->bytes);

    if (key->bytes[6] >> 4 != 7 || time_ms > now_ms + KEY_AHEAD_MS) {
        return ZR_STATUS_INVALID_FIELD;
    }
    return time_ms + IDEMPOTENCY_HORIZON_MS < now_ms ? ZR_STATUS_KEY_EXPIRED : ZR_STATUS_OK;
}

static void
digest_of(const struct job *job, uint64_t digest[2])
{
    const uint64_t seed = (uint64_t)job->header.op << 8 | job->header.version;
    const XXH128_hash_t hash = XXH3_128bits_withSeed(job->frame + ZR_HEADER_BYTES,
                                                     job->header.size - ZR_HEADER_BYTES, seed);

    digest[0] = hash.low64;
    digest[1] = hash.high64;
}

/* The stored reply under a key that is known: the same again, or a mismatch. */
static void
reply_stored(struct job *job, const struct idempotency_row *row, const struct store_value *value,
             const uint64_t digest[2])
{
    const size_t body_bytes = value->bytes_count - sizeof *row;
    struct zr_header header;

    if (row->digest[0] != digest[0] || row->digest[1] != digest[1]) {
        execute_refuse(job, ZR_STATUS_IDEMPOTENCY_MISMATCH, 0);
        return;
    }
    CHECK(body_bytes <= sizeof job->reply - ZR_HEADER_BYTES);
    job->duplicate = true;
    job->status = row->status;
    job->reply_bytes = (uint32_t)(ZR_HEADER_BYTES + body_bytes);
    header = reply_header(job, row->status, 0);
    header.size = job->reply_bytes;
    header.block = row->block;
    zr_header_encode(job->reply, &header);
    memcpy(job->reply + ZR_HEADER_BYTES, value->bytes + sizeof *row, body_bytes);
}

/* True when the key answered the job: stored, mismatched, expired or no key at all. */
static bool
key_answers(struct executor *executor, struct job *job, uint64_t now_ms)
{
    uint8_t key[IDEMPOTENCY_KEY_BYTES];
    struct idempotency_row row;
    struct store_value value;
    struct zr_id op_id;
    uint64_t digest[2];
    uint16_t status;

    if (job->header.block < sizeof op_id) {
        return false; /* Too short to hold a key: the fields' judgement says so. */
    }
    memcpy(&op_id, job->frame + ZR_HEADER_BYTES, sizeof op_id);
    status = key_judge(&op_id, now_ms);
    if (status != ZR_STATUS_OK) {
        execute_refuse(job, status, ZR_HEADER_BYTES);
        return true;
    }
    key_bytes_of(key, &op_id, job->tenant);
    if (!store_get(executor->state.view, TABLE_IDEMPOTENCY, key, sizeof key, &value) ||
        value.bytes_count < sizeof row) {
        return false;
    }
    memcpy(&row, value.bytes, sizeof row);
    digest_of(job, digest);
    reply_stored(job, &row, &value, digest);
    return true;
}

static void
key_store(struct executor *executor, const struct job *job)
{
    uint8_t key[IDEMPOTENCY_KEY_BYTES];
    uint8_t bytes[sizeof(struct idempotency_row) + ZR_FRAME_BYTES_LIMIT];
    struct idempotency_row row = {.status = job->status};
    struct zr_header header;
    struct zr_id op_id;
    const size_t body_bytes = job->reply_bytes - ZR_HEADER_BYTES;

    zr_header_decode(&header, job->reply);
    row.block = header.block;
    digest_of(job, row.digest);
    memcpy(&op_id, job->frame + ZR_HEADER_BYTES, sizeof op_id);
    key_bytes_of(key, &op_id, job->tenant);
    memcpy(bytes, &row, sizeof row);
    memcpy(bytes + sizeof row, job->reply + ZR_HEADER_BYTES, body_bytes);
    store_put(executor->state.view, TABLE_IDEMPOTENCY, key, sizeof key,
              (struct store_value){bytes, sizeof row + body_bytes});
}

uint32_t
execute_trim_keys(struct executor *executor, uint64_t now_ms, uint32_t rows_max)
{
    static const uint8_t first[IDEMPOTENCY_KEY_BYTES] = {0};
    struct store_value key;
    struct store_value value;
    uint32_t trimmed = 0;

    while (trimmed < rows_max &&
           store_seek(executor->state.view, TABLE_IDEMPOTENCY,
                      (struct store_value){first, sizeof first}, &key, &value) &&
           key_time_ms(key.bytes) + IDEMPOTENCY_HORIZON_MS < now_ms) {
        uint8_t copy[IDEMPOTENCY_KEY_BYTES];

        memcpy(copy, key.bytes, sizeof copy);
        store_del(executor->state.view, TABLE_IDEMPOTENCY, copy, sizeof copy);
        trimmed++;
    }
    return trimmed;
}

uint32_t
execute_trim_events(struct executor *executor, uint64_t now_ms, uint32_t rows_max)
{
    struct state *state = &executor->state;
    uint64_t event_seq = state_event_oldest(state);
    uint32_t trimmed = 0;
    struct event_row row;

    while (event_seq != 0 && trimmed < rows_max && state_event_get(state, event_seq, &row) &&
           row.time_ms + EVENTS_HORIZON_MS < now_ms) {
        store_del(state->view, TABLE_EVENT, &event_seq, sizeof event_seq);
        event_seq++;
        trimmed++;
    }
    return trimmed;
}

/* ---- the command ----------------------------------------------------------------------------- */

/* The one operation that moves the world under the log; it is not a rule of the domain. */
static uint16_t
clock_advance(struct executor *executor, const struct command *command,
              const struct zr_clock_advance_request *request, struct zr_clock_advance_reply *reply)
{
    static const uint64_t advance_ms_max = UINT64_C(366) * 24 * 3600 * 1000;

    if (request->advance_ms > advance_ms_max) {
        return ZR_STATUS_INVALID_FIELD;
    }
    if (executor->clock != NULL) {
        clock_advance_ms(executor->clock, request->advance_ms);
    }
    /* The clock moves, the log does not: timers in between fire at their own due times. What is
     * told here survives a restart, because the commit keeps the clock too (store_head.alive_ms).
     */
    reply->now_ms = command->time_ms + request->advance_ms;
    reply->commit_seq = command->seq;
    return ZR_STATUS_OK;
}

/* A new contractor needs a line in the hot array. Class 30, since raising the limit heals it. */
static bool
contractor_fits(struct executor *executor)
{
    const struct zr_id *contractor_id = &executor->request.contractor_put_request.contractor_id;
    uint32_t contractor;

    return executor->contractors_max == 0 ||
           state_counter_now(&executor->state, COUNTER_CONTRACTOR) + 1 <
               executor->contractors_max ||
           state_contractor_find(&executor->state, contractor_id, &contractor);
}

static uint16_t
command_run(struct executor *executor, const struct command *command, struct effects *effects)
{
    union zr_any_message *request = &executor->request;
    union zr_any_message *reply = &executor->reply;

    if (command->op == ZR_OP_CLOCK_ADVANCE) {
        effects->journal = true;
        return clock_advance(executor, command, &request->clock_advance_request,
                             &reply->clock_advance_reply);
    }
    if (command->op == ZR_OP_STATE_HASH) {
        audit_state_hash(&executor->state, &executor->audit, executor->mac,
                         &reply->state_hash_reply);
        return ZR_STATUS_OK;
    }
    if (command->op == ZR_OP_AUDIT) {
        audit_run(&executor->state, &executor->audit, command->time_ms, &request->audit_request,
                  &reply->audit_reply);
        return ZR_STATUS_OK;
    }
    if (command->op == ZR_OP_EXPLAIN) {
        return explain_run(&executor->state, command, &request->explain_request,
                           &reply->explain_reply);
    }
    if (command->op == ZR_OP_CONTRACTOR_PUT && !contractor_fits(executor)) {
        return ZR_STATUS_STORAGE_FULL;
    }
    return command_apply(&executor->state, command, request, reply, effects);
}

static struct command
command_of(const struct job *job, uint64_t seq, uint64_t now_ms)
{
    struct command command = {
        .seq = seq,
        .time_ms = now_ms,
        .tenant = job->tenant,
        .contractor = job->contractor,
        .role = job->role,
        .keepalive = job->keepalive,
        .op = job->header.op,
    };

    memcpy(command.principal, job->principal, sizeof command.principal);
    return command;
}

static void
job_journal(struct executor *executor, const struct job *job, uint64_t now_ms)
{
    struct journal_head head = {
        .time_ms = now_ms,
        .reply_digest =
            XXH3_64bits(job->reply + ZR_HEADER_BYTES, job->reply_bytes - ZR_HEADER_BYTES),
        .tenant = job->tenant,
        .contractor = job->contractor,
        .status = job->status,
        .frame_bytes = (uint16_t)job->header.size,
        .role = job->role,
        .flags = job->keepalive ? JOURNAL_KEEPALIVE : 0,
    };

    memcpy(head.principal, job->principal, sizeof head.principal);
    executor->head.commit_seq++;
    if (executor->head.log_ms < now_ms) {
        executor->head.log_ms = now_ms;
    }
    journal_append(&executor->state, executor->mac, &head, job->frame, executor->head.journal_hash);
}

/* Decode, run, encode. False when the reply is one that nothing may follow from. */
static bool
job_run(struct executor *executor, struct job *job, uint64_t now_ms, struct effects *effects)
{
    const struct zr_operation *operation = job->operation;
    const struct command command = command_of(job, executor->head.commit_seq + 1, now_ms);
    uint16_t detail = 0;
    uint16_t status;

    if (zr_message_decode(&executor->request, &detail, operation->request, &job->header,
                          job->frame) != ZR_DECODE_OK) {
        execute_refuse(job, ZR_STATUS_INVALID_FIELD, detail);
        return false;
    }
    memset(&executor->reply, 0, operation->reply->struct_bytes);
    status = command_run(executor, &command, effects);
    if (!class_has_body(status)) {
        execute_refuse(job, status, effects->detail);
        return false;
    }
    job->duplicate = effects->duplicate;
    job->revision = effects->revision;
    reply_encode(job, status, 0, &executor->reply);
    return true;
}

/* The boot that issued the call's name: handlers/deciding.c makes it. */
static bool
call_is_of_this_boot(const struct executor *executor, const struct zr_id *call_ref)
{
    uint32_t boot_be;

    memcpy(&boot_be, call_ref->bytes + sizeof(uint64_t), sizeof boot_be);
    return be32toh(boot_be) == (uint32_t)executor->head.boots;
}

/* A CONNECT or END by a ticket of an earlier boot: its decision may have been in the ring that the
 * crash took. Those of this boot are in this transaction, or durable; unless the ring was full. */
static void
job_carry_decision(struct executor *executor, uint16_t op)
{
    const union zr_any_message *request = &executor->request;
    const bool connect = op == ZR_OP_CONNECT;
    const uint8_t *bytes = connect ? request->connect_request.ticket : request->end_request.ticket;
    const uint16_t length =
        connect ? request->connect_request.ticket_length : request->end_request.ticket_length;
    struct ticket ticket;

    if (length > 0 && ticket_decode(&ticket, bytes, length) &&
        (executor->decisions_lost || !call_is_of_this_boot(executor, &ticket.call_ref))) {
        decision_carry(executor->state.view, &ticket);
    }
}

void
execute_job(struct executor *executor, struct job *job, uint64_t now_ms, struct effects *effects)
{
    const bool keyed = job->operation->kind == ZR_OP_KIND_KEYED;

    *effects = (struct effects){0};
    job->duplicate = false;
    job->revision = 0;
    state_begin(&executor->state, executor->head.commit_seq + 1);
    if (executor->clock != NULL && clock_now_us(executor->clock) >= job->deadline_us) {
        execute_refuse(job, ZR_STATUS_DEADLINE_EXCEEDED, RETRY_AFTER_MS); /* E38 */
        return;
    }
    if (keyed && key_answers(executor, job, now_ms)) {
        return;
    }
    if (!job_run(executor, job, now_ms, effects)) {
        CHECK(!executor->state.changed);
        return;
    }
    if (keyed) {
        key_store(executor, job);
    }
    if (executor->state.changed &&
        (job->header.op == ZR_OP_CONNECT || job->header.op == ZR_OP_END)) {
        job_carry_decision(executor, job->header.op);
    }
    if (keyed || executor->state.changed || effects->journal) {
        job_journal(executor, job, now_ms);
    }
}

bool
execute_replay(struct executor *executor, const struct journal_entry *entry, uint64_t seq)
{
    static _Thread_local struct job job;
    const uint8_t *frame = entry->frame;
    struct effects effects;

    job = (struct job){
        .tenant = entry->head.tenant,
        .contractor = entry->head.contractor,
        .role = entry->head.role,
        .keepalive = (entry->head.flags & JOURNAL_KEEPALIVE) != 0,
        .deadline_us = UINT64_MAX,
    };
    CHECK(entry->head.frame_bytes <= sizeof job.frame);
    memcpy(job.frame, frame, entry->head.frame_bytes);
    memcpy(job.principal, entry->head.principal, sizeof job.principal);
    zr_header_decode(&job.header, job.frame);
    job.operation = zr_operation_find(job.header.op);
    if (job.operation == NULL || job.header.size != entry->head.frame_bytes) {
        return false;
    }
    execute_job(executor, &job, entry->head.time_ms, &effects);
    return executor->head.commit_seq == seq && job.status == entry->head.status &&
           XXH3_64bits(job.reply + ZR_HEADER_BYTES, job.reply_bytes - ZR_HEADER_BYTES) ==
               entry->head.reply_digest;
}
