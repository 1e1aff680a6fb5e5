/* What the endpoints that generate text share (chat, completions, responses): sampling options, prompts to the
 * scheduler, pieces to text, tool calls, streaming. An endpoint adds a format: how an answer looks on the wire. */
#ifndef SERVE_GENERATE_H
#define SERVE_GENERATE_H

#include "fields.h"

enum { SERVE_STOPS_MAX = 16, SERVE_TOP_MAX = 20 };

struct serve_sampling {
    struct croft_sampling s;
    const char *stop[SERVE_STOPS_MAX];
    struct croft_bias *bias; /* owned */
    int64_t n;               /* choices for each prompt */
    int64_t fewest;          /* that max_tokens may be; set before reading. 0 of them: nothing is written */
    bool stream, include_usage, nothing;
};
/* The fields that chat and completions have in common; their names for serve_fields_check are below. */
int serve_sampling_read(struct serve_job *job, struct serve_sampling *out, struct err *e) ERR_CHECK;
#define SERVE_SAMPLING_FIELDS                                                                                        \
    {"model", SERVE_USED, NULL}, {"temperature", SERVE_USED, NULL}, {"top_p", SERVE_USED, NULL},                     \
        {"top_k", SERVE_USED, NULL}, {"min_p", SERVE_USED, NULL}, {"typical_p", SERVE_USED, NULL},                   \
        {"repeat_penalty", SERVE_USED, NULL}, {"frequency_penalty", SERVE_USED, NULL},                               \
        {"presence_penalty", SERVE_USED, NULL}, {"seed", SERVE_USED, NULL}, {"stop", SERVE_USED, NULL},              \
        {"logit_bias", SERVE_USED, NULL}, {"n", SERVE_USED, NULL}, {"stream", SERVE_USED, NULL},                     \
        {"stream_options", SERVE_USED, NULL}, {"max_tokens", SERVE_USED, NULL},                                      \
        {"structured_outputs", SERVE_USED, NULL}, {"ignore_eos", SERVE_USED, NULL},                                  \
    {                                                                                                                \
        "user", SERVE_IGNORED, NULL                                                                                  \
    }

struct serve_call { /* of a tool */
    char id[32];
    json_t *name;      /* string */
    json_t *arguments; /* string of JSON */
};
struct serve_choice {
    struct buf text;
    size_t shown;     /* bytes of it that were streamed */
    size_t n_chars;   /* characters that came so far */
    json_t *logprobs; /* array of OpenAI's token objects, or NULL; taken by deltas when streaming */
    bool begun;       /* the endpoint's: its message was announced */
    struct serve_call *calls;  /* [n_calls] after the end */
    size_t n_calls, n_content; /* content: bytes of text before the first call */
    const char *finish;        /* "stop", "length", "tool_calls" after the end */
};
struct serve_format {
    void (*begin)(struct serve_job *job); /* stream: before the first piece */
    void (*delta)(struct serve_job *job, uint32_t choice, const char *text, size_t n,
                  json_t *logprobs);                      /* takes logprobs */
    void (*done)(struct serve_job *job, uint32_t choice); /* stream: a choice has ended */
    void (*end)(struct serve_job *job);                   /* stream: all have */
    json_t *(*whole)(struct serve_job *job);              /* not streamed: the body */
    bool offsets; /* log-probabilities say where in the text, in characters, their tokens are: "text_offset" */
};
struct serve_generation {
    const struct serve_format *format;
    struct serve_sampling sampling;
    struct serve_choice *choice; /* [job->n_ask] */
    uint32_t n_choices;
    struct infer_grammar *grammar; /* or NULL */
    enum infer_echo echo;
    bool logprobs, begun;
    enum serve_tools tools; /* calls are looked for in the answer */
    json_t *tool_list;      /* for the template; NULL: none */
    bool forced_call;       /* the answer is a call: JSON, after what was put into the prompt */
    char opening[96];       /* of a forced call: what the prompt ends in */
    char forced_name[72];   /* the function, where the opening names it and the answer has the arguments alone, or "" */
    bool one_call;          /* parallel_tool_calls is false: only the first call counts */
    json_t *extra;          /* the endpoint's own, or NULL */
};

/* One of the endpoint's data; freed by serve_generation_free. NULL without memory. */
struct serve_generation *serve_generation_new(struct serve_job *job, const struct serve_format *f);
void serve_generation_free(void *data);
/* `structured_outputs`: {"choice": […]} | {"regex": …} | {"json": schema} | {"grammar": GBNF}. */
int serve_structured_read(struct serve_job *job, struct serve_generation *g, struct err *e) ERR_CHECK;
/* The result of making tokens: LIMIT as NO_ROOM, with what fits. */
int serve_tokens_fit(const struct serve_job *job, int rc, struct err *e) ERR_CHECK;
/* Text to tokens; NO_ROOM when they cannot fit. mem_free. */
int serve_tokens(struct serve_job *job, const char *text, size_t n, unsigned flags, int32_t **ids, size_t *n_ids,
                 struct err *e) ERR_CHECK;
/* A string or an array of token ids, as the field `param`, to tokens. mem_free. */
int serve_prompt_ids(struct serve_job *job, json_t *v, const char *param, unsigned flags, int32_t **ids,
                     size_t *n_ids, struct err *e) ERR_CHECK;
/* Submit `sampling.n` sequences for each of the prompts. */
int serve_generation_submit(struct serve_job *job, int32_t *const *prompt, const size_t *n, uint32_t n_prompts,
                            struct err *e) ERR_CHECK;
int serve_needs_generator(struct serve_job *job) ERR_CHECK; /* 400 when the model is an encoder */

/* For endpoints' tables. */
void serve_generation_piece(struct serve_job *job, const struct serve_piece *p, const struct croft_logprob *top,
                            const char *text);
void serve_generation_finish(struct serve_job *job);

/* {"prompt_tokens": …, "completion_tokens": …, …} */
json_t *serve_usage(const struct serve_job *job);

/* ---- conversations (chat.c) ---- */

/* messages and tools of a request, rendered with the model's template, to tokens. */
int serve_chat_prompt(struct serve_job *job, const struct serve_generation *g, json_t *messages, json_t *kwargs,
                      const char *suffix, int32_t **ids, size_t *n_ids, struct err *e) ERR_CHECK;
/* The text of a content, a string or text parts, which are joined: a new string, or NULL with a fault. */
json_t *serve_content_read(struct serve_job *job, json_t *v, const char *at);
/* The i-th item of an `input`, with the content given, as a message: a new reference, or NULL with a fault. */
json_t *serve_input_message(struct serve_job *job, json_t *item, json_t *content, size_t i);
/* Checks and normalises: roles, text parts, tool calls. A new reference in *out. */
int serve_messages_read(struct serve_job *job, json_t *in, json_t **out) ERR_CHECK;
int serve_response_format_read(struct serve_job *job, json_t *format, const char *at, struct serve_generation *g,
                               struct err *e) ERR_CHECK;

/* ---- tools (tools.c, tools_text.c) ---- */

/* `tools`, `tool_choice` and `parallel_tool_calls`: what the template is given (g->tool_list), what the prompt ends
 * in
 * (*out_suffix), and a grammar when a call is required. flat: as /v1/responses writes them. */
int serve_tools_read(struct serve_job *job, struct serve_generation *g, bool flat, const char **out_suffix,
                     struct err *e) ERR_CHECK;
/* Calls and results in messages that were read become what the family's template can write; in place. */
int serve_tools_history(enum serve_tools family, json_t *messages, struct err *e) ERR_CHECK;
/* Bytes of an unfinished answer that are certainly no part of a call. */
size_t serve_tools_visible(enum serve_tools family, const char *text, size_t n);
/* The calls in a finished answer: fills calls, n_calls, n_content. */
void serve_tools_parse(const struct serve_generation *g, struct serve_choice *c);

#endif
