#include "harness/image/store_view.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAT_SECTOR   512u
#define FAT_LEAST    (1u << 20)
#define FAT_OVERHEAD (256u << 10)
#define PATH_SIZE    4096

extern char **environ;

/* Runs an mtool, nothing on its standard input. Its first line of complaint into `said`. Returns
 * its exit code, or -1 with errno. */
static int run_tool(char *const *argv, char *said, size_t size)
{
    posix_spawn_file_actions_t actions;
    int lines[2];
    pid_t pid;
    int status = 0;
    size_t used = 0;
    said[0] = '\0';
    if (pipe2(lines, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, lines[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, lines[1], STDERR_FILENO);
    int err = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    (void)close(lines[1]);
    for (char c; err == 0 && read(lines[0], &c, 1) == 1;)
        if (used + 1 < size)
            said[used++] = c;
    said[used] = '\0';
    said[strcspn(said, "\n")] = '\0';
    (void)close(lines[0]);
    errno = err;
    if (err != 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int use_tool(const char *const *argv, char *reason, size_t reason_size)
{
    char said[200];
    int code = run_tool((char *const *)(uintptr_t)argv, said, sizeof said);
    if (code == 0)
        return 0;
    if (code < 0 && errno == ENOENT) {
        snprintf(reason, reason_size, "%s is missing (package mtools; sh ci/setup full)", argv[0]);
        return OTA_E_UNSUPPORTED;
    }
    snprintf(reason, reason_size, "%s: %s", argv[0], code < 0 ? strerror(errno) : said);
    return OTA_E_IO;
}

static uint64_t fat_size(const struct nb_store_files *files)
{
    uint64_t size = FAT_OVERHEAD;
    for (size_t i = 0; i < files->count; i++)
        size += (files->files[i].size + 4095) / 4096 * 4096;
    return size > FAT_LEAST ? (size + FAT_LEAST - 1) / FAT_LEAST * FAT_LEAST : FAT_LEAST;
}

/* The files lie in `folder`/ota. */
static int fill_fat(const struct nb_store_files *files, const char *fat, const char *folder,
                    char *reason, size_t reason_size)
{
    char sectors[24];
    char ota[PATH_SIZE];
    snprintf(sectors, sizeof sectors, "%llu", (unsigned long long)(fat_size(files) / FAT_SECTOR));
    snprintf(ota, sizeof ota, "%s/ota", folder);
    const char *const format[] = {"mformat", "-i", fat, "-C", "-T", sectors, "::", NULL};
    const char *const copy[] = {"mcopy", "-i", fat, "-s", ota, "::/", NULL};
    int err = use_tool(format, reason, reason_size);
    return err != 0 ? err : use_tool(copy, reason, reason_size);
}

/* Removes what nb_store_files_write made. */
static void remove_folder(const struct nb_store_files *files, const char *folder)
{
    char path[PATH_SIZE];
    for (size_t i = 0; i < files->count; i++) {
        snprintf(path, sizeof path, "%s/ota/%s", folder, files->files[i].name);
        (void)unlink(path);
    }
    snprintf(path, sizeof path, "%s/ota", folder);
    (void)rmdir(path);
    (void)rmdir(folder);
}

int nb_store_files_to_fat(const struct nb_store_files *files, const char *path, char *reason,
                          size_t reason_size)
{
    const char *parent = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    char folder[PATH_SIZE / 2];
    char fresh[PATH_SIZE];
    int length = snprintf(fresh, sizeof fresh, "%s.new", path);
    snprintf(folder, sizeof folder, "%s/nobrick-fat-XXXXXX", parent);
    if (length < 0 || (size_t)length >= sizeof fresh || mkdtemp(folder) == NULL) {
        snprintf(reason, reason_size, "%.200s: %s", folder, strerror(errno));
        return OTA_E_IO;
    }
    (void)unlink(fresh);
    int err = nb_store_files_write(files, folder, reason, reason_size);
    if (err == 0)
        err = fill_fat(files, fresh, folder, reason, reason_size);
    if (err == 0 && rename(fresh, path) != 0) {
        snprintf(reason, reason_size, "%.200s: %s", path, strerror(errno));
        err = OTA_E_IO;
    }
    if (err != 0)
        (void)unlink(fresh);
    remove_folder(files, folder);
    return err;
}
