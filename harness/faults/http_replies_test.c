#include "harness/faults/proxy_rig.h"

/* ---- HTTP -------------------------------------------------------------------------------- */

#define GET      "GET /image HTTP/1.1\r\nHost: a\r\nRange: bytes=8-15\r\nIf-Range: \"x\"\r\n\r\n"
#define GET_JOB  "GET /job HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD_206 "HTTP/1.1 206 Partial Content\r\n"
#define RANGE    "Content-Range: bytes 8-15/100\r\n"
#define ETAG     "ETag: \"x\"\r\n"
#define LENGTH   "Content-Length: 8\r\n"
#define BODY     "abcdefgh"
#define REPLY    HEAD_206 RANGE ETAG LENGTH "\r\n" BODY

static void assert_client_got(const char *text)
{
    client.data[client.size] = '\0';
    assert_string_equal((const char *)client.data, text);
}

static void http_replies_are_made_wrong(void **state)
{
    static const struct {
        enum nb_fault_kind kind;
        const char *got;
        bool closed;
    } cases[] = {
        {NB_HTTP_WRONG_LENGTH, HEAD_206 RANGE ETAG "Content-Length: 72\r\n\r\n" BODY, true},
        {NB_HTTP_SHORT_BODY, HEAD_206 RANGE ETAG "Content-Length: 4\r\n\r\nabcd", false},
        {NB_HTTP_NO_LENGTH, HEAD_206 RANGE ETAG "Connection: close\r\n\r\nabcd", true},
        {NB_HTTP_WRONG_TOTAL, HEAD_206 ETAG LENGTH "Content-Range: bytes 8-15/4196\r\n\r\n" BODY,
         false},
        {NB_HTTP_STAR_TOTAL, HEAD_206 ETAG LENGTH "Content-Range: bytes 8-15/*\r\n\r\n" BODY,
         false},
        {NB_HTTP_NO_RANGE, HEAD_206 ETAG LENGTH "\r\n" BODY, false},
        {NB_HTTP_CHUNKED,
         HEAD_206 RANGE ETAG "Transfer-Encoding: chunked\r\n\r\n8\r\n" BODY "\r\n0\r\n\r\n", false},
        {NB_HTTP_BROKEN_CHUNKS,
         HEAD_206 RANGE ETAG "Transfer-Encoding: chunked\r\n\r\nzz8\r\n" BODY "\r\n0\r\n\r\n",
         true},
        {NB_HTTP_LOWER_CASE,
         HEAD_206 "content-range: bytes 8-15/100\r\netag: \"x\"\r\ncontent-length: 8\r\n\r\n" BODY,
         false},
        {NB_HTTP_EMPTY, HEAD_206 RANGE ETAG "Content-Length: 0\r\n\r\n", false},
        {NB_HTTP_ETAG_CHANGE, HEAD_206 RANGE LENGTH "ETag: \"another-image\"\r\n\r\n" BODY, false},
        {NB_HTTP_OTHER_IMAGE, HEAD_206 RANGE LENGTH "ETag: \"another-image\"\r\n\r\n`cbedgfi",
         false},
        {NB_HTTP_CLOSE, HEAD_206 RANGE ETAG LENGTH "Connection: close\r\n\r\n" BODY, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(NB_TALK_HTTP);
        arm(cases[i].kind, NB_PLACE_ANY, 0, 0);
        meet();
        say_text(&client, GET);
        until(server.size > 0);
        say_text(&server, REPLY);
        until(client.size >= strlen(cases[i].got));
        settle();
        assert_client_got(cases[i].got);
        assert_int_equal(client.ended, cases[i].closed);
        assert_fired("/image");
        end();
    }
}

static void http_long_headers_are_long(void **state)
{
    (void)state;
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_LONG_HEADERS, NB_PLACE_ANY, 0, 0);
    meet();
    say_text(&client, GET);
    until(server.size > 0);
    say_text(&server, REPLY);
    until(client.size > 2500);
    settle();
    assert_memory_equal(client.data + client.size - 12, "\r\n\r\n" BODY, 12);
    end();
}

static void http_answers_in_place_of_the_server(void **state)
{
    static const char raw[] = "HTTP/1.0 200\\r\\n\\r\\na\\\\b\\0c";
    char redirect[120];
    snprintf(redirect, sizeof redirect, "%s", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:");
    const struct {
        enum nb_fault_kind kind;
        const char *begins;
    } cases[] = {
        {NB_HTTP_STATUS, "HTTP/1.1 503 Canned\r\nContent-Length: 0\r\n\r\n"},
        {NB_HTTP_REDIRECT, redirect},
        {NB_HTTP_REDIRECT_RELATIVE, "HTTP/1.1 302 Found\r\nLocation: /image\r\n"},
        {NB_HTTP_REDIRECT_NOWHERE, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"},
        {NB_HTTP_RAW, "HTTP/1.0 200\r\n\r\na\\b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(NB_TALK_HTTP);
        struct nb_fault fault = fault_of(cases[i].kind, NB_PLACE_ANY, 0, 503);
        fault.text = raw;
        assert_int_equal(nb_proxy_arm(proxy, &fault), 0);
        meet();
        say_text(&client, GET);
        until(client.size >= strlen(cases[i].begins));
        settle();
        assert_memory_equal(client.data, cases[i].begins, strlen(cases[i].begins));
        assert_int_equal(server.size, 0);
        assert_int_equal(client.ended, cases[i].kind == NB_HTTP_RAW);
        if (cases[i].kind == NB_HTTP_RAW)
            assert_memory_equal(client.data + client.size - 2, "\0c", 2);
        end();
    }
}

static void a_long_path_is_redirected_whole(void **state)
{
    char path[260];
    char request[400];
    (void)state;
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_REDIRECT_RELATIVE, NB_PLACE_ANY, 0, 0);
    meet();
    say_text(&client, request);
    until(nb_proxy_unfired(proxy, NULL) == 0);
    until(client.size > sizeof path);
    settle();
    client.data[client.size] = '\0';
    const char *location = strstr((const char *)client.data, "Location: ");
    assert_non_null(location);
    assert_memory_equal(location + 10, path, sizeof path - 1);
    assert_memory_equal(location + 10 + sizeof path - 1, "\r\n", 2);
    end();
}

static void http_fault_meets_its_phase_and_place_only(void **state)
{
    (void)state;
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_STATUS, NB_PLACE_BODY, 10, 404);
    meet();
    say_text(&client, GET_JOB);
    until(server.size == strlen(GET_JOB));
    say_text(&server, REPLY); /* a job is no data */
    until(client.size == strlen(REPLY));
    for (int i = 1; i <= 2; i++) { /* 8 bytes, 16 bytes */
        say_text(&client, GET);
        until(server.size == strlen(GET_JOB) + (size_t)i * strlen(GET));
        say_text(&server, REPLY);
        until(client.size == (size_t)(i + 1) * strlen(REPLY));
    }
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 1);
    say_text(&client, GET);
    until(nb_proxy_unfired(proxy, NULL) == 0);
    until(client.size > 3 * strlen(REPLY));
    assert_memory_equal(client.data + 3 * strlen(REPLY), "HTTP/1.1 404", 12);
    end();
}

static void http_range_is_taken_out_of_the_request(void **state)
{
    static const char without[] = "GET /image HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)state;
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_IGNORE_RANGE, NB_PLACE_ANY, 0, 0);
    meet();
    say_text(&client, GET);
    until(server.size == strlen(without));
    assert_memory_equal(server.data, without, strlen(without));
    assert_fired("fault ignore-range /image");
    end();
}

static void http_changed_image_has_no_ranges_of_the_old_one(void **state)
{
    static const char request[] = "GET /image HTTP/1.1\r\nRange: bytes=8-15\r\n";
    static const char old[] = "If-Range: \"x\"\r\n\r\n";
    static const char new[] = "If-Range: \"another-image\"\r\n\r\n";
    static const char whole[] = "GET /image HTTP/1.1\r\n\r\n";
    char text[200];
    (void)state;
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_ETAG_CHANGE, NB_PLACE_ANY, 0, 0);
    meet();
    snprintf(text, sizeof text, "%s%s", request, old);
    say_text(&client, text);
    until(server.size == strlen(whole));
    assert_memory_equal(server.data, whole, strlen(whole));
    say_text(&server, REPLY);
    until(client.size > strlen(REPLY));
    snprintf(text, sizeof text, "%s%s", request, new);
    say_text(&client, text);
    until(server.size == strlen(whole) + strlen(request) + 2);
    assert_memory_equal(server.data + strlen(whole), request, strlen(request));
    end();
}

static void http_other_range_is_asked_for(void **state)
{
    static const char other[] = "GET /image HTTP/1.1\r\nHost: a\r\nIf-Range: \"x\"\r\n"
                                "Range: bytes=72-79\r\n\r\n";
    (void)state;
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_WRONG_RANGE, NB_PLACE_ANY, 0, 0);
    meet();
    say_text(&client, GET);
    until(server.size == strlen(other));
    assert_memory_equal(server.data, other, strlen(other));
    assert_fired("fault wrong-range /image");
    end();
}

static void http_post_is_the_result(void **state)
{
    static const char post[] = "POST /image HTTP/1.1\r\nContent-Length: 4\r\n\r\n1234";
    (void)state;
    begin(NB_TALK_HTTP);
    struct nb_fault fault = {.value = 405, .phase = NB_PHASE_RESULT};
    nb_fault_complete(&fault, NB_HTTP_STATUS);
    assert_int_equal(nb_proxy_arm(proxy, &fault), 0);
    meet();
    say_text(&client, GET); /* none of its business */
    until(server.size == strlen(GET));
    say_text(&server, REPLY);
    until(client.size == strlen(REPLY));
    say_text(&client, post);
    until(nb_proxy_unfired(proxy, NULL) == 0);
    say_text(&client, post); /* the second one is the server's */
    until(server.size == strlen(GET) + strlen(post));
    assert_memory_equal(server.data + strlen(GET), post, strlen(post));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_replies_are_made_wrong),
        cmocka_unit_test(http_long_headers_are_long),
        cmocka_unit_test(http_answers_in_place_of_the_server),
        cmocka_unit_test(a_long_path_is_redirected_whole),
        cmocka_unit_test(http_fault_meets_its_phase_and_place_only),
        cmocka_unit_test(http_range_is_taken_out_of_the_request),
        cmocka_unit_test(http_changed_image_has_no_ranges_of_the_old_one),
        cmocka_unit_test(http_other_range_is_asked_for),
        cmocka_unit_test(http_post_is_the_result),
    };
    return run_in_both_worlds(tests);
}
