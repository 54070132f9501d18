/* The client of tls_limits.py: requests and replies over TLS with nothing between them and OpenSSL.
 *
 *     tls_bare DESCRIPTOR [spin]
 *
 * Each line on the standard input is a number of requests; the answer is the seconds that they took.
 * With `spin` the descriptor does not block, and a read is tried again until it has something: the
 * reply costs the time that it takes to come, and no time to wake up.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/ssl.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int count, char **arguments)
{
    int descriptor = atoi(arguments[1]);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *session = SSL_new(context);
    SSL_set_fd(session, descriptor);
    if (SSL_connect(session) != 1)
        return 1;
    if (count > 2)
        fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    char data[64] = "a request", reply[4096], line[32];
    while (fgets(line, sizeof line, stdin)) {
        double began = now();
        for (long left = atol(line); left; left--) {
            size_t moved;
            if (SSL_write_ex(session, data, sizeof data, &moved) != 1)
                return 2;
            while (SSL_read_ex(session, reply, sizeof reply, &moved) != 1)
                if (SSL_get_error(session, 0) != SSL_ERROR_WANT_READ)
                    return 3;
        }
        printf("%.9f\n", now() - began);
        fflush(stdout);
    }
    return 0;
}
