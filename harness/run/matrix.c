#include "harness/run/matrix.h"
#include "harness/cli/paths.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES 64

static const char *const size_words[] = {"", "smaller", "equal", "larger", "maximal"};
#define SIZE_WORDS (sizeof size_words / sizeof size_words[0])

struct names {
    char items[NAMES][NB_WORD];
    size_t count;
};

/* ---- what `*` stands for ----------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The files DIR/NAME.ENDING, sorted. */
static void names_in_directory(const char *dir, const char *ending, struct names *out)
{
    DIR *handle = opendir(dir);
    if (!handle)
        return;
    for (struct dirent *entry; (entry = readdir(handle)) != NULL && out->count < NAMES;) {
        size_t length = strlen(entry->d_name);
        size_t tail = strlen(ending);
        if (length <= tail || length - tail >= NB_WORD ||
            strcmp(entry->d_name + length - tail, ending) != 0)
            continue;
        memcpy(out->items[out->count], entry->d_name, length - tail);
        out->items[out->count++][length - tail] = '\0';
    }
    closedir(handle);
    qsort(out->items, out->count, sizeof out->items[0], compare_names);
}

/* The names in PARTS/typical, one a line; `#` starts a comment. */
static void typical_parts(struct names *out)
{
    char path[512];
    char line[256];
    snprintf(path, sizeof path, "%s/%s", nb_parts_dir(), NB_TYPICAL);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    while (out->count < NAMES && fgets(line, sizeof line, file)) {
        size_t length = strcspn(line, " \t\r\n#");
        if (length > 0 && length < NB_WORD) {
            memcpy(out->items[out->count], line, length);
            out->items[out->count++][length] = '\0';
        }
    }
    fclose(file);
}

static void all_schemes(struct names *out)
{
    for (size_t i = 0; sim_schemes[i] && out->count < NAMES; i++)
        snprintf(out->items[out->count++], NB_WORD, "%s", sim_schemes[i]->name);
}

/* The values of one dimension; a list that was not given has the one value "". */
static void values(const struct nb_list *list, const char *chosen, struct names *out)
{
    out->count = 0;
    if (chosen && *chosen) {
        snprintf(out->items[out->count++], NB_WORD, "%s", chosen);
        return;
    }
    for (size_t i = 0; i < list->count; i++)
        memcpy(out->items[out->count++], list->items[i], NB_WORD);
    if (list->count == 0 && !list->any)
        out->items[out->count++][0] = '\0';
}

/* ---- expansion --------------------------------------------------------------------------- */

struct expansion {
    const struct nb_script *script;
    const struct nb_choice *choice;
    struct nb_matrix *out;
    struct flash_text_error *error;
    struct names system, device, part, scheme, size, install, data, via, tls;
    char world[NB_WORD];
    bool star; /* some value came from `*` */
};

static enum nb_size size_from_word(const char *word)
{
    for (size_t i = 0; i < SIZE_WORDS; i++)
        if (strcmp(word, size_words[i]) == 0)
            return (enum nb_size)i;
    return NB_SIZE_NONE;
}

bool nb_size_is_word(const char *word)
{
    return size_from_word(word) != NB_SIZE_NONE;
}

/* The virtual world is where a script runs that names it, or none; else the first that it names. */
static void choose_world(const struct nb_script *script, const struct nb_choice *choice,
                         char world[NB_WORD])
{
    const struct nb_list *list = &script->world;
    const char *found = list->count ? list->items[0] : "virtual";
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], "virtual") == 0)
            found = "virtual";
    snprintf(world, NB_WORD, "%s", choice->world[0] ? choice->world : found);
}

static bool pushes(const struct nb_script *script)
{
    bool found = false;
    for (size_t i = 0; i < script->step_count; i++)
        found = found || script->steps[i].kind == NB_DEVICE_PUSH;
    return found;
}

/* Can this device play the script at all? Its agent asks the cloud of its own system only, and a
 * host pushes into slots. */
static bool suits(const struct nb_script *script, const struct nb_cell *cell,
                  const struct sim_device *device)
{
    const char *system = nb_cell_system(script, cell);
    if (pushes(script) && device->scheme->store)
        return false;
    return !script->needs_cloud || !system || strcmp(system, device->system) == 0;
}

static int add_cell(struct expansion *e, const struct nb_cell *cell)
{
    struct sim_device device;
    int rc = nb_cell_device(e->script, cell, &device, e->error);
    if (rc == 0) {
        bool unfit = e->star && !suits(e->script, cell, &device);
        sim_device_free(&device);
        if (unfit) {
            e->out->left_out++;
            return 0;
        }
    } else if (rc == OTA_E_LAYOUT && e->star) {
        e->out->left_out++;
        return 0;
    } else {
        char name[200];
        struct flash_text_error inner = *e->error;
        nb_cell_name(cell, name, sizeof name);
        snprintf(e->error->message, sizeof e->error->message, "%.60s%s%.95s", name,
                 name[0] ? ": " : "", inner.message);
        e->error->line = e->script->part.line     ? e->script->part.line
                         : e->script->device.line ? e->script->device.line
                                                  : e->script->scheme.line;
        e->error->column = 1;
        return OTA_E_ARGUMENT;
    }
    struct nb_cell *grown = realloc(e->out->cells, (e->out->count + 1) * sizeof *e->out->cells);
    if (!grown)
        return OTA_E_NO_SPACE;
    e->out->cells = grown;
    grown[e->out->count++] = *cell;
    return 0;
}

static int expand_links(struct expansion *e, struct nb_cell *cell)
{
    int rc = 0;
    for (size_t v = 0; rc == 0 && v < e->via.count; v++) {
        memcpy(cell->via, e->via.items[v], NB_WORD);
        for (size_t d = 0; rc == 0 && d < e->data.count; d++) {
            memcpy(cell->data, e->data.items[d], NB_WORD);
            for (size_t t = 0; rc == 0 && t < e->tls.count; t++) {
                memcpy(cell->tls, e->tls.items[t], NB_WORD);
                rc = add_cell(e, cell);
            }
        }
    }
    return rc;
}

static int expand_rest(struct expansion *e, struct nb_cell *cell)
{
    int rc = 0;
    for (size_t s = 0; rc == 0 && s < e->size.count; s++) {
        cell->size = size_from_word(e->size.items[s]);
        for (size_t i = 0; rc == 0 && i < e->install.count; i++) {
            cell->install_named = e->install.items[i][0] != '\0';
            cell->permanent = strcmp(e->install.items[i], "permanent") == 0;
            rc = expand_links(e, cell);
        }
    }
    return rc;
}

static int expand(struct expansion *e)
{
    struct nb_cell cell = {0};
    int rc = 0;
    memcpy(cell.world, e->world, NB_WORD);
    for (size_t y = 0; rc == 0 && y < e->system.count; y++) {
        if (e->system.count > 1) /* one system is no choice, and says nothing in a name */
            memcpy(cell.system, e->system.items[y], NB_WORD);
        for (size_t d = 0; rc == 0 && d < e->device.count; d++) {
            snprintf(cell.device, sizeof cell.device, "%s",
                     e->choice->device[0] ? e->choice->device : e->device.items[d]);
            for (size_t p = 0; rc == 0 && p < e->part.count; p++) {
                memcpy(cell.part, e->part.items[p], NB_WORD);
                for (size_t s = 0; rc == 0 && s < e->scheme.count; s++) {
                    memcpy(cell.scheme, e->scheme.items[s], NB_WORD);
                    rc = expand_rest(e, &cell);
                }
            }
        }
    }
    return rc;
}

int nb_matrix_expand(const struct nb_script *script, const struct nb_choice *choice,
                     struct nb_matrix *out, struct flash_text_error *error)
{
    memset(out, 0, sizeof *out);
    memset(error, 0, sizeof *error);
    struct expansion *e = calloc(1, sizeof *e);
    if (!e)
        return OTA_E_NO_SPACE;
    char dir[512];
    bool every = strcmp(choice->part, "*") == 0;
    bool part_chosen = (choice->part[0] != '\0' && !every) || choice->every_part;
    e->script = script;
    e->choice = choice;
    e->out = out;
    e->error = error;
    choose_world(script, choice, e->world);
    values(&script->system, NULL, &e->system);
    /* A device has its own parts and scheme, a part makes a device of its own. */
    static const struct nb_list none;
    bool device_chosen = choice->device[0] != '\0';
    values(part_chosen ? &none : &script->device, NULL, &e->device);
    bool by_list = !part_chosen && !device_chosen;
    bool typical =
        by_list && script->part.count == 1 && strcmp(script->part.items[0], NB_TYPICAL) == 0;
    bool all_parts = choice->every_part || (by_list && script->part.any) || (typical && every);
    typical = typical && !every;
    if (!all_parts && !typical)
        values(device_chosen ? &none : &script->part, part_chosen ? choice->part : NULL, &e->part);
    values(device_chosen ? &none : &script->scheme, choice->scheme, &e->scheme);
    values(&script->size, choice->size, &e->size);
    values(&script->install, NULL, &e->install);
    values(&script->data, NULL, &e->data);
    values(&script->via, NULL, &e->via);
    values(&script->tls, NULL, &e->tls);
    e->star = !device_chosen &&
              (all_parts || typical || script->scheme.any || (script->device.any && !part_chosen));
    snprintf(dir, sizeof dir, "%s/devices", nb_data_dir());
    if (script->device.any && !device_chosen && !part_chosen)
        names_in_directory(dir, ".device", &e->device);
    if (typical)
        typical_parts(&e->part);
    if (all_parts)
        names_in_directory(nb_parts_dir(), ".part", &e->part);
    if (script->scheme.any && !device_chosen && !choice->scheme[0])
        all_schemes(&e->scheme);
    int rc = expand(e);
    free(e);
    if (rc == 0 && out->count == 0) {
        snprintf(error->message, sizeof error->message, "no combination fits (%zu left out)",
                 out->left_out);
        rc = OTA_E_ARGUMENT;
    }
    if (rc)
        nb_matrix_free(out);
    return rc;
}

void nb_matrix_free(struct nb_matrix *matrix)
{
    free(matrix->cells);
    matrix->cells = NULL;
    matrix->count = 0;
}

/* ---- names and ids ----------------------------------------------------------------------- */

/* What a shell leaves alone, and an id does not use itself. */
static bool plain(char c)
{
    return isalnum((unsigned char)c) || strchr("._-/", c) != NULL;
}

static void add_escaped(const char *text, char *out, size_t size)
{
    size_t used = strlen(out);
    for (; *text && used + 4 < size; text++)
        used += (size_t)snprintf(out + used, size - used, plain(*text) ? "%c" : "%%%02X",
                                 (unsigned char)*text);
}

static void add_drawn(const struct nb_cell *cell, char *out, size_t size)
{
    size_t used = strlen(out);
    if (!cell->explored && !cell->drawn_given)
        return;
    if (cell->explored)
        used +=
            (size_t)snprintf(out + used, size - used, ":seed=%llu", (unsigned long long)cell->seed);
    if (cell->drawn_given)
        used += (size_t)snprintf(out + used, size - used, ":faults=");
    for (size_t i = 0; cell->drawn_given && i < cell->drawn_count && used < size; i++) {
        snprintf(out + used, size - used, "%s%u.", i ? "+" : "", cell->drawn[i].step);
        add_escaped(cell->drawn[i].line, out, size);
        used = strlen(out);
    }
}

static void add_value(const char *key, const char *value, bool escaped, char *out, size_t size)
{
    size_t used = strlen(out);
    if (!*value)
        return;
    snprintf(out + used, size - used, "%s%s=%s", used ? "," : "", key, escaped ? "" : value);
    if (escaped)
        add_escaped(value, out, size);
}

static void add_values(const struct nb_cell *cell, bool escaped, char *out, size_t size)
{
    out[0] = '\0';
    add_value("system", cell->system, escaped, out, size);
    add_value("device", cell->device, escaped, out, size);
    add_value("part", cell->part, escaped, out, size);
    add_value("scheme", cell->scheme, escaped, out, size);
    add_value("size", size_words[cell->size], escaped, out, size);
    if (cell->install_named)
        add_value("install", cell->permanent ? "permanent" : "test", escaped, out, size);
    add_value("via", cell->via, escaped, out, size);
    add_value("data", cell->data, escaped, out, size);
    add_value("tls", cell->tls, escaped, out, size);
    add_value("case", cell->plugin_case, escaped, out, size);
}

void nb_cell_name(const struct nb_cell *cell, char *out, size_t size)
{
    add_values(cell, false, out, size);
}

void nb_replay_id(const char *path, const struct nb_cell *cell, const char *cuts, char *out,
                  size_t size)
{
    char values[NB_ID];
    out[0] = '\0';
    add_escaped(path, out, size);
    add_values(cell, true, values, sizeof values);
    size_t used = strlen(out);
    snprintf(out + used, size - used, ":%s%s%s%s%s", cell->world, values[0] ? ":" : "", values,
             *cuts ? ":cuts=" : "", cuts);
    add_drawn(cell, out, size);
}

void nb_cuts_print(const struct nb_cell *cell, char *out, size_t size)
{
    nb_chain_print(cell->cuts, cell->cut_count, out, size);
}

__attribute__((format(printf, 2, 3))) static int bad_id(struct flash_text_error *error,
                                                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return OTA_E_ARGUMENT;
}

static int parse_cuts(char *text, struct nb_cell *cell, struct flash_text_error *error)
{
    for (char *save = NULL, *item = strtok_r(text, "+", &save); item;
         item = strtok_r(NULL, "+", &save)) {
        struct nb_cut cut;
        if (!nb_cut_parse(item, &cut))
            return bad_id(error, "'%.40s' is not a cut like 37.half", item);
        if (cell->cut_count == NB_CUTS)
            return bad_id(error, "'%.40s': too many cuts", item);
        cell->cuts[cell->cut_count++] = cut;
    }
    return cell->cut_count ? 0 : bad_id(error, "no cut follows cuts=");
}

/* The text with its %XX undone. */
static int decode(const char *text, char *out, size_t size, struct flash_text_error *error)
{
    const char *whole = text;
    size_t used = 0;
    for (; *text; text++) {
        unsigned value = (unsigned char)*text;
        if (*text == '%') {
            if (!isxdigit((unsigned char)text[1]) || !isxdigit((unsigned char)text[2]) ||
                sscanf(text + 1, "%2x", &value) != 1 || value == 0)
                return bad_id(error, "'%.40s': bad escape", text);
            text += 2;
        }
        if (used + 1 >= size)
            return bad_id(error, "'%.40s' is too long", whole);
        out[used++] = (char)value;
    }
    out[used] = '\0';
    return 0;
}

static int parse_seed(const char *text, struct nb_cell *cell, struct flash_text_error *error)
{
    char *end = NULL;
    errno = 0;
    cell->seed = strtoull(text, &end, 10);
    cell->explored = true;
    return isdigit((unsigned char)*text) && *end == '\0' && errno == 0
               ? 0
               : bad_id(error, "'%.40s' is not a seed", text);
}

static int parse_faults(char *text, struct nb_cell *cell, struct flash_text_error *error)
{
    cell->explored = cell->drawn_given = true;
    for (char *save = NULL, *item = strtok_r(text, "+", &save); item;
         item = strtok_r(NULL, "+", &save)) {
        char *end = NULL;
        unsigned long step = strtoul(item, &end, 10);
        if (!isdigit((unsigned char)*item) || *end != '.' || step == 0 || step > UINT16_MAX)
            return bad_id(error, "'%.40s' is not a fault like 1.%%40job%%20silent", item);
        if (cell->drawn_count == NB_DRAWN)
            return bad_id(error, "'%.40s': too many faults", item);
        struct nb_drawn *drawn = &cell->drawn[cell->drawn_count++];
        drawn->step = (unsigned)step;
        int rc = decode(end + 1, drawn->line, sizeof drawn->line, error);
        if (rc)
            return rc;
        if (drawn->line[0] != '@')
            return bad_id(error, "'%.40s' is not a fault", drawn->line);
    }
    return 0;
}

static int parse_value(char *item, struct nb_cell *cell, struct flash_text_error *error)
{
    const struct {
        const char *key;
        char *to;
        size_t size;
    } texts[] = {{"system", cell->system, sizeof cell->system},
                 {"device", cell->device, sizeof cell->device},
                 {"part", cell->part, sizeof cell->part},
                 {"scheme", cell->scheme, sizeof cell->scheme},
                 {"via", cell->via, sizeof cell->via},
                 {"data", cell->data, sizeof cell->data},
                 {"tls", cell->tls, sizeof cell->tls},
                 {"case", cell->plugin_case, sizeof cell->plugin_case}};
    char *equals = strchr(item, '=');
    if (!equals || !equals[1])
        return bad_id(error, "'%.40s' is not a value like part=nrf52840", item);
    *equals = '\0';
    const char *value = equals + 1;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(item, texts[i].key) != 0)
            continue;
        return decode(value, texts[i].to, texts[i].size, error);
    }
    if (strcmp(item, "size") == 0) {
        cell->size = size_from_word(value);
        return cell->size != NB_SIZE_NONE ? 0 : bad_id(error, "size '%.40s' is not known", value);
    }
    if (strcmp(item, "install") != 0)
        return bad_id(error, "'%.40s' is not a dimension of the matrix", item);
    cell->install_named = true;
    cell->permanent = strcmp(value, "permanent") == 0;
    return cell->permanent || strcmp(value, "test") == 0
               ? 0
               : bad_id(error, "install '%.40s' is not known", value);
}

int nb_replay_parse(const char *id, char *path, size_t path_size, struct nb_cell *cell,
                    struct flash_text_error *error)
{
    char text[NB_ID];
    memset(cell, 0, sizeof *cell);
    memset(error, 0, sizeof *error);
    cell->replay = true;
    if (strlen(id) >= sizeof text)
        return bad_id(error, "the id is too long");
    snprintf(text, sizeof text, "%s", id);
    char *save = NULL;
    char *part = strtok_r(text, ":", &save);
    if (!part)
        return bad_id(error, "the id is empty");
    int rc = decode(part, path, path_size, error);
    part = strtok_r(NULL, ":", &save);
    if (rc == 0 && (!part || strlen(part) >= NB_WORD))
        return bad_id(
            error,
            "expected PATH:WORLD[:VALUES][:cuts=OP.TEAR+...][:seed=N][:faults=STEP.LINE+...]");
    if (rc)
        return rc;
    snprintf(cell->world, sizeof cell->world, "%s", part);
    while (rc == 0 && (part = strtok_r(NULL, ":", &save)) != NULL) {
        if (strncmp(part, "cuts=", 5) == 0) {
            rc = parse_cuts(part + 5, cell, error);
            continue;
        }
        if (strncmp(part, "seed=", 5) == 0 || strncmp(part, "faults=", 7) == 0) {
            rc = *part == 's' ? parse_seed(part + 5, cell, error)
                              : parse_faults(part + 7, cell, error);
            continue;
        }
        char *inner = NULL;
        for (char *item = strtok_r(part, ",", &inner); rc == 0 && item;
             item = strtok_r(NULL, ",", &inner))
            rc = parse_value(item, cell, error);
    }
    return rc;
}
