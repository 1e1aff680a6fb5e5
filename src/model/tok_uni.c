/* Characters for the tokenizers: general category, white space, Han, case and base letter, from utf8proc.
 * Stateless. The Unicode version matters where a tokenizer's training froze it: the reference implementations know a
 * few blocks of Unicode 15.1 and 16 that an older utf8proc calls unassigned; they are listed here, so that the
 * splitting does not depend on the library's version. Next: tok_re.c. */
#include "tok.h"

#include <utf8proc.h>

/* White space as \s means it in these patterns: White_Space of Unicode, without U+001C..1F. */
static bool is_space(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || cp == ' ' || cp == 0x85 || cp == 0xA0 || cp == 0x1680
           || (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F || cp == 0x205F
           || cp == 0x3000;
}

static bool is_han(uint32_t cp)
{
    return (cp >= 0x3400 && cp <= 0x4DBF) || (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0xF900 && cp <= 0xFAFF)
           || (cp >= 0x20000 && cp <= 0x2A6DF) || (cp >= 0x2A700 && cp <= 0x2EBEF)
           || (cp >= 0x2F800 && cp <= 0x2FA1F);
}

tok_char tok_uni_classify(uint32_t cp)
{
    tok_char c = cp;
    if (is_space(cp)) c |= TC_SPACE;
    if (cp >= 0x3400 && is_han(cp)) c |= TC_HAN;
    if ((cp >= 0x2FFC && cp <= 0x2FFF) || cp == 0x31EF) return c | TC_S; /* ideographic description, 15.1 and 16 */
    if (cp >= 0x2EBF0 && cp <= 0x2EE5D) return c | TC_L;                 /* CJK extension I, 15.1 */
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
        return c | TC_L;
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME:
        return c | TC_M;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
        return c | TC_N;
    case UTF8PROC_CATEGORY_PC: case UTF8PROC_CATEGORY_PD: case UTF8PROC_CATEGORY_PS: case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI: case UTF8PROC_CATEGORY_PF: case UTF8PROC_CATEGORY_PO:
        return c | TC_P;
    case UTF8PROC_CATEGORY_SM: case UTF8PROC_CATEGORY_SC: case UTF8PROC_CATEGORY_SK: case UTF8PROC_CATEGORY_SO:
        return c | TC_S;
    case UTF8PROC_CATEGORY_CC: case UTF8PROC_CATEGORY_CF: case UTF8PROC_CATEGORY_CS: case UTF8PROC_CATEGORY_CO:
        return c | TC_C;
    default: /* separators are white space; unassigned code points have no class */
        return c;
    }
}

size_t tok_uni_decode(const char *p, const char *end, tok_char *out)
{
    uint32_t cp;
    size_t used = utf8_decode(p, end, &cp);
    *out = cp == UINT32_MAX ? tok_uni_classify(0xFFFD) | TC_BAD : tok_uni_classify(cp);
    return used;
}

uint32_t tok_uni_lower(uint32_t cp)
{
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
}

uint32_t tok_uni_base(uint32_t cp)
{
    utf8proc_int32_t parts[8];
    int boundary = 0;
    if (cp < 0xC0) return cp;
    return utf8proc_decompose_char((utf8proc_int32_t)cp, parts, 8, UTF8PROC_DECOMPOSE, &boundary) > 0
           ? (uint32_t)parts[0] : cp;
}
