/* What QEMU's model of the chip asks for, beyond the data sheet:
 * - reading the FIFO word by word is the only way to get rid of a frame: fast-forward leaks space;
 * - the interrupt tells arrivals, not levels: clear first, then look at the FIFO, then sleep;
 * - lengths include four bytes of checksum; data come in whole words;
 * - a frame is out when its last word is written, and the answer may be here already. */
#include "sim/cortexm/guest/net/lan9118.h"

#include "sim/cortexm/guest/board.h"

#include <lwip/etharp.h>

#include <string.h>

#define BASE        0x40200000u
#define REG(offset) BOARD_REGISTER(BASE + (offset))

#define RX_DATA      REG(0x00)
#define TX_DATA      REG(0x20)
#define RX_STATUS    REG(0x40)
#define TX_STATUS    REG(0x48)
#define IRQ_CFG      REG(0x54)
#define INT_STS      REG(0x58)
#define INT_EN       REG(0x5c)
#define BYTE_TEST    REG(0x64)
#define FIFO_INT     REG(0x68)
#define RX_CFG       REG(0x6c)
#define TX_CFG       REG(0x70)
#define HW_CFG       REG(0x74)
#define RX_FIFO_INF  REG(0x7c)
#define TX_FIFO_INF  REG(0x80)
#define MAC_CSR_CMD  REG(0xa4)
#define MAC_CSR_DATA REG(0xa8)

#define BYTE_ORDER_MARK   0x87654321u
#define HW_CFG_RESET      1u
#define IRQ_CFG_PUSH_PULL 0x111u /* active high, push-pull, enabled */
#define INT_RX_LEVEL      (1u << 3)
#define TX_CFG_ON         2u
#define RX_ERROR          (1u << 15)
#define TX_FIRST_AND_LAST (3u << 12)

#define MAC_CR      1u
#define MAC_ADDRH   2u
#define MAC_ADDRL   3u
#define MAC_CR_FULL ((1u << 20) | (1u << 19) | (1u << 3) | (1u << 2)) /* multicast, TX, RX */
#define MAC_BUSY    (1u << 31)
#define MAC_READ    (1u << 30)

#define FRAME 1536u
#define CRC   4u

static uint32_t words[FRAME / 4];

static uint32_t mac_read(uint32_t index)
{
    MAC_CSR_CMD = MAC_BUSY | MAC_READ | index;
    while ((MAC_CSR_CMD & MAC_BUSY) != 0)
        ;
    return MAC_CSR_DATA;
}

static void mac_write(uint32_t index, uint32_t value)
{
    MAC_CSR_DATA = value;
    MAC_CSR_CMD = MAC_BUSY | index;
    while ((MAC_CSR_CMD & MAC_BUSY) != 0)
        ;
}

static err_t send_frame(struct netif *netif, struct pbuf *frame)
{
    uint32_t length = frame->tot_len;
    (void)netif;
    if (length > FRAME)
        return ERR_BUF;
    pbuf_copy_partial(frame, words, (u16_t)length, 0);
    TX_DATA = TX_FIRST_AND_LAST | length;
    TX_DATA = length;
    for (uint32_t i = 0; i < (length + 3) / 4; i++)
        TX_DATA = words[i];
    while ((TX_FIFO_INF >> 16 & 0xff) != 0)
        (void)TX_STATUS;
    return ERR_OK;
}

static uint32_t frames_waiting(void)
{
    return RX_FIFO_INF >> 16 & 0xff;
}

static void take_frame(struct netif *netif)
{
    uint32_t status = RX_STATUS;
    uint32_t length = status >> 16 & 0x3fff;
    for (uint32_t i = 0; i < (length + 3) / 4; i++) {
        uint32_t word = RX_DATA;
        if (i < FRAME / 4)
            words[i] = word;
    }
    if ((status & RX_ERROR) != 0 || length <= CRC || length > FRAME)
        return;
    struct pbuf *frame = pbuf_alloc(PBUF_RAW, (u16_t)(length - CRC), PBUF_POOL);
    if (frame == NULL)
        return; /* lost, as on a busy line */
    pbuf_take(frame, words, (u16_t)(length - CRC));
    if (netif->input(frame, netif) != ERR_OK)
        pbuf_free(frame);
}

bool lan9118_poll(struct netif *netif)
{
    INT_STS = ~0u;
    bool came = frames_waiting() != 0;
    while (frames_waiting() != 0)
        take_frame(netif);
    return came;
}

err_t lan9118_init(struct netif *netif)
{
    if (BYTE_TEST != BYTE_ORDER_MARK)
        return ERR_IF;
    HW_CFG = HW_CFG_RESET;
    while ((HW_CFG & HW_CFG_RESET) != 0)
        ;
    INT_EN = 0;
    INT_STS = ~0u;
    IRQ_CFG = IRQ_CFG_PUSH_PULL;
    FIFO_INT = 0;
    RX_CFG = 0;
    TX_CFG = TX_CFG_ON;
    INT_EN = INT_RX_LEVEL;
    board_wake_by(BOARD_LINE_ETHERNET);
    mac_write(MAC_CR, MAC_CR_FULL);
    uint32_t low = mac_read(MAC_ADDRL);
    uint32_t high = mac_read(MAC_ADDRH);
    memcpy(netif->hwaddr, &low, 4);
    memcpy(netif->hwaddr + 4, &high, 2);
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = send_frame;
    return ERR_OK;
}
