/* Sends N numbered lines to a netcat or syslog source and waits until the agent has read them all (it closes then).
 *
 *   netload PORT LINES LINE_BYTES [PREFIX]
 *
 * PREFIX stands in front of the number of each line and is part of its length.
 * Prints: seconds until the agent closed, bytes of replies, number of replies that said FAILED.
 * One connection; replies are read along the way so that neither side blocks on a full buffer.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINES_PER_SEND = 1024, NUMBER_BYTES = 11, QUIET_MS_MAX = 60000 };

static long reply_bytes, failed;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* The word may be cut by the end of a read, so the position in it is kept. */
static void count_replies(const char *bytes, ssize_t n) {
    static const char word[] = "FAILED";
    static int at;
    reply_bytes += n;
    for (ssize_t i = 0; i < n; i++) {
        at = bytes[i] == word[at] ? at + 1 : bytes[i] == word[0];
        if (at == 6) {
            failed++;
            at = 0;
        }
    }
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void send_all(int fd, const char *bytes, size_t left) {
    char reply[65536];
    while (left) {
        ssize_t sent = send(fd, bytes, left, MSG_NOSIGNAL);
        if (sent < 0) die("send");
        bytes += sent;
        left -= sent;
        for (ssize_t n; (n = recv(fd, reply, sizeof reply, MSG_DONTWAIT)) > 0;) count_replies(reply, n);
    }
}

static void read_until_closed(int fd) {
    char reply[65536];
    struct pollfd wait = {fd, POLLIN, 0};
    while (poll(&wait, 1, QUIET_MS_MAX) > 0) {
        ssize_t n = read(fd, reply, sizeof reply);
        if (n <= 0) return;
        count_replies(reply, n);
    }
    fprintf(stderr, "netload: the agent did not close within %d ms\n", QUIET_MS_MAX);
    exit(1);
}

int main(int argc, char **argv) {
    const char *prefix = argc == 5 ? argv[4] : "";
    size_t prefix_bytes = strlen(prefix);
    if (argc < 4 || argc > 5 || prefix_bytes + NUMBER_BYTES > (size_t)atoi(argv[3])) {
        fputs("usage: netload PORT LINES LINE_BYTES [PREFIX]\n", stderr);
        return 2;
    }
    long lines = atol(argv[2]);
    int line_bytes = atoi(argv[3]);
    size_t stride = line_bytes + 1;
    char *block = malloc(LINES_PER_SEND * stride);
    memset(block, 'x', LINES_PER_SEND * stride);
    for (int i = 0; i < LINES_PER_SEND; i++) {
        memcpy(block + i * stride, prefix, prefix_bytes);
        block[i * stride + line_bytes] = '\n';
    }

    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    inet_pton(AF_INET, "127.0.0.1", &peer.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer)) die("connect");

    double start = now_s();
    for (long done = 0; done < lines;) {
        long n = lines - done < LINES_PER_SEND ? lines - done : LINES_PER_SEND;
        for (long i = 0; i < n; i++) {
            char number[24];
            snprintf(number, sizeof number, "%010ld ", done++);
            memcpy(block + i * stride + prefix_bytes, number, NUMBER_BYTES);
        }
        send_all(fd, block, n * stride);
    }
    shutdown(fd, SHUT_WR);
    read_until_closed(fd);
    printf("%.3f %ld %ld\n", now_s() - start, reply_bytes, failed);
    return 0;
}
