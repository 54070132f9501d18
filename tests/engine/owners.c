/* Preloaded: sees whose each descriptor is that a thread's system calls are made on.
 *
 * A thread says which socket its next operation is for, by the number of the descriptor and the
 * kernel's cookie of the socket. Every call that it makes on that number is then looked at twice,
 * before and after: the number has to stand for that very socket both times. One that a signal has
 * ended did nothing; who takes the socket away waits for the thread it wakes, but not for ever.
 *
 * Not read(2) and write(2), which are not made on sockets: an import may have opened its file by
 * that number. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct owner {
    int number;
    uint64_t cookie;
    atomic_long *seen;
};

static _Thread_local struct owner owner = {-1, 0, NULL};
static atomic_long checks, strangers;
static char what[64];

long owners_checks(void) { return atomic_load(&checks); }
long owners_strangers(void) { return atomic_load(&strangers); }
const char *owners_what(void) { return what; }

/* What the calling thread's next operation is for; `seen` counts its calls. */
void owners_expect(int number, uint64_t cookie, atomic_long *seen) {
    owner = (struct owner){number, cookie, seen};
}

uint64_t owners_cookie(int fd) {
    static int (*real)(int, int, int, void *, socklen_t *);
    if (!real) real = dlsym(RTLD_NEXT, "getsockopt");
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return real(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) ? 0 : cookie;
}

static void look(int fd, const char *name) {
    if (owner.number < 0 || fd != owner.number) return;
    int error = errno;
    atomic_fetch_add(&checks, 1);
    if (owners_cookie(fd) != owner.cookie && atomic_fetch_add(&strangers, 1) == 0)
        strncpy(what, name, sizeof what - 1);
    if (owner.seen) atomic_fetch_add(owner.seen, 1);
    errno = error;
}

#define WRAP(type, name, parameters, ...)                       \
    type name parameters {                                      \
        static type(*real) parameters;                          \
        if (!real) real = dlsym(RTLD_NEXT, #name);              \
        look(fd, #name " begins");                              \
        type result = real(__VA_ARGS__);                        \
        if (result >= 0 || errno != EINTR) look(fd, #name " ends"); \
        return result;                                          \
    }

WRAP(ssize_t, recv, (int fd, void *to, size_t size, int flags), fd, to, size, flags)
WRAP(ssize_t, recvfrom, (int fd, void *to, size_t size, int flags, struct sockaddr *from, socklen_t *len),
     fd, to, size, flags, from, len)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), fd, message, flags)
WRAP(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *time),
     fd, messages, count, flags, time)
WRAP(ssize_t, send, (int fd, const void *data, size_t size, int flags), fd, data, size, flags)
WRAP(ssize_t, sendto,
     (int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t len),
     fd, data, size, flags, to, len)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), fd, message, flags)
WRAP(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags),
     fd, messages, count, flags)
WRAP(ssize_t, sendfile, (int fd, int from, off_t *at, size_t size), fd, from, at, size)
WRAP(ssize_t, sendfile64, (int fd, int from, off64_t *at, size_t size), fd, from, at, size)
WRAP(int, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags), fd, from, len, flags)
WRAP(int, connect, (int fd, const struct sockaddr *to, socklen_t len), fd, to, len)
WRAP(int, getsockopt, (int fd, int level, int option, void *value, socklen_t *len),
     fd, level, option, value, len)
WRAP(int, setsockopt, (int fd, int level, int option, const void *value, socklen_t len),
     fd, level, option, value, len)
WRAP(int, getsockname, (int fd, struct sockaddr *name, socklen_t *len), fd, name, len)
WRAP(int, getpeername, (int fd, struct sockaddr *name, socklen_t *len), fd, name, len)

int poll(struct pollfd *entries, nfds_t count, int time) {
    static int (*real)(struct pollfd *, nfds_t, int);
    if (!real) real = dlsym(RTLD_NEXT, "poll");
    for (nfds_t i = 0; i < count; i++) look(entries[i].fd, "poll begins");
    int result = real(entries, count, time);
    if (result >= 0 || errno != EINTR)
        for (nfds_t i = 0; i < count; i++) look(entries[i].fd, "poll ends");
    return result;
}

int ppoll(struct pollfd *entries, nfds_t count, const struct timespec *time, const sigset_t *mask) {
    static int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    if (!real) real = dlsym(RTLD_NEXT, "ppoll");
    for (nfds_t i = 0; i < count; i++) look(entries[i].fd, "ppoll begins");
    int result = real(entries, count, time, mask);
    if (result >= 0 || errno != EINTR)
        for (nfds_t i = 0; i < count; i++) look(entries[i].fd, "ppoll ends");
    return result;
}
