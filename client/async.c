/*
 * async.c - submitting, and the pass: what moves bytes, time and callbacks.
 *
 * A pass does everything that can be done without waiting, in this order: receive, time,
 * give up what is lost, connect, send. Receiving comes before time, so that an answer that is
 * already here beats its deadline; sending comes last, so that what callbacks submitted goes out
 * with the rest, as few TLS records and few sends.
 *
 * What is ready is not asked of epoll: the epoll fd is there for the caller (or zr_client_process
 * itself) to sleep on. That saves a call per pass. After fork() the set is shared with the
 * child, so it is only ever changed by the process that opened the client.
 *
 * The socket is watched for room to send when there is something to send and nobody to send it:
 * after a submit outside a pass, or when the socket was full. The watch is taken back by the
 * first pass with nothing to send, not by the one that sent: under load it simply stays.
 */
#include "client/client.h"
#include "protocol/check.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { RECEIVES_MAX = 8, SEND_ROUNDS_MAX = 8, EVENTS_MAX = 4, NS_PER_SECOND = 1000000000 };

/* ---- what the caller sleeps on --------------------------------------------------------------- */

/* Set the timer; never later than needed, maybe sooner. A system call only where it must be. */
static void
timer_set(struct zr_client *client, uint64_t due_ns)
{
    const bool fired = client->timer_ns <= client->now_ns;
    struct itimerspec when = {0};

    if (due_ns >= client->timer_ns && !fired) {
        return;
    }
    if (due_ns != UINT64_MAX) {
        due_ns += due_ns == 0; /* 0 would switch it off. */
        when.it_value.tv_sec = (time_t)(due_ns / NS_PER_SECOND);
        when.it_value.tv_nsec = (long)(due_ns % NS_PER_SECOND);
    }
    (void)timerfd_settime(client->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    client->timer_ns = due_ns;
}

bool
zrc_client_watch(struct zr_client *client)
{
    struct epoll_event event = {.events = EPOLLIN};

    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    client->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (client->epoll_fd < 0 || client->timer_fd < 0 ||
        epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, client->timer_fd, &event) != 0) {
        return false;
    }
    client->timer_ns = UINT64_MAX;
    client->now_ns = zrc_now_ns();
    timer_set(client, client->now_ns); /* The first connect is due. */
    return true;
}

static void
socket_watch(struct zr_client *client, int operation, bool writable)
{
    struct epoll_event event = {.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN};

    /* It cannot fail but for memory, and then the timer still wakes us. */
    (void)epoll_ctl(client->epoll_fd, operation, client->link.fd, &event);
    client->writable_watched = writable;
}

/* ---- callbacks ------------------------------------------------------------------------------- */

int
zrc_client_run_ended(struct zr_client *client)
{
    struct zrc_ended ended;
    int ran = 0;

    client->running = true;
    while (zrc_core_take(&client->core, &ended)) {
        ended.done(ended.context, &ended.completion);
        ran++;
    }
    if (client->final != 0) {
        ran += zrc_subscriptions_end(client, client->final);
    }
    client->running = false;
    return ran;
}

/* ---- connections ----------------------------------------------------------------------------- */

/* Nothing can help any more: end everything that is pending. */
static void
client_finish(struct zr_client *client, int result)
{
    client->final = result;
    zrc_core_refuse(&client->core, result);
}

/* The connection is over: `result` is why, and decides where and when to try again. */
static void
client_disconnect(struct zr_client *client, int result)
{
    const bool barring = result == ZR_ETLS || result == ZR_EVERSION;
    const bool good = client->core.answered_here > 0 || result == 0;
    const uint64_t random = zrc_client_random(client);
    uint32_t wait_ms;

    if (client->link.fd >= 0) {
        /* By hand: where a forked child holds the socket too, close() would not take it out. */
        (void)epoll_ctl(client->epoll_fd, EPOLL_CTL_DEL, client->link.fd, NULL);
    }
    zrc_link_close(&client->link, result == 0);
    zrc_core_lose(&client->core);
    zrc_subscriptions_lose(client);
    client->disconnects += client->ready_here;
    if (barring && !client->ready_here) {
        zrc_endpoints_current(&client->endpoints)->barred = true;
    }
    wait_ms = good && client->ready_here ? zrc_endpoints_leave(&client->endpoints, random)
                                         : zrc_endpoints_fail(&client->endpoints, random);
    client->ready_here = false;
    client->connect_at_ns = client->now_ns + wait_ms * ZRC_NS_PER_MS;
    if (barring && !client->ever_ready && zrc_endpoints_all_barred(&client->endpoints)) {
        client_finish(client, result);
    }
}

/* The link said LOST. */
static void
client_lose_link(struct zr_client *client)
{
    int result = client->link.failure.result;

    /* TLS that breaks once it has worked is no matter of certificates. */
    if (result == ZR_ETLS && client->ready_here) {
        result = ZR_EPROTO;
    }
    zrc_client_set_error(client, result, client->link.failure.system_errno,
                         client->link.failure.text);
    client_disconnect(client, result);
}

static void
client_connect(struct zr_client *client)
{
    const struct zrc_address *const address = zrc_endpoints_address(&client->endpoints);
    const struct zrc_endpoint *const endpoint = zrc_endpoints_current(&client->endpoints);
    enum zrc_link_result result;

    CHECK(client->link.state == ZRC_LINK_DOWN);
    if (address == NULL) {
        zrc_client_set_error(client, ZR_EDISCONNECTED, 0, "the name cannot be resolved");
        client_disconnect(client, ZR_EDISCONNECTED);
        return;
    }
    client->connect_end_ns = client->now_ns + client->connect_timeout_ns;
    result = zrc_link_connect(&client->link, &client->tls_context, address, endpoint->host);
    if (result == ZRC_LINK_LOST) {
        client_lose_link(client);
        return;
    }
    socket_watch(client, EPOLL_CTL_ADD, true);
}

/* HELLO_OK came: remember what it brings. */
static void
client_ready(struct zr_client *client)
{
    const struct zr_hello_reply *const hello = &client->core.hello;

    client->ready_here = true;
    client->ever_ready = true;
    client->connects++;
    zrc_subscriptions_ready(client);
    zrc_endpoints_current(&client->endpoints)->barred = false;
    zrc_endpoints_learn(&client->endpoints, hello->peers, hello->peers_length);
}

/* ---- receive --------------------------------------------------------------------------------- */

/* Take every whole frame that is decrypted, and run the callbacks. */
static int
take_frames(struct zr_client *client)
{
    struct zrc_fifo *const plain = &client->link.plain;
    struct zrc_input input = {.next = plain->bytes + plain->start,
                              .end = plain->bytes + plain->end,
                              .now_ns = client->now_ns};
    struct zrc_ended ended;
    enum zrc_step step;
    int ran = 0;

    client->running = true;
    while ((step = zrc_core_receive(&client->core, &input, &ended)) != ZRC_STEP_INCOMPLETE &&
           step != ZRC_STEP_BROKEN) {
        if (step == ZRC_STEP_ENDED) {
            ended.done(ended.context, &ended.completion);
            ran++;
        } else if (step == ZRC_STEP_PUSHED) {
            ran += zrc_subscriptions_deliver(client);
        } else if (!client->ready_here && client->core.session == ZRC_SESSION_READY) {
            client_ready(client);
        }
    }
    client->running = false;
    plain->start = (size_t)(input.next - plain->bytes);
    return ran;
}

/* Receive what is there. Returns callbacks run; the link may be lost after it. */
static int
client_receive(struct zr_client *client, bool *lost)
{
    enum zrc_link_result received = ZRC_LINK_OK;
    enum zrc_link_result opened = ZRC_LINK_OK;
    int ran = 0;

    *lost = false;
    for (unsigned i = 0; i < RECEIVES_MAX && received == ZRC_LINK_OK; i++) {
        received = zrc_link_receive(&client->link);
        client->now_ns = zrc_now_ns();
        while (client->core.failure.result == 0 &&
               (opened = zrc_link_open(&client->link)) == ZRC_LINK_OK) {
            ran += take_frames(client);
        }
        if (opened == ZRC_LINK_LOST || client->core.failure.result != 0) {
            break;
        }
    }
    *lost = received == ZRC_LINK_LOST || opened == ZRC_LINK_LOST;
    return ran;
}

/* ---- send ------------------------------------------------------------------------------------ */

/* Seal what is queued, record by record, while there is room. True: something was. */
static bool
client_seal(struct zr_client *client)
{
    bool sealed = false;

    while (zrc_core_wants_send(&client->core) && zrc_link_has_room(&client->link)) {
        const size_t staged =
            zrc_core_send(&client->core, client->stage, sizeof client->stage, client->now_ns);

        if (staged == 0) {
            break;
        }
        sealed = true;
        if (zrc_link_seal(&client->link, client->stage, staged) == ZRC_LINK_LOST) {
            client_lose_link(client);
            break;
        }
    }
    return sealed;
}

/* Seal and send by turns until nothing is queued or the socket is full. True: as above. */
static bool
client_send(struct zr_client *client)
{
    bool sent = false;

    for (unsigned i = 0; i < SEND_ROUNDS_MAX; i++) {
        sent = client_seal(client) || sent;
        if (client->link.state != ZRC_LINK_UP ||
            zrc_link_flush(&client->link) == ZRC_LINK_BLOCKED ||
            !zrc_core_wants_send(&client->core)) {
            break;
        }
    }
    return sent;
}

/* ---- the pass -------------------------------------------------------------------------------- */

/* Do what the link's state allows. Returns callbacks run. */
static int
link_step(struct zr_client *client)
{
    bool lost = false;
    int ran = 0;

    switch (client->link.state) {
    case ZRC_LINK_DOWN:
        return 0;
    case ZRC_LINK_CONNECTING:
    case ZRC_LINK_HANDSHAKING:
        switch (zrc_link_establish(&client->link)) {
        case ZRC_LINK_OK:
            zrc_core_connect(&client->core, client->now_ns);
            break;
        case ZRC_LINK_LOST:
            lost = true;
            break;
        case ZRC_LINK_BLOCKED:
            break;
        }
        break;
    case ZRC_LINK_UP:
        ran = client_receive(client, &lost);
        break;
    }
    /* What the server said explains better than that it hung up. */
    if (lost && client->core.failure.result == 0) {
        client_lose_link(client);
    }
    return ran;
}

/* End a connection that the core, the drain or the clock has given up. */
static void
link_judge(struct zr_client *client)
{
    const struct zrc_failure failure = client->core.failure;

    if (client->link.state == ZRC_LINK_DOWN) {
        return;
    }
    if (client->link.state == ZRC_LINK_UP && failure.result != 0) {
        zrc_client_set_error(client, failure.result, 0, failure.text);
        client_disconnect(client, failure.result);
        if (failure.final) {
            client_finish(client, failure.result);
        }
    } else if (zrc_core_drained(&client->core, client->now_ns)) {
        client_disconnect(client, 0);
    } else if (!client->ready_here && client->now_ns >= client->connect_end_ns) {
        zrc_client_set_error(client, ZR_EDISCONNECTED, ETIMEDOUT, "no HELLO_OK in time");
        client_disconnect(client, ZR_EDISCONNECTED);
    }
}

/* When there is something to do next, whatever happens on the socket. */
static uint64_t
client_due_ns(const struct zr_client *client)
{
    const bool down = client->link.state == ZRC_LINK_DOWN;
    uint64_t due_ns = zrc_core_due_ns(&client->core);

    if (down && client->final == 0 && client->connect_at_ns < due_ns) {
        due_ns = client->connect_at_ns;
    }
    if (!down && !client->ready_here && client->connect_end_ns < due_ns) {
        due_ns = client->connect_end_ns;
    }
    if (client->final == 0 && zrc_subscriptions_due_ns(client) < due_ns) {
        due_ns = zrc_subscriptions_due_ns(client);
    }
    return due_ns;
}

/* What the caller's sleep must end for. */
static void
client_arm(struct zr_client *client, bool sent)
{
    const bool writable = zrc_link_wants_writable(&client->link) ||
                          (client->link.state == ZRC_LINK_UP && zrc_core_wants_send(&client->core));

    if (client->link.state != ZRC_LINK_DOWN && writable != client->writable_watched &&
        (writable || !sent)) {
        socket_watch(client, EPOLL_CTL_MOD, writable);
    }
    timer_set(client, client_due_ns(client));
}

/* One pass. Returns callbacks run. */
static int
client_pass(struct zr_client *client)
{
    bool sent = false;
    int ran;

    CHECK(!client->running);
    client->now_ns = zrc_now_ns();
    ran = link_step(client);
    zrc_core_tick(&client->core, client->now_ns);
    link_judge(client);
    if (client->final == 0 && client->link.state == ZRC_LINK_DOWN &&
        client->now_ns >= client->connect_at_ns) {
        client_connect(client);
    }
    ran += zrc_client_run_ended(client);
    if (client->link.state == ZRC_LINK_UP) {
        zrc_subscriptions_ask(client);
        sent = client_send(client);
        ran += zrc_client_run_ended(client);
    }
    client_arm(client, sent);
    return ran;
}

/* ---- what zipring.h promises ----------------------------------------------------------------- */

int
zrc_client_submit(struct zr_client *client, const struct zr_submission *submission)
{
    if (client == NULL || submission == NULL || submission->size < sizeof *submission ||
        !zrc_client_is_ours(client)) {
        return ZR_EINVAL;
    }
    if (client->closing) {
        return ZR_ECANCELED;
    }
    if (client->final != 0) {
        return client->final;
    }
    if (!client->running) {
        client->now_ns = zrc_now_ns();
    }
    return zrc_core_submit(&client->core, submission, client->now_ns);
}

int
zr_submit(struct zr_client *client, const struct zr_submission *submission)
{
    const int result = zrc_client_submit(client, submission);

    /* Inside a pass its end takes care of both. */
    if (result == 0 && !client->running) {
        if (client->link.state == ZRC_LINK_UP && !client->writable_watched &&
            zrc_core_wants_send(&client->core)) {
            socket_watch(client, EPOLL_CTL_MOD, true);
        }
        timer_set(client, client_due_ns(client));
    }
    return result;
}

int
zr_client_process(struct zr_client *client, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    bool was_ready;
    int ran;

    if (client == NULL || client->running || !zrc_client_is_ours(client)) {
        return ZR_EINVAL;
    }
    was_ready = client->ready_here;
    ran = client_pass(client);
    /* HELLO_OK runs no callback, and is what a caller may be waiting for. */
    if (ran == 0 && client->ready_here == was_ready && timeout_ms != 0 && client->final == 0) {
        (void)epoll_wait(client->epoll_fd, events, EVENTS_MAX, timeout_ms);
        ran = client_pass(client);
    }
    return ran == 0 && client->final != 0 ? client->final : ran;
}
