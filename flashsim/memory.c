/* Blocks in memory, shared with snapshots until one side changes them.
 *
 * The device is an array of nodes, a node is an array of blocks; both carry reference counts, so a
 * snapshot is a copy of the node array. Blocks that were given back wait in their region's list.
 * All blocks that were never written since their erase are one erased block a region. */
#include "flashsim/store.h"

#include <stdlib.h>
#include <string.h>

struct flash_snapshot {
    struct flash_marks marks;
    uint32_t node_count;
    struct flash_node *nodes[];
};

static const struct flash_region *region_of(const struct flash_sim *sim, uint32_t block)
{
    const struct flash_region *region = sim->regions;
    size_t left = sim->region_count;
    while (--left > 0 && block >= region[1].first_block) {
        region++;
    }
    return region;
}

/* ---- blocks ---- */

static struct flash_block *new_block(struct flash_sim *sim, const struct flash_region *region)
{
    struct flash_block **list = &sim->memory->free_blocks[region - sim->regions];
    struct flash_block *block = *list;
    if (block != NULL) {
        *list = block->next_free;
    } else {
        block = malloc(sizeof *block + region->block_size + region->counts_size);
        if (block == NULL) {
            return NULL;
        }
        block->faults = NULL;
    }
    block->refs = 1;
    block->hashes = (struct flash_hashes){0};
    return block;
}

static void drop_block(struct flash_sim *sim, const struct flash_region *region,
                       struct flash_block *block)
{
    if (--block->refs > 0) {
        return;
    }
    free(block->faults);
    block->faults = NULL;
    struct flash_block **list = &sim->memory->free_blocks[region - sim->regions];
    block->next_free = *list;
    *list = block;
}

static struct flash_block *copy_block(struct flash_sim *sim, const struct flash_region *region,
                                      const struct flash_block *from)
{
    struct flash_block *block = new_block(sim, region);
    if (block == NULL) {
        return NULL;
    }
    memcpy(block->bytes, from->bytes, region->block_size + region->counts_size);
    if (from->faults != NULL) {
        block->faults = malloc(region->faults_size);
        if (block->faults == NULL) {
            drop_block(sim, region, block);
            return NULL;
        }
        memcpy(block->faults, from->faults, region->faults_size);
    }
    return block;
}

/* ---- nodes ---- */

static struct flash_node *new_node(struct flash_memory *memory)
{
    struct flash_node *node = memory->free_nodes;
    if (node != NULL) {
        memory->free_nodes = node->next_free;
    } else {
        node = malloc(sizeof *node);
    }
    if (node != NULL) {
        node->refs = 1;
    }
    return node;
}

static void drop_node(struct flash_sim *sim, uint32_t number, struct flash_node *node)
{
    if (--node->refs > 0) {
        return;
    }
    uint32_t first = number * FLASH_NODE_BLOCKS;
    const struct flash_region *region = region_of(sim, first);
    const struct flash_region *last = &sim->regions[sim->region_count - 1];
    for (uint32_t i = 0; i < FLASH_NODE_BLOCKS && first + i < sim->block_count; i++) {
        while (region < last && first + i >= region[1].first_block) {
            region++;
        }
        drop_block(sim, region, node->blocks[i]);
    }
    node->next_free = sim->memory->free_nodes;
    sim->memory->free_nodes = node;
}

/* The node of `block`, not shared with a snapshot. */
static struct flash_node *own_node(struct flash_sim *sim, uint32_t block)
{
    struct flash_memory *memory = sim->memory;
    uint32_t number = block / FLASH_NODE_BLOCKS;
    struct flash_node *node = memory->nodes[number];
    if (node->refs == 1) {
        return node;
    }
    struct flash_node *copy = new_node(memory);
    if (copy == NULL) {
        return NULL;
    }
    uint32_t count = sim->block_count - number * FLASH_NODE_BLOCKS;
    for (uint32_t i = 0; i < FLASH_NODE_BLOCKS && i < count; i++) {
        copy->blocks[i] = node->blocks[i];
        copy->blocks[i]->refs++;
    }
    node->refs--;
    memory->nodes[number] = copy;
    return copy;
}

/* ---- creation ---- */

static int make_erased_blocks(struct flash_sim *sim)
{
    for (size_t i = 0; i < sim->region_count; i++) {
        const struct flash_region *region = &sim->regions[i];
        struct flash_block *block = new_block(sim, region);
        if (block == NULL) {
            return OTA_E_NO_SPACE;
        }
        memset(block->bytes, region->part->erased, region->block_size);
        memset(block->bytes + region->block_size, 0, region->counts_size);
        sim->memory->erased[i] = block;
    }
    return 0;
}

static int make_nodes(struct flash_sim *sim)
{
    struct flash_memory *memory = sim->memory;
    memory->node_count = (sim->block_count + FLASH_NODE_BLOCKS - 1) / FLASH_NODE_BLOCKS;
    memory->nodes = calloc(memory->node_count, sizeof(struct flash_node *));
    if (memory->nodes == NULL) {
        return OTA_E_NO_SPACE;
    }
    for (uint32_t n = 0; n < memory->node_count; n++) {
        uint32_t first = n * FLASH_NODE_BLOCKS;
        const struct flash_region *region = region_of(sim, first);
        uint32_t region_end = region->first_block + region->size / region->block_size;
        /* Inside a region all nodes are alike: share the one before. */
        if (n > 0 && first >= region->first_block + FLASH_NODE_BLOCKS &&
            first + FLASH_NODE_BLOCKS <= region_end) {
            memory->nodes[n] = memory->nodes[n - 1];
            memory->nodes[n]->refs++;
            continue;
        }
        struct flash_node *node = new_node(memory);
        if (node == NULL) {
            return OTA_E_NO_SPACE;
        }
        for (uint32_t i = 0; i < FLASH_NODE_BLOCKS && first + i < sim->block_count; i++) {
            region = region_of(sim, first + i);
            node->blocks[i] = memory->erased[region - sim->regions];
            node->blocks[i]->refs++;
        }
        memory->nodes[n] = node;
    }
    return 0;
}

int flash_memory_new(struct flash_sim *sim)
{
    sim->memory = calloc(1, sizeof *sim->memory);
    sim->erases = calloc(sim->sector_count, sizeof *sim->erases);
    if (sim->memory == NULL || sim->erases == NULL) {
        return OTA_E_NO_SPACE;
    }
    int error = make_erased_blocks(sim);
    return error != 0 ? error : make_nodes(sim);
}

void flash_memory_free(struct flash_sim *sim)
{
    struct flash_memory *memory = sim->memory;
    free(sim->erases);
    if (memory == NULL) {
        return;
    }
    for (uint32_t n = 0; memory->nodes != NULL && n < memory->node_count; n++) {
        if (memory->nodes[n] != NULL) {
            drop_node(sim, n, memory->nodes[n]);
        }
    }
    for (size_t i = 0; i < sim->region_count; i++) {
        if (memory->erased[i] != NULL) {
            drop_block(sim, &sim->regions[i], memory->erased[i]);
        }
        while (memory->free_blocks[i] != NULL) {
            struct flash_block *block = memory->free_blocks[i];
            memory->free_blocks[i] = block->next_free;
            free(block);
        }
    }
    while (memory->free_nodes != NULL) {
        struct flash_node *node = memory->free_nodes;
        memory->free_nodes = node->next_free;
        free(node);
    }
    free(memory->nodes);
    free(memory);
}

/* ---- access ---- */

int flash_memory_open(struct flash_sim *sim, const struct flash_region *region, uint32_t block,
                      struct flash_view *out)
{
    struct flash_node *node = own_node(sim, block);
    if (node == NULL) {
        return OTA_E_NO_SPACE;
    }
    struct flash_block **slot = &node->blocks[block % FLASH_NODE_BLOCKS];
    if ((*slot)->refs > 1) {
        struct flash_block *copy = copy_block(sim, region, *slot);
        if (copy == NULL) {
            return OTA_E_NO_SPACE;
        }
        (*slot)->refs--;
        *slot = copy;
    }
    (*slot)->hashes = (struct flash_hashes){0};
    flash_view_block(*slot, region, out);
    return 0;
}

int flash_memory_blank(struct flash_sim *sim, const struct flash_region *region, uint32_t block)
{
    struct flash_block *erased = sim->memory->erased[region - sim->regions];
    struct flash_node *node = sim->memory->nodes[block / FLASH_NODE_BLOCKS];
    if (node->blocks[block % FLASH_NODE_BLOCKS] == erased) {
        return 0;
    }
    node = own_node(sim, block);
    if (node == NULL) {
        return OTA_E_NO_SPACE;
    }
    struct flash_block **slot = &node->blocks[block % FLASH_NODE_BLOCKS];
    drop_block(sim, region, *slot);
    *slot = erased;
    erased->refs++;
    return 0;
}

int flash_memory_need_faults(struct flash_sim *sim, const struct flash_region *region,
                             uint32_t block, struct flash_view *view)
{
    if (view->faults != NULL) {
        return 0;
    }
    struct flash_node *node = sim->memory->nodes[block / FLASH_NODE_BLOCKS];
    struct flash_block *owner = node->blocks[block % FLASH_NODE_BLOCKS];
    owner->faults = calloc(1, region->faults_size);
    view->faults = owner->faults;
    return owner->faults == NULL ? OTA_E_NO_SPACE : 0;
}

/* ---- snapshots ---- */

struct flash_snapshot *flash_sim_snapshot(struct flash_sim *sim)
{
    struct flash_memory *memory = sim->memory;
    if (memory == NULL) {
        return NULL;
    }
    struct flash_snapshot *snapshot =
        malloc(sizeof *snapshot + memory->node_count * sizeof(struct flash_node *));
    if (snapshot == NULL) {
        return NULL;
    }
    snapshot->node_count = memory->node_count;
    snapshot->marks = *sim->marks;
    for (uint32_t n = 0; n < memory->node_count; n++) {
        snapshot->nodes[n] = memory->nodes[n];
        memory->nodes[n]->refs++;
    }
    return snapshot;
}

/* Takes over the blocks of `from` that differ, for a node that nobody shares. */
static void restore_node(struct flash_sim *sim, uint32_t number, const struct flash_node *from)
{
    struct flash_node *node = sim->memory->nodes[number];
    uint32_t first = number * FLASH_NODE_BLOCKS;
    for (uint32_t i = 0; i < FLASH_NODE_BLOCKS && first + i < sim->block_count; i++) {
        if (node->blocks[i] != from->blocks[i]) {
            drop_block(sim, region_of(sim, first + i), node->blocks[i]);
            node->blocks[i] = from->blocks[i];
            node->blocks[i]->refs++;
        }
    }
}

void flash_sim_restore(struct flash_sim *sim, const struct flash_snapshot *snapshot)
{
    struct flash_memory *memory = sim->memory;
    *sim->marks = snapshot->marks;
    for (uint32_t n = 0; n < memory->node_count; n++) {
        struct flash_node *wanted = snapshot->nodes[n];
        struct flash_node *present = memory->nodes[n];
        if (present == wanted) {
            continue;
        }
        if (present->refs == 1) {
            restore_node(sim, n, wanted);
        } else {
            wanted->refs++;
            memory->nodes[n] = wanted;
            drop_node(sim, n, present);
        }
    }
}

void flash_snapshot_free(struct flash_sim *sim, struct flash_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    for (uint32_t n = 0; n < snapshot->node_count; n++) {
        drop_node(sim, n, snapshot->nodes[n]);
    }
    free(snapshot);
}

static bool has_faults(const struct flash_region *region, const struct flash_block *block)
{
    return block->faults != NULL && !flash_is_all(block->faults, region->faults_size, 0);
}

static bool same_block(const struct flash_region *region, const struct flash_block *a,
                       const struct flash_block *b)
{
    if (a->hashes.whole_known && b->hashes.whole_known && a->hashes.whole != b->hashes.whole) {
        return false;
    }
    if (memcmp(a->bytes, b->bytes, region->block_size) != 0) {
        return false;
    }
    if (a->faults != NULL && b->faults != NULL) {
        return memcmp(a->faults, b->faults, region->faults_size) == 0;
    }
    return has_faults(region, a) == has_faults(region, b);
}

bool flash_sim_equals(const struct flash_sim *sim, const struct flash_snapshot *snapshot)
{
    const struct flash_memory *memory = sim->memory;
    const struct flash_marks *marks = &snapshot->marks;
    if (sim->marks->stuck_count != marks->stuck_count || sim->marks->for_good != marks->for_good ||
        memcmp(sim->marks->stuck, marks->stuck, sizeof marks->stuck) != 0) {
        return false;
    }
    for (uint32_t n = 0; n < memory->node_count; n++) {
        const struct flash_node *a = memory->nodes[n];
        const struct flash_node *b = snapshot->nodes[n];
        uint32_t first = n * FLASH_NODE_BLOCKS;
        for (uint32_t i = 0; a != b && i < FLASH_NODE_BLOCKS && first + i < sim->block_count; i++) {
            if (a->blocks[i] != b->blocks[i] &&
                !same_block(region_of(sim, first + i), a->blocks[i], b->blocks[i])) {
                return false;
            }
        }
    }
    return true;
}
