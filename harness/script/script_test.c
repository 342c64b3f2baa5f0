#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/faults/manifest_lies.h"
#include "harness/script/script.h"
#include "harness/script/verbs.h"

#include <stdio.h>
#include <string.h>

/* What a good script has before and after the line under test. */
#define HEAD "title A test\n"
#define TAIL "device boot\nexpect boot v1\n"

static int parse(const char *text, struct nb_script *script, struct flash_text_error *error)
{
    return nb_script_parse(text, strlen(text), "test.ota", script, error);
}

/* ---- good scripts ------------------------------------------------------------------------ */

static void whole_script_is_understood(void **state)
{
    static const char text[] = "title   A plain update   # not part of it\r\n"
                               "req     DISC-01 BOOT-02\n"
                               "\n"
                               "# a comment\n"
                               "\tsystem anycloud harmony\n"
                               "world   virtual posix\n"
                               "device  one two\n"
                               "cloud   offer v2 size=64K app=crashes key=other counter=7\n"
                               "@chunk:3 raw 4f54Ff\n"
                               "@job    raw {\"Message\": 1}\n"
                               "device  check\n"
                               "expect  boot v1|v2|1.2.3 trial\n"
                               "expect  cloud result success X\n";
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(parse(text, &script, &error), 0);
    assert_string_equal(script.title, "A plain update");
    assert_int_equal(script.req.count, 2);
    assert_string_equal(script.req.items[1], "BOOT-02");
    assert_int_equal(script.system.count, 2);
    assert_int_equal(script.device.line, 7);
    assert_true(script.needs_cloud);
    assert_int_equal(script.image_count, 2); /* v1 of the factory, and v2 */
    const struct nb_image *image = nb_script_image(&script, 2);
    assert_non_null(image);
    assert_int_equal(image->size, 65536);
    assert_int_equal(image->app, APP_CRASHES);
    assert_int_equal(image->key, NB_KEY_OTHER);
    assert_true(image->has_counter);
    assert_int_equal(image->counter, 7);
    assert_int_equal(script.step_count, 6);
    assert_int_equal(script.steps[1].kind, NB_FAULT_CHUNK);
    assert_int_equal(script.steps[1].chunk_fault, NB_CHUNK_RAW);
    assert_int_equal(script.steps[1].raw_size, 3);
    assert_int_equal(script.steps[1].raw[2], 0xFF);
    assert_string_equal(script.steps[2].raw_text, "{\"Message\": 1}");
    const struct nb_expect *expect = &script.steps[4].expect;
    assert_int_equal(script.steps[4].line, 12);
    assert_int_equal(expect->version_count, 3);
    assert_int_equal(expect->versions[2].revision, 3);
    assert_int_equal(expect->status, NB_STATUS_TRIAL);
    assert_string_equal(script.steps[5].expect.text, "result success X");
    assert_string_equal(script.steps[5].text, "expect cloud result success X");
    nb_script_free(&script);
}

static void last_line_needs_no_newline(void **state)
{
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(parse(HEAD "device boot\nexpect boot v1", &script, &error), 0);
    nb_script_free(&script);
}

/* vN without options is the same image again, with options a new one. */
static void image_is_reused_unless_it_has_options(void **state)
{
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(parse(HEAD "flash slot1 v2 size=4K\nflash slot1 v2 pending\n"
                                "flash slot1 v2 size=8K\nflash slot0 v1\n" TAIL,
                           &script, &error),
                     0);
    assert_int_equal(script.image_count, 3);
    assert_int_equal(script.steps[0].image, 1);
    assert_int_equal(script.steps[1].image, 1);
    assert_true(script.steps[1].pending);
    assert_int_equal(script.steps[2].image, 2);
    assert_int_equal(script.steps[3].image, 0);
    assert_false(script.needs_cloud);
    nb_script_free(&script);
}

/* Both engines ask here: a later v1 with options does not change what lies there first. */
static void factory_image_is_the_plain_v1(void **state)
{
    static const struct {
        const char *text;
        bool has;
    } rows[] = {
        {HEAD TAIL, true},
        {HEAD "flash slot1 v1 size=9K\n" TAIL, true},
        {HEAD "flash slot0 v1 size=9K\n" TAIL, false},
        {HEAD "flash slot0 erase\n" TAIL, false},
        {HEAD "device boot\nflash slot0 v1\n" TAIL, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nb_script script;
        struct flash_text_error error;
        assert_int_equal(parse(rows[i].text, &script, &error), 0);
        const struct nb_image *image = nb_script_factory(&script);
        assert_int_equal(image != NULL, rows[i].has);
        assert_true(image == NULL || (image->number == 1 && image->size == 0));
        nb_script_free(&script);
    }
}

/* One cut where it is put and one anywhere, in different steps: the device is cut twice. */
static void proof_says_what_the_application_may_do(void **state)
{
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(parse("title T\nreq BOOT-01\nflash slot1 v2\n"
                           "prove pending permanent confirm boot v1|v2\nuntil stable boot v2\n",
                           &script, &error),
                     0);
    const struct nb_step *step = &script.steps[1];
    assert_int_equal(step->kind, NB_PROVE);
    assert_true(step->pending && step->permanent && step->confirmed);
    assert_int_equal(step->expect.version_count, 2);
    assert_false(script.needs_cloud);
    nb_script_free(&script);
}

static void fixed_cut_and_sweep_of_two_steps_go_together(void **state)
{
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(
        parse(HEAD "@flash:5 cut after\ndevice boot\n@flash:* cut\n" TAIL, &script, &error), 0);
    nb_script_free(&script);
}

static void faults_carry_their_numbers(void **state)
{
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(parse(HEAD "@flash:* cut\ndevice boot\n@flash:37 cut half\ndevice boot\n"
                                "@flash:9 cut\ndevice boot\n@flash:3 fail\n"
                                "flash slot1 break -16\n" TAIL,
                           &script, &error),
                     OTA_E_ARGUMENT);
    assert_int_equal(parse(HEAD "flash slot1 break -16\nflash slot0 flip 0x400\n"
                                "@flash:* cut\ndevice boot\n@flash:37 cut half\ndevice boot\n"
                                "@flash:9 cut\ndevice boot\n@flash:3 fail\n" TAIL,
                           &script, &error),
                     0);
    assert_true(script.steps[0].from_end);
    assert_int_equal(script.steps[0].value, 16);
    assert_false(script.steps[1].from_end);
    assert_int_equal(script.steps[1].value, 0x400);
    assert_true(script.steps[2].all);
    assert_int_equal(script.steps[4].value, 37);
    assert_int_equal(script.steps[4].tear, FLASH_TEAR_HALF);
    assert_false(script.steps[6].all);
    assert_int_equal(script.steps[6].tear, FLASH_TEAR_COUNT);
    assert_int_equal(script.steps[8].kind, NB_FAULT_FAIL);
    assert_false(script.steps[8].all);
    nb_script_free(&script);
    assert_int_equal(parse(HEAD "@flash:* fail\n" TAIL, &script, &error), 0);
    assert_int_equal(script.steps[0].kind, NB_FAULT_FAIL);
    assert_true(script.steps[0].all);
    nb_script_free(&script);
}

/* What happens more than once, when, and what must not. */
static void lives_and_limits_are_steps(void **state)
{
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(parse(HEAD "devices 3\nagent retry=1 next-check=20\n"
                                "cloud offer v2 file=/b.bin\n@chunk:3 late 600\n"
                                "@chunk:4 job {\"Message\": 1}\ndevice live 3\nexpect lasts 1000\n"
                                "expect topics 2\nexpect cloud available\nnever cloud available\n"
                                "never job v2|3.1.0\nnever pause\nexpect pause\n",
                           &script, &error),
                     0);
    assert_int_equal(script.devices, 3);
    assert_int_equal(script.agent.seconds[NB_RETRY], 1);
    assert_int_equal(script.agent.seconds[NB_NEXT_CHECK], 20);
    assert_string_equal(nb_script_image(&script, 2)->path, "/b.bin");
    assert_int_equal(script.steps[1].chunk_fault, NB_CHUNK_LATE);
    assert_int_equal(script.steps[1].patch_at, 600);
    assert_int_equal(script.steps[2].chunk_fault, NB_CHUNK_JOB);
    assert_int_equal(script.steps[2].value, 4);
    assert_string_equal(script.steps[2].raw_text, "{\"Message\": 1}");
    assert_int_equal(script.steps[3].kind, NB_DEVICE_LIVE);
    assert_int_equal(script.steps[3].value, 3);
    assert_int_equal(script.steps[4].kind, NB_EXPECT_LASTS);
    assert_int_equal(script.steps[5].kind, NB_EXPECT_TOPICS);
    assert_false(script.steps[6].expect.never);
    assert_true(script.steps[7].expect.never);
    assert_string_equal(script.steps[7].expect.text, "available");
    assert_true(script.steps[8].expect.never);
    assert_int_equal(script.steps[8].expect.version_count, 2);
    assert_int_equal(script.steps[9].expect.kind, NB_EXPECT_PAUSE);
    assert_false(script.steps[10].expect.never);
    assert_true(script.needs_cloud);
    nb_script_free(&script);
}

/* ---- bad scripts ------------------------------------------------------------------------- */

static const struct {
    const char *text;
    unsigned line;
    unsigned column;
    const char *message;
} bad[] = {
    {"", 1, 1, "the script has no title: expected 'title TEXT'"},
    {"title\n", 1, 6, "the line ends too early: expected text to the end of the line"},
    {HEAD "device boot\n", 3, 1, "the script checks nothing: expected an 'expect' or 'until' line"},
    {HEAD TAIL "  devce boot\n", 4, 3, "'devce' begins no line here: see nobrick list verbs"},
    {HEAD TAIL "device bot\n", 4, 8,
     "'bot' is not understood here: expected check, live, boot, confirm, push, pending, rollback, "
     "factory-reset, forget or counter"},
    {HEAD TAIL "device boot now\n", 4, 13, "'now' is too much: expected the end of the line"},
    {HEAD TAIL "title again\n", 4, 1, "'title' is a header line: expected before the first step"},
    {"title a\ntitle b\n", 2, 1, "'title' was given before"},
    {"title a\nworld posix mars\n", 2, 13,
     "'mars' is not understood here: expected virtual, posix or cortexm"},
    {"title a\nworld posix posix\n", 2, 13, "posix: given twice"},
    {"title a\npart * nrf52840\n", 2, 8, "nrf52840: * stands alone"},
    {"title a\nslot 1K\n", 2, 6, "1K: must be 4K to 16M"},
    {"title a\nreq BOOT1\n", 2, 5,
     "'BOOT1' is not understood here: expected a requirement like BOOT-01"},
    {HEAD "device w\npart x\n" TAIL, 2, 1,
     "'device' has its own parts and slots: expected no part, scheme or slot line beside it"},
    {HEAD "cloud offer v2 size=0\n", 2, 16, "size=0: must be 1 to 16M bytes"},
    {HEAD "cloud offer v2 app=sleeps\n", 2, 16,
     "app=sleeps: must be good, crashes, hangs, offline or forgets"},
    {HEAD "cloud offer v2 sise=1\n", 2, 16,
     "'sise=1' is not understood here: expected an OPTION like size=, or announce= board= "
     "connection= port= chunk= file= tar= patch= lie= url= manifest="},
    {HEAD "flash slot1 v2 sise=1\n", 2, 16,
     "'sise=1' is not understood here: expected size= app= version= counter= key= tamper= extra= "
     "or pending, pending permanent or confirmed"},
    {HEAD "cloud add v2 lie=nonsense\n", 2, 14, "lie=nonsense: no such lie (nobrick list faults)"},
    {HEAD "cloud offer v2 lie=\n", 2, 16, "lie=: no such lie (nobrick list faults)"},
    {HEAD "cloud offer v2 patch=v3\n", 2, 16, "patch=v3: no line above makes v3"},
    {HEAD "cloud offer v2 patch=1\n", 2, 16, "patch=1: must be an image like v1"},
    {HEAD "cloud offer v2 patch=v1 patch=v1 patch=v1 patch=v1 patch=v1\n", 2, 52,
     "patch=v1: patches to more than 4 bases"},
    {HEAD "cloud offer v2 url=29\n", 2, 16, "url=29: must be 30 to 500 characters"},
    {HEAD "cloud offer v2 url=501\n", 2, 16, "url=501: must be 30 to 500 characters"},
    {HEAD "cloud offer v2 manifest=199\n", 2, 16, "manifest=199: must be 200 bytes to 1M"},
    {HEAD "flash slot1 v2 lie=empty\n", 2, 16,
     "'lie=empty' is not understood here: expected size= app= version= counter= key= tamper= "
     "extra= or pending, pending permanent or confirmed"},
    {HEAD "cloud erase v2|v3\n", 2, 13,
     "'v2|v3' is not understood here: expected v1 or a version like 1.2.3"},
    {HEAD "cloud offer v256\n", 2, 13,
     "'v256' is not understood here: expected an image: v1, v2 ... or none"},
    {HEAD "flash slot2 v1\n", 2, 7, "'slot2' is not understood here: expected slot0 or slot1"},
    {HEAD "flash slot0 file ../x\n", 2, 18, "../x: not a file below scenarios/golden"},
    {HEAD TAIL "expect boot v3\n", 4, 13, "v3: no line above makes v3"},
    {HEAD TAIL "expect boot v1|\n", 4, 13,
     "'v1|' is not understood here: expected v1, v1|v2 or a version like 1.2.3"},
    {HEAD TAIL "expect refused bad-hsh\n", 4, 16,
     "'bad-hsh' is not understood here: expected an error word like bad-hash"},
    {HEAD TAIL "expect report\n", 4, 14, "the line ends too early: expected success or failure"},
    {HEAD "expect boot v1\n", 2, 1,
     "nothing can have happened yet: expected a device step before this"},
    {HEAD TAIL "@flash:3 cut sideways\n", 4, 14,
     "'sideways' is not understood here: expected a tear like before, half or after"},
    {HEAD TAIL "@flash:3 cut\n", 4, 1, "no device step follows this fault: it can never happen"},
    {HEAD "@flash:3 cut\nflash slot1 v2\n", 3, 1,
     "expected the device step that the fault of line 2 is for"},
    {HEAD "@chunk:3 drop\ndevice boot\n", 3, 1, "the fault of line 2 needs a 'device check' next"},
    {HEAD "@flash:3 cut\nprove boot v1\n", 3, 1,
     "'prove' cuts the power by itself: expected no fault in line 2"},
    {HEAD "@flash:* cut\ndevice boot\nprove boot v1\n", 4, 1,
     "'prove' cuts the power by itself: expected no fault in line 2"},
    {HEAD "prove boot v1\ndevice boot\n", 3, 1,
     "line 2 ends the script: expected at most one 'until' behind 'prove'"},
    {HEAD "prove boot v1\nuntil stable boot v1\nuntil stable boot v1\n", 4, 1,
     "line 2 ends the script: expected at most one 'until' behind 'prove'"},
    {HEAD "device check\nprove boot v1\n", 3, 1,
     "with a cloud 'prove' begins at the first power-on: expected no device step before"},
    {HEAD "cloud offer v2\nprove confirm boot v1|v2\n", 3, 1,
     "with a cloud the application decides itself: expected 'prove boot VERSIONS'"},
    {HEAD "@net slice 7\nprove boot v1\n", 3, 1,
     "faults of the network are for a cloud: expected 'cloud offer'"},
    {HEAD "devices 2\ncloud offer v2\nprove boot v1|v2\n", 4, 1,
     "'prove' is about one device: expected no 'devices' line"},
    {HEAD "cloud offer v2\n@flash:3 cut\nprove boot v1|v2\n", 4, 1,
     "'prove' cuts the power by itself: expected no fault in line 3"},
    {HEAD "cloud offer v2\nprove boot v1|v2\nuntil reported success\nuntil reported success\n", 5,
     1, "line 3 ends the script: expected at most one 'until' behind 'prove'"},
    {HEAD "flash slot1 v2 pending\n@flash:3 cut\nuntil stable boot v1\n", 4, 1,
     "'until' runs without faults: expected the device step that the fault of line 3 is for"},
    {HEAD "@flash:99999 cut\n@flash:5 cut\ndevice boot\n", 3, 1,
     "line 2 has a flash fault for the same device step: expected one"},
    {HEAD "@flash:* cut\n@flash:5 cut\ndevice boot\n", 3, 1,
     "line 2 has a flash fault for the same device step: expected one"},
    {HEAD "@flash:3 fail softly\ndevice boot\n", 2, 15,
     "'softly' is not understood here: expected silent or partial: without an error"},
    {HEAD "@flash:* cut weakly\ndevice boot\n", 2, 14,
     "'weakly' is not understood here: expected weak or disturb"},
    {HEAD "@flash:99999 fail\n@flash:* cut\ndevice boot\n", 3, 1,
     "line 2 has a flash fault for the same device step: expected one"},
    {HEAD "@flash:* cut\ndevice boot\n@flash:* fail\ndevice boot\n", 4, 1,
     "line 2 sweeps already: expected one '@flash:*' in a script"},
    {HEAD "flash slot1 v2\nexpect flash slot1 v2\n", 3, 1,
     "no device step: this sees only what the script itself put down"},
    {HEAD "@chunk:3 raw 4f5\n", 2, 14, "4f5: an odd number of digits"},
    {HEAD "@chunk:3 patch 7\n", 2, 16,
     "'7' is not understood here: expected an offset and bytes like 7:58"},
    {HEAD "@chunk:3 patch 7:5\n", 2, 16, "7:5: an odd number of digits"},
    {HEAD "data mqtt ftp\n", 2, 11, "'ftp' is not understood here: expected mqtt, http or https"},
    {HEAD "tls good\n", 2, 5,
     "'good' is not understood here: expected none, server, client or what is wrong with the "
     "certificate"},
    {HEAD "conformance apache\n", 2, 13, "'apache' is not understood here: expected nginx"},
    {HEAD "conformance nginx\n" TAIL, 2, 1,
     "nginx serves what a cloud offers: expected a 'device check'"},
    {HEAD "agent lazy\n", 2, 7,
     "'lazy' is not understood here: expected direct, send-direct, no-result, permanent, stay, "
     "hold; chunk= prefix= board=; "
     "the application's stop=STEP done=STEP fail=STEP; in seconds ke"},
    {HEAD "agent stop=nowhere\n", 2, 7,
     "'stop=nowhere' is not understood here: expected direct, send-direct, no-result, permanent, "
     "stay, hold; chunk= prefix= "
     "board=; the application's stop=STEP done=STEP fail=STEP; in s"},
    {HEAD "agent chunk=1000\n", 2, 7,
     "chunk=1000: must be 512, 1K, 2K or a multiple of 4K up to 64K"},
    {HEAD "agent board=a+b\n", 2, 7, "board=a+b: not usable in a topic"},
    {HEAD "agent connect-tries=21\n", 2, 7, "connect-tries=21: must be 1 to 20 tries"},
    {HEAD "agent keep-alive=0\n", 2, 7, "keep-alive=0: must be 1 to 20 seconds"},
    {HEAD "agent job-wait=21\n", 2, 7, "job-wait=21: must be 1 to 20 seconds"},
    {HEAD "agent retry=0\n", 2, 7, "retry=0: must be 1 to 20 seconds"},
    {HEAD "devices 9\n", 2, 9, "expected 1 to 8 devices"},
    {HEAD "devices 0\n", 2, 9, "expected 1 to 8 devices"},
    {HEAD "devices 2\n" TAIL, 5, 1, "'devices' are for a cloud: expected a 'device check'"},
    {HEAD "devices 2\n@flash:3 cut\ndevice check\n", 3, 1,
     "a flash fault is for one device: expected no 'devices' line"},
    {HEAD "expect lasts 3\n", 2, 1,
     "nothing can have happened yet: expected a device step before this"},
    {HEAD TAIL "never cloud reslt\n", 4, 13, "reslt: no line of the cloud begins so, ever"},
    {HEAD TAIL "never cloud result\nnever idle ok\n", 5, 7,
     "'idle' is not understood here: expected job, event, pause or cloud"},
    {HEAD "cloud offer v2 file=b.bin\n", 2, 16,
     "file=b.bin: must be a path like /b.bin of at most 31 characters"},
    {HEAD "@chunk:3 late soon\n", 2, 15, "'soon' is not understood here: expected milliseconds"},
    {HEAD TAIL "device live 0\n", 4, 13, "0: must be 1 or more"},
    {HEAD "cloud offer v2 connection=ftp\n", 2, 16, "connection=ftp: must be mqtt, http or https"},
    {HEAD "cloud offer v2 port=open\n", 2, 16, "port=open: must be closed"},
    {HEAD "cloud offer v2 chunk=1\n", 2, 16, "chunk=1: must be 64 to 65536 bytes"},
    {"title T\ndevice push v2 piece=0\n", 2, 16, "piece=0: must be 1 to 1024 bytes"},
    {HEAD "cloud offer v2 tar=zip\n", 2, 16,
     "tar=zip: must be good, checksum, no-list, size, name, cut-off, no-image, version or "
     "other-core"},
    {HEAD "@body:100% net reset\n", 2, 1, "@body:100%: must be below 100 %"},
    {HEAD "@connect:0 net reset\n", 2, 1, "@connect:0: connections are counted from 1"},
    {HEAD "@connect:2 @net reset\n", 2, 12,
     "'@net' is not understood here: expected @net, @clock, @mqtt or @http"},
    {HEAD "net reset\n", 2, 1, "'net' begins no line here: see nobrick list verbs"},
    {HEAD "@net slice 0\n", 2, 12, "0: must be 1 or more"},
    {HEAD "@net reset cloud\n", 2, 12,
     "'cloud' is not understood here: expected broker or server or a number or always"},
    {HEAD "@http status\n", 2, 13, "the line ends too early: expected a number"},
    {HEAD "@net reset\ndevice boot\n", 3, 1, "the fault of line 2 needs a 'device check' next"},
    {HEAD "\x01\n", 2, 1, "control character 0x01"},
};

static void faults_of_the_network_carry_place_count_and_value(void **state)
{
    static const struct {
        const char *line;
        struct nb_fault fault;
    } cases[] = {
        {"@net refuse", {.kind = NB_NET_REFUSE, .times = NB_FAULT_ALWAYS}},
        {"@connect:2 net refuse server 3",
         {.kind = NB_NET_REFUSE,
          .side = NB_SIDE_SERVER,
          .place = NB_PLACE_CONNECT,
          .at = 2,
          .times = 3}},
        {"@body:50% net reset",
         {.kind = NB_NET_RESET, .place = NB_PLACE_BODY, .at = 50, .percent = true, .times = 1}},
        {"@body:4K net stall always",
         {.kind = NB_NET_STALL, .place = NB_PLACE_BODY, .at = 4096, .times = NB_FAULT_ALWAYS}},
        {"@net latency 20 broker",
         {.kind = NB_NET_LATENCY, .side = NB_SIDE_BROKER, .value = 20, .times = 1}},
        {"@mqtt drop-puback", {.kind = NB_MQTT_DROP_PUBACK, .value = 1, .times = 1}},
        {"@mqtt no-pingresp 3", {.kind = NB_MQTT_NO_PINGRESP, .value = 3, .times = 1}},
        {"@http status 404 job always",
         {.kind = NB_HTTP_STATUS, .value = 404, .phase = NB_PHASE_JOB, .times = NB_FAULT_ALWAYS}},
        {"@body:50% http expire 403 always",
         {.kind = NB_HTTP_EXPIRE,
          .value = 403,
          .place = NB_PLACE_BODY,
          .at = 50,
          .percent = true,
          .times = NB_FAULT_ALWAYS}},
        {"@body:10 http etag-change",
         {.kind = NB_HTTP_ETAG_CHANGE, .place = NB_PLACE_BODY, .at = 10, .times = NB_FAULT_ALWAYS}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct nb_script script;
        struct flash_text_error error;
        char text[200];
        snprintf(text, sizeof text, HEAD "%s\ndevice check\nexpect boot v1\n", cases[i].line);
        assert_int_equal(parse(text, &script, &error), 0);
        assert_true(script.needs_proxy);
        const struct nb_fault *found = &script.steps[0].fault;
        const struct nb_fault *wanted = &cases[i].fault;
        assert_int_equal(found->kind, wanted->kind);
        assert_int_equal(found->side, wanted->side);
        assert_int_equal(found->place, wanted->place);
        assert_int_equal(found->at, wanted->at);
        assert_int_equal(found->percent, wanted->percent);
        assert_int_equal(found->value, wanted->value);
        assert_int_equal(found->phase, wanted->phase);
        assert_int_equal(found->times,
                         nb_fault_rows[wanted->kind].lasts ? NB_FAULT_ALWAYS : wanted->times);
        nb_script_free(&script);
    }
}

static void the_application_answers_its_agent(void **state)
{
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(parse(HEAD
                           "agent chunk=8K prefix=OTAUpdate board=APP_X stop=write done=verify\n"
                           "cloud offer v2\ndevice check\nexpect idle stopped\n",
                           &script, &error),
                     0);
    assert_string_equal(script.agent.prefix, "OTAUpdate");
    assert_int_equal(script.agent.chunk, 8192);
    assert_string_equal(script.agent.board, "APP_X");
    assert_int_equal(script.agent.answers.count, 2);
    assert_string_equal(script.agent.answers.items[1].step, "verify");
    assert_int_equal(script.agent.answers.items[1].answer, OTA_ANSWER_DONE);
    assert_string_equal(script.agent.answer_words[0], "stop=write");
    nb_script_free(&script);
}

static void a_push_has_a_plan(void **state)
{
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(parse("title T\ndevice push v2 size=8K crc=wrong insists piece=1\n"
                           "device push v2 abort=verified\nexpect boot v1\n",
                           &script, &error),
                     0);
    assert_false(script.needs_cloud);
    assert_int_equal(script.steps[0].kind, NB_DEVICE_PUSH);
    assert_true(script.steps[0].push.wrong_crc && script.steps[0].push.insists);
    assert_int_equal(script.steps[0].push.piece, 1);
    assert_int_equal(script.steps[0].push.abort, SIM_ABORT_NEVER);
    assert_int_equal(script.steps[1].push.abort, SIM_ABORT_VERIFIED);
    assert_int_equal(script.steps[1].image, script.steps[0].image); /* the v2 of 8 KiB */
    assert_int_equal(script.images[script.steps[1].image].size, 8192);
    nb_script_free(&script);
}

static void links_and_switches_are_headers(void **state)
{
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(parse(HEAD "data http https\nvia mqtt\ntls expired\n"
                                "conformance nginx\n"
                                "agent permanent stay hold keep-alive=1 data-wait=20 data-tries=3\n"
                                "cloud offer v2 connection=http port=closed chunk=1K tar=name\n"
                                "device check initiate\nexpect traffic 1M\n",
                           &script, &error),
                     0);
    assert_int_equal(script.data.count, 2);
    assert_string_equal(script.via.items[0], "mqtt");
    assert_string_equal(script.tls.items[0], "expired");
    assert_true(script.agent.permanent && script.agent.stay && script.agent.hold);
    assert_int_equal(script.nginx, 5);
    assert_int_equal(script.agent.seconds[NB_KEEP_ALIVE], 1);
    assert_int_equal(script.agent.seconds[NB_JOB_WAIT], 0);
    assert_int_equal(script.agent.seconds[NB_DATA_WAIT], 20);
    assert_int_equal(script.agent.seconds[NB_DATA_TRIES], 3);
    assert_false(script.agent.no_result || script.agent.direct);
    const struct nb_image *image = nb_script_image(&script, 2);
    assert_int_equal(image->connection, NB_LINK_HTTP);
    assert_true(image->port_closed);
    assert_int_equal(image->chunk, 1024);
    assert_int_equal(image->tar, NB_TAR_NAME);
    assert_true(script.needs_proxy);
    assert_int_equal(script.steps[2].kind, NB_EXPECT_TRAFFIC);
    assert_int_equal(script.steps[2].value, 1 << 20);
    nb_script_free(&script);
}

static void bad_line_is_named_with_place_and_what_was_expected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct nb_script script;
        struct flash_text_error error;
        assert_int_equal(parse(bad[i].text, &script, &error), OTA_E_ARGUMENT);
        char expected[240];
        snprintf(expected, sizeof expected, "%u:%u: %.159s", bad[i].line, bad[i].column,
                 bad[i].message);
        char found[240];
        snprintf(found, sizeof found, "%u:%u: %s", error.line, error.column, error.message);
        assert_string_equal(found, expected);
    }
}

static void long_lines_and_many_words_are_refused(void **state)
{
    char text[2000];
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "title ", 6);
    text[sizeof text - 1] = '\0';
    assert_int_equal(parse(text, &script, &error), OTA_E_ARGUMENT);
    assert_string_equal(error.message + strlen("xxxxxxxxxxxxxxxxxxxxxxxx"),
                        ": longer than 159 characters");
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = i % 2 ? ' ' : 'x';
    assert_int_equal(parse(text, &script, &error), OTA_E_ARGUMENT);
    assert_string_equal(error.message, "more than 40 words in a line");
}

/* ---- the page ---------------------------------------------------------------------------- */

/* The table's own examples are good lines: the page that is made from them is not wrong. */
static void every_example_of_the_table_parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < nb_script_verb_count; i++) {
        const struct nb_script_verb *verb = &nb_script_verbs[i];
        char text[512];
        struct nb_script script;
        struct flash_text_error error;
        bool header = verb->group == NB_GROUP_HEADER;
        bool proof = verb->group == NB_GROUP_STEP && verb->kind == NB_PROVE;
        snprintf(text, sizeof text, "%s%s\n%s%s%s\n%s",
                 header && verb->kind == NB_HEADER_TITLE ? "" : HEAD, header ? verb->example : "",
                 header && verb->kind == NB_HEADER_CONFORMANCE ? "data http\n" /* goes with it */
                 : header                                      ? ""
                 : proof                                       ? "flash slot1 v2\n"
                                                               : "cloud offer v2\n",
                 verb->group == NB_GROUP_EXPECT || verb->kind == NB_EXPECT_FLASH ||
                         (verb->group == NB_GROUP_STEP && verb->kind >= NB_EXPECT_WEAR &&
                          verb->kind <= NB_EXPECT_TOPICS)
                     ? "device check\n"
                     : "",
                 header ? "" : verb->example, proof ? "" : "device check\nexpect boot v1\n");
        int rc = parse(text, &script, &error);
        if (rc)
            print_error("%s: %u:%u: %s\n", verb->example, error.line, error.column, error.message);
        assert_int_equal(rc, 0);
        nb_script_free(&script);
    }
}

static void count_line(void *context, const char *text)
{
    size_t *count = context;
    assert_non_null(text);
    (*count)++;
}

static void page_names_every_verb(void **state)
{
    size_t lines = 0;
    size_t faults = 0;
    (void)state;
    nb_verbs_print(count_line, &lines);
    nb_faults_print(count_line, &faults);
    assert_true(lines > nb_script_verb_count * 2);
    /* each with its example; and the lies, under two lines of their own */
    assert_int_equal(faults, 2 * (14 + NB_FAULT_KINDS) + 2 + nb_manifest_lie_count - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_script_is_understood),
        cmocka_unit_test(last_line_needs_no_newline),
        cmocka_unit_test(image_is_reused_unless_it_has_options),
        cmocka_unit_test(factory_image_is_the_plain_v1),
        cmocka_unit_test(proof_says_what_the_application_may_do),
        cmocka_unit_test(fixed_cut_and_sweep_of_two_steps_go_together),
        cmocka_unit_test(faults_carry_their_numbers),
        cmocka_unit_test(faults_of_the_network_carry_place_count_and_value),
        cmocka_unit_test(the_application_answers_its_agent),
        cmocka_unit_test(a_push_has_a_plan),
        cmocka_unit_test(links_and_switches_are_headers),
        cmocka_unit_test(lives_and_limits_are_steps),
        cmocka_unit_test(bad_line_is_named_with_place_and_what_was_expected),
        cmocka_unit_test(long_lines_and_many_words_are_refused),
        cmocka_unit_test(every_example_of_the_table_parses),
        cmocka_unit_test(page_names_every_verb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
