/* A canned reply of the servers that the tests of the HTTP clients run against. */
#ifndef NOBRICK_SIM_REPLY_RIG_H
#define NOBRICK_SIM_REPLY_RIG_H

#include <stdbool.h>
#include <stddef.h>

#define RIG_REPLIES 8
#define RIG_TEXT    4096

#define OK_FOUR "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"

struct rig_reply {
    const char *bytes; /* NULL: none, close at once */
    size_t length;     /* 0: of the string */
    bool then_close;
    bool then_wait; /* say nothing more until the client goes */
};

#endif
