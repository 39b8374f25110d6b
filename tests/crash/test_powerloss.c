/*
 * test_powerloss.c - P2, P3: the power goes at any instant, and nothing acknowledged is lost.
 *
 * The one idea: record once, lose the power a thousand times. zipringd runs a mixed load under a
 * recorder (preload/record.c) that logs what its database file is told; the client appends each
 * acknowledgement to the same log. Any prefix of the log, with any part of the unsynced writes
 * missing, is a disk that a power loss may leave (image.h). Each such image is opened by the
 * server's own code in a child process and examined (examine.h).
 *
 * Sectors are atomic in the first model; there nothing may go wrong: not even a database that
 * notices that it is torn, because LMDB's other meta page is whole and leads to a tree that holds
 * every acknowledged operation. A second, harsher model tears the meta page inside its sector,
 * where LMDB, which has no checksum there, takes a mixture of two commits for the newest one and
 * cannot be told to use the other page: there a server that refuses is right, a silent one wrong.
 *
 * The control: the same test over a server whose LMDB was opened without syncs (preload/nosync.c)
 * must find losses, or this test proves nothing.
 *
 *     test_powerloss [IMAGES]       also CRASH_IMAGES; 2,000, CRASH_VOLUME=full 100,000
 */
#include "protocol/check.h"
#include "server/base/log.h"
#include "tests/crash/lib/examine.h"
#include "tests/crash/lib/image.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    IMAGES_CI = 2000,
    IMAGES_FULL = 100000,
    IMAGES_A_RECORDING = 10000,
    IMAGES_CONTROL = 200,
    INSIDE_ONE_IN = 10, /* As many images more, torn inside the meta page's sector. */
    REPLAY_ONE_IN = 20,
    ACTORS = 32,
    OPERATIONS = 4000,
    STEP_MS = 100,
    SILENT_STEPS = 300,
    EXAMINE_S_MAX = 20,
    SHOWN_MAX = 5,
    PATH_BYTES = 160,
};

/* What is under way at a cut. */
enum moment { MOMENT_DATA, MOMENT_SYNC, MOMENT_META, MOMENT_ANY, MOMENTS };

struct tally {
    uint64_t images;
    uint64_t failed;
    uint64_t verdicts[VERDICTS];
    uint64_t moments[MOMENTS]; /* What was under way, of images. */
    uint64_t replayed;
};

struct run {
    char folder[64]; /* Of base, log and image; in memory when there is /dev/shm. */
    uint64_t random;
    int log_fd;
    uint64_t acks;
    uint32_t shown;
};

static void
path_of(char path[PATH_BYTES], const struct run *run, const char *name)
{
    CHECK(snprintf(path, PATH_BYTES, "%s/%s", run->folder, name) < PATH_BYTES);
}

/* ---- recording ------------------------------------------------------------------------------- */

/* One write, so that it cannot stand in the middle of a record of the server. */
static void
on_ack(void *context, const struct load_ack *ack)
{
    struct run *run = context;
    struct record record = {.kind = RECORD_ACK, .bytes = sizeof *ack};
    struct load_ack copy = *ack;
    const struct iovec parts[] = {{&record, sizeof record}, {&copy, sizeof copy}};

    run->acks++;
    if (run->log_fd >= 0) {
        CHECK(writev(run->log_fd, parts, 2) == (ssize_t)(sizeof record + sizeof copy));
    }
}

static void
file_copy(const char *from, const char *to)
{
    const int in = open(from, O_RDONLY | O_CLOEXEC);
    const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct stat stat;
    off_t offset = 0;

    CHECK(in >= 0);
    CHECK(out >= 0);
    CHECK(fstat(in, &stat) == 0);
    while (offset < stat.st_size) {
        CHECK(sendfile(out, in, &offset, (size_t)(stat.st_size - offset)) > 0);
    }
    (void)close(in);
    (void)close(out);
}

/* Serve again, this time recorded; the control also without syncs. */
static void
restart_recorded(struct run *run, struct world *world, bool control)
{
    const char *build = getenv("BUILD");
    char preload[2 * SERVER_PATH_MAX];
    char log_path[PATH_BYTES];

    build = build != NULL ? build : "build/release";
    (void)snprintf(preload, sizeof preload, "%s/tests/crash/preload/record.so%s%s%s", build,
                   control ? " " : "", control ? build : "",
                   control ? "/tests/crash/preload/nosync.so" : "");
    path_of(log_path, run, "log");
    (void)unlink(log_path);
    CHECK(setenv("LD_PRELOAD", preload, 1) == 0);
    CHECK(setenv(RECORD_LOG_VARIABLE, log_path, 1) == 0);
    CHECK(setenv(RECORD_FILE_VARIABLE, "/zipring.mdb", 1) == 0);
    server_restart(&world->server);
    CHECK(unsetenv("LD_PRELOAD") == 0);
    run->log_fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK(run->log_fd >= 0); /* The server made it, or it was not recorded. */
}

static void
run_until(struct run *run, struct load *load, uint64_t acks)
{
    uint64_t before = run->acks;
    int silent = 0;

    while (acks != 0 ? run->acks < acks : load_busy(load) > 0) {
        load_step(load, STEP_MS);
        silent = run->acks != before ? 0 : silent + 1;
        before = run->acks;
        CHECK(silent < SILENT_STEPS);
    }
}

/* Leaves FOLDER/base, the database before the run, FOLDER/end, after it, and FOLDER/log. */
static void
record_run(struct run *run, bool control)
{
    static struct world world;
    char data_path[SERVER_PATH_MAX];
    char base_path[PATH_BYTES];
    char end_path[PATH_BYTES];
    struct load *load;

    run->log_fd = -1;
    run->acks = 0;
    world_open(&world, NULL);
    load = load_open(&(struct load_options){.world = &world,
                                            .seed = test_random(&run->random),
                                            .actors_count = ACTORS,
                                            .on_ack = on_ack,
                                            .context = run});
    CHECK(server_stop(&world.server) == 0);
    server_path(data_path, &world.server, "data/zipring.mdb");
    path_of(base_path, run, "base");
    file_copy(data_path, base_path);
    restart_recorded(run, &world, control);
    load_set_running(load, true);
    run_until(run, load, OPERATIONS);
    load_set_running(load, false);
    run_until(run, load, 0);
    load_close(load);
    CHECK(server_stop(&world.server) == 0);
    path_of(end_path, run, "end");
    file_copy(data_path, end_path);
    (void)close(run->log_fd);
    server_restart(&world.server); /* For AUDIT and replay. */
    CHECK(world_close(&world) == 0);
}

/* ---- one image ------------------------------------------------------------------------------- */

/* The child: never returns. */
_Noreturn static void
child_examine(const struct run *run, const struct examination *examination)
{
    const struct rlimit none = {0, 0};
    char path[PATH_BYTES];
    int fd;

    path_of(path, run, "said");
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)dup2(fd, STDERR_FILENO);
    (void)setrlimit(RLIMIT_CORE, &none);
    /* The server's dense tables ask for huge pages: zeroing them would be most of the work. */
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    (void)alarm(EXAMINE_S_MAX);
    log_set_level(LOG_LEVEL_ERROR);
    _exit((int)examine(examination));
}

static void
show(struct run *run, const struct image *image, enum verdict verdict)
{
    char path[PATH_BYTES];
    char line[256];
    FILE *file;

    (void)printf("%s: cut %zu, %u %% of what was unsynced survived%s\n", verdict_name(verdict),
                 image->cut, image->percent, image->inside ? ", torn inside a sector" : "");
    path_of(path, run, "said");
    file = fopen(path, "re");
    for (int lines = 0; file != NULL && lines < 8 && fgets(line, sizeof line, file); lines++) {
        (void)printf("    %s", line);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static enum verdict
image_judge(const struct run *run, const struct image_log *log, size_t cut, bool replay)
{
    char folder[PATH_BYTES];
    char replay_folder[PATH_BYTES];
    const struct examination examination = {.folder = folder,
                                            .replay_folder = replay ? replay_folder : NULL,
                                            .acks = image_acks(log),
                                            .acks_count = image_acks_before(log, cut)};
    int wait_status = 0;
    pid_t pid;

    path_of(folder, run, "image");
    path_of(replay_folder, run, "replayed");
    (void)fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child_examine(run, &examination);
    }
    CHECK(waitpid(pid, &wait_status, 0) == pid);
    if (replay) {
        test_remove_dir(replay_folder);
    }
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) >= VERDICT_CRASHED) {
        return VERDICT_CRASHED;
    }
    return (enum verdict)WEXITSTATUS(wait_status);
}

/* ---- many images ----------------------------------------------------------------------------- */

static int
by_cut(const void *left, const void *right)
{
    const struct image *a = left;
    const struct image *b = right;

    return a->cut < b->cut ? -1 : a->cut > b->cut;
}

static enum moment
moment_of(const struct image_log *log, size_t cut)
{
    if (image_record_is_durable(log, cut - 1)) {
        return MOMENT_META;
    }
    switch (image_record_kind(log, cut - 1)) {
    case RECORD_WRITE:
        return MOMENT_DATA;
    case RECORD_SYNC:
        return MOMENT_SYNC;
    case RECORD_TRUNCATE:
    case RECORD_ACK:
        break;
    }
    return MOMENT_ANY;
}

/*
 * Where and how the power goes. Most records are acknowledgements and data writes, so the moment
 * is drawn first, one of four, then a cut of it. Images torn inside are all of a meta page.
 */
static struct image
image_draw(struct run *run, const struct image_log *log, bool inside)
{
    static const unsigned percents[] = {0, 10, 50, 90, 100};
    const struct image_counts counts = image_log_counts(log);
    enum moment moment = (enum moment)test_random_below(&run->random, MOMENTS);
    struct image image = {.percent = percents[test_random_below(&run->random, 5)],
                          .inside = inside};

    if (inside) {
        moment = MOMENT_META;
    } else if (counts.durable_writes == 0 || counts.syncs == 0) {
        moment = MOMENT_ANY; /* The control has neither. */
    }
    do {
        image.cut = 1 + (size_t)test_random_below(&run->random, counts.records);
    } while ((moment != MOMENT_ANY && moment_of(log, image.cut) != moment) ||
             image_acks_before(log, image.cut) == 0);
    return image;
}

static bool
verdict_passes(enum verdict verdict, bool inside)
{
    return verdict == VERDICT_OK ||
           (inside && (verdict == VERDICT_DETECTED || verdict == VERDICT_REFUSED));
}

static void
images_judge(struct run *run, struct tally *tally, size_t count, bool inside)
{
    char base_path[PATH_BYTES];
    char log_path[PATH_BYTES];
    char image_path[PATH_BYTES];
    struct image *images = calloc(count, sizeof *images);
    struct image_log *log;

    CHECK(images != NULL);
    path_of(base_path, run, "base");
    path_of(log_path, run, "log");
    path_of(image_path, run, "image/zipring.mdb");
    log = image_log_open(base_path, log_path);
    for (size_t i = 0; i < count; i++) {
        images[i] = image_draw(run, log, inside);
    }
    qsort(images, count, sizeof *images, by_cut);
    for (size_t i = 0; i < count; i++) {
        const bool replay = i % REPLAY_ONE_IN == 0;
        enum verdict verdict;

        image_write(log, &images[i], &run->random, image_path);
        verdict = image_judge(run, log, images[i].cut, replay);
        tally->images++;
        tally->verdicts[verdict]++;
        tally->failed += !verdict_passes(verdict, inside);
        tally->replayed += replay && verdict == VERDICT_OK;
        tally->moments[moment_of(log, images[i].cut)]++;
        if (!verdict_passes(verdict, inside) && run->shown++ < SHOWN_MAX) {
            show(run, &images[i], verdict);
        }
    }
    image_log_close(log);
    free(images);
}

static void
tally_print(const char *what, const struct tally *tally)
{
    (void)printf("%s: %" PRIu64 " images:", what, tally->images);
    for (int i = 0; i < VERDICTS; i++) {
        (void)printf(" %" PRIu64 " %s%s", tally->verdicts[i], verdict_name((enum verdict)i),
                     i + 1 < VERDICTS ? "," : "");
    }
    (void)printf("\n    cut in a data write %" PRIu64 ", in the sync %" PRIu64
                 ", in the meta page's write %" PRIu64 ", between commits %" PRIu64
                 "; replayed from genesis too: %" PRIu64 "\n",
                 tally->moments[MOMENT_DATA], tally->moments[MOMENT_SYNC],
                 tally->moments[MOMENT_META], tally->moments[MOMENT_ANY], tally->replayed);
}

static bool
files_are_equal(const char *left, const char *right)
{
    FILE *files[2] = {fopen(left, "re"), fopen(right, "re")};
    int bytes[2];

    CHECK(files[0] != NULL);
    CHECK(files[1] != NULL);
    do {
        bytes[0] = getc(files[0]);
        bytes[1] = getc(files[1]);
    } while (bytes[0] == bytes[1] && bytes[0] != EOF);
    (void)fclose(files[0]);
    (void)fclose(files[1]);
    return bytes[0] == bytes[1];
}

/* What was recorded; and with nothing lost it makes the very file that the server left. */
static void
recording_judge(struct run *run)
{
    const char *const names[] = {"base", "log", "end", "image/zipring.mdb"};
    char paths[4][PATH_BYTES];
    struct image image = {.percent = 100};
    struct image_counts counts;
    struct image_log *log;

    for (int i = 0; i < 4; i++) {
        path_of(paths[i], run, names[i]);
    }
    log = image_log_open(paths[0], paths[1]);
    counts = image_log_counts(log);
    image.cut = counts.records;
    image_write(log, &image, &run->random, paths[3]);
    CHECK(files_are_equal(paths[2], paths[3]));
    (void)printf("recorded: %zu acknowledged operations, %zu data writes, %zu syncs, %zu meta "
                 "pages written through O_DSYNC\n",
                 counts.acks, counts.writes - counts.durable_writes, counts.syncs,
                 counts.durable_writes);
    image_log_close(log);
}

/* ---- main ------------------------------------------------------------------------------------ */

static void
folder_make(struct run *run)
{
    char path[PATH_BYTES];

    (void)snprintf(run->folder, sizeof run->folder, "%s/zipring-power.XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(run->folder) != NULL);
    path_of(path, run, "image");
    CHECK(mkdir(path, 0700) == 0);
}

/* Without syncs the same images must lose what was promised. */
static bool
control_holds(struct run *run)
{
    struct tally control = {0};

    record_run(run, true);
    recording_judge(run);
    run->shown = SHOWN_MAX; /* What it finds is wanted. */
    images_judge(run, &control, IMAGES_CONTROL, false);
    tally_print("control, LMDB without syncs", &control);
    return control.verdicts[VERDICT_LOST] > 0 && control.verdicts[VERDICT_OK] < control.images;
}

static size_t
images_wanted(int argc, char **argv)
{
    const char *volume = getenv("CRASH_VOLUME");
    const char *text = argc > 1 ? argv[1] : getenv("CRASH_IMAGES");

    if (text != NULL) {
        return (size_t)strtoul(text, NULL, 10);
    }
    return volume != NULL && strcmp(volume, "full") == 0 ? IMAGES_FULL : IMAGES_CI;
}

/* E56, R70: every image of a power loss holds each acknowledged END, once, in an unbroken chain. */
int
main(int argc, char **argv)
{
    const size_t wanted = images_wanted(argc, argv);
    struct tally sectors = {0};
    struct tally inside = {0};
    struct run run = {.random = test_seed()};
    uint64_t failed;
    bool control;

    folder_make(&run);
    while (sectors.images < wanted) {
        const size_t left = wanted - (size_t)sectors.images;
        const size_t count = left < IMAGES_A_RECORDING ? left : IMAGES_A_RECORDING;

        record_run(&run, false);
        recording_judge(&run);
        images_judge(&run, &sectors, count, false);
        images_judge(&run, &inside, count / INSIDE_ONE_IN, true);
    }
    tally_print("sectors atomic", &sectors);
    tally_print("meta page torn inside its sector", &inside);
    control = control_holds(&run);
    if (!control) {
        (void)printf("FAILED: the control lost nothing: this test does not see losses\n");
    }
    test_remove_dir(run.folder);
    failed = sectors.failed + inside.failed + !control;
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n",
                 sectors.images + inside.images + 1 - failed, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
