/* \p{…}: sets of characters by Unicode's general category, by its short and long names (UAX #44), with or without
 * "General_Category=" or "gc=", and Any, ASCII, Assigned. Scripts and binary properties are not known here.
 *
 * The categories of all code points are utf8proc's; they are read once into runs of one category, about 3,400, so that
 * a property costs a pass over those. The runs never change again. Any thread. Next: gram_re.c, which asks. */
#include "gram.h"

#include <pthread.h>
#include <utf8proc.h>

enum { MAX_RUNS = 8192 };
static struct run {
    uint32_t lo;
    uint32_t category; /* as a bit */
} runs[MAX_RUNS];
static size_t n_runs;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_runs(void)
{
    uint32_t last = 0;
    for (uint32_t cp = 0; cp <= GRAM_MAX_CP && n_runs < MAX_RUNS; cp++) {
        uint32_t bit = 1u << utf8proc_category((utf8proc_int32_t)cp);
        if (bit != last) runs[n_runs++] = (struct run){cp, last = bit};
    }
}

#define BIT(c) (1u << UTF8PROC_CATEGORY_##c)
static const struct {
    const char *name, *long_name;
    uint32_t categories;
} list[] = {
    {"Lu", "Uppercase_Letter", BIT(LU)},
    {"Ll", "Lowercase_Letter", BIT(LL)},
    {"Lt", "Titlecase_Letter", BIT(LT)},
    {"LC", "Cased_Letter", BIT(LU) | BIT(LL) | BIT(LT)},
    {"Lm", "Modifier_Letter", BIT(LM)},
    {"Lo", "Other_Letter", BIT(LO)},
    {"L", "Letter", BIT(LU) | BIT(LL) | BIT(LT) | BIT(LM) | BIT(LO)},
    {"Mn", "Nonspacing_Mark", BIT(MN)},
    {"Mc", "Spacing_Mark", BIT(MC)},
    {"Me", "Enclosing_Mark", BIT(ME)},
    {"M", "Mark", BIT(MN) | BIT(MC) | BIT(ME)},
    {"M", "Combining_Mark", BIT(MN) | BIT(MC) | BIT(ME)},
    {"Nd", "Decimal_Number", BIT(ND)},
    {"Nd", "digit", BIT(ND)},
    {"Nl", "Letter_Number", BIT(NL)},
    {"No", "Other_Number", BIT(NO)},
    {"N", "Number", BIT(ND) | BIT(NL) | BIT(NO)},
    {"Pc", "Connector_Punctuation", BIT(PC)},
    {"Pd", "Dash_Punctuation", BIT(PD)},
    {"Ps", "Open_Punctuation", BIT(PS)},
    {"Pe", "Close_Punctuation", BIT(PE)},
    {"Pi", "Initial_Punctuation", BIT(PI)},
    {"Pf", "Final_Punctuation", BIT(PF)},
    {"Po", "Other_Punctuation", BIT(PO)},
    {"P", "Punctuation", BIT(PC) | BIT(PD) | BIT(PS) | BIT(PE) | BIT(PI) | BIT(PF) | BIT(PO)},
    {"P", "punct", BIT(PC) | BIT(PD) | BIT(PS) | BIT(PE) | BIT(PI) | BIT(PF) | BIT(PO)},
    {"Sm", "Math_Symbol", BIT(SM)},
    {"Sc", "Currency_Symbol", BIT(SC)},
    {"Sk", "Modifier_Symbol", BIT(SK)},
    {"So", "Other_Symbol", BIT(SO)},
    {"S", "Symbol", BIT(SM) | BIT(SC) | BIT(SK) | BIT(SO)},
    {"Zs", "Space_Separator", BIT(ZS)},
    {"Zl", "Line_Separator", BIT(ZL)},
    {"Zp", "Paragraph_Separator", BIT(ZP)},
    {"Z", "Separator", BIT(ZS) | BIT(ZL) | BIT(ZP)},
    {"Cc", "Control", BIT(CC)},
    {"Cc", "cntrl", BIT(CC)},
    {"Cf", "Format", BIT(CF)},
    {"Co", "Private_Use", BIT(CO)},
    {"Cn", "Unassigned", BIT(CN)},
    {"C", "Other", BIT(CC) | BIT(CF) | BIT(CS) | BIT(CO) | BIT(CN)},
    {"Any", "Any", UINT32_MAX},
    {"Assigned", "Assigned", ~BIT(CN)},
};

static bool skip(struct str *s, const char *prefix)
{
    size_t n = strlen(prefix);
    if (s->n < n || memcmp(s->p, prefix, n)) return false;
    *s = (struct str){s->p + n, s->n - n};
    return true;
}

static bool add_categories(struct gram_chars *c, uint32_t categories)
{
    pthread_once(&once, read_runs);
    for (size_t i = 0; i < n_runs; i++)
        if (runs[i].category & categories)
            gram_chars_add(c, runs[i].lo, i + 1 < n_runs ? runs[i + 1].lo - 1 : GRAM_MAX_CP);
    gram_chars_normalise(c);
    gram_chars_negate(c); /* twice: surrogates are no characters of a text */
    gram_chars_negate(c);
    return true;
}

bool gram_chars_property(struct gram_chars *c, struct str name)
{
    bool category = skip(&name, "General_Category=") || skip(&name, "gc=");
    if (!category && str_eq(name, STR("ASCII"))) {
        gram_chars_add(c, 0, 0x7F);
        return true;
    }
    for (size_t i = 0; i < sizeof list / sizeof list[0] - 2u * category; i++) /* Any and Assigned are no categories */
        if (str_eq(name, str_of(list[i].name)) || str_eq(name, str_of(list[i].long_name)))
            return add_categories(c, list[i].categories);
    return false;
}
