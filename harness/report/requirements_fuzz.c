/* The reader of the catalogue over arbitrary bytes: never a crash, never a leak, every row whole,
 * and an error that points into the text. */
#include "harness/report/requirements.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nb_requirements requirements;
    struct flash_text_error error;
    int rc = nb_requirements_parse((const char *)data, size, &requirements, &error);
    if (rc == 0) {
        size_t total = 0;
        for (size_t i = 0; i < requirements.count; i++) {
            const struct nb_requirement *row = &requirements.rows[i];
            total += strlen(row->id) + strlen(row->text) + strlen(row->sources) + strlen(row->na) +
                     strlen(row->evidence);
            if (nb_requirement_find(&requirements, row->id) != row)
                abort();
        }
        if (total > size)
            abort();
        nb_requirements_free(&requirements);
    } else if (rc != OTA_E_ARGUMENT || error.line == 0 || error.column == 0 ||
               error.message[0] == '\0' || error.column > size + 1) {
        abort();
    }
    return 0;
}
