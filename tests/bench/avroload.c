/* Avro RPC of Flume for measurements: a sender of prebuilt batches, and a server that throws events away.
 *
 *   avroload send PORT EVENTS BODY_BYTES BATCH CONNECTIONS [SECONDS]
 *   avroload drain PORT EVENTS
 *
 * send: each connection has one appendBatch under way, as Flume's RpcClient does; every answer is checked. It ends
 * after EVENTS, or after SECONDS, and prints `half` when half of the events are acknowledged, then
 *     seconds acknowledged failed least most median      (the last three: events acknowledged per connection)
 * drain: answers OK to everything, counts events, prints `listens`, `half` and `done` when so many have come, and
 * goes on until it is killed.
 *
 * One thread, so that it costs little and the same for every agent. The bytes are those that Flume 1.9 and 1.11 send.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

typedef unsigned char byte;
enum { EVENTS_AT_ONCE = 256, QUIET_MS_MAX = 60000, FRAME_BYTES_MAX = 1 << 26, ANSWER_BYTES_MAX = 4096 };
/* The MD5 of Flume's AvroSourceProtocol. */
static const byte HASH[16] = "\x86\xaa\xda\xe2\xc4\x54\x74\xc0\xfe\x93\xff\xd0\xf2\x35\x0a\x65";

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void fail(const char *what) {
    fprintf(stderr, "avroload: %s\n", what);
    exit(1);
}

static void say(const char *word) {
    puts(word);
    fflush(stdout);
}

static uint32_t be32(const byte *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

static byte *put_be32(byte *p, uint32_t n) {
    for (int i = 0; i < 4; i++) p[i] = n >> (24 - 8 * i);
    return p + 4;
}

static byte *put_bytes(byte *p, const void *bytes, size_t n) {
    memcpy(p, bytes, n);
    return p + n;
}

/* A positive Avro long. */
static byte *put_long(byte *p, unsigned long n) {
    for (n <<= 1; n > 127; n >>= 7) *p++ = n | 128;
    *p++ = n;
    return p;
}

static byte *put_text(byte *p, const char *text) { return put_bytes(put_long(p, strlen(text)), text, strlen(text)); }

/* ---- send ---- */

struct sender {
    int fd;
    uint32_t serial;
    int greeted;         /* The handshake is answered. */
    size_t sent, length; /* Of the request under way, its serial included. */
    size_t have;         /* Of the answer. */
    byte answer[ANSWER_BYTES_MAX];
    long events;
};

/* A request without its serial: its first buffer (with the handshake or not), and the events. */
static byte *request(int handshake, int body_bytes, int batch, size_t *length) {
    byte *bytes = malloc(256 + (size_t)batch * (body_bytes + 32)), *p = bytes + 8;
    if (handshake) {
        p = put_bytes(p, HASH, 16);
        *p++ = 0; /* No protocol text. */
        p = put_bytes(p, HASH, 16);
        p = put_bytes(p, "\2\0", 2); /* Metadata of the handshake: a map, empty. */
    }
    *p++ = 0; /* Metadata of the request. */
    p = put_text(p, "appendBatch");
    put_be32(bytes, 2);
    put_be32(bytes + 4, p - bytes - 8);
    byte *second = p;
    p = put_long(p + 4, batch);
    char *body = malloc(body_bytes + 32);
    for (int i = 0; i < batch; i++) {
        memset(body, 'x', body_bytes);
        char number[24];
        int digits = snprintf(number, sizeof number, "%010d ", i);
        memcpy(body, number, digits < body_bytes ? digits : body_bytes);
        *p++ = 2; /* One header. */
        p = put_text(put_text(p, "host"), "h1");
        *p++ = 0;
        p = put_bytes(put_long(p, body_bytes), body, body_bytes);
    }
    *p++ = 0;
    put_be32(second, p - second - 4);
    free(body);
    *length = p - bytes;
    return bytes;
}

static int dial(int port) {
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &peer.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof peer)) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Sends what the socket takes; says whether something is left. */
static int push(struct sender *s, const byte *rest) {
    while (s->sent < s->length) {
        byte serial[4];
        put_be32(serial, s->serial);
        struct iovec parts[2] = {{serial + s->sent, 4 - s->sent}, {(void *)rest, s->length - 4}};
        int skip = s->sent >= 4;
        if (skip) parts[1] = (struct iovec){(void *)(rest + s->sent - 4), s->length - s->sent};
        struct msghdr message = {.msg_iov = parts + skip, .msg_iovlen = 2 - skip};
        ssize_t n = sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return 1;
        if (n < 0) die("send");
        s->sent += n;
    }
    return 0;
}

/* Reads; 0: not complete yet, 1: OK, -1: another answer. */
static int pull(struct sender *s) {
    ssize_t n = recv(s->fd, s->answer + s->have, sizeof s->answer - s->have, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n <= 0) fail("the agent closed a connection");
    s->have += n;
    if (s->have < 8) return 0;
    if (be32(s->answer) != s->serial) fail("an answer to something else");
    size_t at = 8, payload = 0;
    int zeros = 1;
    for (uint32_t i = 0, count = be32(s->answer + 4); i < count; i++) {
        if (s->have < at + 4) return 0;
        uint32_t length = be32(s->answer + at);
        at += 4;
        if (length > sizeof s->answer - at) return -1; /* The text of an exception, or a protocol. */
        if (s->have < at + length) return 0;
        for (uint32_t k = 0; k < length; k++) zeros &= s->answer[at + k] == 0;
        at += length;
        payload += length;
    }
    if (at != s->have) fail("more than one answer");
    /* BOTH and three nulls once; then no metadata, no error, OK: all of them are zeros. */
    return zeros && payload == (s->greeted ? 3u : 7u) ? 1 : -1;
}

static int by_events(const void *a, const void *b) {
    long x = ((const struct sender *)a)->events, y = ((const struct sender *)b)->events;
    return (x > y) - (x < y);
}

static void watch(int poll, struct sender *s, unsigned events, int how) {
    struct epoll_event e = {.events = events, .data.ptr = s};
    if (epoll_ctl(poll, how, s->fd, &e)) die("epoll_ctl");
}

static int send_events(int port, long events, int body_bytes, int batch, int connections, double seconds) {
    size_t first_length, length;
    byte *first = request(1, body_bytes, batch, &first_length), *later = request(0, body_bytes, batch, &length);
    struct sender *all = calloc(connections, sizeof *all);
    int poll = epoll_create1(0), active = 0, half_said = 0;
    for (int i = 0; i < connections; i++) all[i].fd = dial(port);
    long asked = 0, acknowledged = 0, failed = 0;
    double start = now_s();
    for (int i = 0; i < connections && asked < events; i++, active++) {
        all[i].serial = 1;
        all[i].length = 4 + first_length;
        asked += batch;
        watch(poll, &all[i], push(&all[i], first) ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_ADD);
    }
    while (active) {
        struct epoll_event ready[EVENTS_AT_ONCE];
        int n = epoll_wait(poll, ready, EVENTS_AT_ONCE, QUIET_MS_MAX);
        if (n == 0) fail("no answer within a minute");
        int over = seconds > 0 && now_s() - start > seconds;
        for (int i = 0; i < n; i++) {
            struct sender *s = ready[i].data.ptr;
            if (ready[i].events & EPOLLOUT && !push(s, s->greeted ? later : first)) watch(poll, s, EPOLLIN, EPOLL_CTL_MOD);
            if (!(ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
            int answer = pull(s);
            if (answer == 0) continue;
            if (answer < 0) {
                failed += batch;
            } else {
                acknowledged += batch;
                s->events += batch;
            }
            if (!half_said && acknowledged >= events / 2) half_said = 1, say("half");
            if (over || asked >= events || (answer < 0 && !s->greeted)) {
                epoll_ctl(poll, EPOLL_CTL_DEL, s->fd, NULL);
                active--;
                continue;
            }
            *s = (struct sender){.fd = s->fd, .serial = s->serial + 1, .greeted = 1, .length = 4 + length, .events = s->events};
            asked += batch;
            if (push(s, later)) watch(poll, s, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        }
    }
    double wall = now_s() - start;
    qsort(all, connections, sizeof *all, by_events);
    printf("%.3f %ld %ld %ld %ld %ld\n", wall, acknowledged, failed, all[0].events, all[connections - 1].events,
           all[connections / 2].events);
    return 0;
}

/* ---- drain ---- */

struct reader {
    int fd, greeted;
    byte *bytes;
    size_t have, room;
};

static const byte *end; /* Of the request that is read. */

static long get_long(const byte **p) {
    unsigned long n = 0;
    for (int shift = 0; *p < end && shift < 64; shift += 7) {
        byte b = *(*p)++;
        n |= (unsigned long)(b & 127) << shift;
        if (b < 128) return (long)(n >> 1) ^ -(long)(n & 1);
    }
    fail("a number without an end");
    return 0;
}

static void skip(const byte **p, long n) {
    if (n < 0 || n > end - *p) fail("a request that is too short");
    *p += n;
}

static void skip_map(const byte **p) {
    for (long count; (count = get_long(p));) {
        if (count < 0) count = -count, get_long(p);
        for (; count; count--) {
            skip(p, get_long(p));
            skip(p, get_long(p));
        }
    }
}

/* The events of a request: one, or the count of the first block of its array. */
static long count_events(struct reader *r, byte *payload, size_t length) {
    const byte *p = payload;
    end = payload + length;
    if (!r->greeted) {
        skip(&p, 16);
        if (get_long(&p)) skip(&p, get_long(&p));
        skip(&p, 16);
        if (get_long(&p)) skip_map(&p);
    }
    skip_map(&p);
    long name = get_long(&p);
    skip(&p, name);
    if (name == 6) return 1;
    long count = get_long(&p);
    return count < 0 ? -count : count;
}

/* Takes one request out of the buffer, if it is complete; gives its length. */
static size_t serve(struct reader *r, byte *frame, size_t have, long *events) {
    if (have < 8) return 0;
    static byte payload[FRAME_BYTES_MAX];
    size_t at = 8, length = 0;
    for (uint32_t i = 0, count = be32(frame + 4); i < count; i++) {
        if (have < at + 4) return 0;
        uint32_t n = be32(frame + at);
        if (length + n > FRAME_BYTES_MAX) fail("a request that is too long");
        if (have < at + 4 + n) return 0;
        memcpy(payload + length, frame + at + 4, n);
        at += 4 + n;
        length += n;
    }
    *events += count_events(r, payload, length);
    byte answer[32] = {0}, *p = put_be32(put_be32(answer, be32(frame)), 3);
    size_t greeting = r->greeted ? 0 : 4;
    p = put_be32(p, greeting) + greeting;
    p = put_be32(p, 1) + 1;
    p = put_be32(p, 2) + 2;
    r->greeted = 1;
    if (send(r->fd, answer, p - answer, MSG_NOSIGNAL) != p - answer) return have; /* It is gone. */
    return at;
}

static void read_some(struct reader *r, long *events) {
    if (r->room - r->have < 1 << 16) {
        r->room = r->room * 2 + (1 << 17);
        if (r->room > 2 * (size_t)FRAME_BYTES_MAX) fail("a request that is too long");
        r->bytes = realloc(r->bytes, r->room);
    }
    ssize_t n = read(r->fd, r->bytes + r->have, r->room - r->have);
    if (n <= 0) {
        close(r->fd);
        free(r->bytes);
        free(r);
        return;
    }
    r->have += n;
    size_t at = 0;
    for (size_t used; (used = serve(r, r->bytes + at, r->have - at, events)); at += used) {}
    memmove(r->bytes, r->bytes + at, r->have - at);
    r->have -= at;
}

static _Noreturn void drain(int port, long wanted) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, poll = epoll_create1(0);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &own.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&own, sizeof own) || listen(listener, 64)) die("listen");
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &e);
    say("listens");
    long events = 0, said = 0;
    for (;;) {
        struct epoll_event ready[EVENTS_AT_ONCE];
        int n = epoll_wait(poll, ready, EVENTS_AT_ONCE, -1);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr) {
                read_some(ready[i].data.ptr, &events);
                continue;
            }
            struct reader *r = calloc(1, sizeof *r);
            r->fd = accept(listener, NULL, NULL);
            if (r->fd < 0) die("accept");
            setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            e.data.ptr = r;
            epoll_ctl(poll, EPOLL_CTL_ADD, r->fd, &e);
        }
        if (said == 0 && events >= wanted / 2) said = 1, say("half");
        if (said == 1 && events >= wanted) said = 2, say("done");
    }
}

int main(int argc, char **argv) {
    if (argc >= 7 && !strcmp(argv[1], "send"))
        return send_events(atoi(argv[2]), atol(argv[3]), atoi(argv[4]), atoi(argv[5]), atoi(argv[6]), argc > 7 ? atof(argv[7]) : 0);
    if (argc == 4 && !strcmp(argv[1], "drain")) drain(atoi(argv[2]), atol(argv[3]));
    fputs("usage: avroload send PORT EVENTS BODY_BYTES BATCH CONNECTIONS [SECONDS] | drain PORT EVENTS\n", stderr);
    return 2;
}
