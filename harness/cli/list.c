/* The verb `nobrick list`: what there is. Every list is read from the thing itself. */
#include "harness/cli/paths.h"
#include "harness/cli/verbs.h"
#include "harness/run/run.h"

#include "agent/update/session.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_line(void *context, const char *text)
{
    (void)context;
    puts(text);
}

/* ---- files of a data directory ----------------------------------------------------------- */

static const char *wanted_suffix;

static int has_suffix(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    size_t suffix = strlen(wanted_suffix);
    return length > suffix && strcmp(entry->d_name + length - suffix, wanted_suffix) == 0;
}

/* Calls `show` with each file's name without suffix, sorted. Returns the exit code. */
static int for_each_file(const char *folder, const char *suffix, int (*show)(const char *name))
{
    char path[4096];
    struct dirent **entries;
    int code = 0;
    snprintf(path, sizeof path, "%s/%s", nb_data_dir(), folder);
    wanted_suffix = suffix;
    int count = scandir(path, &entries, has_suffix, alphasort);
    if (count < 0) {
        fprintf(stderr, "nobrick list: %s: cannot be read (set NOBRICK_DATA?)\n", path);
        return 2;
    }
    for (int i = 0; i < count; i++) {
        char *name = entries[i]->d_name;
        name[strlen(name) - strlen(suffix)] = '\0';
        int result = show(name);
        code = result != 0 ? result : code;
        free(entries[i]);
    }
    free(entries);
    return code;
}

/* ---- lists ------------------------------------------------------------------------------- */

static int list_systems(void)
{
    puts("anycloud     Infineon AnyCloud OTA: MQTT, MCUboot images (overwrite, swap-move)");
    puts("harmony      Microchip Harmony 3 OTA: a manifest over HTTP, an image store (ranked)");
    return 0;
}

static void print_size(uint32_t bytes)
{
    if (bytes >= 1u << 20 && bytes % (1u << 20) == 0)
        printf(" %4u MiB", bytes >> 20);
    else if (bytes >= 1u << 10 && bytes % (1u << 10) == 0)
        printf(" %4u KiB", bytes >> 10);
    else
        printf(" %4u B  ", bytes);
}

static int show_part(const char *name)
{
    struct flash_part part;
    struct flash_text_error error = {0};
    int result = flash_part_load(nb_parts_dir(), name, &part, &error);
    if (result != OTA_OK) {
        fprintf(stderr, "nobrick list: %s/%s.part:%u:%u: %s\n", nb_parts_dir(), name, error.line,
                error.column, error.message);
        return 2;
    }
    printf("%-16s", part.name);
    print_size(part.size);
    printf("  sectors");
    for (size_t i = 0; i < part.run_count; i++) {
        printf(i == 0 ? " %u x" : " + %u x", part.runs[i].count);
        print_size(part.runs[i].size);
    }
    printf("  unit %u, erased 0x%02X, %s\n", part.unit, part.erased, part.source);
    return 0;
}

static int list_parts(void)
{
    return for_each_file("parts", ".part", show_part);
}

static int show_device(const char *name)
{
    struct sim_device device;
    if (nb_device_load("list", name, &device) != OTA_OK)
        return 2;
    printf("%-24s %-10s %-10s slots", name, device.system, device.scheme->name);
    print_size(device.primary.size);
    printf("  on");
    for (size_t i = 0; i < device.chip_count; i++)
        printf(" %s", device.chips[i].part.name);
    putchar('\n');
    sim_device_free(&device);
    return 0;
}

static int list_devices(void)
{
    return for_each_file("devices", ".device", show_device);
}

static int list_schemes(void)
{
    for (const struct boot_scheme *const *scheme = sim_schemes; *scheme != NULL; scheme++)
        printf("%-12s %s\n", (*scheme)->name,
               (*scheme)->reverts ? "an unconfirmed image goes back at the next boot"
                                  : "what is installed stays");
    return 0;
}

static int list_states(void)
{
    ota_states_print(print_line, NULL);
    return 0;
}

static int list_verbs(void)
{
    nb_verbs_print(print_line, NULL);
    return 0;
}

static int list_faults(void)
{
    nb_faults_print(print_line, NULL);
    return 0;
}

static int list_scenarios(void)
{
    return nb_list_scenarios(print_line, NULL) == OTA_OK ? 0 : 2;
}

/* A list is printed, or takes options itself. */
static const struct {
    const char *name;
    int (*print)(void);
    const char *summary;
    int (*run)(int argc, char **argv);
} lists[] = {
    {"systems", list_systems, "the update systems that device and cloud speak", NULL},
    {"devices", list_devices, "device presets, for --device", NULL},
    {"parts", list_parts, "flash parts and their rules", NULL},
    {"schemes", list_schemes, "boot schemes", NULL},
    {"states", list_states, "the agent's state table, as Markdown", NULL},
    {"scenarios", list_scenarios, "the scripts that come with nobrick", NULL},
    {"requirements", NULL, "what shows which requirement", nb_list_requirements},
    {"verbs", list_verbs, "the language of scripts", NULL},
    {"faults", list_faults, "the faults among its verbs", NULL},
};

#define LISTS (sizeof lists / sizeof lists[0])

int nb_cmd_list(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts("usage: nobrick list WHAT\n");
        for (size_t i = 0; i < LISTS; i++)
            printf("  %-12s %s\n", lists[i].name, lists[i].summary);
        puts("\nexample:\n  nobrick list parts");
        return 0;
    }
    for (size_t i = 0; argc >= 2 && i < LISTS; i++) {
        if (strcmp(argv[1], lists[i].name) != 0)
            continue;
        if (lists[i].run)
            return lists[i].run(argc - 1, argv + 1);
        if (argc == 2)
            return lists[i].print();
    }
    fprintf(stderr, "nobrick list: %s (nobrick list --help)\n",
            argc == 2 ? "no such list" : "say what to list");
    return 2;
}
