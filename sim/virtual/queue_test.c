#include "sim/virtual/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void add(struct virtual_queue *queue, uint64_t due, void *context, uint64_t value)
{
    const struct virtual_event event = {.due = due, .context = context, .value = value};
    assert_int_equal(virtual_queue_add(queue, event), OTA_OK);
}

/* Takes everything; the values in order, as letters. */
static const char *taken(struct virtual_queue *queue)
{
    static char text[64];
    struct virtual_event event;
    size_t count = 0;
    while (virtual_queue_take(queue, &event))
        text[count++] = (char)event.value;
    text[count] = '\0';
    return text;
}

static void by_time_then_by_order_of_asking(void **state)
{
    struct virtual_queue queue = {0};
    (void)state;
    add(&queue, 5, NULL, 'c');
    add(&queue, 9, NULL, 'f');
    add(&queue, 5, NULL, 'd');
    add(&queue, 0, NULL, 'a');
    add(&queue, 5, NULL, 'e');
    add(&queue, 0, NULL, 'b');
    assert_string_equal(taken(&queue), "abcdef");
    assert_string_equal(taken(&queue), "");
    virtual_queue_free(&queue);
}

/* Against a plain search for the least, with what a heap is made of: many, equal, removed. */
static void like_a_sorted_list(void **state)
{
    enum { MANY = 500 };
    struct virtual_queue queue = {0};
    uint64_t dues[MANY];
    bool there[MANY];
    uint32_t chance = 12345;
    (void)state;
    for (uint64_t i = 0; i < MANY; i++) {
        chance = chance * 1103515245u + 12345u;
        dues[i] = (chance >> 16) % 50;
        there[i] = true;
        add(&queue, dues[i], there, i);
    }
    for (uint64_t i = 0; i < MANY; i += 3) {
        virtual_queue_remove(&queue, there, i);
        there[i] = false;
    }
    for (size_t left = MANY - (MANY + 2) / 3; left > 0; left--) {
        struct virtual_event event;
        size_t least = MANY;
        for (size_t i = 0; i < MANY; i++)
            if (there[i] && (least == MANY || dues[i] < dues[least]))
                least = i;
        assert_true(virtual_queue_take(&queue, &event));
        assert_int_equal(event.value, least);
        assert_int_equal(event.due, dues[least]);
        there[least] = false;
    }
    assert_int_equal(queue.count, 0);
    virtual_queue_free(&queue);
}

static void a_place_kept_in_the_order(void **state)
{
    struct virtual_queue queue = {0};
    (void)state;
    add(&queue, 5, NULL, 'a');
    uint64_t order = virtual_queue_order(&queue);
    add(&queue, 5, NULL, 'c');
    assert_true(virtual_queue_has_before(&queue, 5, order));
    assert_false(virtual_queue_has_before(&queue, 4, order));
    const struct virtual_event event = {.due = 5, .order = order, .value = 'b'};
    assert_int_equal(virtual_queue_add(&queue, event), OTA_OK);
    assert_string_equal(taken(&queue), "abc");
    assert_false(virtual_queue_has_before(&queue, 5, order));
    virtual_queue_free(&queue);
}

static void drops_and_removes_what_is_meant(void **state)
{
    struct virtual_queue queue = {0};
    int one;
    int two;
    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        add(&queue, 20 - i, i % 2 ? &one : &two, 'a' + i);
    virtual_queue_drop(&queue, &one);
    virtual_queue_drop(&queue, &one);
    virtual_queue_remove(&queue, &two, 'e');
    virtual_queue_remove(&queue, &one, 'c'); /* another's */
    virtual_queue_remove(&queue, &two, 'z');
    assert_string_equal(taken(&queue), "igca");
    virtual_queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_time_then_by_order_of_asking),
        cmocka_unit_test(like_a_sorted_list),
        cmocka_unit_test(a_place_kept_in_the_order),
        cmocka_unit_test(drops_and_removes_what_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
