#include "sim/virtual/mqtt_state.h"

#include <stdlib.h>
#include <string.h>

#define MAX_IN_FLIGHT 64u /* as the posix world tells Paho */

uint64_t mqtt_client_now(const struct virtual_mqtt *mqtt)
{
    return mqtt->world->now_ms(mqtt->world->context);
}

void mqtt_client_arm(struct virtual_mqtt *mqtt, unsigned timer, uint64_t ms)
{
    const struct clock_port *clock = mqtt->world->clock_port(mqtt->timers);
    (void)clock->arm(clock->context, timer, (uint32_t)ms);
}

/* ---- packets ----------------------------------------------------------------------------- */

bool mqtt_client_encode(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet)
{
    size_t size = mqtt_packet_size(packet);
    if (size > mqtt->out_room) {
        uint8_t *out = realloc(mqtt->out, size + size / 2);
        if (out == NULL)
            return false;
        mqtt->out = out;
        mqtt->out_room = size + size / 2;
    }
    mqtt->out_size = size > 0 ? mqtt_packet_encode(packet, mqtt->out) : 0;
    return size > 0;
}

void mqtt_client_send(struct virtual_mqtt *mqtt, const uint8_t *bytes, size_t size)
{
    mqtt->sent = mqtt_client_now(mqtt);
    (void)virtual_tls_send(mqtt->end, bytes, size);
}

void mqtt_client_send_code(struct virtual_mqtt *mqtt, enum mqtt_type type, uint16_t id)
{
    if (mqtt_client_encode(mqtt, &(struct mqtt_packet){.type = type, .id = id}))
        mqtt_client_send(mqtt, mqtt->out, mqtt->out_size);
}

/* ---- commands ---------------------------------------------------------------------------- */

static void note_sent(struct virtual_mqtt *mqtt, const struct command *command)
{
    if (command->type != MQTT_PUBLISH)
        return;
    if (command->qos > 0) {
        mqtt->in_flight++;
        return;
    }
    mqtt->untold++;
    mqtt_client_arm(mqtt, TIMER_TELL, 0);
}

static bool may_send(const struct virtual_mqtt *mqtt, const struct command *command)
{
    return command->type != MQTT_PUBLISH || mqtt->in_flight < MAX_IN_FLIGHT;
}

void mqtt_client_send_waiting(struct virtual_mqtt *mqtt)
{
    struct command **link = &mqtt->commands;
    while (*link != NULL && mqtt->waiting > 0) {
        struct command *command = *link;
        if (command->size > 0) {
            if (!may_send(mqtt, command))
                return;
            mqtt_client_send(mqtt, command->packet, command->size);
            command->size = 0;
            mqtt->waiting--;
            note_sent(mqtt, command);
        }
        if (command->id != 0) {
            link = &command->next;
            continue;
        }
        *link = command->next; /* QoS 0: nothing answers it */
        free(command);
    }
}

void mqtt_client_drop_commands(struct virtual_mqtt *mqtt)
{
    while (mqtt->commands != NULL) {
        struct command *command = mqtt->commands;
        mqtt->commands = command->next;
        free(command);
    }
    mqtt->in_flight = 0;
    mqtt->waiting = 0;
}

bool mqtt_client_answered(struct virtual_mqtt *mqtt, enum mqtt_type type, uint16_t id)
{
    struct command **link = &mqtt->commands;
    while (*link != NULL && ((*link)->id != id || (*link)->type != type || (*link)->size > 0))
        link = &(*link)->next;
    struct command *command = *link;
    if (command == NULL)
        return false;
    *link = command->next;
    free(command);
    return true;
}

uint16_t mqtt_client_next_id(struct virtual_mqtt *mqtt)
{
    for (;;) {
        bool taken = ++mqtt->last_id == 0;
        for (const struct command *at = mqtt->commands; at != NULL && !taken; at = at->next)
            taken = at->id == mqtt->last_id;
        if (!taken)
            return mqtt->last_id;
    }
}

int mqtt_client_command(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet)
{
    const struct command row = {.type = packet->type, .qos = packet->qos, .id = packet->id};
    bool now = mqtt->waiting == 0 && may_send(mqtt, &row);
    if (now && packet->id == 0) {
        mqtt_client_send(mqtt, mqtt->out, mqtt->out_size);
        note_sent(mqtt, &row);
        return OTA_OK;
    }
    struct command *command = malloc(sizeof *command + (now ? 0 : mqtt->out_size));
    if (command == NULL)
        return OTA_E_NO_SPACE;
    *command = row;
    struct command **link = &mqtt->commands;
    while (*link != NULL)
        link = &(*link)->next;
    *link = command;
    if (now) {
        mqtt_client_send(mqtt, mqtt->out, mqtt->out_size);
        note_sent(mqtt, command);
        return OTA_OK;
    }
    command->size = mqtt->out_size;
    memcpy(command->packet, mqtt->out, mqtt->out_size);
    mqtt->waiting++;
    return OTA_OK;
}
