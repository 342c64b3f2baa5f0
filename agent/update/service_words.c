#include "agent/update/service.h"

const char *ota_service_event_word(enum ota_service_event event)
{
    static const char *const words[] = {
        [OTA_SERVICE_IDLE] = "idle",
        [OTA_SERVICE_WAITING_FOR_NETWORK] = "waiting-for-network",
        [OTA_SERVICE_WAITING_FOR_CORE] = "waiting-for-core",
        [OTA_SERVICE_WAITING_FOR_PERIOD] = "waiting-for-period",
        [OTA_SERVICE_CHECK_START] = "check-start",
        [OTA_SERVICE_CHECK_FAILED] = "check-failed",
        [OTA_SERVICE_UPDATE_AVAILABLE] = "update-available",
        [OTA_SERVICE_UPDATE_NOT_AVAILABLE] = "update-not-available",
        [OTA_SERVICE_TRIGGER_FAILED] = "trigger-failed",
        [OTA_SERVICE_FACTORY_RESET_SUCCESS] = "factory-reset-success",
        [OTA_SERVICE_FACTORY_RESET_FAILED] = "factory-reset-failed",
        [OTA_SERVICE_ROLLBACK_SUCCESS] = "rollback-success",
        [OTA_SERVICE_ROLLBACK_FAILED] = "rollback-failed",
        [OTA_SERVICE_PATCH_BASE_NOT_FOUND] = "patch-base-not-found",
        [OTA_SERVICE_PATCH_START] = "patch-start",
        [OTA_SERVICE_PATCH_COMPLETED] = "patch-completed",
        [OTA_SERVICE_DOWNLOAD_START] = "download-start",
        [OTA_SERVICE_DOWNLOAD_SUCCESS] = "download-success",
        [OTA_SERVICE_DOWNLOAD_FAILED] = "download-failed",
        [OTA_SERVICE_VERIFY_START] = "verify-start",
        [OTA_SERVICE_VERIFY_SUCCESS] = "verify-success",
        [OTA_SERVICE_VERIFY_FAILED] = "verify-failed",
        [OTA_SERVICE_PATCH_VERIFY_START] = "patch-verify-start",
        [OTA_SERVICE_PATCH_VERIFY_SUCCESS] = "patch-verify-success",
        [OTA_SERVICE_PATCH_VERIFY_FAILED] = "patch-verify-failed",
        [OTA_SERVICE_STORED] = "stored",
        [OTA_SERVICE_ERASE_FAILED] = "erase-failed",
        [OTA_SERVICE_ERASED] = "erased",
        [OTA_SERVICE_STORE_FULL] = "store-full",
        [OTA_SERVICE_NONE] = "none",
    };
    return (unsigned)event <= OTA_SERVICE_NONE ? words[event] : "unknown";
}

const char *ota_service_state_word(enum ota_service_state state)
{
    static const char *const words[] = {
        [OTA_SERVICE_STATE_WAIT_TIMER] = "wait-timer",
        [OTA_SERVICE_STATE_TRIGGER] = "trigger",
        [OTA_SERVICE_STATE_WAIT_CORE] = "wait-core",
        [OTA_SERVICE_STATE_UPDATE_USER] = "update-user",
        [OTA_SERVICE_STATE_IDLE] = "idle",
        [OTA_SERVICE_STATE_CONNECT] = "connect",
        [OTA_SERVICE_STATE_READ_JSON] = "read-json",
    };
    bool known = (unsigned)state < sizeof words / sizeof words[0] && words[state] != NULL;
    return known ? words[state] : "unknown";
}

const char *ota_core_state_word(enum ota_core_state state)
{
    static const char *const words[] = {
        [OTA_CORE_IDLE] = "idle",
        [OTA_CORE_SEARCH_PATCH_BASE] = "search-patch-base",
        [OTA_CORE_DOWNLOAD_IMAGE] = "download-image",
        [OTA_CORE_VERIFY_PATCH] = "verify-patch",
        [OTA_CORE_PATCH_BUILD] = "patch-build",
        [OTA_CORE_VERIFY] = "verify",
        [OTA_CORE_DATABASE_ENTRY] = "database-entry",
        [OTA_CORE_UPDATE_USER] = "update-user",
    };
    return (unsigned)state <= OTA_CORE_UPDATE_USER ? words[state] : "unknown";
}
