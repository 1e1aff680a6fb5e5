/* The server: its routes, what every request passes before its endpoint (host, key, rate), metrics, and its life.
 *
 *     request ─▶ route ─┬─ 404, 405
 *                       ├─ answer at once, on the loop (health, metrics, the list of models)
 *                       └─ job (job.c)
 *
 * Read next: job.c, then the endpoints, ep_*.c. */
#include "fields.h"
#include "routing.h"

static const struct serve_endpoint *const endpoints[] = {
    &serve_ep_health,    &serve_ep_ready,       &serve_ep_metrics,    &serve_ep_models,    &serve_ep_model,
    &serve_ep_chat,      &serve_ep_completions, &serve_ep_embeddings, &serve_ep_responses, &serve_ep_decisions,
    &serve_ep_systemone, &serve_ep_tasks,       &serve_ep_task, &serve_ep_deferred,
};
enum { N_ENDPOINTS = sizeof endpoints / sizeof endpoints[0] };

static const double seconds_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 0};

static void make_metrics(struct serve_metrics *m)
{
    struct metrics *s = m->set = metrics_new();
    m->build =
        metric_new(s, METRIC_GAUGE, "croft_build_info", "Always 1; the version is its label.", "version", NULL);
    m->requests =
        metric_new(s, METRIC_COUNTER, "croft_requests_total", "Requests answered.", "model,endpoint,code", NULL);
    m->seconds = metric_new(s, METRIC_HISTOGRAM, "croft_request_seconds",
                            "From a request's last byte to its answer's.", "model,endpoint", seconds_bounds);
    m->first_token = metric_new(s, METRIC_HISTOGRAM, "croft_first_token_seconds",
                                "From a request to its first token.", "model,endpoint", seconds_bounds);
    m->queued =
        metric_new(s, METRIC_HISTOGRAM, "croft_queue_seconds", "Waiting to be evaluated.", "model", seconds_bounds);
    m->prompt_tokens =
        metric_new(s, METRIC_COUNTER, "croft_prompt_tokens_total", "Tokens of prompts.", "model", NULL);
    m->cached_tokens =
        metric_new(s, METRIC_COUNTER, "croft_cached_tokens_total", "Of these, found in the cache.", "model", NULL);
    m->answer_tokens = metric_new(s, METRIC_COUNTER, "croft_answer_tokens_total", "Tokens generated.", "model", NULL);
    m->repeated = metric_new(s, METRIC_COUNTER, "croft_repeated_total", "Requests answered from the answers kept.",
                             "endpoint", NULL);
    m->running = metric_new(s, METRIC_GAUGE, "croft_running", "Sequences being evaluated.", "model", NULL);
    m->waiting = metric_new(s, METRIC_GAUGE, "croft_waiting", "Sequences that wait.", "model", NULL);
    m->cache = metric_new(s, METRIC_GAUGE, "croft_cache_tokens",
                          "Room in the cache: all, used by requests, kept prefixes.", "model,part", NULL);
    m->steps = metric_new(s, METRIC_COUNTER, "croft_steps_total", "Steps of the scheduler since the model was loaded.",
                          "model", NULL);
    m->connections = metric_new(s, METRIC_GAUGE, "croft_connections", "Open connections.", "", NULL);
    m->busy = metric_new(s, METRIC_GAUGE, "croft_requests_in_flight", "Requests not answered yet.", "", NULL);
    m->refused = metric_new(s, METRIC_COUNTER, "croft_http_refused_total",
                            "Requests refused before they reached an endpoint.", "", NULL);
    m->cut = metric_new(s, METRIC_COUNTER, "croft_slow_readers_cut_total",
                        "Connections closed because the client did not read.", "", NULL);
    metric_set(m->build, 1, CROFT_VERSION);
}

/* ---- a request ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 'a' ^ 'A';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool serve_path_name(const char *route, struct str path, char out[64])
{
    size_t at = strlen(route), n = 0;
    if (path.n <= at || memcmp(path.p, route, at) != 0) return false;
    while (at < path.n && n < 63) {
        bool escaped = path.p[at] == '%' && path.n - at > 2;
        int high = escaped ? hex_digit(path.p[at + 1]) : -1, low = escaped ? hex_digit(path.p[at + 2]) : -1;
        if (path.p[at] == '%' && (high < 0 || low < 0 || high + low == 0)) return false;
        out[n++] = path.p[at] == '%' ? (char)(high << 4 | low) : path.p[at];
        at += escaped ? 3 : 1;
    }
    out[n] = 0;
    return at == path.n && utf8_valid(out, n);
}

/* "/v1/tasks/" matches "/v1/tasks/NAME" and leaves NAME. */
static bool path_matches(const char *route, struct str path, char name[64])
{
    size_t n = strlen(route);
    name[0] = 0;
    return route[n - 1] == '/' ? serve_path_name(route, path, name) : str_eqz(path, route);
}

static const struct serve_endpoint *route(const struct net_head *h, char name[64], const char **allowed)
{
    struct str method = str_eqz(h->method, "HEAD") ? STR("GET") : h->method;
    for (size_t i = 0; i < N_ENDPOINTS; i++) {
        if (!path_matches(endpoints[i]->path, h->path, name)) continue;
        if (str_eqz(method, endpoints[i]->method)) return endpoints[i];
        *allowed = endpoints[i]->method;
    }
    return NULL;
}

/* A page in a browser can be made to believe that its own name is this machine's (DNS rebinding), but not to send
 * another Host header. So a server for this machine alone, without keys, is called by this machine's names only. */
static bool host_is_ours(const struct serve *s, const struct net_head *h)
{
    const char *const names[] = {"localhost", "127.0.0.1", "[::1]", s->p.host ? s->p.host : "localhost"};
    struct str v = net_head_get(h, "Host");
    for (size_t i = 0; v.p && i < 4; i++) {
        size_t n = strlen(names[i]);
        if (v.n >= n && strncasecmp(v.p, names[i], n) == 0 && (v.n == n || v.p[n] == ':')) return true;
    }
    return !v.p;
}

static void count(struct serve *s, const char *endpoint, int status)
{
    char code[8];
    snprintf(code, sizeof code, "%d", status);
    metric_add(s->m.requests, 1, "", endpoint, code);
}

static void refuse(struct serve *s, struct net_exchange *x, const struct serve_fault *f, const char *endpoint)
{
    const struct net_head *h = net_exchange_head(x);
    count(s, endpoint, serve_fault_status(f));
    log_info("%s refused: %.*s %.*s status=%d %s", net_exchange_peer(x), (int)h->method.n, h->method.p,
             (int)(h->path.n < 80 ? h->path.n : 80), h->path.p, serve_fault_status(f), err_name(f->err.code));
    serve_reply_fault(s, x, f);
}

/* Was this very request answered before? Then it is now. What headers ask for is left to the long way. */
static bool repeat(struct serve *s, const struct serve_endpoint *ep, struct net_exchange *x, struct serve_key *key,
                   const char *name)
{
    struct serve_question q = {ep, key, name, net_exchange_body(x)};
    struct str type = net_head_get(net_exchange_head(x), "Content-Type");
    struct str answer = serve_cache_find(s->cache, &q, serve_models_generation(s->models));
    if (!answer.p || !str_eqz(type, "application/json")) return false;
    metric_add(s->m.repeated, 1, ep->name);
    count(s, ep->name, 200);
    net_exchange_header(x, "X-Croft-Cache", "hit");
    net_exchange_reply(x, 200, "application/json", answer.p, answer.n);
    return true;
}

static void on_request(void *user, struct net_exchange *x)
{
    struct serve *s = user;
    const struct net_head *h = net_exchange_head(x);
    struct serve_fault f = {0};
    const char *allowed = NULL;
    char name[64], text[32];
    double retry_s = 0;
    const struct serve_endpoint *ep = route(h, name, &allowed);
    struct serve_key *key = NULL;
    if (!ep && allowed) {
        f.status = 405;
        ERR(&f.err, USAGE, "This path takes %s.", allowed);
        net_exchange_header(x, "Allow", allowed);
    } else if (!ep) {
        ERR(&f.err, NOT_FOUND, "There is no such path here. docs/SERVE.md lists the endpoints.");
    } else if (s->loopback && !s->keys && !host_is_ours(s, h)) {
        ERR(&f.err, DENIED, "The Host header does not name this machine.");
    } else if (s->keys && !ep->open && (key = serve_key_find(s->keys, net_head_get(h, "Authorization"), &f)) &&
               ep->prepare && !serve_key_admit(key, &f, &retry_s)) {
        snprintf(text, sizeof text, "%.0f", retry_s + 1);
        net_exchange_header(x, "Retry-After", text);
    }
    if (f.err.code) {
        refuse(s, x, &f, ep ? ep->name : "none");
        return;
    }
    if (ep->prepare) {
        if (ep->repeats && s->cache && repeat(s, ep, x, key, name)) return;
        serve_job_start(s, ep, x, key, name);
        return;
    }
    count(s, ep->name, 200);
    ep->answer(s, x, key);
}

static void on_refuse(void *user, int status, const char *sentence, struct buf *out)
{
    struct serve_fault f = {.status = status};
    ERR(&f.err, USAGE, "%s", sentence);
    serve_fault_body(&f, out);
}

/* ---- its life ---- */

static void on_reload(struct net_post *p)
{
    struct serve *s = (struct serve *)((char *)p - offsetof(struct serve, reload));
    struct serve_keys *fresh;
    struct err e;
    atomic_store(&s->reload_posted, false);
    if (s->keys && serve_keys_load(s->p.keys_file, &fresh, &e))
        log_warn("the keys stay as they were: %s", e.msg);
    else if (s->keys)
        serve_keys_replace(s->keys, fresh);
    if (s->p.tls_cert && net_server_tls(s->net, s->p.tls_cert, s->p.tls_key, &e))
        log_warn("the TLS certificate stays as it was: %s", e.msg);
    serve_cache_clear(s->cache); /* what a key may use can have changed */
    serve_models_reload(s->models);
}

void serve_reload(struct serve *s)
{
    if (!atomic_exchange(&s->reload_posted, true)) net_server_post(s->net, &s->reload);
}

static int check_address(const struct serve_params *p, const struct err *why, struct err *e)
{
    return ERR(e, DENIED,
               "%s Give it keys (--api-keys FILE, 'croft serve --new-key NAME' makes one), or say "
               "--public-without-keys if everyone may use it.",
               why->msg);
}

int serve_new(const struct serve_params *p, struct serve **out, struct err *e)
{
    int rc = serve_check(p, e);
    if (rc) return rc;
    struct serve *s = mem_calloc(1, sizeof *s);
    struct err why = {0};
    if (!s) return err_nomem(e, sizeof *s);
    s->p = *p;
    s->started_s = clock_now_s();
    s->reload.fn = on_reload;
    json_object_seed(0);
    make_metrics(&s->m);
    rc = p->keys_file ? serve_keys_load(p->keys_file, &s->keys, e) : 0;
    struct net_server_params np = {.host = p->host,
                                   .port = p->port,
                                   .tls_cert = p->tls_cert,
                                   .tls_key = p->tls_key,
                                   .loopback_only = !s->keys && !p->public_without_keys,
                                   .limits = p->limits,
                                   .user = s,
                                   .on_request = on_request,
                                   .on_refuse = on_refuse};
    s->loopback = np.loopback_only;
    /* the address first: it is the quicker of the two to be wrong; nothing is accepted before the loop runs */
    if (rc == 0 && (rc = net_server_new(&np, &s->net, &why))) {
        *e = why;
        if (rc == CROFT_E_DENIED) rc = check_address(p, &why, e);
    }
    if (rc == 0 && p->answers_bytes && !(s->cache = serve_cache_new(p->answers_bytes))) rc = err_nomem(e, 0);
    if (rc == 0 && p->routing) rc = serve_routing_new(s, &s->routing, e);
    if (rc == 0) rc = serve_prep_new(s, 2, 1024, &s->prep, e);
    if (rc == 0) rc = serve_models_new(s, &s->models, e);
    if (rc == 0 && s->routing) rc = serve_background_start(s->routing, e);
    if (rc)
        serve_free(s);
    else
        *out = s;
    return rc;
}

int serve_run(struct serve *s, struct err *e)
{
    int rc = net_server_run(s->net, e);
    /* nobody is connected any more; what was asked of the schedulers was cancelled and comes back */
    if (s->routing) serve_background_stop(s->routing);
    while (s->n_jobs) net_server_posts(s->net, 0.1);
    return rc;
}

void serve_free(struct serve *s)
{
    if (!s) return;
    serve_prep_free(s->prep);
    serve_models_free(s->models);
    serve_routing_free(s->routing);
    net_server_free(s->net);
    serve_cache_free(s->cache);
    serve_keys_free(s->keys);
    metrics_free(s->m.set);
    mem_free(s);
}

const char *serve_address(const struct serve *s) { return net_server_address(s->net); }
void serve_drain(struct serve *s, double limit_s) { net_server_drain(s->net, limit_s); }
void serve_stop(struct serve *s) { net_server_stop(s->net); }
