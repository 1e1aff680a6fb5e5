/* What croft run is made of: settings, and a conversation with a model (chat.c). */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "engine.h"

#include <croft/croft.h>

struct run_settings {
    struct cli_engine_settings engine;
    const char *system, *think;
    int64_t max_tokens, keep, top_k, penalty_last_n, seed, logprobs;
    double temp, top_p, min_p, typical, repeat_penalty, frequency_penalty, presence_penalty;
    struct conf_list bias, stop;
    bool raw, shift, stats, json;
};

struct run {
    struct run_settings set;
    struct croft_model *model;
    struct croft_session *session;
    struct croft_sampling sampling; /* from the settings; bias points into `bias` */
    struct croft_bias bias[64];
    json_t *messages; /* the conversation so far */
    bool chat;        /* the model has a template and --raw was not given */
    bool interactive;
};

enum { RUN_QUIT = 1 };

int cli_chat_open(struct run *r, const char *path, struct err *e) ERR_CHECK;
void cli_chat_close(struct run *r);
int cli_chat_remember(struct run *r, const char *role, const char *text, struct err *e) ERR_CHECK;
void cli_chat_forget_last(struct run *r);
/* The conversation through the model's template; croft_free. */
int cli_chat_render(struct run *r, char **out, struct err *e) ERR_CHECK;
int cli_chat_tokenize(struct run *r, const char *text, size_t n, int32_t **ids, size_t *n_ids, struct err *e) ERR_CHECK;
/* A line that starts with '/': does it; RUN_QUIT to end. */
int cli_chat_slash(struct run *r, const char *line, struct err *e);

#endif
