/*
 * worker.c - see worker.h: the worker's memory, its queues, and small services.
 */
#include "server/net/worker.h"

#include "protocol/check.h"
#include "server/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { BLOCKS_MIN = 64 };

static const uint64_t log_interval_ns = 1000000000U;

/* ---- queues of slots -------------------------------------------------------------------- */

static bool
slot_queue_init(struct slot_queue *queue, uint32_t capacity)
{
    queue->slots = calloc(capacity, sizeof *queue->slots);
    queue->queued = calloc(capacity, sizeof *queue->queued);
    queue->capacity = capacity;
    return queue->slots != NULL && queue->queued != NULL;
}

static void
slot_queue_deinit(struct slot_queue *queue)
{
    free(queue->slots);
    free(queue->queued);
}

void
slot_queue_put(struct slot_queue *queue, uint32_t slot)
{
    CHECK(slot < queue->capacity);
    if (queue->queued[slot]) {
        return;
    }
    CHECK(queue->count < queue->capacity);
    queue->slots[(queue->head + queue->count) % queue->capacity] = slot;
    queue->queued[slot] = true;
    queue->count++;
}

uint32_t
slot_queue_take(struct slot_queue *queue)
{
    const uint32_t slot = queue->slots[queue->head];

    CHECK(queue->count > 0);
    CHECK(queue->queued[slot]);
    queue->head = (queue->head + 1) % queue->capacity;
    queue->count--;
    queue->queued[slot] = false;
    return slot;
}

void
worker_queue(struct worker *worker, const struct conn *conn)
{
    slot_queue_put(conn->state == CONN_HANDSHAKE ? &worker->handshakes : &worker->runnable,
                   conn->slot);
}

/* ---- memory ----------------------------------------------------------------------------- */

static uint32_t
blocks_wanted(const struct net_config *config)
{
    return config->blocks_count > 0 ? config->blocks_count : config->connections_max + BLOCKS_MIN;
}

static bool
init_queues(struct worker *worker, uint32_t slots)
{
    /* All four even when one fails, so that worker_deinit may free all four. */
    const bool runnable = slot_queue_init(&worker->runnable, slots);
    const bool handshakes = slot_queue_init(&worker->handshakes, slots);
    const bool starved = slot_queue_init(&worker->starved, slots);
    const bool blockless = slot_queue_init(&worker->blockless, slots);

    return runnable && handshakes && starved && blockless;
}

static bool
init_memory(struct worker *worker, const struct net_config *config)
{
    const uint32_t slots = config->connections_max;

    if (!blocks_init(&worker->blocks, blocks_wanted(config))) {
        return false;
    }
    worker->conns = calloc(slots, sizeof *worker->conns);
    worker->free_slots = calloc(slots, sizeof *worker->free_slots);
    worker->deadlines_ns = calloc(slots, sizeof *worker->deadlines_ns);
    worker->plain = malloc(WORKER_PLAIN_BYTES);
    worker->reply = malloc(ZR_FRAME_BYTES_LIMIT);
    worker->aside = malloc(TLS_HANDSHAKE_OUT_MAX);
    worker->events = calloc(LOOP_EVENTS_MAX, sizeof *worker->events);
    worker->outbox_store = (struct outbox_store){
        .blocks = &worker->blocks,
        .links = calloc(worker->blocks.count, sizeof *worker->outbox_store.links),
    };
    worker->inbox_links = (struct inbox_links){
        .of = calloc(config->buffers_count, sizeof *worker->inbox_links.of),
        .buffer_bytes = config->buffer_bytes,
    };
    return init_queues(worker, slots) && worker->conns != NULL && worker->free_slots != NULL &&
           worker->deadlines_ns != NULL && worker->plain != NULL && worker->reply != NULL &&
           worker->aside != NULL && worker->events != NULL && worker->outbox_store.links != NULL &&
           worker->inbox_links.of != NULL;
}

static void
init_slots(struct worker *worker)
{
    const uint32_t slots = worker->config.connections_max;

    for (uint32_t i = 0; i < slots; i++) {
        worker->conns[i].slot = i;
        worker->conns[i].fd = -1;
        worker->deadlines_ns[i] = UINT64_MAX;
        worker->free_slots[i] = slots - 1 - i; /* Slot 0 is taken first. */
    }
    worker->free_slots_count = slots;
    worker->deadline_next_ns = UINT64_MAX;
}

enum status
worker_init(struct worker *worker, const struct net_config *config, const struct request_port *port)
{
    uint64_t secrets[2];
    const struct token_rate rate = {config->accepts_per_s, config->accepts_burst};
    const struct token_rate prefix_rate = {config->prefix_accepts_per_s,
                                           config->prefix_accepts_burst};

    CHECK(worker != NULL);
    CHECK(port->on_frame != NULL);
    CHECK(port->on_turn_begin != NULL);
    CHECK(port->on_turn_end != NULL);
    CHECK(port->on_session_check != NULL);

    memset(worker, 0, sizeof *worker);
    worker->config = *config;
    worker->port = *port;
    worker->listener.fd = -1;
    if (!init_memory(worker, config) ||
        getrandom(secrets, sizeof secrets, 0) != (ssize_t)sizeof secrets) {
        log_line(LOG_LEVEL_ERROR, "net_memory_failed", "connections_max=%u",
                 config->connections_max);
        return STATUS_IO;
    }
    init_slots(worker);
    worker->random = secrets[0];
    admission_init(&worker->admission, rate, prefix_rate, secrets[1]);
    return STATUS_OK;
}

/* What a worker that did not end by draining has left. The ring must be gone. */
static void
deinit_conns(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->slots_used; i++) {
        struct conn *const conn = &worker->conns[i];

        if (conn->state != CONN_FREE) {
            tls_deinit(&conn->tls);
            (void)close(conn->fd);
        }
    }
}

void
worker_deinit(struct worker *worker)
{
    CHECK(worker != NULL);

    /* The ring first: until it is gone the kernel may write to what is freed below. */
    if (worker->loop != NULL) {
        loop_close(worker->loop);
    }
    deinit_conns(worker);
    listener_close(&worker->listener);
    tls_context_close(&worker->tls);
    tls_library_close(&worker->tls_library);
    slot_queue_deinit(&worker->runnable);
    slot_queue_deinit(&worker->handshakes);
    slot_queue_deinit(&worker->starved);
    slot_queue_deinit(&worker->blockless);
    blocks_deinit(&worker->blocks);
    free(worker->outbox_store.links);
    free(worker->inbox_links.of);
    free(worker->conns);
    free(worker->free_slots);
    free(worker->deadlines_ns);
    free(worker->plain);
    free(worker->reply);
    free(worker->aside);
    free(worker->events);
}

size_t
worker_memory_bytes(const struct worker *worker)
{
    const size_t slot = sizeof(struct conn) + sizeof(uint32_t) + sizeof(uint64_t) +
                        4 * (sizeof(uint32_t) + sizeof(bool)); /* Free stack, deadline, queues. */
    const size_t scratch = (size_t)WORKER_PLAIN_BYTES + ZR_FRAME_BYTES_LIMIT +
                           TLS_HANDSHAKE_OUT_MAX + LOOP_EVENTS_MAX * sizeof(struct loop_event);

    return sizeof *worker + worker->config.connections_max * slot +
           blocks_memory_bytes(&worker->blocks) +
           worker->blocks.count * sizeof(struct outbox_link) +
           worker->config.buffers_count * sizeof(struct inbox_link) + scratch +
           loop_memory_bytes(worker->loop);
}

/* ---- services --------------------------------------------------------------------------- */

uint64_t
worker_random(struct worker *worker)
{
    uint64_t mixed;

    /* splitmix64: one addition and a mix, any seed is good. */
    worker->random += 0x9E3779B97F4A7C15U;
    mixed = worker->random;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31);
}

bool
worker_may_log(struct worker *worker)
{
    if (worker->now_ns < worker->log_ns) {
        return false;
    }
    worker->log_ns = worker->now_ns + log_interval_ns;
    return true;
}

struct conn *
worker_find(struct worker *worker, struct conn_ref ref)
{
    struct conn *const conn = &worker->conns[ref.slot];

    CHECK(ref.slot < worker->config.connections_max);
    if (conn->generation != ref.generation || conn->state == CONN_FREE) {
        return NULL;
    }
    return conn;
}
