/*
 * session.h - the model and a real server side by side, and the run that drives both.
 *
 * A session plays operations: it makes the request, asks the model what must come back, asks the
 * server over the client library, and compares. The first difference ends it. Nothing here decides
 * what is right; that is the model's.
 */
#ifndef ZR_TEST_MODEL_SESSION_H
#define ZR_TEST_MODEL_SESSION_H

#include "tests/lib/world.h"
#include "tests/model/lib/model.h"
#include "tests/model/lib/operation.h"

enum {
    SESSION_LINES = 5,  /* Calls that go on at once: even ones of tenant 1, odd ones of tenant 2. */
    SESSION_KEYED = 24, /* Requests under a key that may be sent again. */
    SESSION_READS = 192,
    SESSION_OFFERS = 256, /* More than are pending, or asked after, at once. */
    SESSION_TOLD = 4096,  /* Events between two comparisons of readers. */
    SESSION_READERS = 8,
    SESSION_CHANGES = 4096,   /* Of the map, between two looks at one who comes back. */
    SESSION_EVENT_TYPES = 64, /* As many as `types` of a subscription has bits. */
};

/* A request that was answered under its key. */
struct session_keyed {
    struct zr_client *client;
    uint16_t op;
    int result;
    uint64_t key_ms;
    union zr_any_message request, reply;
};

/* One read of a comparison: answered by the server, judged by `judge`. */
struct session;
typedef void (*session_judge_fn)(struct session *session, int index, const void *reply);

struct session_read {
    struct session *session;
    session_judge_fn judge;
    uint16_t op;
    int index;
    int result;
};

/* One subscription, of events or of the map. */
struct session_stream {
    uint64_t last;    /* Newest number that it told. */
    uint64_t last_ms; /* Not after the time of that. */
    int over;         /* Why it ended; 0 = it goes on. */
};

/* What a client that follows events and the map was told since the last comparison. */
struct session_heard {
    struct session_stream event, change;
    uint64_t base; /* Newest number of the last comparison, and its time. */
    uint64_t base_ms;
    uint64_t last_commit;
    uint64_t told; /* Events and changes of the map behind `base`. */
    uint32_t count;
    bool broken; /* Out of order, or a gap. */
    struct zr_event events[MODEL_EVENTS];
};

/* Another reader, who is told a part of it. */
struct session_reader {
    struct zr_client *client;
    uint64_t base; /* As of the last comparison, and its time. */
    uint64_t base_ms;
    struct session_stream stream;
    struct zr_event events[SESSION_TOLD];
    uint32_t tenant, contractor; /* contractor: of a CONTRACTOR. */
    uint32_t count;
    uint8_t role;
    bool broken;
};

/* A slot as SLOT_GET showed it last. */
struct session_slot {
    uint64_t version, mark;
};

struct session_change {
    struct zr_map_change change;
    uint64_t time_ms; /* When it was heard. */
};

/* A client that follows the map from an older version on. */
struct session_back {
    struct session_stream stream;
    bool follows;
    uint32_t place; /* Of the first change that it must be told. */
    uint32_t count;
    struct zr_map_change changes[SESSION_CHANGES];
};

/* The map as one holds it who follows it: colours by ZIP and lens, the rest by slot. */
struct session_map {
    uint8_t colours[MODEL_ZIPS][2];
    bool taken[MODEL_SLOTS], full[MODEL_SLOTS];
    bool spare[WORLD_ZIPS]; /* Where the category that nobody claims is offered. */
    bool spare_moved;       /* By the step under way. */
    bool is_old;            /* "Many ZIPs changed": it must be read again. */
    uint64_t seen;          /* The newest version that a read said. */
    struct session_change changes[SESSION_CHANGES]; /* The newest. */
    uint32_t changes_count;
    struct session_back back;
};

/* Numbers that the server gave to offers, by the model's own name of each. */
struct session_number {
    uint64_t serial, number;
};

struct session {
    struct world world;
    struct zr_client *admin2, *portal2, *carrier2, *payments2, *contractor;
    struct model *model;
    int lines[SESSION_LINES]; /* Call of the model, -1 = none yet. */
    int call;                 /* That the operation under way is about. */
    struct session_keyed keyed[SESSION_KEYED];
    uint32_t keyed_count;
    struct session_read reads[SESSION_READS];
    uint32_t reads_count;
    struct session_heard heard;
    struct session_map map;
    struct session_slot slots[MODEL_SLOTS];
    struct session_reader readers[SESSION_READERS];
    struct zr_event told[SESSION_TOLD]; /* To the ADMIN, since the readers were compared. */
    uint32_t told_count;
    struct session_number offers[SESSION_OFFERS]; /* The newest. */
    uint32_t offers_count;
    uint64_t offer_newest;                /* As of the last comparison. */
    uint64_t events[SESSION_EVENT_TYPES]; /* Compared, by type. */
    uint64_t serial;
    uint64_t seed;
    const struct operation *operation; /* Being played; NULL = a comparison at the end. */
    FILE *output;                      /* Where differences are told; NULL = nowhere. */
    bool traces; /* MODEL_TRACE is set: tell every operation and its answer. */
    bool differs;
    char what[64];    /* Of the first difference. */
    bool duplicate;   /* The last answer was. */
    uint64_t skipped; /* Operations that found nothing to act on. */
    uint64_t played[PLAY_KINDS];
};

/* Start a server with the market of this seed. */
void session_open(struct session *session, uint64_t seed, FILE *output);

/* Close clients and server; nonzero: AUDIT or replay found something, and it was told. */
int session_close(struct session *session);

/* Close everything without judging it: it differed already. */
void session_discard(struct session *session);

/* Play one operation and compare what can be compared at each step. */
void session_play(struct session *session, const struct operation *operation);

/* SIGKILL or SIGTERM, start on the same data: the model forgets what only memory held. */
void session_restart(struct session *session, bool with_kill);

/* SIGKILL amid whatever was answered last, and start on the same data. */
void session_crash(struct session *session);

/* Tell a difference. The first one of a session counts. */
void session_differ(struct session *session, const char *what, int64_t expected, int64_t got);

/* The same if the two are not equal. Returns whether they are. */
bool session_same(struct session *session, const char *what, int64_t expected, int64_t got);

/* Blocking, over the client library. KEYED requests get a key and are remembered. */
int session_ask(struct session *session, struct zr_client *client, uint16_t op, void *request,
                void *reply);

/* Ask, and compare status and DUPLICATE with what the model says. True: compare the reply. */
struct session_expected {
    int status;
    bool duplicate;
};
/* Who asks what. */
struct session_question {
    struct zr_client *client;
    uint16_t op;
    void *request;
    void *reply;
};
bool session_expect(struct session *session, const struct session_question *question,
                    struct session_expected expected);

/* A client of the portal, the switch or the payments of the tenant. */
struct zr_client *session_portal(const struct session *session, uint32_t tenant);
struct zr_client *session_carrier(const struct session *session, uint32_t tenant);
struct zr_client *session_payments(const struct session *session, uint32_t tenant);

struct zr_id session_id(struct session *session, uint8_t tag);

/* Nothing to act on: count it. */
void session_skip(struct session *session);

/* The call rings or talks, or did so a moment ago: there is much to say about it. */
bool session_is_young(const struct session *session, const struct model_call *call);

/* The k-th live claim of a slot, -1 = it has none. */
int session_claim_of(const struct session *session, uint8_t slot, uint8_t k);

/* ---- play_*.c ----------------------------------------------------------------------------------
 */

void play_claims(struct session *session, const struct operation *operation);
void play_people(struct session *session, const struct operation *operation);
void play_money(struct session *session, const struct operation *operation);
void play_calls(struct session *session, const struct operation *operation);
void play_time(struct session *session, const struct operation *operation);

/* ---- compare.c ---------------------------------------------------------------------------------
 */

/* One read of many, of the ADMIN: it travels with the others and is judged when they finish. */
void compare_read(struct session *session, uint16_t op, const void *request, int index,
                  session_judge_fn judge);
void compare_reads_finish(struct session *session);

/* session_same() of "what of 7": which row it was. */
bool compare_row(struct session *session, const char *what, int index, int64_t expected,
                 int64_t got);

/* A few reads that rotate with the step. */
void compare_some(struct session *session);

/* Every row that can be read. */
void compare_all(struct session *session);

/* Learn the id of the pending offer of a slot, and of the outstanding attempt of a wallet. */
void compare_learn_offer(struct session *session, int slot);
void compare_learn_version(struct session *session, int contractor);
void compare_learn_attempt(struct session *session, int contractor);

/* ---- compare_routes.c --------------------------------------------------------------------------
 */

/* Candidates, who was passed over, and what only the server could choose: the model learns it. */
void compare_route(struct session *session, int call_index_of,
                   const struct zr_route_reply *expected, const struct zr_route_reply *got);

/* The same question again: the newest answer, byte for byte. */
void compare_repeat(struct session *session, const struct model_call *call,
                    const struct zr_route_reply *got);

/* ---- compare_explain.c -------------------------------------------------------------------------
 */

/* Every few steps: a decision of some time ago must be told as it was made (E65). */
void compare_explain(struct session *session);

/* That decision, asked for by an ADMIN, and by the call's switch where its call_id names it. */
void compare_explain_at(struct session *session, int row);

/*
 * After a crash: of the calls that began with the decisions from row `first` on, one each, those
 * that no CONNECT or END made durable may be lost (M4). Which, the model learns here.
 */
void compare_explain_lost(struct session *session, int first);

/* ---- compare_events.c --------------------------------------------------------------------------
 */

/* Follow events and the map, as an ADMIN, from now on. */
void compare_events_open(struct session *session);

/*
 * Everything that the server told since the last time, held against what the model says that this
 * step causes. A read in log order must have been answered before: rings are in the log then.
 */
void compare_events(struct session *session);

/* The event of that type that this step causes carries this number of the reply. */
void compare_learn_number(struct session *session, uint8_t type, uint64_t number);

/* ---- compare_records.c -------------------------------------------------------------------------
 */

/* The k-th of the other rows travels with the other reads, or what only lists and portals show. */
void compare_records_some(struct session *session, uint32_t k);
void compare_records_all(struct session *session);

/* ---- compare_ledger.c --------------------------------------------------------------------------
 */

/* The k-th page travels with the other reads, or the newest of all and some whole ledgers. */
void compare_ledger_some(struct session *session, uint32_t k);
void compare_ledger_all(struct session *session);

/* The server calls the transfer at that place in the books so: now, and ever after. */
void compare_transfer_id(struct session *session, int place, uint64_t id);

/* AUDIT: nothing broken, every posting accounted for, and every decision of the calls that began in
 * [from_ms, to_ms); 0 = from the first, to the last. */
void compare_books(struct session *session, uint64_t from_ms, uint64_t to_ms);

/* The same amid a run, of a range that is drawn from the step. */
void compare_books_some(struct session *session);

/* ---- compare_map.c -----------------------------------------------------------------------------
 */

/* Read the map, to hold it from now on. */
void compare_map_open(struct session *session);

/* The category that nobody claims (world.plumbing) is offered in these of world_zips[] now. */
void compare_map_offer(struct session *session, const bool *spare);

/* A change of it was told. */
void compare_map_change(struct session *session, const struct zr_map_change *change);

/* After every step: what is held is the map of the model. */
void compare_map(struct session *session);

/* The k-th question about it travels with the other reads, or all of it is read. */
void compare_map_some(struct session *session, uint32_t k);
void compare_map_all(struct session *session);

/* Who came back to an older version was told the same changes; another one comes back now. */
void compare_map_back(struct session *session);

/* ---- compare_readers.c -------------------------------------------------------------------------
 */

/* Follow events as a PORTAL, a SWITCH ... would. */
void compare_readers_open(struct session *session);

/* What each was told since the last time, held against what the ADMIN was told (R69). */
void compare_readers(struct session *session);

/* After a restart, which a comparison went before: each follows again. */
void compare_readers_again(struct session *session);

#endif
