#include "harness/image/store_view.h"

#include "sim/crypto_openssl.h"

#include <string.h>

static const char *status_word(uint8_t status)
{
    switch (status) {
    case IMG_ROW_FREE:
        return "free";
    case IMG_ROW_DOWNLOADED:
        return "downloaded";
    case IMG_ROW_UNBOOTED:
        return "unbooted";
    case IMG_ROW_VALID:
        return "valid";
    default:
        return "disabled";
    }
}

static void read_rows(struct nb_store_view *view)
{
    for (uint8_t i = 0; i < view->store.places; i++) {
        const struct store_entry *entry = &view->store.state.entries[i];
        view->row_errors[i] = OTA_E_NO_IMAGE;
        if (entry->status == IMG_ROW_FREE && i != STORE_FACTORY)
            continue;
        view->row_errors[i] = store_row(&view->store, i, &view->rows[i]);
        if (view->store.known)
            view->verdicts[i] = store_verify(&view->store, i, &view->rows[i]);
    }
}

int nb_store_view_open(struct nb_store_view *view, const struct sim_device *device,
                       const uint8_t *flash, uint32_t size)
{
    struct boot_config boot;
    memset(view, 0, sizeof *view);
    view->sim = flash_sim_memory(device->chips, device->chip_count);
    if (view->sim == NULL)
        return OTA_E_NO_SPACE;
    int err = flash_sim_put(view->sim, 0, flash, size);
    if (err != 0)
        return err;
    view->crypto = crypto_openssl_new(NULL, false);
    if (view->crypto == NULL)
        return OTA_E_NO_SPACE;
    sim_device_boot_config(device, flash_sim_port(view->sim), crypto_openssl_port(view->crypto),
                           NULL, NULL, NULL, 0, &boot);
    boot_store_config(&boot, &view->config);
    err = store_open(&view->store, &view->config);
    if (err == 0)
        read_rows(view);
    return err;
}

void nb_store_view_close(struct nb_store_view *view)
{
    if (view->crypto != NULL)
        crypto_openssl_free(view->crypto);
    if (view->sim != NULL)
        flash_sim_close(view->sim);
    memset(view, 0, sizeof *view);
}

/* What else is to be said of a place. */
static void print_notes(const struct nb_store_view *view, uint8_t place, FILE *out)
{
    const struct store_state *state = &view->store.state;
    const struct store_entry *entry = &state->entries[place];
    if (state->installed == place)
        fputs(state->whole ? ", runs" : ", is being installed", out);
    if (state->good == place)
        fputs(", last good", out);
    if (entry->attempts > 0)
        fprintf(out, ", %u of %u starts", entry->attempts, view->config.attempts);
    if (view->verdicts[place] != 0)
        fprintf(out, ", BAD: %s", ota_err_word(view->verdicts[place]));
}

static void print_row(const struct img_row *row, FILE *out)
{
    fprintf(out, "%8u bytes  ", row->size);
    for (size_t i = 0; i < 8; i++)
        fprintf(out, "%02x", row->digest[i]);
    fprintf(out, "  %s  ", row->is_signed ? "signed  " : "unsigned");
    for (const char *c = row->name; *c != '\0'; c++)
        fputc(*c >= ' ' && *c < 0x7F ? *c : '?', out);
}

static void print_place(const struct nb_store_view *view, uint8_t place, FILE *out)
{
    const struct store_entry *entry = &view->store.state.entries[place];
    fprintf(out, "%-7s %u  ", place == STORE_FACTORY ? "factory" : "place", place);
    if (entry->status == IMG_ROW_FREE) {
        fputs("free\n", out);
        return;
    }
    fprintf(out, "version %-10u  %-10s  ", entry->version, status_word(entry->status));
    if (view->row_errors[place] == 0)
        print_row(&view->rows[place], out);
    else
        fputs("no row", out);
    print_notes(view, place, out);
    fputc('\n', out);
}

void nb_store_view_print(const struct nb_store_view *view, FILE *out)
{
    if (!view->store.known) {
        fputs("no directory: this device has never booted\n", out);
        if (view->row_errors[STORE_FACTORY] == 0) {
            fprintf(out, "the factory's row: version %u  ", view->rows[STORE_FACTORY].version);
            print_row(&view->rows[STORE_FACTORY], out);
            fputc('\n', out);
        }
        return;
    }
    for (uint8_t i = 0; i < view->store.places; i++)
        print_place(view, i, out);
    if (view->store.state.reset)
        fputs("the factory image is asked for: all others go at the next boot\n", out);
}
