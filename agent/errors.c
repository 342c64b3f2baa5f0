#include "agent/errors.h"

#include <stddef.h>

static const struct {
    int code;
    const char *word;
    const char *text;
} errors[] = {
#define OTA_ERR_ROW(name, word, text) {OTA_E_##name, word, text},
    OTA_ERR_LIST(OTA_ERR_ROW)
#undef OTA_ERR_ROW
};

const char *ota_err_word(int code)
{
    for (size_t i = 0; code < 0 && i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].code == code)
            return errors[i].word;
    return code < 0 ? "error" : "ok";
}

bool ota_err_is_tls(int code)
{
    switch (code) {
    case OTA_E_TLS:
    case OTA_E_TLS_CA:
    case OTA_E_TLS_EXPIRED:
    case OTA_E_TLS_NAME:
    case OTA_E_TLS_SELF:
    case OTA_E_TLS_IMPOSTOR:
    case OTA_E_TLS_DEVICE:
        return true;
    default:
        return false;
    }
}

const char *ota_err_text(int code)
{
    for (size_t i = 0; code < 0 && i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].code == code)
            return errors[i].text;
    return code < 0 ? "unknown error" : "no error";
}
