/* Fuzz target: a whole server in this process, with the demo model. The first byte chooses the endpoint, the rest is
 * the body; whatever it is, an answer comes, with a status and well-formed JSON, on one connection for all (a new one
 * each would use up the machine's ports). Runs from the root. Seeds corpus/serve, dictionary serve.dict. */
#include "base_mem.h"
#include "serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings",    "/v1/responses",
                                    "/v1/decisions",        "/v1/systemone",   "/v1/tasks/helpdesk"};
static struct serve *server;
static int port;

static int resolve(void *user, const char *model, char **out, struct err *e)
{
    *out = mem_strdup(model);
    return *out ? 0 : err_nomem(e, 0);
}

static void *run(void *arg)
{
    struct err e;
    if (serve_run(server, &e)) abort();
    return NULL;
}

static void start(void)
{
    static const struct serve_model_source model = {"m", "models/helpdesk-q8_0.gguf"};
    struct serve_params p = {
        .models = &model, .n_models = 1, .resolve = resolve, .n_threads = 1, .max_tokens = 2, .deadline_s = 2};
    struct err e = {0};
    pthread_t t;
    if (serve_new(&p, &server, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        exit(1);
    }
    port = (int)strtol(strrchr(serve_address(server), ':') + 1, NULL, 10);
    if (pthread_create(&t, NULL, run, NULL)) abort();
}

static int dial(void)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {20, 0};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) abort();
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* head and body are two writes */
    return fd;
}

/* Is [answer, have) a whole answer? *body: where its body starts. */
static bool is_whole(char *answer, size_t have, char **body)
{
    char *end = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "\r\nContent-Length: ");
    if (!end) return false;
    *body = end + 4;
    if (length && length < end) return have - (size_t)(*body - answer) >= strtoul(length + 18, NULL, 10);
    return have >= 5 && memcmp(answer + have - 5, "0\r\n\r\n", 5) == 0;
}

/* The body of what comes back, NUL-terminated. */
static char *ask(const char *path, const uint8_t *body, size_t n, char *out, size_t max)
{
    static int fd = -1;
    char head[256], *start = NULL;
    size_t have = 0;
    ssize_t k = 1;
    if (fd < 0) fd = dial();
    int m = snprintf(
        head, sizeof head,
        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", path,
        n);
    if (send(fd, head, (size_t)m, MSG_NOSIGNAL) != m || (n && send(fd, body, n, MSG_NOSIGNAL) != (ssize_t)n)) abort();
    out[0] = 0;
    while (!is_whole(out, have, &start) && have < max - 1 && k > 0) {
        do k = recv(fd, out + have, max - 1 - have, 0);
        while (k < 0 && errno == EINTR); /* the engine's clock */
        if (k > 0) have += (size_t)k;
        out[have] = 0;
    }
    return k > 0 ? start : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char answer[1 << 20];
    if (!server) start();
    if (size < 1 || size > 1 << 16) return 0;
    char *body = ask(paths[data[0] % (sizeof paths / sizeof paths[0])], data + 1, size - 1, answer, sizeof answer);
    if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || !body) {
        fprintf(stderr, "No answer, or this: %.2000s\n", answer);
        abort();
    }
    if (strstr(answer, "Content-Type: text/event-stream")) return 0;
    json_t *v = json_loads(body, JSON_DECODE_ANY, NULL);
    if (!v) {
        fprintf(stderr, "Not JSON: %.2000s\n", body);
        abort();
    }
    json_decref(v);
    return 0;
}
