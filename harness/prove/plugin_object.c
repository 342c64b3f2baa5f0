#include "harness/prove/plugin_object.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MAX_OBJECTS  256
#define MAX_SEGMENTS 32
#define SIGNAL_STACK 65536u

struct segment { /* writable, and what it held when the object had been loaded */
    unsigned char *start;
    size_t size;
    unsigned char *kept;
};

struct nb_plugin {
    void *handle;
    uint32_t (*boot)(const struct nobrick_flash *flash);
    ElfW(Addr) loaded[MAX_OBJECTS]; /* before it came */
    size_t loaded_count;
    struct segment segments[MAX_SEGMENTS];
    size_t segment_count;
    const char *wrong;
    void *signal_stack;
};

/* ---- what it keeps in memory ---- */

static int note_loaded(struct dl_phdr_info *info, size_t size, void *data)
{
    struct nb_plugin *plugin = data;
    (void)size;
    if (plugin->loaded_count < MAX_OBJECTS)
        plugin->loaded[plugin->loaded_count++] = info->dlpi_addr;
    else
        plugin->wrong = "too many shared objects are loaded";
    return 0;
}

static bool was_there(const struct nb_plugin *plugin, ElfW(Addr) address)
{
    for (size_t i = 0; i < plugin->loaded_count; i++)
        if (plugin->loaded[i] == address)
            return true;
    return false;
}

/* Where the part ends that the linker has made read-only after it had relocated it; 0: none. */
static uintptr_t end_of_relro(const struct dl_phdr_info *info)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
            return (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz) &
                   ~(page - 1);
    return 0;
}

static int note_segments(struct dl_phdr_info *info, size_t size, void *data)
{
    struct nb_plugin *plugin = data;
    uintptr_t relro = end_of_relro(info);
    (void)size;
    if (was_there(plugin, info->dlpi_addr))
        return 0;
    for (size_t i = 0; i < info->dlpi_phnum && plugin->wrong == NULL; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_TLS)
            plugin->wrong = "has thread-local variables, which are not set back between boots";
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_W))
            continue;
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        uintptr_t end = start + header->p_memsz;
        if (relro > start)
            start = relro < end ? relro : end;
        if (start == end)
            continue;
        if (plugin->segment_count == MAX_SEGMENTS) {
            plugin->wrong = "brings too many shared objects along";
            break;
        }
        struct segment *segment = &plugin->segments[plugin->segment_count++];
        *segment = (struct segment){(unsigned char *)start, end - start, malloc(end - start)};
        if (segment->kept == NULL)
            plugin->wrong = "memory ran out";
        else
            memcpy(segment->kept, segment->start, segment->size);
    }
    return 0;
}

void nb_plugin_reset(struct nb_plugin *plugin)
{
    for (size_t i = 0; i < plugin->segment_count; i++)
        memcpy(plugin->segments[i].start, plugin->segments[i].kept, plugin->segments[i].size);
}

/* ---- guard ---- */

uint32_t nb_plugin_cpu_ms = 2000;

static struct {
    sigjmp_buf back;
    volatile sig_atomic_t inside; /* the plugin's code runs */
    volatile sig_atomic_t late;   /* its time was up while the flash worked for it */
    volatile sig_atomic_t flash;  /* nobrick's code runs, called by the plugin */
    volatile sig_atomic_t signal;
    volatile sig_atomic_t idle; /* seconds in a row in which it did nothing */
    struct timespec worked;     /* processor time a second ago */
} guard;

/* Their handlers may end a boot. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
static const int alarms[] = {SIGVTALRM, SIGALRM};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A second is over: has it slept for too long? A machine with much to do still gives it some time.
 */
static bool sleeps(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    long long worked_ns =
        (now.tv_sec - guard.worked.tv_sec) * 1000000000LL + now.tv_nsec - guard.worked.tv_nsec;
    guard.worked = now;
    guard.idle = worked_ns < 1000000 ? guard.idle + 1 : 0;
    return guard.idle >= (sig_atomic_t)NB_PLUGIN_IDLE_S;
}

static void caught(int number)
{
    if (number == SIGALRM && !sleeps())
        return;
    bool alarm = number == SIGVTALRM || number == SIGALRM;
    if (guard.inside && !guard.flash) {
        guard.signal = number;
        siglongjmp(guard.back, 1);
    }
    if (alarm) {
        guard.late = guard.inside;
        return;
    }
    signal(number, SIG_DFL); /* our own fault */
    raise(number);
}

static int catch_signals(struct nb_plugin *plugin)
{
    struct sigaction action = {.sa_handler = caught, .sa_flags = SA_ONSTACK | SA_NODEFER};
    plugin->signal_stack = malloc(SIGNAL_STACK);
    const stack_t stack = {.ss_sp = plugin->signal_stack, .ss_size = SIGNAL_STACK};
    if (plugin->signal_stack == NULL || sigaltstack(&stack, NULL) != 0)
        return OTA_E_NO_SPACE;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < COUNT(faults); i++)
        sigaction(faults[i], &action, NULL);
    for (size_t i = 0; i < COUNT(alarms); i++)
        sigaction(alarms[i], &action, NULL);
    return 0;
}

static void release_signals(void)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    for (size_t i = 0; i < COUNT(faults); i++)
        signal(faults[i], SIG_DFL);
    for (size_t i = 0; i < COUNT(alarms); i++)
        signal(alarms[i], SIG_DFL);
    (void)sigaltstack(&none, NULL);
}

static void set_timers(uint32_t cpu_ms, time_t tick_s)
{
    const struct itimerval cpu = {.it_value = {.tv_sec = (time_t)(cpu_ms / 1000),
                                               .tv_usec = (suseconds_t)(cpu_ms % 1000) * 1000}};
    const struct itimerval wall = {.it_value.tv_sec = tick_s, .it_interval.tv_sec = tick_s};
    setitimer(ITIMER_VIRTUAL, &cpu, NULL);
    setitimer(ITIMER_REAL, &wall, NULL);
}

void nb_plugin_leave(void)
{
    guard.signal = 0;
    siglongjmp(guard.back, 1);
}

void nb_plugin_enter_flash(void)
{
    guard.flash = 1;
}

void nb_plugin_return_from_flash(void)
{
    guard.flash = 0;
    if (!guard.late)
        return;
    guard.signal = SIGVTALRM;
    siglongjmp(guard.back, 1);
}

void nb_plugin_run(struct nb_plugin *plugin, const struct nobrick_flash *flash,
                   struct nb_plugin_boot *boot)
{
    *boot = (struct nb_plugin_boot){.end = NB_PLUGIN_RETURNED};
    guard.flash = 0;
    guard.late = 0;
    guard.idle = 0;
    if (sigsetjmp(guard.back, 0) == 0) {
        guard.inside = 1;
        set_timers(nb_plugin_cpu_ms, 1);
        boot->address = plugin->boot(flash);
    } else {
        boot->signal = guard.signal;
        boot->end = guard.signal == 0                                      ? NB_PLUGIN_LEFT
                    : guard.signal == SIGVTALRM || guard.signal == SIGALRM ? NB_PLUGIN_HUNG
                                                                           : NB_PLUGIN_FAULTED;
    }
    guard.inside = 0;
    set_timers(0, 0);
}

/* ---- life ---- */

/* NULL, or what is missing in the shared object. */
static const char *find_entry(struct nb_plugin *plugin, char text[160])
{
    const uint32_t *version = dlsym(plugin->handle, "nobrick_plugin_version");
    void *boot = dlsym(plugin->handle, "nobrick_boot");
    if (boot == NULL)
        return "has no entry point `nobrick_boot`";
    if (version == NULL)
        return "does not say `nobrick_plugin_version` (harness/prove/plugin.h)";
    if (*version != NOBRICK_PLUGIN_VERSION) {
        snprintf(text, 160, "is built for version %u of plugin.h, expected %u: build it anew",
                 *version, NOBRICK_PLUGIN_VERSION);
        return text;
    }
    memcpy(&plugin->boot, &boot, sizeof boot);
    return NULL;
}

/* Without a slash the system would look in its own directories. */
static void *load(const char *path)
{
    char beside[4096];
    if (strchr(path, '/') != NULL)
        return dlopen(path, RTLD_NOW | RTLD_LOCAL);
    snprintf(beside, sizeof beside, "./%s", path);
    return dlopen(beside, RTLD_NOW | RTLD_LOCAL);
}

int nb_plugin_open(const char *path, struct nb_plugin **out, char *reason, size_t size)
{
    char text[160];
    struct nb_plugin *plugin = calloc(1, sizeof *plugin);
    *out = plugin;
    if (plugin == NULL)
        return OTA_E_NO_SPACE;
    dl_iterate_phdr(note_loaded, plugin);
    if (access(path, R_OK) != 0) {
        plugin->wrong = strerror(errno);
    } else {
        plugin->handle = load(path);
        plugin->wrong = plugin->handle == NULL ? "is no shared object of this machine"
                                               : find_entry(plugin, text);
    }
    const char *from_system = plugin->handle == NULL ? dlerror() : NULL;
    if (plugin->wrong == NULL)
        dl_iterate_phdr(note_segments, plugin);
    if (plugin->wrong == NULL && catch_signals(plugin) != 0)
        plugin->wrong = "signals cannot be caught";
    if (plugin->wrong == NULL)
        return 0;
    if (from_system != NULL)
        snprintf(reason, size, "%s", from_system);
    else
        snprintf(reason, size, "%s: %s", path, plugin->wrong);
    nb_plugin_close(plugin);
    *out = NULL;
    return OTA_E_ARGUMENT;
}

void nb_plugin_close(struct nb_plugin *plugin)
{
    if (plugin == NULL)
        return;
    if (plugin->signal_stack != NULL)
        release_signals();
    for (size_t i = 0; i < plugin->segment_count; i++)
        free(plugin->segments[i].kept);
    if (plugin->handle != NULL)
        dlclose(plugin->handle);
    free(plugin->signal_stack);
    free(plugin);
}
