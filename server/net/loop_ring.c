/*
 * loop_ring.c - making the ring: probe, create, restrict, lend buffers, enable.
 *
 * The ring is made disabled, so that it can be restricted to the six operations that the
 * loop uses before anything can be submitted: seccomp does not see what a ring does, its
 * restrictions do (reliability.md "Confinement"). Debian's liburing 2.3 does not export the
 * calls for that, hence the raw system call.
 */
#include "server/net/loop_ring.h"

#include "protocol/check.h"
#include "server/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PROBE_SQ_ENTRIES = 8, PROBE_CQ_ENTRIES = 16, PROBE_BUFFERS = 1 };

static const unsigned loop_setup_flags =
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;

static const struct {
    uint8_t code;
    const char *name;
} loop_opcodes[] = {
    {IORING_OP_ACCEPT, "ACCEPT"}, {IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"},
    {IORING_OP_READ, "READ"},     {IORING_OP_RECV, "RECV"},
    {IORING_OP_SEND, "SEND"},
};

enum { LOOP_OPCODES_COUNT = sizeof loop_opcodes / sizeof loop_opcodes[0] };

static int
ring_register(const struct io_uring *ring, unsigned operation, const void *argument, unsigned count)
{
    const long rc = syscall(SYS_io_uring_register, ring->ring_fd, operation, argument, count);

    return rc < 0 ? -errno : (int)rc;
}

/* The one line an operator sees when the kernel is too old or forbids io_uring. */
static enum status
ring_unsupported(const char *missing, int error)
{
    log_line(LOG_LEVEL_ERROR, "loop_unsupported",
             "missing=\"%s\" error=\"%s\" needs=\"Linux >= 6.1 with io_uring allowed: "
             "sysctl kernel.io_uring_disabled=0, no seccomp filter on io_uring_setup\"",
             missing, strerrordesc_np(error));
    return STATUS_UNSUPPORTED;
}

static enum status
probe_opcodes(struct io_uring *ring)
{
    struct io_uring_probe *const probe = io_uring_get_probe_ring(ring);
    const char *missing = NULL;

    if (probe == NULL) {
        return ring_unsupported("IORING_REGISTER_PROBE", ENOSYS);
    }
    for (uint32_t i = 0; i < LOOP_OPCODES_COUNT; i++) {
        if (!io_uring_opcode_supported(probe, loop_opcodes[i].code)) {
            missing = loop_opcodes[i].name;
        }
    }
    /* Multishot recv has no flag of its own; SEND_ZC came with the same kernel, 6.0. */
    if (missing == NULL && !io_uring_opcode_supported(probe, IORING_OP_SEND_ZC)) {
        missing = "multishot RECV";
    }
    io_uring_free_probe(probe);
    return missing == NULL ? STATUS_OK : ring_unsupported(missing, EOPNOTSUPP);
}

static enum status
probe_buffers(struct io_uring *ring)
{
    const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    struct io_uring_buf_reg group = {.ring_entries = PROBE_BUFFERS, .bgid = LOOP_BUFFER_GROUP};
    void *memory;
    int rc;

    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (memory == MAP_FAILED) {
        log_line(LOG_LEVEL_ERROR, "loop_probe_failed", "error=\"%s\"", strerrordesc_np(errno));
        return STATUS_IO;
    }
    group.ring_addr = (uint64_t)(uintptr_t)memory;
    rc = io_uring_register_buf_ring(ring, &group, 0);
    if (rc == 0) {
        (void)io_uring_unregister_buf_ring(ring, LOOP_BUFFER_GROUP);
    }
    (void)munmap(memory, bytes);
    return rc == 0 ? STATUS_OK : ring_unsupported("IORING_REGISTER_PBUF_RING", -rc);
}

static enum status
probe_here(void)
{
    struct io_uring_params params = {.flags = loop_setup_flags, .cq_entries = PROBE_CQ_ENTRIES};
    const unsigned features = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL;
    struct io_uring ring;
    enum status status;
    int rc;

    rc = io_uring_queue_init_params(PROBE_SQ_ENTRIES, &ring, &params);
    if (rc < 0) {
        return ring_unsupported(rc == -EINVAL ? "IORING_SETUP_DEFER_TASKRUN" : "io_uring_setup",
                                -rc);
    }
    if ((params.features & features) != features) {
        status = ring_unsupported("NODROP, EXT_ARG or FAST_POLL", EOPNOTSUPP);
    } else {
        status = probe_opcodes(&ring);
    }
    if (status == STATUS_OK) {
        status = probe_buffers(&ring);
    }
    io_uring_queue_exit(&ring);
    return status;
}

static void *
probe_main(void *argument)
{
    enum status *const status = argument;

    *status = probe_here();
    return NULL;
}

/*
 * On a thread of its own: the kernel takes a ring apart later, by interrupting the thread that
 * made it, and a caller's read(2) with a timeout would then fail with EINTR for no reason.
 */
enum status
loop_ring_probe(void)
{
    enum status status = STATUS_IO;
    pthread_t thread;
    int error;

    error = pthread_create(&thread, NULL, probe_main, &status);
    if (error != 0) {
        log_line(LOG_LEVEL_ERROR, "loop_probe_failed", "error=\"%s\"", strerrordesc_np(error));
        return STATUS_IO;
    }
    CHECK(pthread_join(thread, NULL) == 0);
    return status;
}

static int
ring_restrict(struct io_uring *ring)
{
    struct io_uring_restriction rules[LOOP_OPCODES_COUNT + 1];

    memset(rules, 0, sizeof rules);
    for (uint32_t i = 0; i < LOOP_OPCODES_COUNT; i++) {
        rules[i].opcode = IORING_RESTRICTION_SQE_OP;
        rules[i].sqe_op = loop_opcodes[i].code;
    }
    rules[LOOP_OPCODES_COUNT].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rules[LOOP_OPCODES_COUNT].sqe_flags = IOSQE_BUFFER_SELECT;
    return ring_register(ring, IORING_REGISTER_RESTRICTIONS, rules, LOOP_OPCODES_COUNT + 1);
}

static uint32_t
ring_cq_entries(uint32_t slots_count)
{
    uint32_t entries = LOOP_CQ_ENTRIES_MIN;

    /* Four per connection: recv, send, cancel, and one more recv in the same breath. */
    while (entries < LOOP_CQ_ENTRIES_MAX && entries < slots_count * 4) {
        entries *= 2;
    }
    return entries;
}

static int
ring_lend_buffers(struct loop *loop)
{
    struct io_uring_buf_reg group = {
        .ring_addr = (uint64_t)(uintptr_t)loop->buffer_ring,
        .ring_entries = loop->config.buffers_count,
        .bgid = LOOP_BUFFER_GROUP,
    };
    const int mask = io_uring_buf_ring_mask(loop->config.buffers_count);
    const int rc = io_uring_register_buf_ring(&loop->ring, &group, 0);

    if (rc < 0) {
        return rc;
    }
    io_uring_buf_ring_init(loop->buffer_ring);
    for (uint32_t i = 0; i < loop->config.buffers_count; i++) {
        io_uring_buf_ring_add(loop->buffer_ring,
                              loop->buffers + (size_t)i * loop->config.buffer_bytes,
                              loop->config.buffer_bytes, (unsigned short)i, mask, (int)i);
    }
    io_uring_buf_ring_advance(loop->buffer_ring, (int)loop->config.buffers_count);
    return 0;
}

enum status
loop_ring_open(struct loop *loop)
{
    struct io_uring_params params = {
        .flags = loop_setup_flags | IORING_SETUP_R_DISABLED,
        .cq_entries = ring_cq_entries(loop->config.slots_count),
    };
    const char *step = "io_uring_setup";
    int rc;

    CHECK(!loop->started);
    rc = io_uring_queue_init_params(LOOP_SQ_ENTRIES, &loop->ring, &params);
    if (rc < 0) {
        return ring_unsupported(step, -rc);
    }
    step = "IORING_REGISTER_PBUF_RING";
    rc = ring_lend_buffers(loop);
    if (rc < 0) {
        goto exit_ring;
    }
    step = "IORING_REGISTER_RESTRICTIONS";
    rc = ring_restrict(&loop->ring);
    if (rc < 0) {
        goto exit_ring;
    }
    step = "IORING_REGISTER_ENABLE_RINGS";
    rc = ring_register(&loop->ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (rc < 0) {
        goto exit_ring;
    }
    loop->started = true;
    return STATUS_OK;

exit_ring:
    io_uring_queue_exit(&loop->ring);
    return ring_unsupported(step, -rc);
}
