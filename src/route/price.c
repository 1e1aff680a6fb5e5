/* Prices (route_tier.h): the table that ships (prices.inc), and what a call cost. Pure functions. Read next: words.c.
 */
#include "route_tier.h"

#include <string.h>

/* In the source dollars, in the program whole billionths of one. */
#define USD(x) ((money)((x)*1e9 + 0.5))
#define PRICE_OF(source, name, in, out, cached, written)                                                             \
    {name, {true, USD(in), USD(out), USD(cached), USD(written), 0, 0, 0, 0, 0}, source},
#define STEPPED_OF(source, name, in, out, cached, written, tokens, l_in, l_out, l_cached, l_written)                 \
    {name,                                                                                                           \
     {true, USD(in), USD(out), USD(cached), USD(written), tokens, USD(l_in), USD(l_out), USD(l_cached),              \
      USD(l_written)},                                                                                               \
     source},
#define PRICE(...) PRICE_OF(LITELLM, __VA_ARGS__)
#define STEPPED(...) STEPPED_OF(LITELLM, __VA_ARGS__)

enum source { LITELLM, OPENAI_6, DECISIONS, JEV };
static const struct {
    const char *date, *where;
} sources[] = {
    [LITELLM] = {"2026-07-24", "BerriAI/litellm, by model-price-repo"},
    [OPENAI_6] = {"2026-09-22", "docs.litellm.ai/blog/gpt_6_sol_luna; merefield/codexometer v0.18.4"},
    [DECISIONS] = {"2026-10-10", "apidog.com/blog/openai-decisions-api; vercel.com/ai-gateway/models"},
    [JEV] = {"2026-09-29", "zuplo.com/docs/ai-gateway/jev; datawhalechina.github.io/jev-cookbook/models"},
};
static const struct {
    const char *name;
    struct route_price price;
    enum source source;
} prices[] = {
#include "prices.inc"
};

const char *route_prices_date(void) { return sources[LITELLM].date; }

bool route_price_row(size_t i, struct route_price_row *out)
{
    if (i >= sizeof prices / sizeof prices[0]) return false;
    *out = (struct route_price_row){prices[i].name, prices[i].price, sources[prices[i].source].date,
                                    sources[prices[i].source].where};
    return true;
}

bool route_price_find(const char *model, struct route_price *out)
{
    size_t low = 0, high = sizeof prices / sizeof prices[0];
    while (low < high) {
        size_t mid = (low + high) / 2;
        int side = strcmp(model, prices[mid].name);
        if (side == 0) {
            *out = prices[mid].price;
            return true;
        }
        if (side < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

bool route_price_cost(const struct route_price *p, const struct route_usage *u, money *out)
{
    bool is_long = p->long_tokens && u->in > p->long_tokens;
    uint64_t cached = u->cached < u->in ? u->cached : u->in;
    uint64_t written = u->written < u->in - cached ? u->written : u->in - cached;
    *out = 0;
    if (!p->known) return false;
    money parts[] = {money_per_million(u->in - cached - written, is_long ? p->long_in : p->in),
                     money_per_million(cached, is_long ? p->long_cached : p->cached),
                     money_per_million(written, is_long ? p->long_written : p->written),
                     money_per_million(u->out, is_long ? p->long_out : p->out)};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) *out = money_add(*out, parts[i]);
    return true;
}
