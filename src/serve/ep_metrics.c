/* GET /metrics: counters, and what the server and its schedulers look like at this moment, for Prometheus. */
#include "routing.h"

static void read_gauges(struct serve *s)
{
    struct serve_metrics *m = &s->m;
    struct net_counts c;
    net_server_counts(s->net, &c);
    metric_set(m->connections, c.open);
    metric_set(m->busy, c.busy);
    metric_set(m->refused, (double)c.refused);
    metric_set(m->cut, (double)c.cut);
    for (size_t i = 0; i < serve_models_n(s->models); i++) {
        struct serve_model *model = serve_models_at(s->models, i);
        struct infer_load load;
        if (!model) continue;
        infer_scheduler_load(model->scheduler, &load);
        metric_set(m->running, load.n_running, model->name);
        metric_set(m->waiting, load.n_waiting, model->name);
        metric_set(m->cache, load.cache_tokens, model->name, "all");
        metric_set(m->cache, load.cache_used, model->name, "used");
        metric_set(m->cache, load.cache_kept, model->name, "kept");
        metric_set(m->steps, (double)load.n_steps, model->name);
        serve_model_unref(model);
    }
}

static void answer(struct serve *s, struct net_exchange *x, struct serve_key *key)
{
    struct buf b;
    buf_init(&b, 4 << 20);
    read_gauges(s);
    if (s->routing) serve_routing_figures(s->routing);
    metrics_text(s->m.set, &b);
    net_exchange_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", b.data ? b.data : "", b.len);
    buf_done(&b);
}

const struct serve_endpoint serve_ep_metrics = {
    .method = "GET", .path = "/metrics", .name = "metrics", .answer = answer};
