/* What asking another tier costs, and whether it holds under load.
 *
 *     bench-upstream latency [RATE] [SECONDS]         against an upstream inside this program that answers at once: a
 *                                                     bare socket, the client (net_client.h), the whole way
 *                                                     (route_upstream.h)
 *     bench-upstream load URL RATE SECONDS [WIRE]     against any, at a fixed rate whatever it answers: how the calls
 *                                                     ended; exit 1 if one of them did not end exactly once
 *     bench-upstream stub                             that upstream alone, until it is killed; prints its port
 *
 * Requests start at fixed times, not when the one before has ended; latencies count from the start of sending. Three
 * ways are measured in turns of a quarter second, so that a busy machine is busy for all of them. */
#include "base_clock.h"
#include "base_mem.h"
#include "net_client.h"
#include "net_server.h"
#include "route_upstream.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKET, CLIENT, WHOLE, STREAM, N_WAYS, MAX_SAMPLES = 1 << 20 };
static const char *const way_names[] = {"bare socket", "client", "upstream, whole", "upstream, stream"};
static const char question[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Where is my order? I have "
    "been waiting for two weeks and nobody answers.\"}],\"temperature\":0}";
static const char answer[] =
    "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
    "\"message\":{"
    "\"role\":\"assistant\",\"content\":\"order_status\",\"refusal\":null},\"finish_reason\":\"stop\"}],\"usage\":{"
    "\"prompt_tokens\":30,\"completion_tokens\":4,\"total_tokens\":34}}";
#define CHUNK(delta, finish)                                                                                         \
    "data: "                                                                                                         \
    "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"    \
    "\"delta\":" delta ",\"finish_reason\":" finish "}]}\n\n"
static const char events[] = CHUNK("{\"role\":\"assistant\",\"content\":\"\"}", "null")
    CHUNK("{\"content\":\"order\"}", "null") CHUNK("{\"content\":\"_status\"}", "null") CHUNK(
        "{}", "\"stop\"") "data: "
                          "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
                          "\"choices\":[],\"usage\":{"
                          "\"prompt_tokens\":30,\"completion_tokens\":4,\"total_tokens\":34}}\n\ndata: [DONE]\n\n";

static struct net_server *server;
static struct net_client *client;
static struct route_upstream *upstream;
static json_t *body;
static char url[128];
static double *samples[N_WAYS], cpu_s[N_WAYS];
static size_t n_samples[N_WAYS];

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "bench-upstream: %s: %s\n", what, e->msg);
    exit(1);
}

static void note(int way, double seconds)
{
    if (n_samples[way] < MAX_SAMPLES) samples[way][n_samples[way]++] = seconds;
}

static double cpu_now(void)
{
    struct rusage u;
    getrusage(RUSAGE_THREAD, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* ---- the upstream ---- */

static void on_request(void *user, struct net_exchange *x)
{
    struct str in = net_exchange_body(x);
    if (memmem(in.p, in.n, "\"stream\":true", 13)) {
        net_exchange_stream(x, 200, "text/event-stream");
        if (net_exchange_add(x, events, sizeof events - 1)) net_exchange_end(x);
        return;
    }
    net_exchange_reply(x, 200, "application/json", answer, sizeof answer - 1);
}
static void on_refuse(void *user, int status, const char *sentence, struct buf *out) {}
static void *serve(void *arg)
{
    struct err e;
    if (net_server_run(server, &e)) die("the upstream", &e);
    return NULL;
}

/* ---- one request ---- */

struct one {
    double begun;
    int way;
    int n_ends;
};
static size_t n_open;

static void client_end(void *user, const struct net_call_end *e)
{
    struct one *o = user;
    if (e->end == NET_END_OK) note(o->way, clock_now_s() - o->begun);
    n_open--;
    free(o);
}

static void upstream_end(void *user, const struct route_result *r)
{
    struct one *o = user;
    if (r->failure == ROUTE_F_NONE) note(o->way, clock_now_s() - o->begun);
    n_open--;
    free(o);
}
static bool on_chunk(void *user, json_t *chunk) { return true; }

static void send_one(int way)
{
    struct err e;
    struct one *o = calloc(1, sizeof *o);
    int rc;
    *o = (struct one){.way = way, .begun = clock_now_s()};
    if (way == CLIENT) {
        struct net_field f = {"Content-Type", "application/json", false};
        struct net_call_params p = {.url = url,
                                    .fields = &f,
                                    .n_fields = 1,
                                    .body = question,
                                    .n_body = sizeof question - 1,
                                    .user = o,
                                    .on_end = client_end};
        rc = net_client_send(client, &p, NULL, &e);
    } else {
        struct route_request r = {.body = body,
                                  .stream = way == STREAM,
                                  .data_class = STR("public"),
                                  .user = o,
                                  .on_chunk = on_chunk,
                                  .on_end = upstream_end};
        rc = route_upstream_send(upstream, &r, NULL, &e);
    }
    if (rc) die("a request", &e);
    n_open++;
}

static void sleep_until(double at)
{
    double left = at - clock_now_s();
    if (left > 0) nanosleep(&(struct timespec){(time_t)left, (long)((left - (double)(time_t)left) * 1e9)}, NULL);
}

/* One after the other on one connection: the floor. */
static void by_socket(double rate, double seconds)
{
    static int fd = -1;
    char request[1024], in[4096];
    int n = snprintf(request, sizeof request,
                     "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     sizeof question - 1, question);
    if (fd < 0) {
        struct sockaddr_in a = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)net_server_port(server))};
        int one = 1;
        fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(fd, (struct sockaddr *)&a, sizeof a)) exit(1);
    }
    double begun = clock_now_s();
    for (long i = 0; i < (long)(rate * seconds); i++) {
        sleep_until(begun + (double)i / rate);
        double t = clock_now_s();
        size_t have = 0, want = sizeof in;
        if (write(fd, request, (size_t)n) != n) exit(1);
        while (have < want) {
            ssize_t k = read(fd, in + have, sizeof in - 1 - have);
            if (k <= 0) exit(1);
            in[have += (size_t)k] = 0;
            char *end = strstr(in, "\r\n\r\n");
            if (end) want = (size_t)(end + 4 - in) + sizeof answer - 1;
        }
        note(SOCKET, clock_now_s() - t);
    }
}

/* ---- a fixed rate on the loop ---- */

struct pace {
    struct net_timer *timer;
    double begun, rate;
    long sent, total;
    void (*send)(void *arg);
    void *arg;
};

static void on_pace(void *user)
{
    struct pace *p = user;
    long due = (long)((clock_now_s() - p->begun) * p->rate) + 1;
    for (; p->sent < due && p->sent < p->total; p->sent++) p->send(p->arg);
    double left = p->begun + (double)p->sent / p->rate - clock_now_s();
    if (p->sent < p->total) net_timer_set(p->timer, left > 0 ? left : 0);
}

static bool run_paced(double rate, double seconds, void (*send)(void *), void *arg, double patience_s)
{
    struct pace p = {.begun = clock_now_s(), .rate = rate, .total = (long)(rate * seconds), .send = send, .arg = arg};
    p.timer = net_timer_new(client, on_pace, &p);
    net_timer_set(p.timer, 0);
    bool done = net_client_run(client, seconds + patience_s);
    net_timer_free(p.timer);
    return done;
}

static void send_way(void *arg) { send_one(*(int *)arg); }

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at_share(const double *sorted, size_t n, double share)
{
    return n ? sorted[(size_t)(share * (double)(n - 1))] * 1e6 : 0;
}

static void make_upstream(const char *base, enum route_wire wire, struct route_tier *t)
{
    static const char *const classes[] = {"public"};
    struct err e;
    *t = (struct route_tier){.name = "bench",
                             .place = ROUTE_PREMISES,
                             .wire = wire,
                             .url = base,
                             .model = "m",
                             .classes = classes,
                             .n_classes = 1,
                             .max_concurrent = 4096,
                             .stall_s = 3,
                             .deadline_s = 5};
    if (net_client_new(NULL, NULL, &client, &e)) die("the client", &e);
    if (route_upstream_new(client, t, &upstream, &e)) die("the tier", &e);
    body = json_loads(question, 0, NULL);
}

static void make_server(void)
{
    struct net_server_params p = {.loopback_only = true, .on_request = on_request, .on_refuse = on_refuse};
    struct err e;
    if (net_server_new(&p, &server, &e)) die("the upstream", &e);
}

static int latency(double rate, double seconds)
{
    struct route_tier tier;
    char base[64];
    pthread_t loop;
    make_server();
    pthread_create(&loop, NULL, serve, NULL);
    snprintf(base, sizeof base, "http://127.0.0.1:%d/v1", net_server_port(server));
    snprintf(url, sizeof url, "%s/chat/completions", base);
    make_upstream(base, ROUTE_OPENAI, &tier);
    for (int w = 0; w < N_WAYS; w++) samples[w] = calloc(MAX_SAMPLES, sizeof *samples[w]);
    for (double spent = -1; spent < seconds; spent += 0.25) /* the first second warms up */
        for (int w = 0; w < N_WAYS; w++) {
            if (spent == 0) n_samples[w] = 0, cpu_s[w] = 0;
            double cpu = cpu_now();
            if (w == SOCKET)
                by_socket(rate, 0.25);
            else
                run_paced(rate, 0.25, send_way, &w, 5);
            cpu_s[w] += cpu_now() - cpu;
        }
    printf("%g requests/s, %zu of each kind; microseconds\n%-18s %8s %8s %8s %8s %10s\n", rate, n_samples[0], "",
           "p50", "p90", "p99", "max", "CPU each");
    for (int w = 0; w < N_WAYS; w++) {
        size_t n = n_samples[w];
        qsort(samples[w], n, sizeof *samples[w], by_value);
        printf("%-18s %8.0f %8.0f %8.0f %8.0f %10.0f\n", way_names[w], at_share(samples[w], n, 0.5),
               at_share(samples[w], n, 0.9), at_share(samples[w], n, 0.99), at_share(samples[w], n, 1),
               cpu_s[w] / (double)n * 1e6);
        free(samples[w]);
    }
    json_decref(body);
    route_upstream_free(upstream);
    net_client_free(client);
    net_server_stop(server);
    pthread_join(loop, NULL);
    net_server_free(server);
    return 0;
}

/* ---- load ---- */

static struct one *all;
static size_t n_all;
static uint64_t ends[ROUTE_N_FAILURES], tries, twice, slow;
static double longest;

static void load_end(void *user, const struct route_result *r)
{
    struct one *o = user;
    twice += o->n_ends++ > 0;
    ends[r->failure]++;
    tries += (uint64_t)r->tries;
    if (r->seconds > longest) longest = r->seconds;
    slow += r->seconds > 5.5; /* the deadline, and a little */
}

static void load_one(void *arg)
{
    struct err e;
    struct one *o = &all[n_all++];
    struct route_request r = {.body = body,
                              .stream = n_all % 2,
                              .data_class = STR("public"),
                              .user = o,
                              .on_chunk = on_chunk,
                              .on_end = load_end};
    if (route_upstream_send(upstream, &r, NULL, &e)) die("a request", &e);
}

static int load(const char *base, double rate, double seconds, enum route_wire wire)
{
    struct route_tier tier;
    uint64_t never = 0;
    make_upstream(base, wire, &tier);
    all = calloc((size_t)(rate * seconds) + 1, sizeof *all);
    double cpu = cpu_now();
    bool done = run_paced(rate, seconds, load_one, NULL, 10);
    for (size_t i = 0; i < n_all; i++) never += all[i].n_ends == 0;
    printf("%zu calls, %llu tries, longest %.2f s\n", n_all, (unsigned long long)tries, longest);
    struct route_upstream_state st;
    route_upstream_state(upstream, &st);
    printf("newest answers: p50 %.0f, p95 %.0f microseconds; processor time %.0f a call\n", st.seconds_p50 * 1e6,
           st.seconds_p95 * 1e6, (cpu_now() - cpu) / (double)n_all * 1e6);
    for (int f = 0; f < ROUTE_N_FAILURES; f++)
        if (ends[f]) printf("  %-12s %llu\n", f ? route_failure_word(f) : "answered", (unsigned long long)ends[f]);
    printf("never ended: %llu, ended twice: %llu, past the deadline: %llu\n", (unsigned long long)never,
           (unsigned long long)twice, (unsigned long long)slow);
    route_upstream_free(upstream);
    net_client_free(client);
    json_decref(body);
    free(all);
    return never || twice || slow || !done;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "latency") == 0)
        return latency(argc > 2 ? strtod(argv[2], NULL) : 1000, argc > 3 ? strtod(argv[3], NULL) : 5);
    int wire = argc > 5 ? route_wire_find(argv[5]) : ROUTE_OPENAI;
    if (argc >= 5 && strcmp(argv[1], "load") == 0 && wire >= 0)
        return load(argv[2], strtod(argv[3], NULL), strtod(argv[4], NULL), (enum route_wire)wire);
    if (argc == 2 && strcmp(argv[1], "stub") == 0) {
        make_server();
        printf("%d\n", net_server_port(server));
        fflush(stdout);
        serve(NULL);
        return 0;
    }
    fprintf(stderr,
            "usage: bench-upstream latency [RATE] [SECONDS] | stub | load URL RATE SECONDS [openai|anthropic|croft]\n");
    return 64;
}
