/* POST /v1/decisions (OpenAI's shape) and POST /v1/systemone (TypeSafe's): typed questions about one state, answered
 * with probabilities and without writing a word. They work with any model that generates.
 *
 * All questions of a request are one question to the scheduler: the state is the prompt, which is evaluated once (and
 * found in the cache next time); each question is a branch behind it, which does not see the others; below its last
 * token stand the options as a trie of tokens (infer_choice.h).
 *
 *     [head of the turn] STATE ─┬─ question 1 [end of the turn] ─┬─ Yes
 *                               │                                └─ No
 *                               └─ question 2 [end of the turn] ─┬─ card ─┬─ _lost
 *                                                                │        └─ _late
 *                                                                └─ bill
 *
 * With a chat template, the turn is rendered once with marks where state and question belong and cut there. State and
 * questions are tokenised as plain text, so that "<|im_end|>" in a customer's message is eleven characters.
 *
 *     predicate, noul    P(yes), of Yes and No
 *     choice             P(option) each
 *     score              P(level) each, levels 0 … n-1; score = sum of level * P(level)
 *     confidence         (n * P(best) - 1) / (n - 1): 0 where all are alike, 1 where one has everything; 1 for n = 1
 *
 * The probabilities are the model's own over the options, not calibrated. */
#include "generate.h"
#include "infer_choice.h"

#include <math.h>

enum { QUESTIONS_MAX = 2000, OPTIONS_MAX = 255, LEVELS_MAX = 10, TEXT_MAX = 4 << 20 };
enum kind { PREDICATE, CHOICE, SCORE };

struct option {
    json_t *value; /* as it is answered: string or boolean; a reference */
    json_t *label; /* a level's; borrowed, or NULL */
};
struct question {
    enum kind kind;
    json_t *name;          /* string or NULL; borrowed */
    struct option *option; /* [n] of choice and score */
    size_t n;
    struct infer_choice *choice;
    uint32_t first;
};
struct decisions {
    bool systemone;
    struct question *question; /* [n] */
    size_t n;
    struct infer_tree tree;
    /* the turn around state and question, as tokens and text */
    struct buf head, between, tail;
};

static void free_data(void *data)
{
    struct decisions *d = data;
    for (size_t i = 0; i < d->n; i++) {
        for (size_t k = 0; k < d->question[i].n; k++) json_decref(d->question[i].option[k].value);
        infer_choice_free(d->question[i].choice);
        mem_free(d->question[i].option);
    }
    mem_free(d->question);
    infer_tree_done(&d->tree);
    buf_done(&d->head);
    buf_done(&d->between);
    buf_done(&d->tail);
    mem_free(d);
}

/* ---- the turn ---- */

static const char state_mark[] = "\x01STATE\x01", question_mark[] = "\x01QUESTION\x01";

static int cut_turn(struct serve_job *job, struct decisions *d, struct err *e)
{
    struct serve_model *m = job->model;
    struct buf text;
    int rc = 0;
    buf_init(&d->head, TEXT_MAX);
    buf_init(&d->between, TEXT_MAX);
    buf_init(&d->tail, TEXT_MAX);
    if (!m->chat) {
        buf_str(&d->between, "\n\n");
        buf_str(&d->tail, "\nAnswer: ");
        return 0;
    }
    json_t *vars = json_pack("{s:[{s:s s:s++++}] s:b}", "messages", "role", "user", "content", state_mark, "", "\n\n",
                             question_mark, "", "enable_thinking", 0);
    buf_init(&text, TEXT_MAX);
    rc = vars ? infer_chat_render(m->chat, vars, &text, e) : err_nomem(e, 0);
    const char *state = rc == 0 ? strstr(text.data, state_mark) : NULL,
               *question = state ? strstr(state, question_mark) : NULL;
    if (rc == 0 && !question)
        rc = ERR(e, TEMPLATE, "The chat template of '%.60s' drops what the user says.", m->name);
    if (rc == 0) {
        const char *after = state + sizeof state_mark - 1, *end = question + sizeof question_mark - 1;
        buf_add(&d->head, text.data, (size_t)(state - text.data));
        buf_add(&d->between, after, (size_t)(question - after));
        buf_str(&d->tail, end);
    }
    buf_done(&text);
    json_decref(vars);
    return rc;
}

/* ---- questions ---- */

/* A text, or any JSON as text. */
static void add_content(struct buf *out, json_t *v)
{
    if (json_is_string(v))
        buf_add(out, json_string_value(v), json_string_length(v));
    else if (v && !json_is_null(v))
        serve_json_dump(v, out, JSON_COMPACT);
}

/* OpenAI's parts of the type input_json hold JSON, which is read as text: a new reference, without them. */
static json_t *plain_parts(json_t *content)
{
    json_t *list, *part;
    size_t i;
    if (!json_is_array(content)) return json_incref(content);
    list = json_array();
    json_array_foreach(content, i, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        json_t *data = json_object_get(part, "data");
        if (!type || strcmp(type, "input_json") != 0 || !data) {
            json_array_append(list, part);
            continue;
        }
        struct buf text;
        buf_init(&text, TEXT_MAX);
        serve_json_dump(data, &text, JSON_COMPACT);
        json_array_append_new(
            list, json_pack("{s:s s:o}", "type", "input_text", "text", serve_json_text(text.data, text.len)));
        buf_done(&text);
    }
    return list;
}

static int add_parts(struct serve_job *job, struct buf *out, json_t *content, const char *at)
{
    char param[112];
    snprintf(param, sizeof param, "%s.instructions", at);
    json_t *parts = plain_parts(content), *text = serve_content_read(job, parts, param);
    add_content(out, text);
    json_decref(parts);
    json_decref(text);
    return text ? 0 : serve_failed(job);
}

static int bad(struct serve_job *job, const char *at, const char *what)
{
    return serve_refuse(job, CROFT_E_USAGE, at, "'%s' %s.", at, what);
}

static void add_option(struct buf *text, const char *name, json_t *description)
{
    buf_fmt(text, "\n- %s", name);
    if (description && !json_is_null(description)) {
        buf_str(text, ": ");
        add_content(text, description);
    }
}

static const char *value_text(json_t *v)
{
    return json_is_string(v) ? json_string_value(v) : json_is_true(v) ? "true" : "false";
}

/* OpenAI's {"value": …, "description": …} and {"label": …, "description": …}. */
static int read_list(struct serve_job *job, struct question *q, json_t *list, const char *at, struct buf *text)
{
    const char *name = q->kind == CHOICE ? "choices" : "levels";
    size_t i, max = q->kind == CHOICE ? OPTIONS_MAX : LEVELS_MAX;
    json_t *o;
    char digit[4];
    if (!json_is_array(list) || json_array_size(list) < 2 || json_array_size(list) > max)
        return serve_refuse(job, CROFT_E_USAGE, at, "'%s.%s' must be an array of 2 to %zu.", at, name, max);
    json_array_foreach(list, i, o)
    {
        json_t *value = json_object_get(o, q->kind == CHOICE ? "value" : "label");
        bool good = q->kind == CHOICE ? (json_is_string(value) && json_string_length(value)) || json_is_boolean(value)
                                      : !value || json_is_string(value);
        if (!json_is_object(o) || !good)
            return serve_refuse(job, CROFT_E_USAGE, at, "'%s.%s[%zu]' needs a %s.", at, name, i,
                                q->kind == CHOICE ? "value" : "label");
        for (size_t k = 0; k < i && q->kind == CHOICE; k++)
            if (json_equal(q->option[k].value, value))
                return serve_refuse(job, CROFT_E_USAGE, at, "'%s.choices[%zu].value' is there twice.", at, i);
        q->option[q->n++] = (struct option){json_incref(value), q->kind == SCORE ? value : NULL};
        snprintf(digit, sizeof digit, "%zu", i);
        json_t *description = json_object_get(o, "description");
        if (q->kind == CHOICE)
            add_option(text, value_text(value), description);
        else
            add_option(text, digit, value ? value : description);
        if (q->kind == SCORE && value && description && !json_is_null(description)) {
            buf_str(text, ", ");
            add_content(text, description);
        }
    }
    return 0;
}

/* TypeSafe's criteria: {option: description} of a choice, [description] of a score, {"true": …, "false": …}. */
static int read_criteria(struct serve_job *job, struct question *q, json_t *criteria, const char *at,
                         struct buf *text)
{
    const char *name;
    size_t i;
    json_t *v;
    char digit[4];
    if (q->kind == CHOICE) {
        if (!json_is_object(criteria) || json_object_size(criteria) < 1 || json_object_size(criteria) > OPTIONS_MAX)
            return bad(job, at, "needs 'criteria', an object of 1 to 255 options");
        json_object_foreach(criteria, name, v)
        {
            if (!*name) return bad(job, at, "has an option without a name");
            q->option[q->n++] = (struct option){json_string(name), NULL};
            add_option(text, name, v);
        }
        return 0;
    }
    if (!json_is_array(criteria) || json_array_size(criteria) < 1 || json_array_size(criteria) > LEVELS_MAX)
        return bad(job, at, "needs 'criteria', an array of 1 to 10 levels");
    json_array_foreach(criteria, i, v)
    {
        q->option[q->n++] = (struct option){NULL, v};
        snprintf(digit, sizeof digit, "%zu", i);
        add_option(text, digit, v);
    }
    return 0;
}

static int add_yes_no(struct serve_job *job, json_t *criteria, const char *at, struct buf *text)
{
    if (criteria && !json_is_null(criteria)) {
        if (!json_is_object(criteria)) return bad(job, at, "has 'criteria' that are no object");
        add_option(text, "Yes", json_object_get(criteria, "true"));
        add_option(text, "No", json_object_get(criteria, "false"));
    }
    buf_str(text, "\nAnswer with Yes or No.");
    return 0;
}

/* The options as the model would write them. */
static int make_choice(struct serve_job *job, struct question *q, struct err *e)
{
    const char *text[OPTIONS_MAX];
    static const char *const yes_no[] = {"Yes", "No"}, *const digits[] = {"0", "1", "2", "3", "4",
                                                                          "5", "6", "7", "8", "9"};
    if (q->kind == PREDICATE) return infer_choice_new(job->model->tok, yes_no, 2, &q->choice, e);
    if (q->kind == SCORE) return infer_choice_new(job->model->tok, digits, q->n, &q->choice, e);
    for (size_t i = 0; i < q->n; i++) text[i] = value_text(q->option[i].value);
    return infer_choice_new(job->model->tok, text, q->n, &q->choice, e);
}

static int read_question(struct serve_job *job, struct question *q, json_t *o, const char *at, bool systemone,
                         struct buf *text, struct err *e)
{
    static const struct serve_field openai[] = {{"type", SERVE_USED, NULL},         {"name", SERVE_USED, NULL},
                                                {"instructions", SERVE_USED, NULL}, {"choices", SERVE_USED, NULL},
                                                {"levels", SERVE_USED, NULL},       {NULL, SERVE_USED, NULL}};
    static const struct serve_field typesafe[] = {{"type", SERVE_USED, NULL},
                                                  {"instructions", SERVE_USED, NULL},
                                                  {"criteria", SERVE_USED, NULL},
                                                  {NULL, SERVE_USED, NULL}};
    char dotted[104];
    int rc;
    snprintf(dotted, sizeof dotted, "%s.", at);
    if (!json_is_object(o)) return bad(job, at, "must be an object");
    if ((rc = serve_fields_check(job, o, dotted, systemone ? typesafe : openai))) return rc;
    const char *type = json_string_value(json_object_get(o, "type")), *yes_no = systemone ? "noul" : "predicate";
    json_t *instructions = json_object_get(o, "instructions"), *criteria = json_object_get(o, "criteria"),
           *name = NULL;
    if (type && strcmp(type, yes_no) == 0)
        q->kind = PREDICATE;
    else if (type && strcmp(type, "choice") == 0)
        q->kind = CHOICE;
    else if (type && strcmp(type, "score") == 0)
        q->kind = SCORE;
    else
        return serve_refuse(job, CROFT_E_USAGE, at, "'%s.type' must be one of %s, choice, score.", at, yes_no);
    bool silent = !instructions || json_is_null(instructions);
    if (silent && !(systemone && criteria && !json_is_null(criteria))) return bad(job, at, "needs 'instructions'");
    if (!systemone && (rc = serve_field_value(job, o, dotted, "name", JSON_STRING, "a string", &name))) return rc;
    if (name) q->name = name;
    q->option = mem_calloc(OPTIONS_MAX, sizeof *q->option);
    if (!q->option) return err_nomem(e, 0);
    if (systemone)
        add_content(text, instructions);
    else if ((rc = add_parts(job, text, instructions, at)))
        return rc;
    if (q->kind == PREDICATE)
        rc = add_yes_no(job, criteria, at, text);
    else if (systemone)
        rc = read_criteria(job, q, criteria, at, text);
    else
        rc = read_list(job, q, json_object_get(o, q->kind == CHOICE ? "choices" : "levels"), at, text);
    if (rc) return rc;
    if (q->kind != PREDICATE)
        buf_str(text,
                q->kind == SCORE ? "\nAnswer with the number of one level." : "\nAnswer with exactly one of these.");
    rc = make_choice(job, q, e);
    if (rc) snprintf(job->fault.param, sizeof job->fault.param, "%s", at);
    return rc;
}

/* ---- the tree ---- */

static int add_tokens(struct serve_job *job, struct infer_tree *tree, int32_t *node, const char *text, size_t n,
                      unsigned flags, struct err *e)
{
    int32_t *ids = NULL;
    size_t n_ids = 0;
    int rc = n ? serve_tokens(job, text, n, flags, &ids, &n_ids, e) : 0;
    for (size_t i = 0; i < n_ids && rc == 0; i++) rc = infer_tree_add(tree, *node, ids[i], node, e);
    mem_free(ids);
    return rc;
}

static int plant(struct serve_job *job, struct decisions *d, struct question *q, const struct buf *text,
                 struct err *e)
{
    int32_t node = -1;
    int rc = add_tokens(job, &d->tree, &node, text->data, text->len, 0, e);
    if (rc == 0) rc = add_tokens(job, &d->tree, &node, d->tail.data, d->tail.len, TOK_PARSE_SPECIAL, e);
    return rc ? rc : infer_choice_plant(q->choice, &d->tree, node, &q->first, e);
}

static int read_questions(struct serve_job *job, struct decisions *d, struct err *e)
{
    json_t *all = json_object_get(job->in, "questions"), *o;
    char at[96];
    int rc = 0;
    void *it = NULL;
    size_t n = d->systemone ? json_object_size(all) : json_array_size(all);
    if (!all || json_is_null(all)) return serve_field_missing(job, "", "questions");
    if (d->systemone ? !json_is_object(all) : !json_is_array(all))
        return bad(job, "questions", d->systemone ? "must be an object" : "must be an array");
    if (n == 0) return bad(job, "questions", "must not be empty");
    if (n > QUESTIONS_MAX) return bad(job, "questions", "has more than 2000 questions");
    if (!(d->question = mem_calloc(n, sizeof *d->question))) return err_nomem(e, n * sizeof *d->question);
    if (d->systemone) it = json_object_iter(all);
    for (d->n = 0; d->n < n && rc == 0;) {
        struct question *q = &d->question[d->n];
        struct buf text;
        buf_init(&text, TEXT_MAX);
        if (d->systemone) {
            snprintf(at, sizeof at, "questions.%.60s", json_object_iter_key(it));
            o = json_object_iter_value(it);
            q->name = json_object_iter_value(it); /* its key is found again when answering */
            it = json_object_iter_next(all, it);
        } else {
            snprintf(at, sizeof at, "questions[%zu]", d->n);
            o = json_array_get(all, d->n);
        }
        d->n++; /* from here on free_data cleans up */
        rc = read_question(job, q, o, at, d->systemone, &text, e);
        if (rc == 0) rc = buf_check(&text, "question", e);
        if (rc == 0) rc = plant(job, d, q, &text, e);
        buf_done(&text);
    }
    return rc;
}

/* The state as text: a string, user messages with text (OpenAI), or any JSON (TypeSafe). */
static int read_state(struct serve_job *job, struct decisions *d, struct buf *out)
{
    const char *name = d->systemone ? "state" : "input";
    json_t *v = json_object_get(job->in, name), *m;
    size_t i;
    if (!v || json_is_null(v)) return serve_field_missing(job, "", name);
    if (json_is_string(v) || (d->systemone && (json_is_object(v) || json_is_array(v)))) {
        add_content(out, v);
        return 0;
    }
    if (d->systemone || !json_is_array(v) || json_array_size(v) == 0)
        return bad(job, name,
                   d->systemone ? "must be a string, an object or an array"
                                : "must be a string or an array of messages");
    json_array_foreach(v, i, m)
    {
        json_t *parts = plain_parts(json_object_get(m, "content"));
        json_t *message = json_is_object(m) ? serve_input_message(job, m, parts, i) : NULL;
        json_decref(parts);
        if (!json_is_object(m)) return bad(job, "input", "must hold messages");
        if (!message) return serve_failed(job);
        if (i) buf_str(out, "\n\n");
        if (json_array_size(v) > 1) buf_fmt(out, "%s: ", json_string_value(json_object_get(message, "role")));
        add_content(out, json_object_get(message, "content"));
        json_decref(message);
    }
    return 0;
}

/* The prompt: head of the turn, state, what stands between. */
static int read_prompt(struct serve_job *job, struct decisions *d, int32_t **ids, size_t *n_ids, struct err *e)
{
    struct buf state;
    int32_t *part[3] = {NULL};
    size_t n[3] = {0}, total = 0;
    buf_init(&state, TEXT_MAX);
    int rc = read_state(job, d, &state);
    if (rc == 0) rc = buf_check(&state, "state", e);
    if (rc == 0)
        rc = serve_tokens(job, d->head.data ? d->head.data : "", d->head.len, TOK_ADD_SPECIAL | TOK_PARSE_SPECIAL,
                          &part[0], &n[0], e);
    if (rc == 0) rc = serve_tokens(job, state.data ? state.data : "", state.len, 0, &part[1], &n[1], e);
    if (rc == 0)
        rc = serve_tokens(job, d->between.data ? d->between.data : "", d->between.len, TOK_PARSE_SPECIAL, &part[2],
                          &n[2], e);
    int32_t *all = rc == 0 ? mem_alloc((n[0] + n[1] + n[2] + 1) * sizeof *all) : NULL;
    if (rc == 0 && !all) rc = err_nomem(e, 0);
    for (int i = 0; i < 3; i++) {
        if (rc == 0 && n[i]) memcpy(all + total, part[i], n[i] * sizeof *all);
        total += n[i];
        mem_free(part[i]);
    }
    buf_done(&state);
    if (rc) return rc;
    *ids = all;
    *n_ids = total;
    return 0;
}

static int prepare_both(struct serve_job *job, bool systemone, const struct serve_field *fields, struct err *e)
{
    int32_t *ids = NULL;
    size_t n_ids = 0;
    int rc;
    struct decisions *d = mem_calloc(1, sizeof *d);
    if (!d) return err_nomem(e, sizeof *d);
    job->data = d;
    d->systemone = systemone;
    infer_tree_init(&d->tree);
    if ((rc = serve_fields_check(job, job->in, "", fields)) || (rc = serve_body_model(job)) ||
        (rc = serve_needs_generator(job)) || (rc = cut_turn(job, d, e)) || (rc = read_questions(job, d, e)) ||
        (rc = serve_job_asks(job, 1, e)))
        return rc;
    rc = read_prompt(job, d, &ids, &n_ids, e);
    struct infer_request r = {.prompt = ids, .n_prompt = n_ids, .tree = &d->tree};
    if (rc == 0) rc = serve_job_submit(job, 0, &r, e);
    mem_free(ids);
    return rc;
}

/* ---- answers ---- */

static double confidence_of(const double *p, size_t n, size_t *out_best)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (p[i] > p[best]) best = i;
    *out_best = best;
    return n > 1 ? fmax(0, ((double)n * p[best] - 1) / (double)(n - 1)) : 1;
}

static double score_of(const double *p, size_t n)
{
    double score = 0;
    for (size_t i = 0; i < n; i++) score += (double)i * p[i];
    return score;
}

static json_t *answer_openai(const struct question *q, const double *p)
{
    json_t *name = q->name ? json_incref(q->name) : json_null(), *list = json_array();
    size_t best;
    double confidence = confidence_of(p, q->n, &best);
    for (size_t i = 0; i < q->n; i++)
        json_array_append_new(list, q->kind == CHOICE
                                        ? json_pack("{s:O s:f}", "value", q->option[i].value, "probability", p[i])
                                        : json_pack("{s:i s:O* s:f}", "value", (int)i, "label", q->option[i].label,
                                                    "probability", p[i]));
    if (q->kind == CHOICE)
        return json_pack("{s:s s:o s:O s:o s:f}", "type", "choice", "name", name, "choice", q->option[best].value,
                         "probabilities", list, "confidence", confidence);
    return json_pack("{s:s s:o s:f s:o s:f}", "type", "score", "name", name, "score", score_of(p, q->n),
                     "probabilities", list, "confidence", confidence);
}

static json_t *answer_systemone(const struct question *q, const double *p)
{
    json_t *probabilities = json_object(), *legend = json_object();
    char digit[4];
    size_t best;
    double confidence = confidence_of(p, q->n, &best);
    for (size_t i = 0; i < q->n; i++) {
        snprintf(digit, sizeof digit, "%zu", i);
        const char *key = q->kind == CHOICE ? json_string_value(q->option[i].value) : digit;
        json_object_set_new(probabilities, key, json_real(p[i]));
        if (q->kind == SCORE) json_object_set(legend, key, q->option[i].label);
    }
    if (q->kind == CHOICE) {
        json_decref(legend);
        return json_pack("{s:s s:O s:f s:o}", "type", "choice", "choice", q->option[best].value, "confidence",
                         confidence, "probabilities", probabilities);
    }
    return json_pack("{s:s s:f s:f s:o s:o}", "type", "score", "score", score_of(p, q->n), "confidence", confidence,
                     "legend", legend, "probabilities", probabilities);
}

static json_t *answer_one(const struct decisions *d, const struct question *q)
{
    double p[OPTIONS_MAX];
    infer_choice_logprobs(q->choice, &d->tree, q->first, p);
    for (size_t i = 0; i < infer_choice_n(q->choice); i++) p[i] = exp(p[i]);
    if (q->kind != PREDICATE) return d->systemone ? answer_systemone(q, p) : answer_openai(q, p);
    if (d->systemone) return json_pack("{s:s s:f}", "type", "noul", "noul", p[0]);
    return json_pack("{s:s s:o s:f}", "type", "predicate", "name", q->name ? json_incref(q->name) : json_null(),
                     "probability", p[0]);
}

static void finish(struct serve_job *job)
{
    struct decisions *d = job->data;
    const struct infer_outcome *o = &job->ask[0].outcome;
    json_t *answers = d->systemone ? json_object() : json_array(), *usage;
    void *it = d->systemone ? json_object_iter(json_object_get(job->in, "questions")) : NULL;
    for (size_t i = 0; i < d->n; i++) {
        json_t *a = answer_one(d, &d->question[i]);
        if (!d->systemone) {
            json_array_append_new(answers, a);
            continue;
        }
        json_object_set_new(answers, json_object_iter_key(it), a);
        it = json_object_iter_next(json_object_get(job->in, "questions"), it);
    }
    int tokens = (int)(o->n_prompt + d->tree.n);
    job->prompt_tokens += d->tree.n; /* what a key's budget pays for */
    usage = d->systemone
                ? json_pack("{s:i s:i}", "input_tokens", tokens, "output_tokens", 0)
                : json_pack("{s:i s:{s:i s:i} s:i s:{s:i} s:i}", "input_tokens", tokens, "input_tokens_details",
                            "cached_tokens", (int)o->n_cached, "cache_write_tokens", 0, "output_tokens", 0,
                            "output_tokens_details", "reasoning_tokens", 0, "total_tokens", tokens);
    serve_job_reply(job, 200,
                    json_pack("{s:s s:o s:o}", "model", job->model->name, "answers", answers, "usage", usage));
}

static int prepare_decisions(struct serve_job *job, struct err *e)
{
    static const struct serve_field fields[] = {{"model", SERVE_USED, NULL},
                                                {"input", SERVE_USED, NULL},
                                                {"questions", SERVE_USED, NULL},
                                                {"safety_identifier", SERVE_IGNORED, NULL},
                                                {"prompt_cache_key", SERVE_IGNORED, NULL},
                                                {"prompt_cache_options", SERVE_IGNORED, NULL},
                                                {NULL, SERVE_USED, NULL}};
    return prepare_both(job, false, fields, e);
}

static int prepare_systemone(struct serve_job *job, struct err *e)
{
    static const struct serve_field fields[] = {{"model", SERVE_USED, NULL},
                                                {"state", SERVE_USED, NULL},
                                                {"questions", SERVE_USED, NULL},
                                                {NULL, SERVE_USED, NULL}};
    return prepare_both(job, true, fields, e);
}

const struct serve_endpoint serve_ep_decisions = {.method = "POST",
                                                  .path = "/v1/decisions",
                                                  .name = "decisions",
                                                  .repeats = true,
                                                  .prepare = prepare_decisions,
                                                  .finish = finish,
                                                  .free_data = free_data};
const struct serve_endpoint serve_ep_systemone = {.method = "POST",
                                                  .path = "/v1/systemone",
                                                  .name = "systemone",
                                                  .repeats = true,
                                                  .prepare = prepare_systemone,
                                                  .finish = finish,
                                                  .free_data = free_data};
