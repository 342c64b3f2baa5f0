/* The TCG plugin: what QEMU loads, and what it calls. The guest's machine has one processor, so
 * there is one thread that stores. */
#include "sim/cortexm/host/plugin/qemu_api.h"
#include "sim/cortexm/host/plugin/watch.h"
#include "sim/life.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define REGISTERS 0x40000000u /* devices and the processor's own lie from here on */

int qemu_plugin_version = QEMU_API_VERSION;

static struct {
    struct plugin_options options;
    struct plugin_watch watch;
    FILE *journal;
    FILE *events;
    const char *before; /* each of them */
    bool booted;
    uint64_t reset_pc; /* the first instruction of all */
} plugin;

/* ---- to the outside ---------------------------------------------------------------------- */

static void write_journal(void *context, const char *line)
{
    (void)context;
    fprintf(plugin.journal, "%s\n", line);
}

static void write_event(void *context, const char *line)
{
    (void)context;
    fprintf(plugin.events, "%s%s\n", plugin.before, line);
}

/* Ends QEMU on the spot, so that nothing reaches the flash any more. */
static void obey(enum plugin_verdict verdict)
{
    static const int codes[] = {
        [PLUGIN_POWER_OFF] = SIM_CUT_EXIT,
        [PLUGIN_VIOLATION] = PLUGIN_VIOLATION_EXIT,
        [PLUGIN_FAILED] = PLUGIN_FAILED_EXIT,
    };
    if (verdict == PLUGIN_GOES_ON)
        return;
    if (verdict != PLUGIN_POWER_OFF)
        fprintf(plugin.events, "%sexit %d\n", plugin.before, codes[verdict]);
    fflush(NULL);
    _exit(codes[verdict]);
}

/* ---- from QEMU --------------------------------------------------------------------------- */

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    uint32_t address = (uint32_t)vaddr - plugin.options.base;
    (void)vcpu;
    if (!qemu_plugin_mem_is_store(info))
        return;
    if (address < PLUGIN_WINDOW_SIZE)
        obey(plugin_watch_store(&plugin.watch, address, 1u << qemu_plugin_mem_size_shift(info),
                                (uint32_t)(uintptr_t)userdata));
    else if (vaddr >= REGISTERS)
        obey(plugin_watch_register(&plugin.watch));
    else if (plugin.options.has_doorbell && vaddr - plugin.options.doorbell < 8)
        obey(plugin_watch_ring(&plugin.watch, vaddr - plugin.options.doorbell < 4
                                                  ? PLUGIN_RING_PROGRAM
                                                  : PLUGIN_RING_ERASE));
}

static void on_reset(unsigned vcpu, void *userdata)
{
    (void)vcpu;
    (void)userdata;
    obey(plugin_watch_reset(&plugin.watch));
}

static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    if (!plugin.booted) {
        plugin.booted = true;
        plugin.reset_pc = qemu_plugin_tb_vaddr(tb);
    }
    if (qemu_plugin_tb_vaddr(tb) == plugin.reset_pc)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_reset, QEMU_PLUGIN_CB_NO_REGS, NULL);
    size_t count = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uintptr_t pc = (uintptr_t)qemu_plugin_insn_vaddr(insn);
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W,
                                         (void *)pc);
    }
}

static void on_exit(qemu_plugin_id_t id, void *userdata)
{
    (void)id;
    (void)userdata;
    obey(plugin_watch_end(&plugin.watch));
    flash_sim_close(plugin.watch.shadow);
    fprintf(plugin.events, "%send %u operations %llu stores\n", plugin.before,
            plugin.watch.operations, (unsigned long long)plugin.watch.stores);
    fflush(NULL);
}

/* ---- installation ------------------------------------------------------------------------ */

static int refuse(const char *what, const char *why)
{
    fprintf(stderr, "flash plugin: %s: %s\n", what, why);
    return 1;
}

/* Appends to the file, a whole line at a time. */
static FILE *open_lines(const char *path)
{
    FILE *file = fopen(path, "ae");
    if (file != NULL)
        setvbuf(file, NULL, _IOLBF, 0);
    return file;
}

/* In a pipe or on a terminal the guest may be half through a line of its own. */
static const char *before_events(const char *path)
{
    struct stat status;
    return path == NULL || stat(path, &status) != 0 || S_ISREG(status.st_mode) ? "" : "\n";
}

static int map_window(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return refuse(path, strerror(errno));
    if (status.st_size != (off_t)PLUGIN_WINDOW_SIZE)
        return refuse(path, "the guest's flash window must be a file of 16 MiB");
    void *bytes = mmap(NULL, PLUGIN_WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return refuse(path, strerror(errno));
    plugin.watch.window = bytes;
    return 0;
}

static int open_shadow(const struct plugin_options *options)
{
    struct flash_text_error error = {0};
    if (flash_sim_shadow(options->flash, options->chips, options->chip_count, &plugin.watch.shadow,
                         &error) != 0)
        return refuse(options->flash, error.message);
    return 0;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
    struct plugin_options *options = &plugin.options;
    char why[400];
    (void)info;
    if (plugin_options_parse(options, argc, argv, why, sizeof why) != 0)
        return refuse("arguments", why);
    plugin.events = options->events != NULL ? open_lines(options->events) : stderr;
    if (plugin.events == NULL)
        return refuse(options->events, strerror(errno));
    plugin.before = before_events(options->events);
    plugin.journal = options->journal != NULL ? open_lines(options->journal) : NULL;
    if (options->journal != NULL && plugin.journal == NULL)
        return refuse(options->journal, strerror(errno));
    if (map_window(options->flash) != 0 || open_shadow(options) != 0)
        return 1;
    plugin.watch.options = options;
    plugin.watch.journal = plugin.journal != NULL ? write_journal : NULL;
    plugin.watch.event = write_event;
    plugin_watch_begin(&plugin.watch);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    qemu_plugin_register_atexit_cb(id, on_exit, NULL);
    return 0;
}
