/* lwIP on this board: one thread, polled, IPv4, one interface. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_LWIPOPTS_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_LWIPOPTS_H

#define NO_SYS                     1
#define SYS_LIGHTWEIGHT_PROT       0
#define LWIP_NETCONN               0
#define LWIP_SOCKET                0
#define LWIP_IPV6                  0
#define LWIP_RAW                   0
#define LWIP_DNS                   1
#define LWIP_DHCP                  1
#define LWIP_ALTCP                 1 /* lwIP's MQTT client stands on it: mqtt_pipe.c is what lies below */
#define LWIP_ALTCP_TLS             1
#define LWIP_STATS                 1
#define LWIP_STATS_DISPLAY         0
#define MEM_STATS                  1
#define LWIP_NETIF_HOSTNAME        1
#define LWIP_NETIF_STATUS_CALLBACK 1

/* Nobody else is on a virtual cable: the probe for the address that DHCP gave costs a second. */
#define DHCP_DOES_ARP_CHECK 0
/* Else a second connection made before the first ARP answer takes the place of the first SYN, which
 * comes back three seconds later. */
#define ARP_QUEUEING 1

#define MEM_ALIGNMENT        8
#define MEM_SIZE             (48 * 1024)
#define MEMP_NUM_TCP_PCB     16 /* closing ones too */
#define MEMP_NUM_TCP_SEG     64
#define MEMP_NUM_SYS_TIMEOUT 32
#define MEMP_NUM_PBUF        32
#define PBUF_POOL_SIZE       24
#define PBUF_POOL_BUFSIZE    1536

/* The receive FIFO of the network chip holds six full frames. */
#define TCP_MSS          1460
#define TCP_WND          (4 * TCP_MSS)
#define TCP_SND_BUF      (4 * TCP_MSS)
#define TCP_SND_QUEUELEN 32
#define TCP_MSL          1000 /* a short wait for stragglers: nothing stays on the way here */

#define MQTT_OUTPUT_RINGBUF_SIZE   8192
#define MQTT_VAR_HEADER_BUFFER_LEN 1024 /* the longest topic, too; see mqtt_cut.h */
#define MQTT_REQ_MAX_IN_FLIGHT     16
#define MQTT_CYCLIC_TIMER_INTERVAL 1
#define MQTT_REQ_TIMEOUT           30000 /* s: never; the end of a connection ends them */
#define MQTT_CONNECT_TIMOUT        100   /* mqtt.c has its own */

#endif
