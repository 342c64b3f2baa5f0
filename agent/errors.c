#include "agent/errors.h"

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
