/* croft task init: a folder with a task.yaml to begin from, explained line by line, and a few examples that pass
 * croft task check. Nothing that is there is overwritten. */
#include "cli.h"
#include "plat_file.h"

#include <errno.h>
#include <unistd.h>

struct starter {
    const char *kind, *yaml, *train, *test;
};

#define SPLITS                                                                                                       \
    "# Examples to train on and, others, to score on: JSONL, or CSV with a header line.\n"                           \
    "data:\n  train: train.jsonl\n  test: test.jsonl\n"                                                              \
    "# Where the files name their columns otherwise:\n"
#define REST                                                                                                         \
    "# croft eval fails below this score.\nfloor: 0.8\n# What one answer may take.\nlatency_ms: 200\n"               \
    "# Who may see the inputs: a word that policies refer to.\n#sensitivity: local-only\n"

static const struct starter starters[] = {
    {"classify",
     "# A task that sorts texts into labels. All keys: docs/TASKS.md\nname: my-task\nkind: classify\n"
     "# What the model is told before every input.\nsystem: Classify the message.\n"
     "# The input with words around it; {{input}} stands for it.\nprompt: \"{{input}}\"\n"
     "labels:\n  - {name: question, description: Somebody wants to know something}\n"
     "  - {name: complaint, description: Something went wrong}\n  - {name: praise, description: Something went well}\n"
     SPLITS "#  columns: {input: text, label: intent}\n"
     "# accuracy or macro_f1 (every label counts the same)\nmetric: accuracy\n" REST,
     "{\"input\": \"When do you open on Sunday?\", \"label\": \"question\"}\n"
     "{\"input\": \"The lamp arrived in two pieces.\", \"label\": \"complaint\"}\n"
     "{\"input\": \"Thank you, that was quick!\", \"label\": \"praise\"}\n",
     "{\"input\": \"Do you sell spare parts?\", \"label\": \"question\"}\n"
     "{\"input\": \"Nobody has answered me for a week.\", \"label\": \"complaint\"}\n"
     "{\"input\": \"Best coffee in town.\", \"label\": \"praise\"}\n"},
    {"extract",
     "# A task that reads facts out of texts, as JSON. All keys: docs/TASKS.md\nname: my-task\nkind: extract\n"
     "# What the model is told before every input.\nsystem: Write the order as JSON.\n"
     "# The input with words around it; {{input}} stands for it.\nprompt: \"{{input}}\"\n"
     "# JSON Schema, here or in a file (schema: order.json). Answers keep to it.\n"
     "schema:\n  type: object\n  properties:\n    product: {type: string}\n    quantity: {type: integer}\n"
     "  required: [product, quantity]\n  additionalProperties: false\n"
     SPLITS "#  columns: {input: text, output: order}\n"
     "# exact_match: the whole answer is right\nmetric: exact_match\n" REST,
     "{\"input\": \"two lamps please\", \"output\": {\"product\": \"lamp\", \"quantity\": 2}}\n"
     "{\"input\": \"I need a chair\", \"output\": {\"product\": \"chair\", \"quantity\": 1}}\n",
     "{\"input\": \"could I have four plates\", \"output\": {\"product\": \"plate\", \"quantity\": 4}}\n"},
    {"generate",
     "# A task that writes. All keys: docs/TASKS.md\nname: my-task\nkind: generate\n"
     "# What the model is told before every input.\nsystem: Answer in one short sentence.\n"
     "# The input with words around it; {{input}} stands for it.\nprompt: \"{{input}}\"\n"
     SPLITS "#  columns: {input: question, output: answer}\n"
     "# exact_match: the answer is the expected text\nmetric: exact_match\n" REST,
     "{\"input\": \"Is the museum open on Monday?\", \"output\": \"No, it is closed on Mondays.\"}\n",
     "{\"input\": \"Is the museum open on Friday?\", \"output\": \"Yes, from ten to six.\"}\n"},
    {"embed",
     "# A task that turns texts into vectors. All keys: docs/TASKS.md\nname: my-task\nkind: embed\n"
     "# The input with words around it, as the model's card asks; {{input}} stands for it.\n"
     "prompt: \"search_query: {{input}}\"\n"
     "# Pairs of texts that belong together: JSONL, or CSV with a header line.\n"
     "data:\n  train: train.jsonl\n  test: test.jsonl\n"
     "# What one answer may take.\nlatency_ms: 50\n",
     "{\"input\": \"opening hours\", \"output\": \"We open at nine.\"}\n",
     "{\"input\": \"spare parts\", \"output\": \"Parts are on the second floor.\"}\n"},
};

static int write_new(const char *dir, const char *name, const char *text, struct err *e)
{
    struct buf path;
    buf_init(&path, 4096);
    buf_fmt(&path, "%s/%s", dir, name);
    int rc = buf_check(&path, "path", e);
    if (rc == 0 && access(path.data, F_OK) == 0)
        rc = ERR(e, USAGE, "The file '%s' exists already; nothing is overwritten.", path.data);
    int failed = rc == 0 ? plat_file_write(path.data, text, strlen(text)) : 0;
    if (failed) rc = err_errno(e, -failed, "write", path.data);
    buf_done(&path);
    return rc;
}

static int run(const char *kind, const char *dir, struct err *e)
{
    const struct starter *s = starters;
    while (strcmp(s->kind, kind) != 0) s++;
    int failed = plat_dir_make(dir);
    if (failed) return err_errno(e, -failed, "make the folder", dir);
    int rc = write_new(dir, "task.yaml", s->yaml, e);
    if (rc == 0) rc = write_new(dir, "train.jsonl", s->train, e);
    if (rc == 0) rc = write_new(dir, "test.jsonl", s->test, e);
    if (rc) return rc;
    printf("Wrote %s/task.yaml, train.jsonl and test.jsonl. Next: croft task check %s/task.yaml\n", dir, dir);
    return 0;
}

int cli_task_init_command(int argc, char **argv)
{
    struct settings {
        const char *kind;
    } set = {0};
    static const struct conf_row rows[] = {
        {"kind", 0, CONF_CHOICE, offsetof(struct settings, kind), "KIND", "classify", NULL,
         "classify|extract|generate|embed", 0, 0, "what the task does"},
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("task init", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    int rc = run(set.kind, words.item[0], &e);
    return rc ? cli_fail("task init", &e) : 0;
}
