/* Stands between the standard library and the system (LD_PRELOAD), so that what it encodes can
 * be read, and what it is to decode can be given to it, on kernels without the family. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/socket.h>

static unsigned char seen[1 << 16], given[1 << 16];
static size_t seen_len, given_len;
static int answering, passing;

static void see(const void *bytes, size_t len)
{
    seen_len = len < sizeof seen ? len : sizeof seen;
    if (seen_len)
        memcpy(seen, bytes, seen_len);
}

/* For the test: what came last, and what to answer with from now on (nothing: the system). */
size_t probe_seen(unsigned char *bytes)
{
    memcpy(bytes, seen, seen_len);
    return seen_len;
}

void probe_answer(const unsigned char *bytes, size_t len)
{
    answering = bytes != NULL;
    given_len = len;
    if (bytes)
        memcpy(given, bytes, len);
}

/* From now on, what is sent goes to the system. */
void probe_pass(void)
{
    passing = 1;
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    see(address, len);
    return 0;
}

int getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    if (!answering) {
        int (*real)(int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "getsockname");
        return real(fd, address, len);
    }
    memcpy(address, given, *len < given_len ? *len : given_len);
    *len = given_len;
    return 0;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (passing) {
        ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
        return real(fd, message, flags);
    }
    see(message->msg_control, message->msg_controllen);
    return 0;
}

/* Answers with the bytes given; without any, receives and then has the last control message claim
 * more data than there are. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    if (!answering) {
        ssize_t (*real)(int, struct msghdr *, int) = dlsym(RTLD_NEXT, "recvmsg");
        ssize_t received = real(fd, message, flags);
        struct cmsghdr *header = received < 0 ? NULL : CMSG_FIRSTHDR(message), *last = NULL;
        for (; header; header = CMSG_NXTHDR(message, header))
            last = header;
        if (last) {
            message->msg_controllen = (char *)last - (char *)message->msg_control + last->cmsg_len;
            last->cmsg_len += 64;
        }
        return received;
    }
    if (message->msg_controllen > given_len)
        message->msg_controllen = given_len;
    memcpy(message->msg_control, given, message->msg_controllen);
    message->msg_namelen = 0;
    message->msg_flags = 0;
    return 0;
}
