/* The state table: one list, of which the agent takes what it runs by (states, events, handlers,
 * and where they lead), and who prints it the words. What belongs to one kind of connection is a
 * list of its own, so that a device that has none of that kind carries none of it.
 *
 * ROW(state, event, handler, next, what): `handler` handles `event` (ENTER: coming into the state),
 * and may return its own state or one of the set `next`. */
#ifndef NOBRICK_AGENT_UPDATE_STATES_H
#define NOBRICK_AGENT_UPDATE_STATES_H

#include "agent/update/steps.h"

#define ENTER    (-1) /* the event of coming into a state */
#define TO(name) (1u << OTA_STATE_##name)
/* A failure: another try; or the last one has failed, which is reported if a job is behind it. */
#define TO_RETRY (TO(PAUSE) | TO(LEAVE) | TO(RESET) | TO_RESULT)
/* A result, over the connection that the first word came by. */
#define TO_RESULT (TO(REPORT) | TO(POST) | TO(CONNECT) | TO(SWITCH) | TO(LEAVE))
/* What is next to be fetched, over the connection that the job names. */
#define TO_DATA                                                                                    \
    (TO(CONNECT) | TO(SWITCH) | TO(PEEK) | TO(ERASE) | TO(REQUEST) | TO(RECEIVE) | TO(FETCH))
/* Whatever is to be done: see ota_proceed. */
#define TO_PROCEED  (TO_RESULT | TO_DATA | TO(CONFIRM) | TO(PROBE) | TO(ASK) | TO(QUERY))
#define TO_RECEIVED (TO(RECEIVE) | TO(VERIFY) | TO(ERASE) | TO_RESULT)
#define TO_FETCHED  (TO(VERIFY) | TO(PEEK) | TO(ERASE) | TO(FETCH) | TO_RETRY)

/* clang-format off */
/* whatever the connection */
#define OTA_ROWS(ROW) \
ROW(IDLE, ENTER, ota_idle_begin, 0, "say how the session ended; wait for the next check") \
ROW(IDLE, OTA_EVENT_START, ota_idle_start, TO_PROCEED, "go on if a confirmation or result is due, else wait for the first check") \
ROW(IDLE, OTA_EVENT_TIMER, ota_idle_check, TO_PROCEED, "begin a session, unless the running image is unconfirmed or another waits for a reset") \
ROW(IDLE, OTA_EVENT_CHECK, ota_idle_check, TO_PROCEED, "the same, now") \
ROW(PAUSE, ENTER, ota_pause_begin, 0, "back off, twice as long each time") \
ROW(PAUSE, OTA_EVENT_TIMER, ota_pause_over, TO_PROCEED, "try again") \
ROW(PARSE, ENTER, ota_parse_begin, TO_DATA | TO_RESULT, "accept the job, refuse it, or there is none; or go on where the download was, from where the new job says") \
ROW(ERASE, ENTER, ota_erase_begin, TO(ASK) | TO(QUERY) | TO_RESULT, "begin at the end of the slot, with its trailer; a patch that does not fit: ask for the job anew") \
ROW(ERASE, OTA_EVENT_TIMER, ota_erase_next, TO(VERIFY) | TO_DATA | TO_RESULT, "erase one sector; when all are, fetch (connect first if the line dropped)") \
ROW(VERIFY, ENTER, ota_verify_begin, TO(INSTALL) | TO_RESULT, "check what lies in flash") \
ROW(VERIFY, OTA_EVENT_TIMER, ota_verify_begin, TO(INSTALL) | TO(ASK) | TO(QUERY) | TO_RESULT, "the next piece of an image that a patch makes; then the same. A bad patch: ask for the job anew") \
ROW(INSTALL, ENTER, ota_install_begin, TO_RESULT, "record it; ask the loader") \
ROW(CONFIRM, ENTER, ota_confirm_begin, TO_PROCEED | TO(RESET), "confirm the running image; record that Success is owed") \
ROW(LEAVE, ENTER, ota_leave_begin, TO(IDLE) | TO(RESET), "close the connection") \
ROW(LEAVE, OTA_EVENT_MQTT_CLOSED, ota_leave_done, TO(IDLE) | TO(RESET), "reset when the loader has work, else idle") \
ROW(LEAVE, OTA_EVENT_TIMER, ota_leave_done, TO(IDLE) | TO(RESET), "the same") \
ROW(RESET, ENTER, ota_reset_begin, 0, "ask the platform for a reset") \
ROW(RESET, OTA_EVENT_TIMER, ota_reset_begin, 0, "ask again")

/* by MQTT */
#define OTA_ROWS_BY_MQTT(ROW) \
ROW(CONNECT, ENTER, ota_connect_begin, TO_RETRY, "open the MQTT connection, to the broker that the next step is for") \
ROW(CONNECT, OTA_EVENT_MQTT_CONNECTED, ota_connect_answered, TO(SUBSCRIBE) | TO_RETRY, "connected, or try again") \
ROW(CONNECT, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again") \
ROW(CONNECT, OTA_EVENT_TIMER, ota_link_failed, TO_RETRY, "nobody answered: try again") \
ROW(SUBSCRIBE, ENTER, ota_subscribe_begin, TO_RETRY, "subscribe to the topic of this session") \
ROW(SUBSCRIBE, OTA_EVENT_MQTT_SUBSCRIBED, ota_subscribe_answered, TO_PROCEED | TO_RETRY, "self-test passed; go on with what is due, under way, or wanted") \
ROW(SUBSCRIBE, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again") \
ROW(SUBSCRIBE, OTA_EVENT_TIMER, ota_link_failed, TO_RETRY, "nobody answered: try again") \
ROW(SWITCH, ENTER, ota_switch_begin, TO_PROCEED, "close the MQTT connection: the next step is for another broker") \
ROW(SWITCH, OTA_EVENT_MQTT_CLOSED, ota_switch_done, TO_PROCEED, "go on") \
ROW(SWITCH, OTA_EVENT_TIMER, ota_switch_done, TO_PROCEED, "the same") \
ROW(REPORT, ENTER, ota_report_begin, TO_RETRY, "publish Success or Failure") \
ROW(REPORT, OTA_EVENT_MQTT_PUBLISHED, ota_report_published, TO_PROCEED | TO_RETRY, "the broker has it: nothing is owed any more") \
ROW(REPORT, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again") \
ROW(REPORT, OTA_EVENT_TIMER, ota_link_failed, TO_RETRY, "not acknowledged: try again") \
ROW(ASK, ENTER, ota_ask_begin, TO_RETRY, "publish Update Availability") \
ROW(ASK, OTA_EVENT_MQTT_MESSAGE, ota_ask_message, TO(PARSE) | TO_RESULT, "a document came") \
ROW(ASK, OTA_EVENT_MQTT_PUBLISHED, ota_publish_failed, TO_RETRY, "refused: try again") \
ROW(ASK, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again") \
ROW(ASK, OTA_EVENT_TIMER, ota_ask_late, TO_RETRY, "no answer: end the session; not acknowledged: try again") \
ROW(REQUEST, ENTER, ota_request_begin, TO_RETRY, "publish Request Update") \
ROW(REQUEST, OTA_EVENT_MQTT_PUBLISHED, ota_request_published, TO(RECEIVE) | TO_RETRY, "the broker has it") \
ROW(REQUEST, OTA_EVENT_MQTT_MESSAGE, ota_receive_message, TO_RECEIVED, "the first chunk may be faster than the acknowledgement") \
ROW(REQUEST, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again") \
ROW(REQUEST, OTA_EVENT_TIMER, ota_link_failed, TO_RETRY, "not acknowledged: try again") \
ROW(RECEIVE, ENTER, ota_receive_begin, TO_RETRY, "after a lost connection or a reset ask for what is missing") \
ROW(RECEIVE, OTA_EVENT_MQTT_MESSAGE, ota_receive_message, TO_RECEIVED, "put the chunk into flash; drop what does not belong") \
ROW(RECEIVE, OTA_EVENT_MQTT_PUBLISHED, ota_publish_failed, TO_RETRY, "refused: try again") \
ROW(RECEIVE, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again; what lies in flash stays") \
ROW(RECEIVE, OTA_EVENT_TIMER, ota_receive_late, TO(REQUEST) | TO(ERASE) | TO_RETRY, "ask for what is missing, a few times; after a reset at last for all of it")

/* by HTTP */
#define OTA_ROWS_BY_HTTP(ROW) \
ROW(PROBE, ENTER, ota_probe_begin, TO_RETRY, "HTTP: ask for one byte, to see whether the server can be reached") \
ROW(PROBE, OTA_EVENT_HTTP_HEAD, ota_probe_head, TO(CONFIRM), "self-test passed, whatever the answer") \
ROW(PROBE, OTA_EVENT_HTTP_DONE, ota_probe_failed, TO_RETRY, "try again") \
ROW(PROBE, OTA_EVENT_TIMER, ota_probe_failed, TO_RETRY, "nobody answered: try again") \
ROW(POST, ENTER, ota_post_begin, TO_RETRY, "HTTP: post Success or Failure") \
ROW(POST, OTA_EVENT_HTTP_HEAD, ota_post_head, TO_PROCEED | TO_RETRY, "the server has it, or will never take it: nothing is owed any more; else try again") \
ROW(POST, OTA_EVENT_HTTP_DONE, ota_post_failed, TO_RETRY, "no answer: try again") \
ROW(POST, OTA_EVENT_TIMER, ota_post_failed, TO_RETRY, "the same") \
ROW(QUERY, ENTER, ota_query_begin, TO_RETRY, "HTTP: get the job document") \
ROW(QUERY, OTA_EVENT_HTTP_HEAD, ota_query_head, TO_RETRY, "an error status or a document too long: refuse") \
ROW(QUERY, OTA_EVENT_HTTP_BODY, ota_query_body, TO_RESULT, "collect it") \
ROW(QUERY, OTA_EVENT_HTTP_DONE, ota_query_done, TO(PARSE) | TO_RETRY, "a document came, or try again") \
ROW(QUERY, OTA_EVENT_TIMER, ota_query_late, TO_RETRY, "try again") \
ROW(PEEK, ENTER, ota_fetch_begin, TO(VERIFY) | TO_RETRY, "HTTP: ask for the first chunk") \
ROW(PEEK, OTA_EVENT_HTTP_HEAD, ota_fetch_head, TO_FETCHED, "learn size and tag; try again or refuse") \
ROW(PEEK, OTA_EVENT_HTTP_BODY, ota_fetch_body, TO_FETCHED, "when the chunk is whole, erase") \
ROW(PEEK, OTA_EVENT_HTTP_DONE, ota_fetch_done, TO_RETRY, "it is not: try again") \
ROW(PEEK, OTA_EVENT_TIMER, ota_fetch_late, TO_RETRY, "the same") \
ROW(FETCH, ENTER, ota_fetch_begin, TO(VERIFY) | TO_RETRY, "HTTP: ask for the next range that is missing") \
ROW(FETCH, OTA_EVENT_HTTP_HEAD, ota_fetch_head, TO_FETCHED, "another image or the whole of it: begin anew; another range or an error: try again, with a new job if the link has expired") \
ROW(FETCH, OTA_EVENT_HTTP_BODY, ota_fetch_body, TO_FETCHED, "put each whole chunk into flash") \
ROW(FETCH, OTA_EVENT_HTTP_DONE, ota_fetch_done, TO_RETRY, "the next range; or the rest of this one, after a pause") \
ROW(FETCH, OTA_EVENT_TIMER, ota_fetch_late, TO_RETRY, "too slow: try again")
/* clang-format on */

#endif
