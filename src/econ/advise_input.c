/* What croft advise is told (econ_advise.h): the table of questions makes the file's format, a terminal's prompts and
 * --set; the table of thresholds makes `thresholds:`. One reader for all three (task_fields.h), so that a value that
 * is wrong in a file is wrong at the terminal. Strings live in the input's arena. Read next: advise_rules.c. */
#include "advise.h"
#include "base_mem.h"
#include "base_str.h"
#include "task_fields.h"

#include <math.h>
#include <string.h>

enum { MAX_INPUT_BYTES = 1 << 20, MAX_SET_TEXT = 4096 };

/* ---- the tables ---- */

static const char *const bounded_words[] = {"choice", "schema", "narrow", "open", NULL};
static const char *const data_words[] = {"public", "internal", "personal", "special", "secret", NULL};
static const char *const leave_words[] = {"anywhere", "region", "redacted", "premises", "device", NULL};
static const char *const offline_words[] = {"no", "short", "must", NULL};
static const char *const operations_words[] = {"own", "partner", "nobody", NULL};
static const char *const flag_words[] = {"no", "yes", NULL};

static const struct econ_question questions[] = {
#define NUMBER(key, least, most, proposed, prompt) {#key, prompt, ECON_ASK_NUMBER, NULL, proposed},
#define MONEY(key, prompt) {#key, prompt, ECON_ASK_MONEY, NULL, NULL},
#define WORD(key, list, proposed, prompt) {#key, prompt, ECON_ASK_WORD, list, proposed},
#define FLAG(key, prompt) {#key, prompt, ECON_ASK_FLAG, flag_words, NULL},
#define NAMES(key, list, prompt) {#key, prompt, ECON_ASK_NAMES, list, NULL},
#include "advise_questions.inc"
#undef NUMBER
#undef MONEY
#undef WORD
#undef FLAG
#undef NAMES
    {.key = NULL}};

#define ANSWER(field) offsetof(struct econ_advise_input, a.field)
static const struct task_field fields[] = {
#define NUMBER(key, least, most, proposed, prompt) {#key, TASK_NUMBER, .at = ANSWER(key), .min = least, .max = most},
#define MONEY(key, prompt) {#key, TASK_MONEY, .at = ANSWER(key)},
#define WORD(key, list, proposed, prompt) {#key, TASK_WORD, .at = ANSWER(key), .words = list},
#define FLAG(key, prompt) {#key, TASK_FLAG, .at = ANSWER(key), .max = 1},
#define NAMES(key, list, prompt) {#key, TASK_NAMES, .at = ANSWER(key), .at_n = ANSWER(n_##key)},
#include "advise_questions.inc"
#undef NUMBER
#undef MONEY
#undef WORD
#undef FLAG
#undef NAMES
    {"currency", TASK_NAME, .at = ANSWER(currency)},
    {"tco", TASK_TEXT, .at = offsetof(struct econ_advise_input, tco)},
    {"thresholds", TASK_SKIP, .at = 0},
    {.name = NULL}};

static const struct econ_threshold_info thresholds[] = {
#define THRESHOLD(name, value, unit, meaning, source) {#name, unit, meaning, source, value},
#include "advise_thresholds.inc"
#undef THRESHOLD
};
_Static_assert(sizeof thresholds / sizeof thresholds[0] == ECON_N_THRESHOLDS, "a row for each threshold");

#define THRESHOLD(name, value, unit, meaning, source)                                                                \
    {#name, TASK_NUMBER, .at = offsetof(struct econ_advise_input, t.name), .min = 0, .max = 1e12},
static const struct task_field threshold_fields[] = {
#include "advise_thresholds.inc"
    {.name = NULL}};
#undef THRESHOLD

const struct econ_question *econ_questions(void) { return questions; }
const struct econ_threshold_info *econ_threshold_info(void) { return thresholds; }

/* ---- what is answered, what is worth asking ---- */

static const struct task_field *field_of(const struct task_field *list, const char *key)
{
    while (list->name && strcmp(list->name, key) != 0) list++;
    return list->name ? list : NULL;
}

/* Back to "not answered" (econ_advise.h). */
static void forget(struct econ_advise_input *in, const struct task_field *f)
{
    char *to = (char *)in + f->at;
    switch (f->type) {
    case TASK_NUMBER:
        *(double *)to = (double)NAN;
        break;
    case TASK_MONEY:
        *(money *)to = -1;
        break;
    case TASK_NAMES:
        *(int *)((char *)in + f->at_n) = -1;
        break;
    case TASK_WORD:
    case TASK_FLAG:
        *(int *)to = -1;
        break;
    default:
        break;
    }
}

bool econ_answered(const struct econ_answers *a, const char *key)
{
    const struct task_field *f = field_of(fields, key);
    if (!f || f->type == TASK_TEXT || f->type == TASK_SKIP) return false;
    const char *from = (const char *)a + (f->at - offsetof(struct econ_advise_input, a));
    switch (f->type) {
    case TASK_NUMBER:
        return !isnan(*(const double *)from);
    case TASK_MONEY:
        return *(const money *)from >= 0;
    case TASK_NAMES:
        return a->n_regimes >= 0;
    case TASK_WORD:
    case TASK_FLAG:
        return *(const int *)from >= 0;
    default:
        return false;
    }
}

double econ_answer_get(const struct econ_answers *a, const struct econ_question *q)
{
    const struct task_field *f = field_of(fields, q->key);
    const char *from = (const char *)a + (f->at - offsetof(struct econ_advise_input, a));
    if (!econ_answered(a, q->key)) return (double)NAN;
    switch (q->kind) {
    case ECON_ASK_NUMBER:
        return *(const double *)from;
    case ECON_ASK_MONEY:
        return (double)*(const money *)from / MONEY_ONE;
    case ECON_ASK_WORD:
    case ECON_ASK_FLAG:
        return *(const int *)from;
    default:
        return (double)NAN;
    }
}

void econ_answer_put(struct econ_answers *a, const struct econ_question *q, double value)
{
    const struct task_field *f = field_of(fields, q->key);
    char *to = (char *)a + (f->at - offsetof(struct econ_advise_input, a));
    if (q->kind == ECON_ASK_NUMBER) *(double *)to = value;
    if (q->kind == ECON_ASK_MONEY) *(money *)to = (money)llround(value * MONEY_ONE);
    if (q->kind == ECON_ASK_WORD || q->kind == ECON_ASK_FLAG) *(int *)to = (int)value;
}

void econ_answer_range(const struct econ_question *q, double *out_least, double *out_most)
{
    static const double most_money = 9e6; /* as task_fields.h */
    const struct task_field *f = field_of(fields, q->key);
    *out_least = q->kind == ECON_ASK_MONEY ? 0 : f->min;
    *out_most = q->kind == ECON_ASK_MONEY ? most_money : f->max;
}

bool econ_worth_asking(const struct econ_answers *a, const char *key)
{
    static const double small_upload_kb = 64; /* a page of text: no line is slow for it */
    if (econ_answered(a, key)) return false;
    if (strcmp(key, "cloud_in_region") == 0) return a->leave == ECON_REGION;
    if (strcmp(key, "leave") == 0 || strcmp(key, "regimes") == 0) return a->data != ECON_PUBLIC;
    if (strcmp(key, "cloud_latency_ms") == 0 || strcmp(key, "local_latency_ms") == 0) return !(a->latency_ms == 0);
    if (strcmp(key, "price_million") == 0) return a->cloud_cost_month < 0;
    if (strcmp(key, "uplink_mbit") == 0) return a->upload_kb > small_upload_kb;
    return true;
}

/* ---- reading ---- */

void econ_advise_input_init(struct econ_advise_input *in)
{
    *in = (struct econ_advise_input){.a.currency = "USD"};
    arena_init(&in->arena, MAX_INPUT_BYTES);
    for (const struct task_field *f = fields; f->name; f++) forget(in, f);
    for (int i = 0; i < ECON_N_THRESHOLDS; i++)
        *(double *)((char *)in + threshold_fields[i].at) = thresholds[i].fallback;
}

void econ_advise_input_done(struct econ_advise_input *in) { arena_done(&in->arena); }

static bool is_word(const char *const *list, const char *word)
{
    while (*list && strcmp(*list, word) != 0) list++;
    return *list != NULL;
}

/* What one value alone cannot tell. */
static int check(struct task_reader *r, const json_t *o, struct econ_advise_input *in)
{
    const json_t *list = json_object_get(o, "regimes");
    for (int i = 0; json_is_array(list) && i < in->a.n_regimes; i++) {
        if (is_word(econ_regime_names, in->a.regimes[i])) continue;
        const char *best = NULL;
        size_t near = 3;
        for (const char *const *w = econ_regime_names; *w; w++) {
            size_t d = str_distance(in->a.regimes[i], *w);
            if (d < near) near = d, best = *w;
        }
        return task_complain(r, list, NULL, (size_t)i, "the worksheet knows no '%.40s'.%s%s%s", in->a.regimes[i],
                             best ? " Did you mean '"
                                  : " It knows gdpr, hipaa, ai_act, dora, nis2, pci, ferpa, secrecy "
                                    "and residency.",
                             best ? best : "", best ? "'?" : "");
    }
    if (in->t.volume_low > in->t.volume_high)
        return task_complain(r, json_object_get(o, "thresholds"), "volume_low", 0,
                             "'volume_low' must not be above 'volume_high'.");
    if (in->t.bits_per_weight <= 0 || in->t.memory_factor <= 0 || in->t.cost_margin >= 1)
        return task_complain(r, o, "thresholds", 0,
                             "'bits_per_weight' and 'memory_factor' must be above 0, 'cost_margin' below 1.");
    return 0;
}

static int read_thresholds(struct task_reader *r, const json_t *o, struct econ_advise_input *in)
{
    json_t *t = json_object_get(o, "thresholds");
    if (!t) return 0;
    const char *within = r->within;
    r->within = "thresholds";
    int rc = task_read_fields(r, o, "thresholds", 0, t, threshold_fields, in);
    r->within = within;
    for (int i = 0; rc == 0 && i < ECON_N_THRESHOLDS; i++) {
        if (!json_object_get(t, thresholds[i].name)) continue;
        in->own_threshold[i] = true;
        if (r->path)
            snprintf(in->set_by[i], sizeof in->set_by[i], "set in %.40s, line %d", r->path,
                     task_yaml_line(r->lines, t, thresholds[i].name, 0));
        else
            snprintf(in->set_by[i], sizeof in->set_by[i], "set by hand");
    }
    return rc;
}

static int read_object(struct task_reader *r, json_t *o, struct econ_advise_input *in)
{
    int rc = task_read_fields(r, o, NULL, 0, o, fields, in);
    if (rc == 0) rc = read_thresholds(r, o, in);
    return rc ? rc : check(r, o, in);
}

/* A scenario stands beside the file that names it. */
static int resolve_scenario(struct task_reader *r, struct econ_advise_input *in, const char *before)
{
    const char *slash = strrchr(r->path, '/');
    if (in->tco == before || !slash || in->tco[0] == '/') return 0;
    size_t folder = (size_t)(slash - r->path) + 1, n = strlen(in->tco);
    char *whole = arena_alloc(r->arena, folder + n + 1);
    if (!whole) return err_nomem(r->e, 0);
    memcpy(whole, r->path, folder);
    memcpy(whole + folder, in->tco, n);
    in->tco = whole;
    return 0;
}

int econ_advise_read(struct econ_advise_input *in, const char *path, struct err *e)
{
    const char *before = in->tco;
    struct task_yaml_lines *lines = NULL;
    struct err local;
    json_t *o = NULL;
    int rc = task_yaml_load_lines(path, &o, &lines, e);
    struct task_reader r = {
        .arena = &in->arena, .path = path, .lines = lines, .e = e ? e : &local, .within = "the answers"};
    if (rc == 0) rc = read_object(&r, o, in);
    if (rc == 0) rc = resolve_scenario(&r, in, before);
    task_yaml_lines_free(lines);
    json_decref(o);
    return rc;
}

/* ---- one answer in words ---- */

static json_t *names_of(const char *text)
{
    json_t *list = json_array();
    for (const char *p = text; list && *p;) {
        p += strspn(p, ", ");
        size_t n = strcspn(p, ", ");
        if (n && json_array_append_new(list, json_stringn(p, n))) {
            json_decref(list);
            return NULL;
        }
        p += n;
    }
    return list;
}

/* The value that YAML would have read. What is none of the kind stays text, and the reader complains. */
static json_t *value_of(const struct task_field *f, const char *text)
{
    double x;
    int64_t whole;
    switch (f->type) {
    case TASK_NUMBER:
        return str_to_f64(text, &x) ? json_real(x) : json_string(text);
    case TASK_MONEY:
        return str_to_i64(text, &whole) ? json_integer(whole) : json_string(text);
    case TASK_FLAG:
        if (strcmp(text, "yes") == 0 || strcmp(text, "y") == 0 || strcmp(text, "true") == 0) return json_true();
        if (strcmp(text, "no") == 0 || strcmp(text, "n") == 0 || strcmp(text, "false") == 0) return json_false();
        return json_string(text);
    case TASK_NAMES:
        return names_of(text);
    default:
        return json_string(text);
    }
}

int econ_advise_set(struct econ_advise_input *in, const char *key, const char *text, struct err *e)
{
    static const char prefix[] = "thresholds.";
    struct err local;
    struct task_reader r = {.arena = &in->arena, .e = e ? e : &local, .within = "the answers"};
    bool threshold = str_starts(key, prefix);
    const char *name = threshold ? key + sizeof prefix - 1 : key;
    const struct task_field *f = field_of(threshold ? threshold_fields : fields, name);
    if (strlen(text) > MAX_SET_TEXT) return ERR(e, LIMIT, "The answer to '%.60s' is too long.", key);
    if (f && !*text && !threshold) {
        forget(in, f);
        return 0;
    }
    struct econ_advise_input before = *in;
    json_t *o = json_object(), *v = f ? value_of(f, text) : json_null(), *inner = threshold ? json_object() : NULL;
    int rc = o && v && (!threshold || inner) ? 0 : err_nomem(e, 0);
    /* the setters take the value, also when they fail */
    if (json_object_set_new(threshold ? inner : o, name, v) && rc == 0) rc = err_nomem(e, 0);
    if (threshold && json_object_set_new(o, "thresholds", inner) && rc == 0) rc = err_nomem(e, 0);
    if (rc == 0) rc = read_object(&r, o, in);
    json_decref(o);
    if (rc) { /* nothing of a value that is wrong; what it put into the arena stays there */
        before.arena = in->arena;
        *in = before;
    }
    return rc;
}
