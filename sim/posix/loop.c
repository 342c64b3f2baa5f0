#include "sim/posix/loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define FIRST_WATCHERS 16

struct watcher {
    int fd;
    short events; /* 0: not waited for */
    void (*ready)(void *context, int fd);
    void *context;
};

struct posted {
    struct posted *next;
    void (*call)(void *context, void *data);
    void *context;
    void *data;
};

struct posix_clock {
    struct posix_clock *next;
    struct posix_loop *loop;
    struct clock_port port;
    void (*fire)(void *context, unsigned id);
    void *context;
    bool armed[OTA_TIMERS];
    uint64_t due[OTA_TIMERS];
};

struct posix_loop {
    pthread_mutex_t lock; /* guards the queue, nothing else */
    struct posted *first;
    struct posted *last;
    int wake_fd; /* readable when the queue is not empty */
    struct watcher *watchers;
    struct pollfd *polls; /* one a watcher, and one for wake_fd in front */
    size_t watcher_count;
    size_t watcher_room;
    struct posix_clock *clocks;
    bool stopped;
    int value;
};

uint64_t posix_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool grow_watchers(struct posix_loop *loop, size_t room)
{
    struct watcher *watchers = realloc(loop->watchers, room * sizeof *watchers);
    if (watchers != NULL)
        loop->watchers = watchers;
    struct pollfd *polls = realloc(loop->polls, (room + 1) * sizeof *polls);
    if (polls != NULL)
        loop->polls = polls;
    if (watchers == NULL || polls == NULL)
        return false;
    loop->watcher_room = room;
    return true;
}

struct posix_loop *posix_loop_new(void)
{
    struct posix_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool roomy = grow_watchers(loop, FIRST_WATCHERS);
    if (!roomy || loop->wake_fd < 0 || pthread_mutex_init(&loop->lock, NULL) != 0) {
        if (loop->wake_fd >= 0)
            close(loop->wake_fd);
        free(loop->watchers);
        free(loop->polls);
        free(loop);
        return NULL;
    }
    return loop;
}

void posix_loop_free(struct posix_loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->clocks != NULL)
        posix_clock_free(loop->clocks);
    for (struct posted *message = loop->first; message != NULL;) {
        struct posted *next = message->next;
        free(message->data);
        free(message);
        message = next;
    }
    close(loop->wake_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop->watchers);
    free(loop->polls);
    free(loop);
}

/* ---- descriptors ------------------------------------------------------------------------- */

int posix_loop_watch(struct posix_loop *loop, int fd, void (*ready)(void *context, int fd),
                     void *context)
{
    if (loop->watcher_count == loop->watcher_room && !grow_watchers(loop, loop->watcher_room * 2))
        return OTA_E_NO_SPACE;
    loop->watchers[loop->watcher_count++] = (struct watcher){fd, POLLIN, ready, context};
    return OTA_OK;
}

void posix_loop_unwatch(struct posix_loop *loop, int fd)
{
    for (size_t i = 0; i < loop->watcher_count; i++)
        if (loop->watchers[i].fd == fd) {
            loop->watchers[i] = loop->watchers[--loop->watcher_count];
            return;
        }
}

static struct watcher *find_watcher(struct posix_loop *loop, int fd)
{
    for (size_t i = 0; i < loop->watcher_count; i++)
        if (loop->watchers[i].fd == fd)
            return &loop->watchers[i];
    return NULL;
}

void posix_loop_wait_for(struct posix_loop *loop, int fd, bool readable, bool writable)
{
    struct watcher *watcher = find_watcher(loop, fd);
    if (watcher != NULL)
        watcher->events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
}

/* ---- posted messages --------------------------------------------------------------------- */

int posix_loop_post(struct posix_loop *loop, void (*call)(void *context, void *data), void *context,
                    void *data)
{
    struct posted *message = malloc(sizeof *message);
    if (message == NULL)
        return OTA_E_NO_SPACE;
    *message = (struct posted){NULL, call, context, data};
    pthread_mutex_lock(&loop->lock);
    bool alone = loop->last == NULL;
    if (!alone)
        loop->last->next = message;
    else
        loop->first = message;
    loop->last = message;
    pthread_mutex_unlock(&loop->lock);
    if (!alone)
        return OTA_OK; /* the loop was woken for the one before, or is awake */
    uint64_t one = 1;  /* fails only when the counter is full, and then it is readable anyway */
    ssize_t written = write(loop->wake_fd, &one, sizeof one);
    (void)written;
    return OTA_OK;
}

static struct posted *take_posted(struct posix_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct posted *message = loop->first;
    if (message != NULL) {
        loop->first = message->next;
        if (loop->first == NULL)
            loop->last = NULL;
    }
    pthread_mutex_unlock(&loop->lock);
    return message;
}

static bool has_posted(struct posix_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool any = loop->first != NULL;
    pthread_mutex_unlock(&loop->lock);
    return any;
}

/* ---- clocks ------------------------------------------------------------------------------ */

static uint64_t clock_now(void *context)
{
    (void)context;
    return posix_now_ms();
}

static int clock_arm(void *context, unsigned id, uint32_t ms)
{
    struct posix_clock *clock = context;
    if (id >= OTA_TIMERS)
        return OTA_E_ARGUMENT;
    clock->armed[id] = true;
    clock->due[id] = posix_now_ms() + ms;
    return OTA_OK;
}

static void clock_disarm(void *context, unsigned id)
{
    struct posix_clock *clock = context;
    if (id < OTA_TIMERS)
        clock->armed[id] = false;
}

struct posix_clock *posix_clock_new(struct posix_loop *loop,
                                    void (*fire)(void *context, unsigned id), void *context)
{
    struct posix_clock *clock = calloc(1, sizeof *clock);
    if (clock == NULL)
        return NULL;
    clock->loop = loop;
    clock->fire = fire;
    clock->context = context;
    clock->port = (struct clock_port){clock, clock_now, clock_arm, clock_disarm};
    clock->next = loop->clocks;
    loop->clocks = clock;
    return clock;
}

void posix_clock_free(struct posix_clock *clock)
{
    if (clock == NULL)
        return;
    struct posix_clock **link = &clock->loop->clocks;
    while (*link != clock)
        link = &(*link)->next;
    *link = clock->next;
    free(clock);
}

const struct clock_port *posix_clock_port(struct posix_clock *clock)
{
    return &clock->port;
}

/* The clock whose timer is due first; *id is that timer. NULL: none armed. */
static struct posix_clock *next_timer(struct posix_loop *loop, unsigned *id)
{
    struct posix_clock *found = NULL;
    for (struct posix_clock *clock = loop->clocks; clock != NULL; clock = clock->next)
        for (unsigned i = 0; i < OTA_TIMERS; i++)
            if (clock->armed[i] && (found == NULL || clock->due[i] < found->due[*id])) {
                found = clock;
                *id = i;
            }
    return found;
}

/* ---- running ----------------------------------------------------------------------------- */

/* Calls what was posted and what is due. Both lists may change with every call. */
static void dispatch(struct posix_loop *loop)
{
    struct posted *message;
    unsigned id = 0;
    uint64_t now = posix_now_ms();
    for (struct posix_clock *clock = next_timer(loop, &id);
         !loop->stopped && clock != NULL && clock->due[id] <= now; clock = next_timer(loop, &id)) {
        clock->armed[id] = false;
        clock->fire(clock->context, id);
    }
    for (int batch = 0; batch < 64 && !loop->stopped && (message = take_posted(loop)) != NULL;
         batch++) {
        message->call(message->context, message->data);
        free(message->data);
        free(message);
    }
}

/* Waits until something can be done, at most until `end`. */
static void wait_ready(struct posix_loop *loop, uint64_t end)
{
    unsigned id = 0;
    const struct posix_clock *clock = next_timer(loop, &id);
    uint64_t until = clock != NULL && clock->due[id] < end ? clock->due[id] : end;
    uint64_t now = posix_now_ms();
    int timeout = -1;
    if (until <= now || has_posted(loop))
        timeout = 0;
    else if (until != UINT64_MAX)
        timeout = (int)(until - now < 60000 ? until - now : 60000);
    size_t count = 0;
    loop->polls[count++] = (struct pollfd){.fd = loop->wake_fd, .events = POLLIN};
    for (size_t i = 0; i < loop->watcher_count; i++)
        if (loop->watchers[i].events != 0)
            loop->polls[count++] =
                (struct pollfd){.fd = loop->watchers[i].fd, .events = loop->watchers[i].events};
    if (poll(loop->polls, (nfds_t)count, timeout) <= 0)
        return;
    uint64_t drained;
    if (loop->polls[0].revents != 0 && read(loop->wake_fd, &drained, sizeof drained) < 0)
        return;
    /* what is called may watch and unwatch: `polls` may move, and a watcher may be another's now */
    for (size_t i = 1; i < count && !loop->stopped; i++) {
        int fd = loop->polls[i].fd;
        const struct watcher *watcher = loop->polls[i].revents != 0 ? find_watcher(loop, fd) : NULL;
        if (watcher != NULL && watcher->events != 0)
            watcher->ready(watcher->context, fd);
    }
}

int posix_loop_run(struct posix_loop *loop, uint32_t limit_ms)
{
    uint64_t end = limit_ms == UINT32_MAX ? UINT64_MAX : posix_now_ms() + limit_ms;
    for (;;) {
        dispatch(loop);
        if (loop->stopped) {
            loop->stopped = false;
            return loop->value;
        }
        if (posix_now_ms() >= end)
            return OTA_E_TIMEOUT;
        wait_ready(loop, end);
    }
}

void posix_loop_stop(struct posix_loop *loop, int value)
{
    loop->stopped = true;
    loop->value = value;
}
