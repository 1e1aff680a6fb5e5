/* Fuzz target: any text as a chat template, rendered with a small fixed conversation under small limits.
 * clang -fsanitize=fuzzer,address,undefined; dictionary tmpl.dict, seeds corpus/tmpl. */
#include "model_tmpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char vars_text[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"},"
    " {\"role\": \"user\", \"content\": \"Xin ch\\u00e0o \\ud83d\\ude42\\n<b>\"},"
    " {\"role\": \"assistant\", \"content\": null,"
    " \"tool_calls\": [{\"id\": \"1\", \"function\": {\"name\": \"f\", \"arguments\": {\"x\": 1.5}}}]}],"
    " \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": {\"type\": \"object\"}}}],"
    " \"add_generation_prompt\": true, \"bos_token\": \"<s>\", \"eos_token\": \"</s>\","
    " \"n\": -3, \"x\": 2.5, \"l\": [3, 1, 2, \"a\", null]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *vars;
    const struct tmpl_limits limits = {.max_steps = 20000, .max_output_bytes = 1 << 16, .max_memory_bytes = 4 << 20};
    struct err e = {0};
    struct tmpl *t = NULL;
    if (!vars) vars = json_loads(vars_text, 0, NULL);
    if (tmpl_new((const char *)data, size, &t, &e)) return 0;
    struct buf out;
    buf_init(&out, 1 << 16);
    if (tmpl_render(t, vars, 1795166100, &limits, &out, &e) == 0 && out.failed) abort();
    buf_done(&out);
    tmpl_free(t);
    return 0;
}
