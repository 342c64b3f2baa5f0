#include "harness/cli/cloud_harmony_options.h"

#include "harness/cli/option_words.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const help =
    "usage: nobrick cloud --system harmony --image FILE[=N] [option...]\n"
    "\n"
    "Makes the manifest of Microchip Harmony's OTA service for image files, and patches to them, "
    "and\n"
    "serves all of it over HTTP or HTTPS, or writes it down for any other server. It answers "
    "whatever\n"
    "comes, and ends with Ctrl-C.\n"
    "\n"
    "  --image FILE[=N], -f  an image, and its version (default: that of a name like v2.bin). Up "
    "to\n"
    "                        four: of the entries of a manifest the last one counts\n"
    "  --version N           the version, where there is one image\n"
    "  --sign FILE           PEM: the private key (ECDSA P-256) that signs; without it nothing is\n"
    "                        signed, which secure devices refuse\n"
    "  --base FILE[=N]       adds a patch from that image, and its version as above. Up to eight\n"
    "  --erase N             no image: devices are to erase version N from their store\n"
    "  --manifest PATH       name of the manifest (default /ota.json)\n"
    "  --listen ADDR[:PORT]  where to serve (default 127.0.0.1 and any port that is free), HTTPS "
    "as\n"
    "                        https://ADDR[:PORT]\n"
    "  --url URL             what the manifest's URLs begin with (default: where it listens)\n"
    "  --write DIR           write manifest, images and patches into DIR and end; needs --url\n"
    "  --cert FILE --key FILE  PEM: our own, as HTTPS server\n"
    "  --client-ca FILE      PEM: HTTPS clients must show a certificate signed by it\n"
    "  --updates N           end when an image or a patch was fetched to its last byte N times\n"
    "  --log LEVEL           error warning notice info (default) debug\n"
    "  -v                    a line for each part of a file, not only the last one: --log debug\n"
    "  --events FD           write event lines to that descriptor\n"
    "\n"
    "What devices of the original would not get along with is told, and served all the same.\n"
    "\n"
    "examples:\n"
    "  nobrick image create --size 64K --version 1.0.0 -o v1.bin\n"
    "  nobrick image create --size 68K --version 2.0.0 -o v2.bin\n"
    "  nobrick cloud --system harmony --image v2.bin --base v1.bin --listen 127.0.0.1:8000\n"
    "  nobrick cloud --system harmony --image v2.bin --write www --url http://192.168.0.101:8000\n";

/* As given. */
struct given {
    const char *system, *version, *erase, *listen, *url, *updates, *events, *log;
    bool verbose;
};

enum option_id {
    OPTION_HELP = 256,
    OPTION_SYSTEM,
    OPTION_IMAGE,
    OPTION_VERSION,
    OPTION_SIGN,
    OPTION_BASE,
    OPTION_ERASE,
    OPTION_MANIFEST,
    OPTION_LISTEN,
    OPTION_URL,
    OPTION_WRITE,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_CLIENT_CA,
    OPTION_UPDATES,
    OPTION_LOG,
    OPTION_EVENTS,
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, OPTION_HELP},
    {"system", required_argument, NULL, OPTION_SYSTEM},
    {"image", required_argument, NULL, OPTION_IMAGE},
    {"version", required_argument, NULL, OPTION_VERSION},
    {"sign", required_argument, NULL, OPTION_SIGN},
    {"base", required_argument, NULL, OPTION_BASE},
    {"erase", required_argument, NULL, OPTION_ERASE},
    {"manifest", required_argument, NULL, OPTION_MANIFEST},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"url", required_argument, NULL, OPTION_URL},
    {"write", required_argument, NULL, OPTION_WRITE},
    {"cert", required_argument, NULL, OPTION_CERT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"client-ca", required_argument, NULL, OPTION_CLIENT_CA},
    {"updates", required_argument, NULL, OPTION_UPDATES},
    {"log", required_argument, NULL, OPTION_LOG},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {NULL, 0, NULL, 0},
};

static bool read_version(const char *text, uint32_t *out)
{
    unsigned long number = 0;
    bool good = nb_option_count(text, 1, UINT32_MAX, &number);
    *out = (uint32_t)number;
    return good;
}

/* ---- files ------------------------------------------------------------------------------- */

/* "FILE", or "FILE=N" where N is a number: other names may have an `=`. */
static int read_source(const char *text, char name[CLOUD_FILE], struct harmony_source *out)
{
    const char *equals = strrchr(text, '=');
    if (equals != NULL && equals[1 + strspn(equals + 1, "0123456789")] != '\0')
        equals = NULL;
    size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
    if (length == 0 || length >= CLOUD_FILE)
        return nb_cloud_usage("not a file's name", text);
    memcpy(name, text, length);
    name[length] = '\0';
    out->path = name;
    out->version = 0;
    if (equals != NULL && !read_version(equals + 1, &out->version))
        return nb_cloud_usage("not a version (1 to 4294967295)", text);
    return 0;
}

static int add_source(const char *option, const char *text, struct harmony_source *list,
                      size_t *count, size_t most, char (*names)[CLOUD_FILE])
{
    char line[64];
    if (*count == most) {
        snprintf(line, sizeof line, "more than %zu times %s", most, option);
        return nb_cloud_usage(line, text);
    }
    int result = read_source(text, names[*count], &list[*count]);
    *count += result == 0;
    return result;
}

/* What was not said stands in the file's name. */
static int find_versions(struct harmony_source *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].version == 0 && !harmony_version_of(list[i].path, &list[i].version))
            return nb_cloud_usage("no version in the file's name (vN.bin): say FILE=N",
                                  list[i].path);
    return 0;
}

/* ---- the command line -------------------------------------------------------------------- */

/* 0, or the exit code + 1. */
static int take(int option, const char *value, struct given *given,
                struct cloud_harmony_options *out)
{
    struct harmony_plan *plan = &out->plan;
    switch (option) {
    case 'f':
    case OPTION_IMAGE:
        return add_source("--image", value, plan->images, &plan->image_count,
                          HARMONY_RELEASE_IMAGES, out->names);
    case OPTION_BASE:
        return add_source("--base", value, plan->bases, &plan->base_count, HARMONY_RELEASE_BASES,
                          out->names + HARMONY_RELEASE_IMAGES);
    case OPTION_SIGN:
        plan->key_path = value;
        break;
    case OPTION_MANIFEST:
        plan->manifest = value;
        break;
    case OPTION_WRITE:
        out->write = value;
        break;
    case OPTION_CERT:
        out->listen.cert = value;
        break;
    case OPTION_KEY:
        out->listen.key = value;
        break;
    case OPTION_CLIENT_CA:
        out->listen.client_ca = value;
        break;
    case 'v':
        given->verbose = true;
        break;
    default: {
        const char **const texts[] = {
            [OPTION_SYSTEM - OPTION_HELP] = &given->system,
            [OPTION_VERSION - OPTION_HELP] = &given->version,
            [OPTION_ERASE - OPTION_HELP] = &given->erase,
            [OPTION_LISTEN - OPTION_HELP] = &given->listen,
            [OPTION_URL - OPTION_HELP] = &given->url,
            [OPTION_UPDATES - OPTION_HELP] = &given->updates,
            [OPTION_LOG - OPTION_HELP] = &given->log,
            [OPTION_EVENTS - OPTION_HELP] = &given->events,
        };
        *texts[option - OPTION_HELP] = value;
        break;
    }
    }
    return 0;
}

static int read_arguments(int argc, char **argv, struct given *given,
                          struct cloud_harmony_options *out)
{
    int result = 0;
    optind = 1;
    opterr = 0;
    for (int option;
         result == 0 && (option = getopt_long(argc, argv, ":vf:", long_options, NULL)) != -1;) {
        if (option == ':' || option == '?')
            return nb_cloud_usage(option == ':' ? "this option needs a value" : "unknown option",
                                  argv[optind - 1]);
        if (option == OPTION_HELP) {
            fputs(help, stdout);
            return 1;
        }
        result = take(option, optarg, given, out);
    }
    if (result == 0 && optind < argc)
        return nb_cloud_usage("unexpected argument", argv[optind]);
    return result;
}

/* ---- what the words mean ----------------------------------------------------------------- */

static int use_images(const struct given *given, struct cloud_harmony_options *out)
{
    struct harmony_plan *plan = &out->plan;
    if (given->erase != NULL) {
        if (!read_version(given->erase, &plan->erase))
            return nb_cloud_usage("--erase wants a version (1 to 4294967295)", given->erase);
        if (plan->image_count + plan->base_count > 0 || given->version != NULL)
            return nb_cloud_usage("--erase stands alone: no --image, --base or --version", NULL);
        return 0;
    }
    if (plan->image_count == 0)
        return nb_cloud_usage("--image is missing", NULL);
    if (given->version != NULL) {
        if (plan->image_count > 1)
            return nb_cloud_usage("--version is for one image: say FILE=N", given->version);
        if (!read_version(given->version, &plan->images[0].version))
            return nb_cloud_usage("not a version (1 to 4294967295)", given->version);
    }
    int result = find_versions(plan->images, plan->image_count);
    return result != 0 ? result : find_versions(plan->bases, plan->base_count);
}

static int use_url(const struct given *given, struct cloud_harmony_options *out)
{
    size_t length = given->url != NULL ? strlen(given->url) : 0;
    if (given->url == NULL)
        return 0;
    while (length > 0 && given->url[length - 1] == '/')
        length--;
    bool good = (strncmp(given->url, "http://", 7) == 0 && length > 7) ||
                (strncmp(given->url, "https://", 8) == 0 && length > 8);
    for (size_t i = 0; good && i < length; i++)
        good =
            given->url[i] > ' ' && given->url[i] <= '~' && strchr("\"\\?#", given->url[i]) == NULL;
    if (!good || length >= sizeof out->url)
        return nb_cloud_usage("not a URL to begin with (http[s]://HOST[:PORT][/PATH])", given->url);
    memcpy(out->url, given->url, length);
    out->plan.url = out->url;
    return 0;
}

static int use_server(const struct given *given, struct cloud_harmony_options *out)
{
    const struct nb_cloud_listen *listen = &out->listen;
    if (out->write != NULL) {
        if (given->listen != NULL || listen->cert != NULL || listen->key != NULL ||
            listen->client_ca != NULL || given->updates != NULL)
            return nb_cloud_usage("--write serves nothing: no --listen, --cert, --key, --client-ca "
                                  "or --updates",
                                  NULL);
        return given->url != NULL ? 0 : nb_cloud_usage("--write needs --url", NULL);
    }
    const char *text = given->listen != NULL ? given->listen : "127.0.0.1";
    int result = nb_cloud_listen(text, false, &out->listen);
    if (result != 0)
        return result;
    if (!listen->tls && (listen->cert != NULL || listen->key != NULL))
        return nb_cloud_usage("--cert and --key need --listen https://ADDR[:PORT]", NULL);
    result = nb_cloud_listen_files(listen);
    if (result != 0)
        return result;
    if (given->url == NULL && nb_cloud_is_everywhere(listen->host))
        return nb_cloud_usage("devices cannot be sent to this address; say --url", text);
    return 0;
}

static int use_rest(const struct given *given, struct cloud_harmony_options *out)
{
    if (!nb_cloud_is_path(out->plan.manifest) || strlen(out->plan.manifest) >= HARMONY_RELEASE_PATH)
        return nb_cloud_usage("not a path", out->plan.manifest);
    int result = nb_cloud_updates(given->updates, &out->updates);
    if (result == 0)
        result = nb_cloud_events(given->events, &out->events_fd);
    return result != 0 ? result : nb_cloud_log(given->log, given->verbose, &out->log);
}

int cloud_harmony_options_parse(int argc, char **argv, struct cloud_harmony_options *out)
{
    struct given given = {0};
    *out = (struct cloud_harmony_options){.plan = {.manifest = HARMONY_MANIFEST_PATH},
                                          .events_fd = -1};
    int result = read_arguments(argc, argv, &given, out);
    if (result == 0)
        result = use_images(&given, out);
    if (result == 0)
        result = use_url(&given, out);
    if (result == 0)
        result = use_server(&given, out);
    return result != 0 ? result : use_rest(&given, out);
}
