/* Any bytes as a device's request: refused with a reason, or a topic that one may publish to and an
 * answer that is itself JSON of the right shape. */
#include "harness/peers/anycloud_documents.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct anycloud_request request;
    const char *why = NULL;
    /* A copy of the exact size, so that reading past its end is seen. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    require(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    int result = anycloud_request_parse(copy, size, &request, &why);
    free(copy);
    if (result != OTA_OK) {
        require(why != NULL && why[0] != '\0');
        return 0;
    }
    require(strpbrk(request.topic, "+#\n") == NULL);
    require(request.kind == ANYCLOUD_SEND_DIRECT_UPDATE || request.topic[0] != '\0');
    char text[ANYCLOUD_DOCUMENT];
    const struct anycloud_job job = {.message = "Result Received",
                                     .board = "KIT",
                                     .version = request.version,
                                     .host = "",
                                     .topic = request.topic};
    int length = anycloud_document(&job, text, sizeof text);
    if (length < 0)
        return 0;
    cJSON *root = cJSON_ParseWithLength(text, (size_t)length);
    require(root != NULL);
    const cJSON *topic = cJSON_GetObjectItemCaseSensitive(root, "UniqueTopicName");
    require(cJSON_IsString(topic) && strcmp(topic->valuestring, request.topic) == 0);
    cJSON_Delete(root);
    return 0;
}
