/* Files over HTTP(S), as any static server has them: whole, by ranges, with an entity tag. The
 * cloud side of a system whose devices want no more than that.
 *
 * It stands on harness/peers/peer.h and knows no HTTP library and no world. It survives any
 * request, and always tells the truth: lies are in the files, or the fault proxy's. */
#ifndef NOBRICK_HARNESS_PEERS_FILE_HOST_H
#define NOBRICK_HARNESS_PEERS_FILE_HOST_H

#include "harness/peers/peer.h"

struct file_host;

#define FILE_HOST_PATH 512u /* of a path, with its NUL */

/* NULL when memory runs out. `line` gets one line a request, in the server's thread:
 *   http get PATH FROM-TO|whole STATUS | http head … | bad http WHY
 * as harness/peers/http_answer.h says. The server is the caller's and is freed after this. */
struct file_host *file_host_new(const struct nb_peer_server *server,
                                void (*line)(void *context, const char *text), void *context);
void file_host_free(struct file_host *host); /* NULL is fine */

/* From now on `path` is this file; the bytes are copied, and answers that are under way keep what
 * they have. `type` is static. OTA_E_ARGUMENT: no path; OTA_E_NO_SPACE: the old file stays. */
OTA_MUST_CHECK int file_host_put(struct file_host *host, const char *path, const void *bytes,
                                 size_t size, const char *type);
/* From now on there is no file at all. */
void file_host_clear(struct file_host *host);

#endif
