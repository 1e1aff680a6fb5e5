/* Multiple-choice questions (task_data.h), from the files in which MMLU and ARC are handed around:
 *
 *   CSV, no header    question,choice,…,choice,B                         MMLU as published
 *   CSV, a header     question,A,B,C,D,answer   question,choice0,…,answer   …
 *   JSONL             {"question", "choices": ["…"], "answer": 2}                          MMLU
 *                     {"question", "choices": {"text": […], "label": […]}, "answerKey"}    ARC
 *                     {"question": {"stem", "choices": [{"text", "label"}]}, "answerKey"}  ARC as published
 *
 * A row becomes an example with choices. Owns one row at a time; strings go into the examples' arena. Read next:
 * rows.c. */
#include "base_mem.h"
#include "base_str.h"
#include "rows.h"
#include "task_data.h"

enum { MAX_CHOICES = 26, MAX_BYTES = 1 << 28, MAX_ROWS = 1 << 22, MAX_TEXT = 1 << 20 };

struct question {
    const char *stem;
    const char *text[MAX_CHOICES], *label[MAX_CHOICES]; /* label NULL: a letter in its order */
    unsigned n;
    const json_t *answer;
};

static const char *const letters[MAX_CHOICES] = {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M",
                                                 "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z"};

/* ---- a row as a question ---- */

/* Choices in columns of their own: the names of the first; of the others the last character counts on. */
static const char *const first_column[] = {"A",        "a",        "choice0",  "choice1",  "choice_0", "choice_1",
                                           "choice_a", "choice_A", "choiceA",  "option_a", "option_A", "optionA",
                                           "option0",  "option1",  "option_0", "option_1", "opa",      NULL};
static const char *const answer_key[] = {"answerKey", "answer", "label", "target", "gold", "cop", NULL};

static void choices_of_columns(const json_t *row, struct question *q)
{
    const char *const *first = first_column;
    while (*first && !json_object_get(row, *first)) first++;
    for (unsigned i = 0; *first && i < MAX_CHOICES; i++) {
        char name[16];
        size_t n = strlen(*first);
        memcpy(name, *first, n + 1);
        name[n - 1] = (char)(name[n - 1] + i);
        const char *text = json_string_value(json_object_get(row, name));
        if (!text) break;
        if (*text) q->text[q->n++] = text; /* CSV: a question with fewer choices leaves the last ones empty */
    }
}

/* A list of texts, of {text, label}, or {text: […], label: […]}. */
static void choices_of_value(const json_t *v, struct question *q)
{
    const json_t *texts = json_is_object(v) ? json_object_get(v, "text") : v, *labels = json_object_get(v, "label");
    for (size_t i = 0; i < json_array_size(texts) && q->n < MAX_CHOICES; i++) {
        const json_t *item = json_array_get(texts, i);
        const char *text = json_string_value(json_is_object(item) ? json_object_get(item, "text") : item);
        if (!text) {
            q->n = 0;
            return;
        }
        q->label[q->n] =
            json_string_value(json_is_object(item) ? json_object_get(item, "label") : json_array_get(labels, i));
        q->text[q->n++] = text;
    }
}

static bool question_of(const json_t *row, struct question *q)
{
    const json_t *question = json_object_get(row, "question"), *choices = json_object_get(row, "choices");
    *q = (struct question){.stem = json_string_value(question)};
    if (json_is_object(question)) {
        q->stem = json_string_value(json_object_get(question, "stem"));
        choices = json_object_get(question, "choices");
    }
    if (choices)
        choices_of_value(choices, q);
    else
        choices_of_columns(row, q);
    for (const char *const *key = answer_key; *key && !q->answer; key++) q->answer = json_object_get(row, *key);
    return q->stem && q->answer && q->n >= 2;
}

/* Which choice is right: its label, its number from 0, or its text. -1: none. */
static int right_choice(const struct question *q)
{
    const char *text = json_string_value(q->answer);
    int64_t number = json_is_integer(q->answer) ? json_integer_value(q->answer) : -1;
    for (unsigned i = 0; i < q->n && text; i++)
        if (strcmp(text, q->label[i] ? q->label[i] : letters[i]) == 0) return (int)i;
    if (text && !str_to_i64(text, &number)) number = -1;
    if (number >= 0 && number < q->n) return (int)number;
    for (unsigned i = 0; i < q->n && text; i++)
        if (strcmp(text, q->text[i]) == 0) return (int)i;
    return -1;
}

/* ---- a question as an example ---- */

static int bad_row(const struct task_rows *r, const char *what, struct err *e)
{
    return err_set(e, CROFT_E_FORMAT, r->path, r->line, "Line %lld of '%s' is not a usable question: %s.", r->line,
                   r->path, what);
}

static int add(struct task_examples *x, size_t *cap, const struct question *q, const struct task_rows *r,
               enum task_ask ask, struct buf *b, struct err *e)
{
    int right = right_choice(q);
    if (right < 0) return bad_row(r, "its answer is none of its choices", e);
    if (x->n == MAX_ROWS) return bad_row(r, "the file has more than 4,194,304 rows", e);
    for (unsigned i = 0; i < q->n && ask == TASK_ASK_TEXTS; i++)
        for (unsigned j = 0; j < i; j++)
            if (strcmp(q->text[i], q->text[j]) == 0) return bad_row(r, "two of its choices are the same", e);
    if (x->n == *cap) {
        size_t more = *cap ? 2 * *cap : 256;
        struct task_example *p = mem_realloc(x->item, more * sizeof *p);
        if (!p) return err_nomem(e, more * sizeof *p);
        x->item = p;
        *cap = more;
    }
    buf_clear(b);
    buf_str(b, q->stem);
    for (unsigned i = 0; i < q->n && ask == TASK_ASK_LETTERS; i++) buf_fmt(b, "\n%s. %s", letters[i], q->text[i]);
    int rc = buf_check(b, "question", e);
    if (rc) return rc;
    const char **choices = arena_alloc(&x->arena, q->n * sizeof *choices);
    const char *input = arena_strndup(&x->arena, b->data, b->len);
    bool ok = choices && input;
    for (unsigned i = 0; i < q->n && ok; i++) {
        choices[i] = ask == TASK_ASK_LETTERS ? letters[i] : arena_strndup(&x->arena, q->text[i], strlen(q->text[i]));
        ok = choices[i] != NULL;
    }
    if (!ok)
        return x->arena.used + MAX_TEXT > MAX_BYTES ? bad_row(r, "the file has more than 256 MiB of text", e)
                                                    : err_nomem(e, b->len);
    x->item[x->n++] = (struct task_example){
        .input = input, .label = choices[right], .choices = choices, .n_choices = q->n, .line = r->line};
    return 0;
}

/* ---- the file ---- */

/* The names of a CSV file without header, if it is one of MMLU's: its first record ends in the letter of one of the
 * choices before it. NULL: it is not. */
static int bare_names(const char *path, json_t **out, struct err *e)
{
    struct task_csv csv;
    FILE *f = fopen(path, "r");
    *out = NULL;
    if (!f) return 0; /* said when it is opened to be read */
    task_csv_init(&csv, f, path, 1);
    int rc = task_csv_next(&csv, e);
    unsigned n = rc == 0 && csv.n >= 4 && csv.n <= MAX_CHOICES + 2 ? csv.n - 2 : 0;
    const char *last = n ? task_csv_field(&csv, csv.n - 1) : "";
    if (strlen(last) == 1 && *last >= 'A' && *last < 'A' + (int)n &&
        strcmp(task_csv_field(&csv, 0), "question") != 0) {
        json_t *names = json_array();
        int failed = json_array_append_new(names, json_string("question"));
        for (unsigned i = 0; i < n; i++) failed |= json_array_append_new(names, json_string(letters[i]));
        failed |= json_array_append_new(names, json_string("answer"));
        if (failed) json_decref(names);
        if (failed)
            rc = err_nomem(e, 0);
        else
            *out = names;
    }
    task_csv_done(&csv);
    fclose(f);
    return rc;
}

int task_questions_load(const char *path, enum task_ask ask, bool *out_is, struct task_examples *out, struct err *e)
{
    struct task_rows r = {0};
    struct task_examples x = {0};
    struct question q;
    struct buf b;
    json_t *names = NULL, *row = NULL;
    size_t cap = 0;
    bool is = true;
    int rc = str_ends(path, ".csv") ? bare_names(path, &names, e) : 0;
    if (rc == 0) rc = names ? task_rows_open_bare(&r, path, names, e) : task_rows_open(&r, path, e);
    if (rc) return rc;
    arena_init(&x.arena, MAX_BYTES);
    buf_init(&b, 2 * MAX_TEXT);
    while (rc == 0 && is && (rc = task_rows_next(&r, &row, e)) == 0 && row) {
        if (question_of(row, &q))
            rc = add(&x, &cap, &q, &r, ask, &b, e);
        else if (x.n)
            rc = bad_row(&r, "it has no question, answer and two choices as the first one has", e);
        else
            is = false;
        json_decref(row);
    }
    if (rc == 0 && is && x.n == 0) rc = ERR(e, FORMAT, "The file '%s' holds no examples.", path);
    task_rows_close(&r);
    buf_done(&b);
    if (rc || !is)
        task_examples_done(&x);
    else
        *out = x;
    if (rc == 0) *out_is = is;
    return rc;
}

const struct task *task_questions_task(enum task_ask ask)
{
    static char name[] = "multiple-choice", prompt[] = "{{input}}",
                by_letter[] = "Answer the question with the letter of the right choice.",
                by_text[] = "Answer the question.";
    static const struct task by[] = {
        [TASK_ASK_LETTERS] = {.name = name, .kind = TASK_CLASSIFY, .system = by_letter, .prompt = prompt},
        [TASK_ASK_TEXTS] = {.name = name, .kind = TASK_CLASSIFY, .system = by_text, .prompt = prompt}};
    return &by[ask];
}
