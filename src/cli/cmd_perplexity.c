/* croft perplexity: how surprised a model is by a text, exp of the mean negative log-likelihood per token.
 * Read next: eval_text.c. */
#include "eval.h"

int cmd_perplexity(int argc, char **argv)
{
    struct cli_text set = {0};
    static const struct conf_row rows[] = {
        {"chunks", 0, CONF_I64, offsetof(struct cli_text, chunks), "N", "0", NULL, NULL, 0, 1 << 30,
         "only the first N chunks (0: all)"},
        CLI_ENGINE_ROWS(struct cli_text),
        CLI_JSON_ROW(struct cli_text),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("perplexity", rows, &set, argc, argv, &words, 2, 2, &exit_code)) return exit_code;
    set.model = words.item[0];
    set.path = words.item[1];
    return cli_text_run(&set, "perplexity", &exit_code, &e) ? cli_fail("perplexity", &e) : exit_code;
}
