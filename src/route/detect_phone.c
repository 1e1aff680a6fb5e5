/* Telephone numbers: international (E.164 with '+' or 00) and the common national ways of writing them.
 *
 * Numbers are everywhere, so a national number must show itself: by the grouping of the North American plan (3-3-4),
 * a trunk 0 with groups, an area code in parentheses, the 3-4-4 of Chinese mobiles, or a word in front that says what
 * it is ("tel", "mobile", "电话"). Dates, and what "order", "invoice" or "ISBN" announces are not taken. Lengths come
 * from detect_phone.inc. Pure; any thread. */
#include "detect.h"

#include <string.h>

enum { MAX_DIGITS = 20, MAX_GROUPS = 10, WORD_WINDOW = 32 };

/* Digits in groups, as written. */
struct groups {
    char d[MAX_DIGITS];
    int n, n_groups;
    int len[MAX_GROUPS];    /* digits of each */
    size_t end[MAX_GROUPS]; /* where each ends, with its closing parenthesis */
    char sep[MAX_GROUPS];   /* in front of each: ' ', '-', '.', '/' or 0 */
    bool paren[MAX_GROUPS];
};

static const char phone_words[] =
    "tel|telephone|phone|phones|mobile|cell|cellphone|fax|whatsapp|sms|hotline|landline|telefon|telefono|teléfono|"
    "téléphone|telefone|telefoon|telefax|móvil|movil|celular|handy|handynummer|mobil|portable|gsm|rufnummer|phone "
    "number|"
    "電話|电话|手机|手機|联系方式|전화|휴대폰|携帯|โทร|điện thoại|sđt|телефон|тел|هاتف|फोन|telepon|nomor hp|no "
    "hp|numero ng telepono";
static const char other_words[] = "isbn|issn|doi|order|invoice|tracking|sku|ref|reference|bestellung|rechnung|"
                                  "auftrag|article|serial|version|account|case";

static void parse(const struct route_scan *s, size_t at, struct groups *g)
{
    size_t i = at;
    bool open = false;
    char sep = 0;
    *g = (struct groups){0};
    while (g->n_groups < MAX_GROUPS) {
        int k = g->n_groups, len = 0;
        if (route_at(s, i) == '(' && !open) {
            open = true;
            i++;
        }
        while (route_is_digit(route_at(s, i)) && g->n < MAX_DIGITS) {
            g->d[g->n++] = s->s[i++];
            len++;
        }
        if (len == 0 || route_is_digit(route_at(s, i))) return;
        g->paren[k] = open;
        if (open && route_at(s, i) == ')') {
            open = false;
            i++;
        } else if (open) {
            return;
        }
        g->len[k] = len;
        g->end[k] = i;
        g->sep[k] = sep;
        g->n_groups++;
        char c = route_at(s, i);
        sep = 0;
        if (c == ' ' || c == '-' || c == '.' || c == '/') {
            sep = c;
            i++;
            if (c == ' ' && (route_at(s, i) == '/' || route_at(s, i) == '-') && route_at(s, i + 1) == ' ') i += 2;
        }
    }
}

/* After the groups there is no more of a number, nor a letter. */
static bool ends_well(const struct route_scan *s, size_t end)
{
    char c = route_at(s, end);
    if (route_is_alnum(c)) return false;
    return !((c == '.' || c == '-' || c == ',' || c == '/' || c == ':') && route_is_digit(route_at(s, end + 1)));
}

static bool looks_like_date(const struct groups *g)
{
    if (g->n_groups < 3 || g->sep[1] != g->sep[2]) return false;
    const int *l = g->len;
    int first = l[0] == 4 ? (g->d[0] - '0') * 10 + g->d[1] - '0' : 0;
    int third =
        l[0] <= 2 && l[1] <= 2 && l[2] == 4 ? (g->d[l[0] + l[1]] - '0') * 10 + g->d[l[0] + l[1] + 1] - '0' : 0;
    return (first >= 15 && first <= 21 && l[1] <= 2 && l[2] <= 2) || (third >= 15 && third <= 21);
}

/* {min, max} digits of a national number behind a country's code, or false. */
static bool country(const char *d, int n, int *code_len, int *min, int *max)
{
    static const struct {
        short code, min, max;
    } plans[] = {
#include "detect_phone.inc"
    };
    for (int len = 1, v = 0; len <= 3 && len <= n; len++) {
        v = v * 10 + (d[len - 1] - '0');
        for (size_t k = 0; k < sizeof plans / sizeof plans[0]; k++) {
            if (plans[k].code != v) continue;
            *code_len = len;
            *min = plans[k].min > 5 ? plans[k].min : 5; /* shorter ones are services */
            *max = plans[k].max;
            return true;
        }
    }
    return false;
}

/* Behind '+' or 00: as many groups as the country's plan allows; "(0)" does not count. */
static size_t international(const struct route_scan *s, const struct groups *g, int prefix)
{
    int code_len, min, max, digits = 0;
    if (g->n - prefix < 7 || g->d[prefix] == '0' || !country(g->d + prefix, g->n - prefix, &code_len, &min, &max))
        return 0;
    if (memcmp(g->d + prefix + code_len, "000", 3) == 0) return 0; /* +100 000 000 */
    size_t end = 0;
    for (int k = 0; k < g->n_groups; k++) {
        bool trunk = g->paren[k] && g->len[k] == 1 && k > 0;
        if (!trunk) digits += g->len[k];
        int national = digits - prefix - code_len;
        if (national > max) break;
        if (national >= min && ends_well(s, g->end[k])) end = g->end[k];
    }
    return end;
}

static bool nanp(const struct groups *g, int k)
{
    const char *d = g->d + (k ? g->len[0] : 0);
    return g->n_groups >= k + 3 && g->len[k] == 3 && g->len[k + 1] == 3 && g->len[k + 2] == 4 && d[0] >= '2' &&
           d[3] >= '2' && (g->paren[k] || g->sep[k + 1] == g->sep[k + 2] || g->sep[k + 1] == ' ') &&
           (g->paren[k] || g->sep[k + 1]) && g->sep[k + 2];
}

/* Digits of the groups up to `k`, when those behind the first have at least two digits each and one kind
 * of separator among them; else 0. */
static int even_groups(const struct groups *g, int k)
{
    int digits = g->len[0];
    for (int i = 1; i <= k; i++) {
        if (g->len[i] < 2 || g->paren[i] || (i > 2 && g->sep[i] != g->sep[2])) return 0;
        digits += g->len[i];
    }
    return digits;
}

static size_t national(const struct route_scan *s, const struct groups *g)
{
    const char *d = g->d;
    if (nanp(g, 0) && ends_well(s, g->end[2])) return g->end[2];
    if (d[0] == '1' && g->len[0] == 1 && nanp(g, 1) && ends_well(s, g->end[3])) return g->end[3];
    bool year = g->len[0] == 4 && (memcmp(d, "19", 2) == 0 || memcmp(d, "20", 2) == 0);
    bool area = g->paren[0] && g->len[0] >= 2 && g->len[0] <= 5 && !year;
    bool trunk = d[0] == '0' && d[1] != '0' && g->len[0] >= 2 && g->len[0] <= 6;
    bool mobile =
        d[0] == '1' && d[1] >= '3' && g->len[0] == 3 && g->n_groups >= 3 && g->len[1] == 4 && g->len[2] == 4;
    if (mobile && g->sep[1] == g->sep[2] && ends_well(s, g->end[2])) return g->end[2];
    if (!area && !trunk) return 0;
    for (int k = g->n_groups < 6 ? g->n_groups - 1 : 5; k > 0; k--) {
        int digits = even_groups(g, k);
        if (digits >= 9 - area && digits <= 12 && ends_well(s, g->end[k])) return g->end[k];
    }
    return 0;
}

/* A word said that it is one: six to fifteen digits, whatever their groups. */
static size_t announced(const struct route_scan *s, const struct groups *g)
{
    int digits = g->n;
    for (int k = g->n_groups - 1; k >= 0; digits -= g->len[k--])
        if (digits >= 6 && digits <= 15 && ends_well(s, g->end[k])) return g->end[k];
    return 0;
}

size_t route_match_phone(const struct route_scan *s, size_t at)
{
    struct groups g;
    char p = route_before(s, at);
    bool plus = s->s[at] == '+';
    if (route_is_alnum(p) && s->s[at] != '+') return 0;
    if ((p == '.' || p == '-' || p == '/' || p == ',' || p == ':') && at >= 2 && route_is_digit(s->s[at - 2]))
        return 0;
    parse(s, at + plus, &g);
    if (g.n_groups == 0 || g.n < 6) return 0;
    if (plus) return international(s, &g, 0);
    if (looks_like_date(&g)) return 0;
    bool goes_on = p == ' ' && at >= 2 && route_is_digit(s->s[at - 2]); /* the middle of a longer number */
    size_t end =
        g.d[0] == '0' && g.d[1] == '0' && g.d[2] != '0' && g.n >= 11 && !goes_on ? international(s, &g, 2) : 0;
    if (!end && !goes_on) end = national(s, &g);
    if (!end && (end = announced(s, &g)) != 0 && !route_near(s, at, WORD_WINDOW, phone_words)) end = 0;
    return end && !route_near(s, at, 20, other_words) ? end : 0;
}
