/* The handlers that the state table in session.c names, and what they share.
 *
 * A handler does its work and returns the next state: its own to stay. The first handler of a state
 * (…_begin) runs on entering it and arms the state's deadline. There is one timer, and it is
 * disarmed whenever the state changes. */
#ifndef NOBRICK_AGENT_UPDATE_STEPS_H
#define NOBRICK_AGENT_UPDATE_STEPS_H

#include "agent/protocol/protocol.h"
#include "agent/update/session_state.h"

typedef enum ota_state ota_handler(struct ota_agent *agent, const struct ota_event *event);

/* ---- link.c: from idle over a connection and back ---------------------------------------- */

ota_handler ota_idle_begin;
ota_handler ota_idle_start;
ota_handler ota_idle_check;
ota_handler ota_connect_begin;
ota_handler ota_connect_answered;
ota_handler ota_subscribe_begin;
ota_handler ota_subscribe_answered;
ota_handler ota_pause_begin;
ota_handler ota_pause_over;
ota_handler ota_link_failed; /* closed, or not answered in time */
ota_handler ota_leave_begin;
ota_handler ota_leave_done;
ota_handler ota_reset_begin;

/* Gives the connection up and waits for the next try; or, after the last one, ends the session, or
 * resets when the running image is on trial. */
enum ota_state ota_retry(struct ota_agent *agent);

/* ---- download.c: from an offer to a full slot -------------------------------------------- */

ota_handler ota_ask_begin;
ota_handler ota_ask_message;
ota_handler ota_ask_late;
ota_handler ota_erase_begin;
ota_handler ota_erase_next;
ota_handler ota_request_begin;
ota_handler ota_request_published;
ota_handler ota_receive_begin;
ota_handler ota_receive_message;
ota_handler ota_receive_late;
ota_handler ota_publish_failed; /* a refused publication; an acknowledged one is of no interest */

/* ---- install.c: from a full slot to a reported result ------------------------------------ */

ota_handler ota_verify_begin;
ota_handler ota_install_begin;
ota_handler ota_confirm_begin;
ota_handler ota_report_begin;
ota_handler ota_report_published;

/* Brings the record up to what runs now: an installation ended well, or was reverted. */
void ota_settle(struct ota_agent *agent);
/* A confirmation or a report is due as soon as there is a broker. */
bool ota_is_due(const struct ota_agent *agent);
/* The running image must prove itself on its own, or be reverted. */
bool ota_is_tested(const struct ota_agent *agent);
/* Ends what was offered with `code`: says so, records that a Failure is owed. Returns REPORT. */
enum ota_state ota_fail(struct ota_agent *agent, int code);
/* As above without a word to the application: for a fetch that was given up. */
void ota_owe_failure(struct ota_agent *agent, int code);
/* Writes the record to the journal. An error is logged: the record in RAM still counts. */
int ota_save(struct ota_agent *agent);

/* ---- session.c: shared ------------------------------------------------------------------- */

/* A log line; with `code` < 0 followed by what the code means. */
void ota_log(const struct ota_agent *agent, enum ota_log_level level, const char *text, int code);
void ota_notify(const struct ota_agent *agent, enum ota_notice_type type, int code);
/* The state's deadline. */
void ota_wait(const struct ota_agent *agent, uint32_t ms);
void ota_speaker(const struct ota_agent *agent, struct ota_speaker *out);
/* Publishes the `length` characters in agent->text; a negative length is passed on as the error
 * that it is. */
int ota_publish(struct ota_agent *agent, int length);

#endif
