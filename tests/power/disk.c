/*
 * A disk that forgets. Preloaded into the program, it keeps beside the files of DATA_DIR a second set: what would be
 * found after a loss of power at this moment, which is all that was synced and nothing that was only written. A new file
 * is in it once its folder was synced, too.
 *
 * It also keeps a log of what the program owes to whom:
 *
 *   taken SYSTEM SYNCED NEW BODY   a webhook is answered 2xx; SYNCED syncs were begun and finished since it arrived, and
 *                                  the answer says that NEW of its events were
 *   sent OPERATION                 a write leaves the machine
 *   folder PATH                    a folder at or above DATA_DIR was synced
 *
 * DISK_COPY and DISK_LOG say where these are. DISK_KILL ends the program like the loss of power that it plays:
 * `before-sync:7` when the 7th sync is asked for, `half-sync:7` when half of it is done, `after-sync:7` when all of it
 * is and the program does not know. DISK_LIES answers every sync without making it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 65536
#define FILES 64
#define HEAD 16384

/* A write, or with no data a new length, that no sync has brought to the disk. */
struct change {
    struct change *next;
    off_t at;
    size_t length;
    char data[];
};

struct file {
    char name[256];
    int copy;
    int listed;  /* whether its name is on the disk */
    int removed; /* whether it was deleted, which a sync of the folder has not brought there */
    struct change *first, **end;
};

/* A webhook that has arrived and was not answered. */
struct request {
    char *text;
    size_t length;
    long begun; /* syncs, when its first byte was there */
};

static struct file files[FILES];
static int file_count;
static int file_of[FDS];     /* from 1; 0 is none of ours */
static char *folder_of[FDS]; /* a folder at or above ours */
static struct request requests[FDS];
static long begun, finished;

static char root[4096], copies[4096], kill_at[32];
static long kill_count;
static int log_fd = -1, lies, awake;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*next_open)(const char *, int, ...);
static int (*next_close)(int);
static ssize_t (*next_write)(int, const void *, size_t);
static ssize_t (*next_pwrite)(int, const void *, size_t, off_t);
static int (*next_ftruncate)(int, off_t);
static int (*next_fsync)(int);
static int (*next_unlink)(const char *);
static ssize_t (*next_recv)(int, void *, size_t, int);
static ssize_t (*next_send)(int, const void *, size_t, int);
static ssize_t (*next_writev)(int, const struct iovec *, int);

static void fail(const char *what) {
    dprintf(2, "the disk of the test: %s\n", what);
    abort();
}

__attribute__((constructor)) static void start(void) {
    next_open = dlsym(RTLD_NEXT, "open64");
    next_close = dlsym(RTLD_NEXT, "close");
    next_write = dlsym(RTLD_NEXT, "write");
    next_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    next_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    next_fsync = dlsym(RTLD_NEXT, "fsync");
    next_unlink = dlsym(RTLD_NEXT, "unlink");
    next_recv = dlsym(RTLD_NEXT, "recv");
    next_send = dlsym(RTLD_NEXT, "send");
    next_writev = dlsym(RTLD_NEXT, "writev");
    const char *data = getenv("DATA_DIR"), *copy = getenv("DISK_COPY"), *log = getenv("DISK_LOG");
    if (!data || !copy || !log) return;
    snprintf(root, sizeof root, "%s", data);
    snprintf(copies, sizeof copies, "%s", copy);
    log_fd = next_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) fail("no log");
    const char *kill = getenv("DISK_KILL");
    if (kill && sscanf(kill, "%31[^:]:%ld", kill_at, &kill_count) != 2) fail("expected DISK_KILL as moment:count");
    lies = getenv("DISK_LIES") != NULL;
    awake = 1;
}

static void die_at(const char *moment, long sync) {
    if (sync == kill_count && strcmp(moment, kill_at) == 0) kill(getpid(), SIGKILL);
}

static void copy_path(char *path, size_t size, const char *name, int listed) {
    snprintf(path, size, "%s/%s%s", copies, name, listed ? "" : ".new");
}

/* The file of a path directly below the root; a lock and what is shared in memory mean nothing after a loss of power. */
static int file_at(const char *path, int is_new) {
    size_t length = strlen(root);
    if (strncmp(path, root, length) != 0 || path[length] != '/' || strchr(path + length + 1, '/')) return 0;
    const char *name = path + length + 1;
    size_t end = strlen(name);
    if (end > 240 || (end > 4 && strcmp(name + end - 4, "-shm") == 0)) return 0;
    if (end > 5 && strcmp(name + end - 5, ".lock") == 0) return 0;
    int number = 0;
    while (number < file_count && strcmp(files[number].name, name) != 0) number++;
    struct file *file = &files[number];
    if (number < file_count && !is_new) return number + 1;
    if (number == FILES) fail("too many files");
    if (number < file_count) next_close(file->copy);
    *file = (struct file){.listed = !is_new};
    snprintf(file->name, sizeof file->name, "%s", name);
    file->end = &file->first;
    char copy[8192];
    copy_path(copy, sizeof copy, name, file->listed);
    file->copy = next_open(copy, O_RDWR | O_CLOEXEC | (is_new ? O_CREAT | O_TRUNC : 0), 0600);
    if (file->copy < 0) fail("a file of the database has no copy");
    if (number == file_count) file_count++;
    return number + 1;
}

static void opened(int fd, const char *path, int is_new) {
    if (!awake || fd < 0 || fd >= FDS) return;
    pthread_mutex_lock(&lock);
    file_of[fd] = file_at(path, is_new);
    size_t length = strlen(path);
    if (length > 0 && strncmp(root, path, length) == 0 && (root[length] == '/' || root[length] == 0))
        folder_of[fd] = strdup(path);
    pthread_mutex_unlock(&lock);
}

static int open_and_note(const char *path, int flags, mode_t mode) {
    int is_new = (flags & O_CREAT) && access(path, F_OK) != 0;
    int fd = next_open(path, flags, mode);
    opened(fd, path, is_new);
    return fd;
}

#define MODE_OF(flags)                 \
    mode_t mode = 0;                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list more;                  \
        va_start(more, flags);         \
        mode = va_arg(more, mode_t);   \
        va_end(more);                  \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_and_note(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_and_note(path, flags, mode);
}

int close(int fd) {
    if (awake && fd >= 0 && fd < FDS) {
        pthread_mutex_lock(&lock);
        file_of[fd] = 0;
        free(folder_of[fd]);
        folder_of[fd] = NULL;
        free(requests[fd].text);
        requests[fd] = (struct request){0};
        pthread_mutex_unlock(&lock);
    }
    return next_close(fd);
}

int unlink(const char *path) {
    int done = next_unlink(path);
    size_t length = strlen(root);
    if (!awake || done != 0 || strncmp(path, root, length) != 0 || path[length] != '/') return done;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < file_count; i++)
        if (strcmp(files[i].name, path + length + 1) == 0) files[i].removed = 1;
    pthread_mutex_unlock(&lock);
    return done;
}

static void changed(int fd, const void *data, size_t length, off_t at) {
    if (!awake || fd < 0 || fd >= FDS || !file_of[fd]) return;
    struct change *change = malloc(sizeof *change + length);
    if (!change) fail("no memory");
    *change = (struct change){.at = at, .length = length};
    memcpy(change->data, data, length);
    pthread_mutex_lock(&lock);
    struct file *file = &files[file_of[fd] - 1];
    *file->end = change;
    file->end = &change->next;
    pthread_mutex_unlock(&lock);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) {
    ssize_t done = next_pwrite(fd, data, length, at);
    if (done > 0) changed(fd, data, (size_t)done, at);
    return done;
}

ssize_t write(int fd, const void *data, size_t length) {
    off_t at = awake && fd >= 0 && fd < FDS && file_of[fd] ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = next_write(fd, data, length);
    if (done > 0) changed(fd, data, (size_t)done, at);
    return done;
}

int ftruncate64(int fd, off64_t length) {
    int done = next_ftruncate(fd, length);
    if (done == 0) changed(fd, "", 0, length);
    return done;
}

static void apply(struct file *file, struct change *change) {
    if (change->length == 0) {
        if (next_ftruncate(file->copy, change->at) != 0) fail("the copy cannot be cut");
    } else if (next_pwrite(file->copy, change->data, change->length, change->at) != (ssize_t)change->length) {
        fail("the copy cannot be written");
    }
}

static int sync_file(int fd) {
    pthread_mutex_lock(&lock);
    struct file *file = &files[file_of[fd] - 1];
    struct change *batch = file->first;
    file->first = NULL;
    file->end = &file->first;
    long sync = ++begun;
    pthread_mutex_unlock(&lock);

    die_at("before-sync", sync);
    int done = next_fsync(fd);
    if (done != 0) fail("a sync failed");

    pthread_mutex_lock(&lock);
    long count = 0, number = 0;
    for (struct change *change = batch; change; change = change->next) count++;
    while (batch) {
        if (2 * number++ >= count) die_at("half-sync", sync);
        struct change *next = batch->next;
        apply(file, batch);
        free(batch);
        batch = next;
    }
    if (sync > finished) finished = sync;
    pthread_mutex_unlock(&lock);
    die_at("after-sync", sync);
    return 0;
}

static void say(const char *line) {
    if (next_write(log_fd, line, strlen(line)) < 0) fail("the log cannot be written");
}

static int sync_folder(int fd) {
    int done = next_fsync(fd);
    if (done != 0) return done;
    char line[8192];
    pthread_mutex_lock(&lock);
    if (strcmp(folder_of[fd], root) == 0) {
        for (int i = 0; i < file_count; i++) {
            char from[8192], to[8192];
            copy_path(from, sizeof from, files[i].name, 0);
            copy_path(to, sizeof to, files[i].name, 1);
            if (files[i].removed) {
                if (next_unlink(files[i].listed ? to : from) != 0) fail("a copy cannot be deleted");
                files[i].removed = 0;
                files[i].listed = 1;
            } else if (!files[i].listed) {
                if (rename(from, to) != 0) fail("a copy cannot be listed");
                files[i].listed = 1;
            }
        }
    }
    snprintf(line, sizeof line, "folder %s\n", folder_of[fd]);
    say(line);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) {
    if (!awake || fd < 0 || fd >= FDS || (!file_of[fd] && !folder_of[fd])) return next_fsync(fd);
    if (lies) return 0;
    return folder_of[fd] ? sync_folder(fd) : sync_file(fd);
}

int fdatasync(int fd) {
    return fsync(fd);
}

static int begins(const char *text, size_t length, const char *with) {
    return length >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

ssize_t recv(int fd, void *data, size_t length, int flags) {
    ssize_t got = next_recv(fd, data, length, flags);
    if (!awake || got <= 0 || (flags & MSG_PEEK) || fd < 0 || fd >= FDS) return got;
    pthread_mutex_lock(&lock);
    struct request *request = &requests[fd];
    if (begins(data, (size_t)got, "POST /webhooks/")) {
        request->length = 0;
        request->begun = begun;
    }
    if (request->length > 0 || begins(data, (size_t)got, "POST /webhooks/")) {
        request->text = realloc(request->text, request->length + (size_t)got + 1);
        if (!request->text) fail("no memory");
        memcpy(request->text + request->length, data, (size_t)got);
        request->length += (size_t)got;
        request->text[request->length] = 0;
    }
    pthread_mutex_unlock(&lock);
    return got;
}

/* What is said is owed from now on, whether or not it still gets out. */
static void speaks(int fd, const struct iovec *parts, int count) {
    char head[HEAD + 1];
    size_t length = 0;
    for (int i = 0; i < count && length < HEAD; i++) {
        size_t part = parts[i].iov_len < HEAD - length ? parts[i].iov_len : HEAD - length;
        memcpy(head + length, parts[i].iov_base, part);
        length += part;
    }
    head[length] = 0;
    pthread_mutex_lock(&lock);
    struct request *request = &requests[fd];
    if (request->length > 0 && begins(head, length, "HTTP/1.1 ")) {
        char *body = strstr(request->text, "\r\n\r\n");
        if (begins(head, length, "HTTP/1.1 2") && body) {
            char system[32] = "", *line = NULL;
            const char *accepted = strstr(head, "\"accepted\":");
            sscanf(request->text, "POST /webhooks/%31[^ ]", system);
            if (!accepted) fail("a webhook is answered 2xx and not told what was new");
            long synced = finished - request->begun, new = atol(accepted + strlen("\"accepted\":"));
            if (asprintf(&line, "taken %s %ld %ld %s\n", system, synced, new, body + 4) < 0) fail("no memory");
            say(line);
            free(line);
        }
        request->length = 0;
    } else if (begins(head, length, "POST ") || begins(head, length, "PATCH ")) {
        const char *marker = strstr(head, ": pairline/");
        char line[256], operation[128];
        if (marker && sscanf(marker, ": pairline/%127[^\r\n]", operation) == 1) {
            snprintf(line, sizeof line, "sent %s\n", operation);
            say(line);
        }
    }
    pthread_mutex_unlock(&lock);
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
    struct iovec part = {.iov_base = (void *)data, .iov_len = length};
    if (awake && fd >= 0 && fd < FDS) speaks(fd, &part, 1);
    return next_send(fd, data, length, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (awake && fd >= 0 && fd < FDS) speaks(fd, parts, count);
    return next_writev(fd, parts, count);
}
