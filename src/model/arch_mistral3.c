/* mistral3: Mistral Small 3.x and Ministral 3. As llama, with YaRN parameters of its own and, in Ministral 3,
 * queries that grow with the position (attention temperature) beyond the original context. */
#include "arch.h"

void model_arch_mistral3(struct arch *a)
{
    struct model *m = a->m;
    m->temp_scale = model_f32(a, "attention.temperature_scale", false, 0);
    a->reads_yarn = true;
    model_arch_llama(a);
    m->temp_floor = m->rope[0].n_ctx_orig;
    if (m->temp_scale != 0 && m->temp_floor == 0)
        model_fail(a, CROFT_E_FORMAT,
                   "The model asks for attention temperature but gives no original context length.");
}
