/* croft run: ask a model something, or talk with it. Uses the public API (croft/croft.h) and nothing beside
 * it, so that it is also the longest example of it.
 *
 * One shot (a prompt, or standard input that is not a terminal): the answer alone goes to standard output,
 * streamed. Conversation (a terminal and no prompt): lines are turns; """ opens and closes a message of
 * several lines; Ctrl-C stops the answer, Ctrl-D ends the program; /help lists the commands. The whole
 * conversation is rendered anew for each turn and the session evaluates only what it does not hold yet. Read
 * next: chat.c (the conversation as JSON), src/infer/generate.c. */
#include "run.h"
#include "bundle_run.h"
#include "engine.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum { MAX_INPUT = 16 << 20 };

static const struct conf_row rows[] = {
    {"predict", 'n', CONF_I64, offsetof(struct run_settings, max_tokens), "N", "0", NULL, NULL, 0, 1 << 24,
     "at most N tokens (0: until the context is full)"},
    {"system", 's', CONF_STR, offsetof(struct run_settings, system), "TEXT", NULL, NULL, NULL, 0, 0,
     "the system message"},
    {"raw", 0, CONF_FLAG, offsetof(struct run_settings, raw), NULL, NULL, NULL, NULL, 0, 0,
     "continue the text as it is, without the chat template"},
    {"context-shift", 0, CONF_FLAG, offsetof(struct run_settings, shift), NULL, NULL, NULL, NULL, 0, 0,
     "when the context is full, forget its older half and go on"},
    {"keep", 0, CONF_I64, offsetof(struct run_settings, keep), "N", "0", NULL, NULL, 0, 1 << 24,
     "with --context-shift: never forget the first N tokens"},
    {"think", 0, CONF_CHOICE, offsetof(struct run_settings, think), "MODE", "auto", NULL, "auto|on|off", 0, 0,
     "sets the template's enable_thinking"},
    {"temp", 0, CONF_F64, offsetof(struct run_settings, temp), "T", "0", NULL, NULL, 0, 100,
     "temperature (0: always the most likely token)"},
    {"top-k", 0, CONF_I64, offsetof(struct run_settings, top_k), "K", "40", NULL, NULL, 0, 1 << 24,
     "draw from the K most likely (0: all)"},
    {"top-p", 0, CONF_F64, offsetof(struct run_settings, top_p), "P", "0.95", NULL, NULL, 0, 1,
     "draw from the smallest set of that probability"},
    {"min-p", 0, CONF_F64, offsetof(struct run_settings, min_p), "P", "0.05", NULL, NULL, 0, 1,
     "drop tokens less likely than P times the best"},
    {"typical", 0, CONF_F64, offsetof(struct run_settings, typical), "P", "1", NULL, NULL, 0, 1,
     "locally typical sampling"},
    {"repeat-penalty", 0, CONF_F64, offsetof(struct run_settings, repeat_penalty), "R", "1", NULL, NULL, 0.01,
     10, "divide the logits of recent tokens"},
    {"frequency-penalty", 0, CONF_F64, offsetof(struct run_settings, frequency_penalty), "F", "0", NULL, NULL,
     -100, 100, "subtract per recent occurrence"},
    {"presence-penalty", 0, CONF_F64, offsetof(struct run_settings, presence_penalty), "F", "0", NULL, NULL,
     -100, 100, "subtract once for recent tokens"},
    {"penalty-last-n", 0, CONF_I64, offsetof(struct run_settings, penalty_last_n), "N", "64", NULL, NULL, 0,
     1 << 20, "how many recent tokens penalties see"},
    {"logit-bias", 0, CONF_LIST, offsetof(struct run_settings, bias), "ID=B", NULL, NULL, NULL, 0, 0,
     "add B to a token's logit (-inf bans it)"},
    {"seed", 0, CONF_I64, offsetof(struct run_settings, seed), "N", "0", NULL, NULL, 0, 9e18,
     "the same seed, the same answer"},
    {"stop", 0, CONF_LIST, offsetof(struct run_settings, stop), "TEXT", NULL, NULL, NULL, 0, 0,
     "end the answer before this text (may be repeated)"},
    {"logprobs", 0, CONF_I64, offsetof(struct run_settings, logprobs), "N", "0", NULL, NULL, 0, 64,
     "with --json: log-probabilities of the N most likely tokens of each step"},
    {"stats", 0, CONF_FLAG, offsetof(struct run_settings, stats), NULL, NULL, NULL, NULL, 0, 0,
     "print tokens and rates on standard error"},
    CLI_ENGINE_ROWS(struct run_settings),
    CLI_JSON_ROW(struct run_settings),
    {.name = ""},
};

/* ---- Ctrl-C ---- */

static struct croft_session *volatile running; /* what the handler may cancel */

static void on_interrupt(int signo)
{
    if (running) croft_session_cancel(running);
}

/* ---- one answer ---- */

struct answer {
    struct run *r;
    struct buf text;  /* the whole answer */
    json_t *logprobs; /* array, or NULL */
    bool ends_line;
};

static json_t *logprob_json(const struct run *r, int32_t token, double logprob)
{
    char *text = NULL;
    size_t n = 0;
    const unsigned flags = CROFT_SHOW_SPECIAL | CROFT_KEEP_SPACE;
    if (croft_detokenize(r->model, &token, 1, flags, &text, &n, NULL)) return json_null();
    json_t *o = json_pack("{s:i s:o s:f}", "id", token, "text", cli_json_text(text, n), "logprob", logprob);
    croft_free(text);
    return o;
}

static int on_piece(void *user, const struct croft_piece *p)
{
    struct answer *a = user;
    if (p->n) {
        if (!a->r->set.json) {
            fwrite(p->text, 1, p->n, stdout);
            fflush(stdout);
        }
        a->ends_line = p->text[p->n - 1] == '\n';
        buf_add(&a->text, p->text, p->n);
    }
    if (a->logprobs && p->token >= 0) {
        json_t *o = logprob_json(a->r, p->token, p->logprob), *top = json_array();
        for (size_t i = 0; i < p->n_top; i++)
            json_array_append_new(top, logprob_json(a->r, p->top[i].token, p->top[i].logprob));
        json_object_set_new(o, "top", top);
        json_array_append_new(a->logprobs, o);
    }
    return ferror(stdout) != 0; /* nobody listens any more */
}

static void print_stats(const struct croft_result *x)
{
    fflush(stdout); /* the answer stands before it, also where both go to one pipe */
    fprintf(stderr,
            "prompt: %zu tokens (%zu reused) in %.2f s, %.1f tokens/s; answer: %zu tokens in %.2f s, %.1f "
            "tokens/s\n",
            x->n_prompt, x->n_reused, x->prompt_s, (double)(x->n_prompt - x->n_reused) / (x->prompt_s + 1e-9),
            x->n_generated, x->generate_s, (double)x->n_generated / (x->generate_s + 1e-9));
}

static const char *end_name(enum croft_end end)
{
    static const char *const names[] = {"end", "stop", "length", "stopped"};
    return names[end];
}

static json_t *answer_json(const struct answer *a, const struct croft_result *x)
{
    json_t *o = json_pack("{s:o s:s s:I s:I s:I s:f s:f}", "answer",
                          cli_json_text(a->text.data ? a->text.data : "", a->text.len), "finish_reason",
                          end_name(x->end), "prompt_tokens", (json_int_t)x->n_prompt, "reused_tokens",
                          (json_int_t)x->n_reused, "answer_tokens", (json_int_t)x->n_generated,
                          "prompt_seconds", x->prompt_s, "answer_seconds", x->generate_s);
    if (o && a->logprobs) json_object_set(o, "logprobs", a->logprobs);
    return o;
}

/* Evaluate the prompt text, stream the answer; the answer's text is appended to the conversation. */
static int answer(struct run *r, const char *prompt, size_t n, int *out_exit, struct err *e)
{
    struct answer a = {.r = r, .ends_line = true};
    struct croft_result result = {0};
    int32_t *ids = NULL;
    size_t n_ids = 0;
    buf_init(&a.text, MAX_INPUT);
    if (r->set.json && r->set.logprobs) a.logprobs = json_array();
    int rc = cli_chat_tokenize(r, prompt, n, &ids, &n_ids, e);
    if (rc == 0) {
        running = r->session;
        rc = croft_generate(r->session, ids, n_ids, &r->sampling, on_piece, &a, &result, e);
        running = NULL;
    }
    bool stopped = rc == CROFT_E_CANCELLED && r->interactive;
    if (stopped) rc = 0;
    if (!r->set.json && !a.ends_line) putchar('\n');
    if (rc == 0 && r->set.json) *out_exit = cli_json_done(answer_json(&a, &result), "run");
    if (rc == 0 && r->set.stats && !stopped) print_stats(&result);
    if (rc == 0 && r->interactive) rc = cli_chat_remember(r, "assistant", a.text.data ? a.text.data : "", e);
    json_decref(a.logprobs);
    buf_done(&a.text);
    croft_free(ids);
    return rc;
}

/* A turn of the conversation, or a text to continue. */
static int turn(struct run *r, const char *text, int *out_exit, struct err *e)
{
    if (!r->chat) return answer(r, text, strlen(text), out_exit, e);
    char *prompt = NULL;
    int rc = cli_chat_remember(r, "user", text, e);
    if (rc == 0) rc = cli_chat_render(r, &prompt, e);
    if (rc == 0) rc = answer(r, prompt, strlen(prompt), out_exit, e);
    if (rc) cli_chat_forget_last(r); /* the question that could not be answered */
    croft_free(prompt);
    return rc;
}

/* ---- input ---- */

static int read_prompt(struct buf *b, struct err *e)
{
    int rc = cli_read_all("-", b, e);
    while (b->len && b->data[b->len - 1] == '\n') b->data[--b->len] = 0; /* as $(…) does */
    return rc;
}

/* The words after MODEL, joined by spaces; "-" stands for standard input without its last line ends. */
static int prompt_of(const struct conf_list *words, struct buf *b, struct err *e)
{
    int rc = 0;
    for (int i = 1; i < words->n && rc == 0; i++) {
        if (i > 1) buf_char(b, ' ');
        if (strcmp(words->item[i], "-") == 0) rc = read_prompt(b, e);
        else buf_str(b, words->item[i]);
    }
    if (rc == 0 && words->n < 2) rc = read_prompt(b, e);
    if (rc == 0) rc = buf_check(b, "prompt", e);
    if (rc == 0 && b->len == 0) rc = ERR(e, USAGE, "The prompt is empty.");
    if (rc == 0 && strlen(b->data) != b->len)
        rc = ERR(e, USAGE, "The prompt holds a NUL byte; only text can be asked.");
    return rc;
}

/* One message from the terminal: a line, or several between """ marks. 1: a message, 0: the end, -1: interrupted. */
static int read_message(struct buf *b)
{
    static char line[1 << 16];
    bool quoted = false;
    buf_clear(b);
    for (;;) {
        fputs(quoted ? "... " : ">>> ", stderr);
        errno = 0;
        if (!fgets(line, sizeof line, stdin)) {
            bool interrupted = errno == EINTR;
            clearerr(stdin);
            fputc('\n', stderr);
            if (interrupted) fputs("(Ctrl-D ends)\n", stderr);
            return interrupted ? -1 : 0;
        }
        line[strcspn(line, "\n")] = 0;
        char *text = line;
        if (!quoted && strncmp(text, "\"\"\"", 3) == 0) quoted = true, text += 3;
        char *end = quoted ? strstr(text, "\"\"\"") : NULL;
        if (end) *end = 0;
        buf_str(b, text);
        if (!quoted || end) return 1;
        buf_char(b, '\n');
    }
}

static int converse(struct run *r, struct err *e)
{
    struct buf message;
    int got, exit_code = 0;
    buf_init(&message, MAX_INPUT);
    fputs("Type a message. \"\"\" starts one of several lines, Ctrl-C stops an answer, Ctrl-D ends, /help "
          "lists more.\n",
          stderr);
    while ((got = read_message(&message)) != 0) {
        if (got < 0 || message.len == 0) continue;
        struct err turn_err = {0};
        int rc = message.data[0] == '/' ? cli_chat_slash(r, message.data, &turn_err)
                                        : turn(r, message.data, &exit_code, &turn_err);
        if (rc == RUN_QUIT) break;
        if (rc) fprintf(stderr, "%s\n", turn_err.msg); /* and go on: the conversation is still there */
    }
    buf_done(&message);
    return 0;
}

int cmd_run(int argc, char **argv)
{
    struct run r = {0};
    struct conf_list words;
    struct err e = {0};
    struct buf prompt;
    struct bundle_run *registered = NULL;
    char *path = NULL;
    int exit_code = 0;
    if (!cli_options("run", rows, &r.set, argc, argv, &words, 1, -1, &exit_code)) return exit_code;
    buf_init(&prompt, MAX_INPUT);
    r.interactive = words.n < 2 && isatty(STDIN_FILENO);

    int rc = r.interactive ? 0 : prompt_of(&words, &prompt, &e);
    if (rc == 0) rc = cli_model_path(words.item[0], &path, &e);
    if (rc == 0) rc = cli_chat_open(&r, path, &e);
    /* Until here Ctrl-C ends the program. No SA_RESTART: it ends reads, too. */
    if (rc == 0) sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
    if (rc == 0 && bundle_run_register("run", words.item[0], path, NULL, &registered, NULL)) registered = NULL;
    if (rc == 0) rc = r.interactive ? converse(&r, &e) : turn(&r, prompt.data, &exit_code, &e);
    bundle_run_unregister(registered);
    cli_chat_close(&r);
    mem_free(path);
    buf_done(&prompt);
    return rc ? cli_fail("run", &e) : exit_code;
}
