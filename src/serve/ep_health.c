/* GET /health: the process answers. GET /ready: its models are loaded, so requests may be sent here. */
#include "job.h"

static void health(struct serve *s, struct net_exchange *x, struct serve_key *key)
{
    static const char body[] = "{\"status\":\"ok\"}\n";
    net_exchange_reply(x, 200, "application/json", body, sizeof body - 1);
}

/* A server listens only when its models are loaded, and stops listening before it ends. */
static void ready(struct serve *s, struct net_exchange *x, struct serve_key *key)
{
    char body[96];
    int n = snprintf(body, sizeof body, "{\"status\":\"ready\",\"models\":%zu,\"uptime_s\":%.0f}\n",
                     serve_models_n(s->models), clock_now_s() - s->started_s);
    net_exchange_reply(x, 200, "application/json", body, (size_t)n);
}

const struct serve_endpoint serve_ep_health = {
    .method = "GET", .path = "/health", .name = "health", .open = true, .answer = health};
const struct serve_endpoint serve_ep_ready = {
    .method = "GET", .path = "/ready", .name = "ready", .open = true, .answer = ready};
