/* Small made-up parts for the unit tests of flashsim and of agent/flash_area. */
#ifndef NOBRICK_FLASHSIM_TEST_PARTS_H
#define NOBRICK_FLASHSIM_TEST_PARTS_H

#include "flashsim/flashsim.h"

/* Serial NOR: byte units, any number of programs. 4 sectors of 64. */
static const struct flash_part part_any = {
    .name = "any",
    .size = 256,
    .runs = {{4, 64}},
    .run_count = 1,
    .unit = 1,
    .page = 16,
    .erased = 0xFF,
    .programs = FLASH_PROGRAMS_ANY,
    .t_program_us = 100,
    .program_per = 16,
    .t_erase_us = 1000,
    .endurance = 100,
    .source = "made up",
};

/* Write-once units of 8 with ECC, like an STM32L4. 4 sectors of 128. */
static const struct flash_part part_ecc = {
    .name = "ecc",
    .size = 512,
    .runs = {{4, 128}},
    .run_count = 1,
    .unit = 8,
    .erased = 0xFF,
    .programs = 1,
    .reprogram_zero = true,
    .ecc = 8,
    .t_program_us = 80,
    .program_per = 8,
    .t_erase_us = 2000,
    .endurance = 100,
    .source = "made up",
};

/* Words of 4 that may be programmed twice. 2 sectors of 32, 1 of 96, uneven on purpose. */
static const struct flash_part part_twice = {
    .name = "twice",
    .size = 160,
    .runs = {{2, 32}, {1, 96}},
    .run_count = 2,
    .unit = 4,
    .erased = 0xFF,
    .programs = 2,
    .endurance = 100,
    .source = "made up",
};

/* Erases to 0x00, units of 4 in pages of 32, write-once, ECC over 8. 4 sectors of 64. */
static const struct flash_part part_zero = {
    .name = "zero",
    .size = 256,
    .runs = {{4, 64}},
    .run_count = 1,
    .unit = 4,
    .page = 32,
    .erased = 0x00,
    .programs = 1,
    .ecc = 8,
    .endurance = 100,
    .source = "made up",
};

/* Whole rows that erase to 0x00, like a PSoC 6. 4 rows of 64. */
static const struct flash_part part_row = {
    .name = "row",
    .size = 256,
    .runs = {{4, 64}},
    .run_count = 1,
    .unit = 64,
    .page = 64,
    .erased = 0x00,
    .programs = 1,
    .endurance = 100,
    .source = "made up",
};

/* Sectors of 16 KiB: several blocks of the simulator each. 8 of them. */
static const struct flash_part part_large = {
    .name = "large",
    .size = 131072,
    .runs = {{8, 16384}},
    .run_count = 1,
    .unit = 16,
    .page = 0,
    .erased = 0xFF,
    .programs = 1,
    .ecc = 16,
    .endurance = 100,
    .source = "made up",
};

/* `part` alone in a device, in memory. */
static inline struct flash_sim *one_chip(const struct flash_part *part)
{
    struct flash_chip chip = {.part = *part, .start = 0};
    return flash_sim_memory(&chip, 1);
}

static inline int sim_read(struct flash_sim *sim, uint32_t address, void *data, uint32_t length)
{
    const struct flash_port *port = flash_sim_port(sim);
    return port->read(port->context, address, data, length);
}

static inline int sim_program(struct flash_sim *sim, uint32_t address, const void *data,
                              uint32_t length)
{
    const struct flash_port *port = flash_sim_port(sim);
    return port->program(port->context, address, data, length);
}

static inline int sim_erase(struct flash_sim *sim, uint32_t address)
{
    const struct flash_port *port = flash_sim_port(sim);
    return port->erase(port->context, address);
}

/* An observer that gives every operation the tear that `context` points to. */
static inline enum flash_tear tear_at_once(void *context, struct flash_sim *sim,
                                           const struct flash_op *op)
{
    (void)sim;
    (void)op;
    return *(enum flash_tear *)context;
}

#endif
