/* Device and peer take turns on the same broker and the same HTTP server, which live in this
 * process. The device's time is from its first request after the slot was erased to the last byte
 * in flash; the peer writes nowhere, so its rate is what the line gives. */
#include "harness/prove/throughput.h"

#include "harness/cli/paths.h"
#include "harness/run/net_posix.h"
#include "harness/run/side.h"
#include "sim/posix/world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS     9
#define LIMIT_MS   60000
#define SLICE_MS   200
#define PEER_MS    300 /* for mosquitto_sub to connect and subscribe */
#define CHUNK      4096u
#define RANGE      65536u /* what the device asks for at a time */
#define DATA_PATH  ANYCLOUD_FILE
#define PEER_TOPIC "nobrick/bench"
#define STOP_DONE  1

static const char *const scenario = "title bench: download\n"
                                    "req RESM-15\n"
                                    "world posix\n"
                                    "data http\n"
                                    "flash slot0 v1 size=8K\n"
                                    "cloud offer v2 size=14M\n"
                                    "device check\n"
                                    "expect boot v2\n";

/* Two chips, for slots of 15 MiB. */
static const char *const layout = "system anycloud\n"
                                  "part w25q128\n"
                                  "part w25q128\n"
                                  "loader w25q128 0x0 0x10000\n"
                                  "primary w25q128 0x10000 0xF00000\n"
                                  "secondary w25q128#2 0x0 0xF00000\n"
                                  "journal w25q128#2 0xF10000 0x2000\n"
                                  "progress w25q128#2 0xF12000 0x2000\n"
                                  "scheme overwrite\n"
                                  "header 0x400\n";

struct bench {
    struct nb_kit *kit;
    struct nb_script script;
    struct nb_cell cell;
    struct sim_device device;
    bool has_device;
    struct posix_loop *loop;
    struct posix_world *world;
    struct nb_net_posix servers;
    struct nb_net net;
    struct nb_blob factory;
    struct nb_blob image;
    char device_path[300];
    char flash_path[300];
    char ranges_path[300];
    /* the run at hand */
    enum nb_link data;
    uint64_t from_ns; /* of the first request for data; 0: none yet */
    uint64_t to_ns;
    bool whole; /* the device said that all is there */
    char line[256];
    size_t length;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- what is heard ----------------------------------------------------------------------- */

/* Lines of the cloud side. The first chunk by HTTP comes before the slot is erased: not counted. */
static void on_cloud_line(void *context, const char *text)
{
    struct bench *bench = context;
    static const char request[] = "request ";
    static const char get[] = "http get " DATA_PATH " ";
    static const char first[] = "0-";
    bool by_mqtt = bench->data == NB_LINK_MQTT;
    const char *start = by_mqtt ? request : get;
    if (bench->from_ns != 0 || strncmp(text, start, strlen(start)) != 0)
        return;
    if (by_mqtt || strncmp(text + strlen(start), first, strlen(first)) != 0)
        bench->from_ns = now_ns();
}

/* The device's line that says that all is there, or the end of a child's output. A peer is done
 * then, if it ends well; a device that ends without that line has failed. */
static void on_readable(void *context, int fd)
{
    static const char last[] = "download   100%";
    struct bench *bench = context;
    char bytes[4096];
    ssize_t got = read(fd, bytes, sizeof bytes);
    bool done = got == 0;
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n') {
            bench->whole = bench->whole || strncmp(bench->line, last, strlen(last)) == 0;
            done = done || bench->whole;
            bench->length = 0;
        } else if (bench->length + 1 < sizeof bench->line) {
            bench->line[bench->length++] = bytes[i];
            bench->line[bench->length] = '\0';
        }
    }
    if (!done)
        return;
    bench->to_ns = now_ns();
    posix_loop_unwatch(bench->loop, fd);
    posix_loop_stop(bench->loop, STOP_DONE);
}

/* ---- children ---------------------------------------------------------------------------- */

static void become(char *const *argv, bool ourselves, int out, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDONLY);
    if (getppid() != parent || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(out, STDOUT_FILENO) < 0)
        _exit(127);
    if (ourselves)
        execv("/proc/self/exe", argv);
    else
        execvp(argv[0], argv);
    _exit(127);
}

/* The child's pid, its output watched through *fd; or 0. */
static pid_t start(struct bench *bench, char *const *argv, bool ourselves, int *fd)
{
    int ends[2];
    pid_t parent = getpid();
    bench->from_ns = 0;
    bench->to_ns = 0;
    bench->whole = false;
    bench->length = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0)
        become(argv, ourselves, ends[1], parent);
    close(ends[1]);
    *fd = ends[0];
    if (pid > 0 && posix_loop_watch(bench->loop, *fd, on_readable, bench) == OTA_OK)
        return pid;
    if (pid > 0)
        kill(pid, SIGKILL);
    close(*fd);
    return 0;
}

/* Seconds from the first request to the end; 0: it did not get there. The child is gone then. */
static double finish(struct bench *bench, bool is_peer, pid_t pid, int fd)
{
    uint64_t end = posix_now_ms() + LIMIT_MS;
    int status;
    while (bench->to_ns == 0 && nb_run_stop == 0 && posix_now_ms() < end)
        (void)posix_loop_run(bench->loop, SLICE_MS);
    posix_loop_unwatch(bench->loop, fd);
    close(fd);
    if (bench->whole || bench->to_ns == 0)
        kill(pid, SIGKILL); /* a device would go on to install */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    bool good = bench->from_ns != 0 && bench->to_ns > bench->from_ns &&
                (bench->whole || (is_peer && status == 0));
    return good ? (double)(bench->to_ns - bench->from_ns) / 1e9 : 0;
}

/* ---- the four runs ----------------------------------------------------------------------- */

static double run_device(struct bench *bench)
{
    struct nb_net_arguments room;
    const char *arguments[48] = {"nobrick", "device",          "--device",  bench->device_path,
                                 "--flash", bench->flash_path, "--factory", bench->factory.path,
                                 "--once",  "--data-wait",     "20"};
    size_t count = 11;
    struct nb_image image = *nb_script_image(&bench->script, 2);
    const struct nb_offered offered = {.kind = NB_CLOUD_OFFER,
                                       .image = &image,
                                       .blob = &bench->image,
                                       .board = bench->device.board};
    char reason[NB_LINE];
    int fd;
    image.connection = bench->data;
    unlink(bench->flash_path);
    if (nb_net_offer(&bench->net, &offered, reason) != 0 ||
        nb_net_arguments(&bench->net, bench->kit, &room, arguments, &count) != 0)
        return 0;
    arguments[count] = NULL;
    pid_t pid = start(bench, (char *const *)(uintptr_t)arguments, true, &fd);
    return pid != 0 ? finish(bench, false, pid, fd) : 0;
}

static double run_curl(struct bench *bench)
{
    const char *const arguments[] = {"curl", "-q", "-K", bench->ranges_path, NULL};
    int fd;
    pid_t pid = start(bench, (char *const *)(uintptr_t)arguments, false, &fd);
    return pid != 0 ? finish(bench, true, pid, fd) : 0;
}

/* The cloud side is told what a device would ask for, on a topic of the peer's. */
static double run_subscriber(struct bench *bench)
{
    char port[8];
    char count[16];
    char topic[200];
    static const char request[] = "{\"Message\": \"Request Update\", \"UniqueTopicName\": "
                                  "\"" PEER_TOPIC "\"}";
    snprintf(port, sizeof port, "%u", bench->net.broker_port);
    snprintf(count, sizeof count, "%u", (bench->image.size + CHUNK - 1) / CHUNK);
    snprintf(topic, sizeof topic, "%s/%s/publish_notify", bench->device.topic_prefix,
             bench->device.board);
    const char *const arguments[] = {
        "mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-t", PEER_TOPIC, "-q", "1", "-C",
        count,           "-F", "%l",        NULL};
    const struct ota_event event = {.type = OTA_EVENT_MQTT_MESSAGE,
                                    .topic = topic,
                                    .data = (const uint8_t *)request,
                                    .length = sizeof request - 1};
    int fd;
    pid_t pid = start(bench, (char *const *)(uintptr_t)arguments, false, &fd);
    if (pid == 0)
        return 0;
    (void)posix_loop_run(bench->loop, PEER_MS);
    nb_net_cloud_event(&bench->net, &event);
    return finish(bench, true, pid, fd);
}

static bool is_installed(const char *program)
{
    const char *path = getenv("PATH");
    char places[4096];
    char name[4200];
    snprintf(places, sizeof places, "%s", path != NULL ? path : "/usr/bin");
    for (char *save = NULL, *place = strtok_r(places, ":", &save); place != NULL;
         place = strtok_r(NULL, ":", &save)) {
        snprintf(name, sizeof name, "%s/%s", place, program);
        if (access(name, X_OK) == 0)
            return true;
    }
    return false;
}

/* ---- figures ----------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* "MIDDLE (LOWEST to HIGHEST)" of what the rounds gave, which is sorted then. */
static void print_spread(double values[ROUNDS], double factor, const char *unit)
{
    qsort(values, ROUNDS, sizeof *values, by_size);
    printf("%.0f%s (%.0f to %.0f) | ", factor * values[ROUNDS / 2], unit, factor * values[0],
           factor * values[ROUNDS - 1]);
}

struct contest {
    const char *name;
    enum nb_link data;
    const char *peer;
    double (*run)(struct bench *bench);
};

/* False: something did not get to its end. */
static bool compare(struct bench *bench, const struct contest *contest)
{
    double own[ROUNDS];
    double other[ROUNDS];
    double ratio[ROUNDS];
    bool has_peer = is_installed(contest->peer);
    double bytes = contest->data == NB_LINK_MQTT ? bench->image.size : bench->image.size - CHUNK;
    bench->data = contest->data;
    for (size_t i = 0; i < ROUNDS; i++) {
        double seconds = run_device(bench);
        double peer = seconds > 0 && has_peer ? contest->run(bench) : 0;
        if (seconds <= 0 || (has_peer && peer <= 0))
            return false;
        own[i] = bytes / 1e6 / seconds;
        other[i] = has_peer ? bytes / 1e6 / peer : 0;
        ratio[i] = has_peer ? own[i] / other[i] : 0;
    }
    printf("| %s | ", contest->name);
    print_spread(own, 1, "");
    if (has_peer) {
        printf("%s ", contest->peer);
        print_spread(other, 1, "");
        print_spread(ratio, 100, " %");
        printf("\n");
    } else {
        printf("%s is not installed | |\n", contest->peer);
    }
    return true;
}

/* ---- setting up -------------------------------------------------------------------------- */

static bool write_layout(const struct bench *bench)
{
    FILE *file = fopen(bench->device_path, "w");
    if (file == NULL)
        return false;
    fprintf(file, "%skey %s\n", layout, nb_kit_trusted_key(bench->kit));
    return fclose(file) == 0;
}

/* The ranges that the device asks for once the slot is erased. */
static bool write_ranges(const struct bench *bench)
{
    FILE *file = fopen(bench->ranges_path, "w");
    if (file == NULL)
        return false;
    for (uint32_t from = CHUNK; from < bench->image.size; from += RANGE) {
        uint32_t rest = bench->image.size - from;
        fprintf(file,
                "%surl = \"http://127.0.0.1:%u" DATA_PATH "\"\nrange = \"%u-%u\"\n"
                "output = \"/dev/null\"\nsilent\n",
                from == CHUNK ? "" : "next\n", bench->net.server[0].port, from,
                from + (rest < RANGE ? rest : RANGE) - 1);
    }
    return fclose(file) == 0;
}

static bool set_up(struct bench *bench, char reason[NB_LINE])
{
    struct flash_text_error error = {0};
    const char *dir = nb_kit_dir(bench->kit);
    snprintf(bench->device_path, sizeof bench->device_path, "%s/bench.device", dir);
    snprintf(bench->flash_path, sizeof bench->flash_path, "%s/bench.bin", dir);
    snprintf(bench->ranges_path, sizeof bench->ranges_path, "%s/bench.curl", dir);
    snprintf(reason, NB_LINE, "out of memory or disk");
    bench->loop = posix_loop_new();
    bench->world = bench->loop != NULL ? posix_world_new(bench->loop) : NULL;
    if (bench->world == NULL || !write_layout(bench))
        return false;
    nb_kit_broker_keeps_all(bench->kit); /* more messages than it would keep */
    bench->servers.loop = bench->loop;
    bench->net = (struct nb_net){.world = posix_world_table(bench->world),
                                 .makers = &nb_servers_posix,
                                 .own = &bench->servers,
                                 .line = on_cloud_line,
                                 .context = bench};
    int rc = nb_script_parse(scenario, strlen(scenario), "bench", &bench->script, &error);
    if (rc == 0)
        rc = sim_device_load(bench->device_path, nb_parts_dir(), &bench->device, &error);
    bench->has_device = rc == 0;
    if (rc == 0)
        rc = nb_kit_image(bench->kit, &bench->script, &bench->cell, &bench->device,
                          nb_script_image(&bench->script, 1), &bench->factory, &error);
    if (rc == 0)
        rc = nb_kit_image(bench->kit, &bench->script, &bench->cell, &bench->device,
                          nb_script_image(&bench->script, 2), &bench->image, &error);
    if (rc != 0) {
        snprintf(reason, NB_LINE, "line %u: %s", error.line, error.message);
        return false;
    }
    return nb_net_choose(&bench->net, &bench->script, &bench->cell, &bench->device, reason) == 0 &&
           nb_net_start(&bench->net, &bench->script, &bench->cell, &bench->device, reason) == 0 &&
           write_ranges(bench);
}

static void tear_down(struct bench *bench)
{
    nb_net_stop(&bench->net);
    posix_world_free(bench->world);
    posix_loop_free(bench->loop);
    if (bench->has_device)
        sim_device_free(&bench->device);
    nb_script_free(&bench->script);
}

int nb_throughput(struct nb_kit *kit)
{
    static const struct contest contests[] = {
        {"HTTP, ranges of 64 KiB", NB_LINK_HTTP, "curl", run_curl},
        {"MQTT, chunks of 4 KiB", NB_LINK_MQTT, "mosquitto_sub", run_subscriber},
    };
    struct bench bench = {.kit = kit, .cell = {.world = "posix", .data = "http", .kit = kit}};
    char reason[NB_LINE];
    bool ready = set_up(&bench, reason);
    bool good = ready;
    if (ready)
        printf("\n| %u MiB to the device | device MB/s | peer MB/s | device to peer |\n"
               "|---|---:|---:|---:|\n",
               bench.image.size >> 20);
    for (size_t i = 0; good && i < sizeof contests / sizeof contests[0]; i++) {
        snprintf(reason, sizeof reason, "%s: no end of the download", contests[i].name);
        good = compare(&bench, &contests[i]);
        fflush(stdout);
    }
    tear_down(&bench);
    if (nb_run_stop != 0)
        return 128 + nb_run_stop;
    if (!good)
        fprintf(stderr, "nobrick bench: %s\n", reason);
    return good ? 0 : ready ? 1 : 2;
}
