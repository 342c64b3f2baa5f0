#include "harness/prove/map.h"

#include <errno.h>
#include <stdlib.h>

#define WIDTH     960.0
#define LEFT      110.0
#define TOP       104.0
#define PLOT      680.0 /* width of the operations */
#define AREA      150.0 /* height of one area */
#define GAP       22.0
#define WEAR_AT   (LEFT + PLOT + 22.0)
#define WEAR      110.0
#define MIN_THICK 4.0

static const struct {
    const char *class;
    const char *text; /* %s: a version */
} fates[] = {
    [NB_FATE_OLD] = {"o", "%s boots"},
    [NB_FATE_NEW] = {"n", "%s boots"},
    [NB_FATE_EITHER] = {"e", "as the tear falls: one or the other"},
    [NB_FATE_FAIL] = {"f", "brick, or the wrong image"},
};
#define FATES (sizeof fates / sizeof fates[0])

static const char style[] =
    "<style>\n"
    "text{font:13px system-ui,sans-serif;fill:#57606a}\n"
    ".t{font-size:18px;font-weight:600;fill:#24292f}.s{font-size:12px}\n"
    ".a{fill:#8c959f;fill-opacity:.10;stroke:#8c959f;stroke-opacity:.5}\n"
    ".r{stroke:#8c959f;stroke-dasharray:3 3}.w{fill:#8c959f}\n"
    ".o{fill:#2f81f7}.n{fill:#2da44e}.e{fill:#d4a72c}.f{fill:#e5484d}.x{fill-opacity:.45}\n"
    "@media(prefers-color-scheme:dark){text{fill:#9da7b3}.t{fill:#e6edf3}}\n"
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

static double top_of(size_t area)
{
    return TOP + (double)area * (AREA + GAP);
}

/* The area of an address, or area_count. Areas are drawn highest address first. */
static size_t area_of(const struct nb_map *map, uint32_t address)
{
    size_t i = 0;
    while (i < map->area_count && (address < map->areas[i].address ||
                                   address - map->areas[i].address >= map->areas[i].size))
        i++;
    return i;
}

static double height_of(const struct nb_map *map, size_t area, uint32_t address)
{
    const struct nb_map_area *at = &map->areas[area];
    return top_of(area) + AREA - AREA * (double)(address - at->address) / (double)at->size;
}

static void draw_areas(const struct nb_map *map, FILE *out)
{
    for (size_t i = 0; i < map->area_count; i++) {
        fprintf(out, "<rect class=\"a\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                LEFT, top_of(i), PLOT, AREA);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 10,
                top_of(i) + AREA / 2, map->areas[i].name);
        fprintf(out, "<text class=\"s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">0x%06x</text>\n",
                LEFT - 10, top_of(i) + AREA, map->areas[i].address);
    }
}

static void draw_op(const struct nb_map *map, size_t number, FILE *out)
{
    const struct nb_seen_op *op = &map->ops[number];
    size_t area = area_of(map, op->address);
    double step = PLOT / (double)map->op_count;
    if (area == map->area_count)
        return;
    double low = height_of(map, area, op->address);
    double thick = AREA * (double)op->length / (double)map->areas[area].size;
    thick = thick < MIN_THICK ? MIN_THICK : thick;
    double y = low - thick < top_of(area) ? top_of(area) : low - thick;
    fprintf(out, "<rect class=\"%s%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n",
            fates[op->fate].class, op->kind == FLASH_OP_ERASE ? " x" : "",
            LEFT + (double)number * step, y, step < 1.4 ? 1.4 : step, thick);
    if (op->fate == NB_FATE_FAIL) /* also for those who see no red */
        fprintf(out, "<path class=\"f\" d=\"M%.2f %.2fl5 -9h-10z\"/>\n",
                LEFT + ((double)number + 0.5) * step, TOP - 3);
}

static void draw_runs(const struct nb_map *map, double bottom, FILE *out)
{
    double step = PLOT / (double)map->op_count;
    for (size_t i = 0; i < map->op_count; i++) {
        if (i != 0 && map->ops[i].run == map->ops[i - 1].run)
            continue;
        double x = LEFT + (double)i * step;
        if (i != 0)
            fprintf(out, "<path class=\"r\" d=\"M%.2f %.1fV%.1f\"/>\n", x, TOP, bottom);
        fprintf(out, "<text class=\"s\" x=\"%.2f\" y=\"%.1f\">run %u, operation 0</text>\n", x,
                bottom + 15, map->ops[i].run + 1);
    }
}

/* Erases of each sector in all the runs. */
static void draw_wear(const struct nb_map *map, FILE *out)
{
    unsigned most = 1;
    for (int draw = 0; draw < 2; draw++) {
        for (size_t i = 0; i < map->op_count; i++) {
            const struct nb_seen_op *op = &map->ops[i];
            size_t area = area_of(map, op->address);
            unsigned count = 0;
            bool first = true;
            for (size_t j = 0; j < map->op_count; j++) {
                bool same =
                    map->ops[j].kind == FLASH_OP_ERASE && map->ops[j].address == op->address;
                first = first && !(same && j < i);
                count += same;
            }
            if (op->kind != FLASH_OP_ERASE || !first || area == map->area_count)
                continue;
            most = count > most ? count : most;
            double thick = AREA * (double)op->length / (double)map->areas[area].size;
            if (draw == 1)
                fprintf(out,
                        "<rect class=\"w\" x=\"%.1f\" y=\"%.2f\" width=\"%.2f\" "
                        "height=\"%.2f\"/>\n",
                        WEAR_AT, height_of(map, area, op->address) - thick, WEAR * count / most,
                        thick > 1.5 ? thick - 0.5 : thick);
        }
    }
    fprintf(out, "<text class=\"s\" x=\"%.1f\" y=\"%.1f\">wear: up to %u erases</text>\n", WEAR_AT,
            TOP - 8, most);
}

static void draw_legend(const struct nb_map *map, double y, FILE *out)
{
    double x = LEFT;
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\">A power cut here, then:</text>\n", x, y);
    x += 165;
    for (size_t i = 0; i < FATES; i++) {
        char text[80];
        const char *version = i == NB_FATE_OLD ? map->old : map->new;
        snprintf(text, sizeof text, fates[i].text[0] == '%' ? "%s boots" : "%s",
                 fates[i].text[0] == '%' ? version : fates[i].text);
        fprintf(out,
                "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"12\"/>"
                "<text x=\"%.1f\" y=\"%.1f\">",
                fates[i].class, x, y - 10.5, x + 18, y);
        put_text(out, text);
        fputs("</text>\n", out);
        x += i < NB_FATE_EITHER ? 110 : 250;
    }
    fprintf(out,
            "<text class=\"s\" x=\"%.1f\" y=\"%.1f\">Operations from left to right, flash from "
            "bottom to top; pale: erase, full: program.</text>\n",
            LEFT, y + 20);
}

int nb_map_write(const struct nb_map *map, const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return OTA_E_IO;
    double bottom = top_of(map->area_count) - GAP;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
            "height=\"%.0f\">\n%s",
            WIDTH, bottom + 78, WIDTH, bottom + 78, style);
    fprintf(out, "<text class=\"t\" x=\"%.1f\" y=\"26\">", LEFT);
    put_text(out, map->title);
    fprintf(out, "</text>\n<text x=\"%.1f\" y=\"47\">", LEFT);
    put_text(out, map->subtitle);
    fprintf(out, "</text>\n<text x=\"%.1f\" y=\"66\">", LEFT);
    put_text(out, map->verdict);
    fputs("</text>\n", out);
    draw_areas(map, out);
    for (size_t i = 0; i < map->op_count; i++)
        draw_op(map, i, out);
    if (map->op_count != 0)
        draw_runs(map, bottom, out);
    draw_wear(map, out);
    draw_legend(map, bottom + 44, out);
    fputs("</svg>\n", out);
    bool failed = ferror(out) != 0;
    return fclose(out) != 0 || failed ? OTA_E_IO : 0;
}
