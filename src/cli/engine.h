/* What commands that run a model share: settings rows, and opening an engine and a session from them. */
#ifndef CLI_ENGINE_H
#define CLI_ENGINE_H

#include "cli.h"
#include "infer.h"
#include "task_data.h"

struct cli_engine_settings {
    int64_t threads, ctx, batch; /* 0: the engine's defaults */
    const char *kv;              /* "f16", "f32", "q8_0" */
};
/* Rows for a settings struct with a member `struct cli_engine_settings engine`. */
#define CLI_ENGINE_ROWS(settings)                                                                                    \
    {"threads", 't', CONF_I64, offsetof(settings, engine.threads), "N", "0", "CROFT_THREADS", NULL, 0, 128,          \
     "threads (0: one per core)"},                                                                                   \
    {"ctx", 'c', CONF_I64, offsetof(settings, engine.ctx), "N", "0", "CROFT_CTX", NULL, 0, 1 << 24,                  \
     "context length in tokens (0: the model's, at most 4096)"},                                                     \
    {"batch", 'b', CONF_I64, offsetof(settings, engine.batch), "N", "0", NULL, NULL, 0, 1 << 16,                     \
     "prompt tokens evaluated together (0: 512)"},                                                                   \
    {"kv", 0, CONF_CHOICE, offsetof(settings, engine.kv), "TYPE", "f16", NULL, "f16|f32|q8_0", 0, 0,                 \
     "how cached keys and values are stored"}

/* MODEL (a file, or a name in the store) as the path of its first file; mem_free. */
int cli_model_path(const char *model, char **out, struct err *e) ERR_CHECK;
/* The same as an engine. */
int cli_engine_open(const char *model, const struct cli_engine_settings *set, struct infer_engine **out,
                    struct err *e) ERR_CHECK;
int cli_session_open(struct infer_engine *g, const struct cli_engine_settings *set, uint32_t n_logits,
                     struct infer_session **out, struct err *e) ERR_CHECK;
/* Vectors [n, n_embd] of a task's inputs (task_vectors.h). */
int cli_vectors(struct infer_engine *g, const struct cli_engine_settings *set, const struct task *t,
                const struct task_examples *x, float *out, struct err *e) ERR_CHECK;
enum infer_kv cli_kv_of(const char *name);

#endif
