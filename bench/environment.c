/*
 * environment.c - see environment.h.
 */
#include "bench/environment.h"

#include "protocol/check.h"

#include <dlfcn.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { COMMAND_BYTES_MAX = 2048 };

static char command_line[COMMAND_BYTES_MAX];

void
environment_note_command(int argc, char **argv)
{
    size_t used = 0;

    CHECK(argc >= 0);
    CHECK(argv != NULL);
    for (int i = 0; i < argc && used < sizeof command_line; i++) {
        const int length = snprintf(command_line + used, sizeof command_line - used, "%s%s",
                                    i == 0 ? "" : " ", argv[i]);

        used += length > 0 ? (size_t)length : 0;
    }
}

/* What stands behind "key : " in the first such line of a /proc file. */
static void
proc_value_read(char *value, size_t value_bytes, const char *path, const char *key)
{
    char line[512];
    FILE *file = fopen(path, "re");

    (void)snprintf(value, value_bytes, "unknown");
    if (file == NULL) {
        return;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');

        if (strncmp(line, key, strlen(key)) == 0 && colon != NULL) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(value, value_bytes, "%s", colon + 1 + strspn(colon + 1, " \t"));
            break;
        }
    }
    (void)fclose(file);
}

/* CPUs that this process may run on, as a list: "1". */
static void
affinity_read(char *list, size_t list_bytes)
{
    cpu_set_t set;
    size_t used = 0;

    list[0] = '\0';
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return;
    }
    for (size_t cpu = 0; cpu < CPU_SETSIZE && used < list_bytes; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            const int length =
                snprintf(list + used, list_bytes - used, "%s%zu", used == 0 ? "" : ",", cpu);

            used += length > 0 ? (size_t)length : 0;
        }
    }
}

static void
machine_add(json_t *block)
{
    struct utsname name;
    char cpu[256];
    char memory[64];
    char affinity[256];
    double load[3] = {0, 0, 0};

    CHECK(uname(&name) == 0);
    proc_value_read(cpu, sizeof cpu, "/proc/cpuinfo", "model name");
    proc_value_read(memory, sizeof memory, "/proc/meminfo", "MemTotal");
    affinity_read(affinity, sizeof affinity);
    (void)getloadavg(load, 3);
    (void)json_object_set_new(block, "kernel", json_sprintf("%s %s", name.sysname, name.release));
    (void)json_object_set_new(block, "machine", json_string(name.machine));
    (void)json_object_set_new(block, "cpu", json_string(cpu));
    (void)json_object_set_new(block, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    (void)json_object_set_new(block, "memory", json_string(memory));
    (void)json_object_set_new(block, "generator_cpus", json_string(affinity));
    (void)json_object_set_new(block, "load_average", json_real(load[0]));
}

static void
server_add(json_t *block, const struct zr_hello_reply *hello)
{
    const char *role = zr_role_name(hello->role);

    (void)json_object_set_new(block, "server", json_string(hello->build));
    (void)json_object_set_new(block, "server_credit", json_integer(hello->credit));
    (void)json_object_set_new(block, "server_bench_mode", json_boolean(hello->bench));
    (void)json_object_set_new(block, "role", json_string(role != NULL ? role : "unknown"));
}

/* Asked of the library that was loaded: only the TLS code may know OpenSSL's headers. */
static const char *
openssl_version(void)
{
    const char *(*version)(int) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "OpenSSL_version");

    if (symbol == NULL) {
        return "unknown";
    }
    /* ISO C has no cast from an object pointer to a function's; POSIX says that both are alike. */
    memcpy(&version, &symbol, sizeof version);
    return version(0);
}

json_t *
environment_json(const struct zr_hello_reply *hello)
{
    json_t *block = json_object();
    const time_t now = time(NULL);
    struct tm utc;
    char stamp[32];

    CHECK(block != NULL);
    CHECK(gmtime_r(&now, &utc) != NULL);
    (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    (void)json_object_set_new(block, "time", json_string(stamp));
    machine_add(block);
    (void)json_object_set_new(block, "openssl", json_string(openssl_version()));
    (void)json_object_set_new(block, "tls", json_string("TLS 1.3, mutual"));
    (void)json_object_set_new(block, "compiler", json_string(__VERSION__));
    (void)json_object_set_new(block, "bench", json_string(ZR_VERSION_TEXT));
    (void)json_object_set_new(block, "library", json_string(zr_version_text()));
    (void)json_object_set_new(block, "command", json_string(command_line));
    if (hello != NULL) {
        server_add(block, hello);
    }
    return block;
}
