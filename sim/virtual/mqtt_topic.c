#include "sim/virtual/mqtt_topic.h"

#include <string.h>

bool mqtt_topic_is_name(struct mqtt_bytes topic)
{
    return topic.size > 0 && memchr(topic.data, '+', topic.size) == NULL &&
           memchr(topic.data, '#', topic.size) == NULL;
}

bool mqtt_topic_is_filter(struct mqtt_bytes filter)
{
    for (size_t i = 0; i < filter.size; i++) {
        bool begins = i == 0 || filter.data[i - 1] == '/';
        bool ends = i + 1 == filter.size;
        if (filter.data[i] == '+' && !(begins && (ends || filter.data[i + 1] == '/')))
            return false;
        if (filter.data[i] == '#' && !(begins && ends))
            return false;
    }
    return filter.size > 0;
}

static size_t level_end(struct mqtt_bytes text, size_t at)
{
    const uint8_t *slash = memchr(text.data + at, '/', text.size - at);
    return slash != NULL ? (size_t)(slash - text.data) : text.size;
}

bool mqtt_topic_matches(struct mqtt_bytes filter, struct mqtt_bytes name)
{
    bool wild = filter.data[0] == '+' || filter.data[0] == '#';
    if (wild && name.data[0] == '$')
        return false;
    for (size_t f = 0, n = 0;;) {
        size_t f_end = level_end(filter, f);
        size_t n_end = level_end(name, n);
        bool any = f_end - f == 1 && filter.data[f] == '+';
        if (f_end - f == 1 && filter.data[f] == '#')
            return true;
        if (!any && (f_end - f != n_end - n ||
                     (f_end > f && memcmp(filter.data + f, name.data + n, f_end - f) != 0)))
            return false;
        bool filter_over = f_end == filter.size;
        bool name_over = n_end == name.size;
        if (name_over) /* `a/#` is for `a` too */
            return filter_over || (filter.size - f_end == 2 && filter.data[f_end + 1] == '#');
        if (filter_over)
            return false;
        f = f_end + 1;
        n = n_end + 1;
    }
}
