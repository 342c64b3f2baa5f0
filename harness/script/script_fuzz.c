/* The script parser over arbitrary bytes: never a crash, never a leak, and an error that points
 * into the text. */
#include "harness/script/script.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nb_script script;
    struct flash_text_error error;
    int rc = nb_script_parse((const char *)data, size, "fuzz.ota", &script, &error);
    if (rc == 0) {
        for (size_t i = 0; i < script.step_count; i++)
            if (script.steps[i].image >= (int)script.image_count)
                abort();
        nb_script_free(&script);
    } else if (rc != OTA_E_ARGUMENT || error.line == 0 || error.column == 0 ||
               error.message[0] == '\0' || error.column > size + 1) {
        abort();
    }
    return 0;
}
