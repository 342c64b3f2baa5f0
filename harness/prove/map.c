#include "harness/prove/map.h"

#include <errno.h>
#include <stdlib.h>

/* Everything is laid out for 880 pixels, the width of a page. */
#define WIDTH     880.0
#define LEFT      128.0
#define PLOT      596.0 /* width of the operations */
#define STRIP     86.0  /* top of the band that says what boots */
#define BAND      16.0
#define TOP       112.0
#define SLOT      150.0 /* height of a large area … */
#define SMALL     34.0  /* … and of one that is far smaller */
#define GAP       12.0
#define WEAR_AT   (LEFT + PLOT + 20.0)
#define WEAR      112.0
#define MIN_THICK 4.0
#define MIN_WIDE  1.8

/* Colours that the colour-blind can tell apart; a brick has a mark besides. */
static const struct {
    const char *class;
    const char *text; /* %s: a version */
} fates[] = {
    [NB_FATE_OLD] = {"o", "%s boots"},
    [NB_FATE_NEW] = {"n", "%s boots"},
    [NB_FATE_EITHER] = {"e", "one or the other, as the tear falls"},
    [NB_FATE_FAIL] = {"f", "brick, or the wrong image"},
};
#define FATES (sizeof fates / sizeof fates[0])

/* Greys in between, for light and dark pages alike: a picture does not learn which it stands on. */
static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,-apple-system,\"Segoe UI\",Helvetica,Arial,sans-serif;fill:#6e7681}\n"
    ".t{font-size:17px;font-weight:600}.m{text-anchor:middle}.r{text-anchor:end}\n"
    ".b{font-weight:600}\n"
    ".a{fill:#8c959f;fill-opacity:.08;stroke:#8c959f;stroke-opacity:.45}\n"
    ".g{stroke:#8c959f;stroke-opacity:.7;fill:none}.w{fill:#8c959f}\n"
    ".o{fill:#2f7fd6}.n{fill:#e69f00}.e{fill:#009e73}.f{fill:#cf222e}.x{fill-opacity:.5}\n"
    "</style>\n";

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else
            fputc(*text, out);
    }
}

static void put_line(FILE *out, const char *class, double x, double y, const char *text)
{
    fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    put_text(out, text);
    fputs("</text>\n", out);
}

/* ---- where things are ---- */

static double area_height(const struct nb_map *map, size_t area)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < map->area_count; i++)
        largest = map->areas[i].size > largest ? map->areas[i].size : largest;
    return map->areas[area].size < largest / 2 ? SMALL : SLOT;
}

/* Areas are drawn highest address first. */
static double area_top(const struct nb_map *map, size_t area)
{
    double top = TOP;
    for (size_t i = 0; i < area; i++)
        top += area_height(map, i) + GAP;
    return top;
}

/* The area of an address, or area_count. */
static size_t area_of(const struct nb_map *map, uint32_t address)
{
    size_t i = 0;
    while (i < map->area_count && (address < map->areas[i].address ||
                                   address - map->areas[i].address >= map->areas[i].size))
        i++;
    return i;
}

static double scale(const struct nb_map *map, size_t area)
{
    return area_height(map, area) / (double)map->areas[area].size;
}

/* Where the address lies in its area's picture. */
static double height_of(const struct nb_map *map, size_t area, uint32_t address)
{
    double up = scale(map, area) * (double)(address - map->areas[area].address);
    return area_top(map, area) + area_height(map, area) - up;
}

static double step_of(const struct nb_map *map)
{
    return PLOT / (double)map->op_count;
}

/* ---- the plot ---- */

static void draw_areas(const struct nb_map *map, double bottom, FILE *out)
{
    char text[32];
    for (size_t i = 0; i < map->area_count; i++) {
        const struct nb_map_area *area = &map->areas[i];
        double top = area_top(map, i);
        double height = area_height(map, i);
        fprintf(out, "<rect class=\"a\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                LEFT, top, PLOT, height);
        put_line(out, "b r", LEFT - 8, top + height / 2 + 4, area->name);
        if (height <= SMALL)
            continue;
        snprintf(text, sizeof text, "0x%06X", area->address + area->size);
        put_line(out, "r", LEFT - 8, top + 10, text);
        snprintf(text, sizeof text, "0x%06X", area->address);
        put_line(out, "r", LEFT - 8, top + height, text);
    }
    fprintf(out,
            "<text class=\"m\" transform=\"translate(16 %.1f) rotate(-90)\">flash address</text>\n",
            (TOP + bottom) / 2);
}

/* One path for all operations of a kind and fate. */
static void draw_ops(const struct nb_map *map, enum nb_fate fate, enum flash_op_kind kind,
                     FILE *out)
{
    bool any = false;
    double step = step_of(map);
    for (size_t i = 0; i < map->op_count; i++) {
        const struct nb_seen_op *op = &map->ops[i];
        size_t area = area_of(map, op->address);
        if (op->fate != fate || op->kind != kind || area == map->area_count)
            continue;
        double thick = scale(map, area) * (double)op->length;
        thick = thick < MIN_THICK ? MIN_THICK : thick;
        double y = height_of(map, area, op->address) - thick;
        y = y < area_top(map, area) ? area_top(map, area) : y;
        if (!any)
            fprintf(out, "<path class=\"%s%s\" d=\"", fates[fate].class,
                    kind == FLASH_OP_ERASE ? " x" : "");
        double wide = step < MIN_WIDE ? MIN_WIDE : step;
        fprintf(out, "M%.1f %.1fh%.1fv%.1fh-%.1fz", LEFT + (double)i * step, y, wide, thick, wide);
        any = true;
    }
    if (any)
        fputs("\"/>\n", out);
}

/* The band: what boots after a cut in each operation. Bricks have a mark of their own. */
static void draw_band(const struct nb_map *map, FILE *out)
{
    double step = step_of(map);
    put_line(out, "b r", LEFT - 8, STRIP + 12, "after a cut");
    for (size_t from = 0; from < map->op_count;) {
        size_t to = from;
        while (to < map->op_count && map->ops[to].fate == map->ops[from].fate)
            to++;
        fprintf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                fates[map->ops[from].fate].class, LEFT + (double)from * step, STRIP,
                (double)(to - from) * step, BAND);
        for (size_t i = from; i < to && map->ops[i].fate == NB_FATE_FAIL; i++)
            fprintf(out, "<path class=\"f\" d=\"M%.1f %.1fl4 -8h-8z\"/>\n",
                    LEFT + ((double)i + 0.5) * step, STRIP - 2);
        from = to;
    }
}

/* A round number of operations between two ticks. */
static unsigned tick_of(const struct nb_map *map)
{
    unsigned tick = 10;
    for (unsigned i = 0; tick * step_of(map) < 55; i++)
        tick = i % 3 == 1 ? tick / 2 * 5 : tick * 2; /* 10 20 50 100 … */
    return tick;
}

static void draw_run(const struct nb_map *map, size_t from, size_t to, double bottom, FILE *out)
{
    char text[64];
    double step = step_of(map);
    unsigned tick = tick_of(map);
    double start = LEFT + (double)from * step;
    for (size_t at = 0; at < to - from; at += tick) {
        double x = start + (double)at * step;
        fprintf(out, "<path class=\"g\" d=\"M%.1f %.1fv5\"/>\n", x, bottom);
        snprintf(text, sizeof text, "%zu", at);
        if ((double)(to - from - at) * step > 24)
            put_line(out, at == 0 ? "" : "m", at == 0 ? x - 3 : x, bottom + 18, text);
    }
    if (from != 0)
        fprintf(out, "<path class=\"g\" stroke-dasharray=\"3 3\" d=\"M%.1f %.1fV%.1f\"/>\n", start,
                STRIP - 4, bottom + 5);
    snprintf(text, sizeof text, "boot %u: %zu operations", map->ops[from].run + 1, to - from);
    if ((double)(to - from) * step > 120)
        put_line(out, "m", start + (double)(to - from) * step / 2, bottom + 36, text);
}

static void draw_runs(const struct nb_map *map, double bottom, FILE *out)
{
    for (size_t from = 0; from < map->op_count;) {
        size_t to = from;
        while (to < map->op_count && map->ops[to].run == map->ops[from].run)
            to++;
        draw_run(map, from, to, bottom, out);
        from = to;
    }
}

/* ---- wear ---- */

/* Erases of the sector at the address; *first: operation `i` is the first of them. */
static unsigned erases_at(const struct nb_map *map, size_t i, bool *first)
{
    unsigned count = 0;
    *first = map->ops[i].kind == FLASH_OP_ERASE;
    for (size_t j = 0; j < map->op_count; j++) {
        if (map->ops[j].kind != FLASH_OP_ERASE || map->ops[j].address != map->ops[i].address)
            continue;
        *first = *first && j >= i;
        count++;
    }
    return count;
}

/* Erases of each sector in all the boots. */
static void draw_wear(const struct nb_map *map, double bottom, FILE *out)
{
    unsigned most = 1;
    bool first;
    char text[32];
    for (size_t i = 0; i < map->op_count; i++) {
        unsigned count = erases_at(map, i, &first);
        most = first && count > most ? count : most;
    }
    fputs("<path class=\"w\" d=\"", out);
    for (size_t i = 0; i < map->op_count; i++) {
        const struct nb_seen_op *op = &map->ops[i];
        size_t area = area_of(map, op->address);
        unsigned count = erases_at(map, i, &first);
        if (!first || area == map->area_count)
            continue;
        double thick = scale(map, area) * (double)op->length;
        double wide = WEAR * count / most;
        fprintf(out, "M%.1f %.1fh%.1fv%.1fh-%.1fz", WEAR_AT,
                height_of(map, area, op->address) - thick, wide, thick > 2 ? thick - 0.6 : thick,
                wide);
    }
    fputs("\"/>\n", out);
    put_line(out, "b", WEAR_AT, STRIP + 12, "wear");
    unsigned tick = most <= 6 ? 1 : (most + 4) / 5;
    for (unsigned count = 0; count <= most; count += tick) {
        double x = WEAR_AT + WEAR * count / most;
        fprintf(out, "<path class=\"g\" d=\"M%.1f %.1fv5\"/>\n", x, bottom);
        snprintf(text, sizeof text, "%u", count);
        put_line(out, "m", x, bottom + 18, text);
    }
    put_line(out, "m", WEAR_AT + WEAR / 2, bottom + 36, "erases of a sector");
}

static void draw_legend(const struct nb_map *map, double y, FILE *out)
{
    double x = LEFT;
    put_line(out, "b r", LEFT - 8, y, "a cut there, then");
    for (size_t i = 0; i < FATES; i++) {
        char version[80];
        char text[120];
        size_t count = 0;
        for (size_t j = 0; j < map->op_count; j++)
            count += map->ops[j].fate == (enum nb_fate)i;
        snprintf(version, sizeof version, "%s", i == NB_FATE_OLD ? map->old : map->new);
        if (fates[i].text[0] == '%')
            snprintf(text, sizeof text, "%s boots: %zu", version, count);
        else
            snprintf(text, sizeof text, "%s: %zu", fates[i].text, count);
        fprintf(out,
                "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"12\" rx=\"2\"/>\n",
                fates[i].class, x, y - 10.5);
        put_line(out, "", x + 17, y, text);
        x += i < NB_FATE_EITHER ? 122 : 256;
    }
    put_line(out, "", LEFT, y + 20,
             "Each mark is one flash operation, in the order of time: light an erase, full a "
             "program. Numbers are as replay ids have them.");
}

int nb_map_write(const struct nb_map *map, const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return OTA_E_IO;
    double bottom = area_top(map, map->area_count) - GAP;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
            "height=\"%.0f\" role=\"img\">\n<title>",
            WIDTH, bottom + 92, WIDTH, bottom + 92);
    put_text(out, map->title);
    fprintf(out, "</title>\n%s", style);
    put_line(out, "t", 8, 24, map->title);
    put_line(out, "", 8, 45, map->subtitle);
    put_line(out, "", 8, 63, map->verdict);
    draw_areas(map, bottom, out);
    if (map->op_count != 0) {
        draw_band(map, out);
        draw_runs(map, bottom, out);
        for (size_t i = 0; i < FATES; i++) {
            draw_ops(map, (enum nb_fate)i, FLASH_OP_ERASE, out);
            draw_ops(map, (enum nb_fate)i, FLASH_OP_PROGRAM, out);
        }
        draw_wear(map, bottom, out);
    }
    draw_legend(map, bottom + 60, out);
    fputs("</svg>\n", out);
    bool failed = ferror(out) != 0;
    return fclose(out) != 0 || failed ? OTA_E_IO : 0;
}
