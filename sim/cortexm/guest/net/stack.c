#include "sim/cortexm/guest/net/stack.h"

#include "sim/cortexm/guest/board.h"
#include "sim/cortexm/guest/net/lan9118.h"
#include "sim/cortexm/guest/random.h"
#include "sim/cortexm/guest/uart.h"

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include <stdlib.h>
#include <sys/time.h>

struct sim_clock {
    struct clock_port port;
    void (*fire)(void *owner, unsigned id);
    void *owner;
    struct timer {
        struct sim_clock *clock;
        unsigned id;
    } timers[OTA_TIMERS];
};

static struct {
    int64_t unix_s;
    struct netif netif;
    bool has_address;
    ip_addr_t host;
} net;

/* ---- time -------------------------------------------------------------------------------- */

uint64_t net_now_ms(void *context)
{
    (void)context;
    return board_now_ms();
}

static int64_t time_of_day(void)
{
    return net.unix_s + (int64_t)(net_now_ms(NULL) / 1000);
}

u32_t sys_now(void)
{
    return (u32_t)net_now_ms(NULL);
}

/* The C library's time() comes here; Mbed TLS looks at dates with it. */
int _gettimeofday(struct timeval *now, void *zone);

int _gettimeofday(struct timeval *now, void *zone)
{
    (void)zone;
    *now = (struct timeval){.tv_sec = time_of_day()};
    return 0;
}

static void on_timer(void *context)
{
    const struct timer *timer = context;
    timer->clock->fire(timer->clock->owner, timer->id);
}

static void disarm(void *context, unsigned id)
{
    struct sim_clock *clock = context;
    if (id < OTA_TIMERS)
        sys_untimeout(on_timer, &clock->timers[id]);
}

/* lwIP's timers reach half as far as its clock: 2^31 ms, and a day or two is enough here. */
static int arm(void *context, unsigned id, uint32_t ms)
{
    struct sim_clock *clock = context;
    if (id >= OTA_TIMERS)
        return OTA_E_ARGUMENT;
    disarm(clock, id);
    sys_timeout(ms < INT32_MAX / 2 ? ms : INT32_MAX / 2, on_timer, &clock->timers[id]);
    return OTA_OK;
}

static struct sim_clock *clock_new(void *context, void (*fire)(void *owner, unsigned id),
                                   void *owner)
{
    struct sim_clock *clock = calloc(1, sizeof *clock);
    (void)context;
    if (clock == NULL)
        return NULL;
    clock->fire = fire;
    clock->owner = owner;
    clock->port = (struct clock_port){clock, net_now_ms, arm, disarm};
    for (unsigned id = 0; id < OTA_TIMERS; id++)
        clock->timers[id] = (struct timer){clock, id};
    return clock;
}

static const struct clock_port *clock_port_of(struct sim_clock *clock)
{
    return &clock->port;
}

static void clock_free(struct sim_clock *clock)
{
    for (unsigned id = 0; clock != NULL && id < OTA_TIMERS; id++)
        disarm(clock, id);
    free(clock);
}

const struct sim_world net_time_world = {.now_ms = net_now_ms,
                                         .clock_new = clock_new,
                                         .clock_port = clock_port_of,
                                         .clock_free = clock_free};

/* ---- Ethernet ---------------------------------------------------------------------------- */

uint32_t net_random(void)
{
    uint32_t value = 0;
    (void)guest_random.bytes(NULL, &value, sizeof value);
    return value;
}

void net_assert(const char *text)
{
    uart_line(UART_LOG, text);
    abort();
}

const ip_addr_t *net_host_address(void)
{
    return net.has_address ? &net.host : NULL;
}

static void on_address(struct netif *netif)
{
    if (ip4_addr_isany_val(*netif_ip4_addr(netif)))
        return;
    ip_addr_copy_from_ip4(net.host, *netif_ip4_gw(netif));
    net.has_address = true;
}

int net_stack_start(int64_t unix_s)
{
    net.unix_s = unix_s;
    lwip_init();
    if (netif_add(&net.netif, NULL, NULL, NULL, NULL, lan9118_init, ethernet_input) == NULL)
        return OTA_E_IO;
    netif_set_status_callback(&net.netif, on_address);
    netif_set_default(&net.netif);
    netif_set_up(&net.netif);
    return dhcp_start(&net.netif) == ERR_OK ? OTA_OK : OTA_E_NO_SPACE;
}

bool net_stack_turn(void)
{
    bool came = lan9118_poll(&net.netif);
    bool due = sys_timeouts_sleeptime() == 0;
    sys_check_timeouts();
    return came || due;
}

uint32_t net_stack_wait(void)
{
    return sys_timeouts_sleeptime();
}
