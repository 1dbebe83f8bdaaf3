/* Posts JSON arrays of events to an http source over several connections, each with one request at a time.
 *
 *   httpload PORT REQUESTS EVENTS_PER_REQUEST BODY_BYTES CONNECTIONS
 *
 * Prints: seconds until the last answer, requests answered with 200, requests answered otherwise.
 * Every request is the same: numbered bodies, headers `host` and `seq`.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, ANSWER_BYTES_MAX = 8192, QUIET_MS_MAX = 60000 };

struct connection {
    size_t sent;
    size_t answer_bytes;
    char answer[ANSWER_BYTES_MAX + 1];
};

static char *request;
static size_t request_bytes;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void make_request(int events, int body_bytes) {
    size_t room = (size_t)events * (body_bytes + 128) + 64;
    char *body = malloc(room), *end = body, *filler = malloc(body_bytes + 1);
    memset(filler, 'x', body_bytes);
    filler[body_bytes > 11 ? body_bytes - 11 : 0] = 0;
    for (int i = 1; i <= events; i++)
        end += sprintf(end, "%c{\"headers\":{\"host\":\"h1\",\"seq\":\"%d\"},\"body\":\"%010d %s\"}", i == 1 ? '[' : ',', i, i, filler);
    end += sprintf(end, "]");
    request = malloc(room + 256);
    request_bytes = sprintf(request,
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        (size_t)(end - body), body);
}

/* 0: not whole yet; else the status. */
static int answered(const struct connection *c) {
    const char *head_end = strstr(c->answer, "\r\n\r\n");
    if (!head_end) return 0;
    const char *content = head_end + 4, *length = strcasestr(c->answer, "\r\ncontent-length:");
    size_t have = c->answer + c->answer_bytes - content;
    if (length && length < content) {
        if (have < strtoul(length + 17, NULL, 10)) return 0;
    } else if (have < 5 || memcmp(content + have - 5, "0\r\n\r\n", 5)) {
        return 0;  /* Jetty sends an empty content in chunks. */
    }
    return atoi(c->answer + 9);
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fputs("usage: httpload PORT REQUESTS EVENTS_PER_REQUEST BODY_BYTES CONNECTIONS\n", stderr);
        return 2;
    }
    long wanted = atol(argv[2]), begun = 0, ok = 0, failed = 0;
    int count = atoi(argv[5]);
    make_request(atoi(argv[3]), atoi(argv[4]));
    static struct pollfd polls[CONNECTIONS_MAX];
    static struct connection connections[CONNECTIONS_MAX];
    if (count < 1 || count > CONNECTIONS_MAX) die("connections");
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    inet_pton(AF_INET, "127.0.0.1", &peer.sin_addr);
    for (int i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
        if (connect(fd, (struct sockaddr *)&peer, sizeof peer)) die("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        polls[i] = (struct pollfd){fd, begun < wanted ? POLLOUT : 0, 0};
        begun += begun < wanted;
    }
    double start = now_s();
    while (ok + failed < wanted) {
        if (poll(polls, count, QUIET_MS_MAX) <= 0) {
            fprintf(stderr, "httpload: no answer within %d ms\n", QUIET_MS_MAX);
            return 1;
        }
        for (int i = 0; i < count; i++) {
            struct connection *c = &connections[i];
            if (!polls[i].revents) continue;
            if (polls[i].events == POLLOUT) {
                ssize_t n = send(polls[i].fd, request + c->sent, request_bytes - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0) die("send");
                c->sent += n;
                if (c->sent == request_bytes) {
                    c->sent = 0;
                    polls[i].events = POLLIN;
                }
                continue;
            }
            ssize_t n = read(polls[i].fd, c->answer + c->answer_bytes, ANSWER_BYTES_MAX - c->answer_bytes);
            if (n <= 0) die("the agent closed a connection");
            c->answer_bytes += n;
            c->answer[c->answer_bytes] = 0;
            int status = answered(c);
            if (!status) continue;
            ok += status == 200;
            failed += status != 200;
            c->answer_bytes = 0;
            polls[i].events = begun < wanted ? POLLOUT : 0;
            begun += begun < wanted;
            if (!polls[i].events) polls[i].fd = -polls[i].fd - 1;
        }
    }
    printf("%.3f %ld %ld\n", now_s() - start, ok, failed);
    return 0;
}
