/* National numbers (detect_ids.inc): matching a row's mask, and each country's check digits and dates.
 *
 * Most checks are a weighted sum of the digits modulo 10, 11, 23, 26 or 97; weights are written as strings, one
 * character a digit ('A' = 10, 'B' = 11, …). Each check gets the number without separators, letters in upper case,
 * its length as the mask says. Pure; any thread. Sources of the rules: docs/REDACTION.md. */
#include "detect.h"

#include <string.h>

/* ---- arithmetic ---- */

static int digit(const char *d, int i) { return d[i] - '0'; }

static int number(const char *d, int at, int n)
{
    int v = 0;
    for (int i = at; i < at + n; i++) v = v * 10 + digit(d, i);
    return v;
}

static int weighted(const char *d, const char *weights)
{
    int sum = 0;
    for (int i = 0; weights[i]; i++)
        sum += digit(d, i) * (weights[i] <= '9' ? weights[i] - '0' : weights[i] - 'A' + 10);
    return sum;
}

static int modulo(const char *d, int n, int start, int m)
{
    int64_t r = start;
    for (int i = 0; i < n; i++) r = (r * 10 + digit(d, i)) % m;
    return (int)r;
}

/* ISO 7064 MOD 11,10 over n digits with the check digit last. */
static bool mod_11_10(const char *d, int n)
{
    int p = 10;
    for (int i = 0; i < n - 1; i++) {
        p = (p + digit(d, i)) % 10;
        p = (p ? p : 10) * 2 % 11;
    }
    return (p + digit(d, n - 1)) % 10 == 1;
}

bool route_date_valid(int year, int month, int day)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1) return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap);
}

/* A date in which the century is not known: the 29th of February passes in every fourth year. */
static bool yymmdd(const char *d, int at)
{
    int yy = number(d, at, 2);
    return route_date_valid(yy ? yy : 2000, number(d, at + 2, 2), number(d, at + 4, 2));
}
static bool ddmmyy(const char *d, int at)
{
    int yy = number(d, at + 4, 2);
    return route_date_valid(yy ? yy : 2000, number(d, at + 2, 2), number(d, at, 2));
}

/* ---- North America, Britain and Ireland ---- */

static bool us_ssn(const char *d)
{
    int area = number(d, 0, 3), group = number(d, 3, 2);
    if (area >= 900) /* ITIN */
        return (group >= 50 && group <= 65) || (group >= 70 && group <= 88) || (group >= 90 && group != 93);
    return area != 0 && area != 666 && group != 0 && number(d, 5, 4) != 0;
}

static bool ca_sin(const char *d) { return d[0] != '0' && d[0] != '8' && route_luhn(d, 9); }

static bool gb_nino(const char *d)
{
    static const char *const never[] = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"};
    for (int i = 0; i < 7; i++)
        if (memcmp(d, never[i], 2) == 0) return false;
    return !strchr("DFIQUV", d[0]) && !strchr("DFIOQUV", d[1]) && d[8] <= 'D';
}

static bool gb_nhs(const char *d)
{
    int check = 11 - weighted(d, "A98765432") % 11;
    return check != 10 && check % 11 == digit(d, 9);
}

static bool ie_pps(const char *d)
{
    int sum = weighted(d, "8765432");
    if (d[8]) sum += d[8] == 'W' ? 0 : 9 * (d[8] - 'A' + 1);
    if (d[8] && d[8] > 'I' && !strchr("TWXZ", d[8])) return false;
    return "WABCDEFGHIJKLMNOPQRSTUV"[sum % 23] == d[7];
}

/* ---- western and southern Europe ---- */

static bool de_idnr(const char *d)
{
    int count[10] = {0}, twice = 0;
    for (int i = 0; i < 10; i++) count[digit(d, i)]++;
    for (int i = 0; i < 10; i++) {
        if (count[i] > 3) return false;
        twice += count[i] > 1;
    }
    return d[0] != '0' && twice == 1 && mod_11_10(d, 11);
}

static bool at_svnr(const char *d)
{
    static const char weights[] = "3790584216";
    return d[0] != '0' && weighted(d, weights) % 11 == digit(d, 3) && number(d, 4, 2) <= 31 && number(d, 6, 2) <= 15;
}

static bool ch_ahv(const char *d) { return (weighted(d, "131313131313") + digit(d, 12)) % 10 == 0; }

static bool fr_nir(const char *d)
{
    char n[14];
    int month = number(d, 3, 2);
    if (!strchr("123478", d[0]) || (month > 12 && month < 20) || month == 0) return false;
    memcpy(n, d, 13);
    if (!route_is_digit(n[6])) { /* Corsica: 2A counts as 19, 2B as 18 */
        if (n[5] != '2' || (n[6] != 'A' && n[6] != 'B')) return false;
        memcpy(n + 5, n[6] == 'A' ? "19" : "18", 2);
    }
    return 97 - modulo(n, 13, 0, 97) == number(d, 13, 2);
}

static const char dni_letters[] = "TRWAGMYFPDXBNJZSQVHLCKE";
static bool es_dni(const char *d) { return dni_letters[number(d, 0, 8) % 23] == d[8]; }
static bool es_nie(const char *d)
{
    return d[0] >= 'X' && dni_letters[((d[0] - 'X') * 10000000 + number(d, 1, 7)) % 23] == d[8];
}

static bool pt_nif(const char *d)
{
    int check = 11 - weighted(d, "98765432") % 11;
    return strchr("123", d[0]) && (check > 9 ? 0 : check) == digit(d, 8);
}

/* Odd places have values of their own; even ones are digits, or A = 0. */
static bool it_cf(const char *d)
{
    static const char odd[] = "BAFHJNPRTVBAFHJNPRTVCESULDGIMOQKWZYX"; /* 0–9, A–Z: the value as a letter */
    static const char omocodia[] = "LMNPQRSTUV";                      /* may stand for 0–9 */
    static const char at[] = {6, 7, 9, 10, 12, 13, 14};
    int sum = 0;
    for (size_t k = 0; k < sizeof at; k++)
        if (!route_is_digit(d[(int)at[k]]) && !strchr(omocodia, d[(int)at[k]])) return false;
    if (!strchr("ABCDEHLMPRST", d[8])) return false; /* the month */
    for (int i = 0; i < 15; i++) {
        int v = route_is_digit(d[i]) ? digit(d, i) : d[i] - 'A' + 10;
        sum += i & 1 ? (v < 10 ? v : v - 10) : odd[v] - 'A';
    }
    return sum % 26 + 'A' == d[15];
}

static bool nl_bsn(const char *d)
{
    return number(d, 0, 9) > 9999999 && (weighted(d, "98765432") - digit(d, 8)) % 11 == 0;
}

static bool be_nn(const char *d)
{
    int check = number(d, 9, 2), month = number(d, 2, 2) % 20;
    return month <= 12 && number(d, 4, 2) <= 31 &&
           (97 - modulo(d, 9, 0, 97) == check || 97 - modulo(d, 9, 2, 97) == check);
}

/* ---- north ---- */

static bool se_pnr(const char *d)
{
    char day[7];
    memcpy(day, d, 6);
    if (day[4] >= '6') day[4] = (char)(day[4] - 6); /* coordination numbers: day + 60 */
    return yymmdd(day, 0) && route_luhn(d, 10);
}
static bool se_pnr12(const char *d) { return (memcmp(d, "19", 2) == 0 || memcmp(d, "20", 2) == 0) && se_pnr(d + 2); }

static bool no_fnr(const char *d)
{
    char day[7];
    memcpy(day, d, 6);
    if (day[0] >= '4') day[0] = (char)(day[0] - 4); /* D numbers: day + 40 */
    return ddmmyy(day, 0) && (weighted(d, "376189452") + digit(d, 9)) % 11 == 0 &&
           (weighted(d, "5432765432") + digit(d, 10)) % 11 == 0;
}

static bool dk_cpr(const char *d) { return ddmmyy(d, 0); } /* its check digit is no longer given out everywhere */

static bool fi_hetu(const char *d)
{
    int64_t n = (int64_t)number(d, 0, 6) * 1000 + number(d, 7, 3);
    return ddmmyy(d, 0) && strchr("+-ABCDEFUVWXY", d[6]) && number(d, 7, 3) >= 2 &&
           "0123456789ABCDEFHJKLMNPRSTUVWXY"[n % 31] == d[10];
}

static bool ee_ik(const char *d)
{
    int check = weighted(d, "1234567891") % 11;
    if (check == 10) check = weighted(d, "3456789123") % 11;
    return d[0] >= '1' && d[0] <= '8' && yymmdd(d, 1) && check % 10 == digit(d, 10);
}

/* ---- east ---- */

static bool pl_pesel(const char *d) /* the month says the century: + 80, 0, 20, 40, 60 */
{
    int month = number(d, 2, 2) % 20, yy = number(d, 0, 2);
    return route_date_valid(yy ? yy : 2000, month, number(d, 4, 2)) &&
           (weighted(d, "1379137913") + digit(d, 10)) % 10 == 0;
}

static bool cz_rc(const char *d) /* months of women + 50, of full days + 20 */
{
    int month = number(d, 2, 2) % 50 % 20, yy = number(d, 0, 2);
    int rest = modulo(d, 9, 0, 11);
    return route_date_valid(yy ? yy : 2000, month, number(d, 4, 2)) && rest % 10 == digit(d, 9);
}

static bool ro_cnp(const char *d)
{
    int check = weighted(d, "279146358279") % 11;
    return d[0] != '0' && yymmdd(d, 1) && (check == 10 ? 1 : check) == digit(d, 12);
}

static bool bg_egn(const char *d) /* months + 20 before 1900, + 40 from 2000 */
{
    int month = number(d, 2, 2) % 20, yy = number(d, 0, 2);
    return route_date_valid(yy ? yy : 2000, month, number(d, 4, 2)) &&
           weighted(d, "2485A9736") % 11 % 10 == digit(d, 9);
}

static bool hu_taj(const char *d) { return weighted(d, "37373737") % 10 == digit(d, 8); }
static bool gr_amka(const char *d) { return ddmmyy(d, 0) && route_luhn(d, 11); }
static bool hr_oib(const char *d) { return mod_11_10(d, 11); }
static bool ru_snils(const char *d) { return weighted(d, "987654321") % 101 % 100 == number(d, 9, 2); }

static bool tr_tckn(const char *d)
{
    int odd = 0, even = 0;
    for (int i = 0; i < 9; i++) *(i & 1 ? &even : &odd) += digit(d, i);
    int tenth = (odd * 7 - even) % 10;
    return d[0] != '0' && (tenth + 10) % 10 == digit(d, 9) && (odd + even + digit(d, 9)) % 10 == digit(d, 10);
}

static bool il_tz(const char *d) { return number(d, 0, 9) != 0 && route_luhn(d, 9); }

/* ---- Africa, Latin America ---- */

static bool za_id(const char *d) { return yymmdd(d, 0) && (d[10] == '0' || d[10] == '1') && route_luhn(d, 13); }

static bool br_cpf(const char *d)
{
    int a = weighted(d, "A98765432") * 10 % 11 % 10, b = weighted(d, "BA98765432") * 10 % 11 % 10;
    return strspn(d, (char[]){d[0], 0}) < 11 && a == digit(d, 9) && b == digit(d, 10);
}

static bool ar_cuit(const char *d)
{
    int kind = number(d, 0, 2), check = 11 - weighted(d, "5432765432") % 11;
    return (kind == 20 || kind == 23 || kind == 24 || kind == 27) && check != 10 && check % 11 == digit(d, 10);
}

static bool cl_rut(const char *d)
{
    int n = (int)strlen(d) - 1, sum = 0, place = 0;
    if (d[n] != 'K' && !route_is_digit(d[n])) return false;
    for (int i = n - 1; i >= 0; i--)
        if (d[i] != '-') sum += digit(d, i) * (2 + place++ % 6);
    return "0K987654321"[sum % 11] == d[n];
}

static bool mx_curp(const char *d) /* A–N are 10–23, Ñ would be 24, O–Z 25–36 */
{
    int sum = 0;
    if (!yymmdd(d, 4) || !strchr("HMX", d[10])) return false;
    for (int i = 0; i < 17; i++) {
        int v = route_is_digit(d[i]) ? digit(d, i) : d[i] - 'A' + 10 + (d[i] > 'N');
        sum += v * (18 - i);
    }
    return (10 - sum % 10) % 10 == digit(d, 17);
}

/* ---- Asia and Oceania ---- */

/* Verhoeff's scheme: the dihedral group of ten, and a permutation that is applied once more at each place. */
static bool in_aadhaar(const char *d)
{
    static const char permute[8][11] = {"0123456789", "1576283094", "5803796142", "8916043527",
                                        "9453126870", "4286573901", "2793806415", "7046913258"};
    int c = 0;
    if (d[0] < '2') return false;
    for (int i = 0; i < 12; i++) {
        int v = permute[i % 8][digit(d, 11 - i)] - '0';
        /* rotations are 0–4, reflections 5–9 */
        if (c < 5)
            c = v < 5 ? (c + v) % 5 : 5 + (c + v) % 5;
        else
            c = v < 5 ? 5 + (c - 5 - v + 5) % 5 : (c - v + 5) % 5;
    }
    return c == 0;
}

static bool in_pan(const char *d) { return strchr("ABCFGHLJPTK", d[3]) && number(d, 5, 4) != 0; }

static bool cn_ric(const char *d) /* ISO 7064 MOD 11-2 */
{
    static const int weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    int sum = 0, year = number(d, 6, 4);
    for (int i = 0; i < 17; i++) sum += digit(d, i) * weights[i];
    return d[0] != '0' && year >= 1880 && year < 2100 && route_date_valid(year, number(d, 10, 2), number(d, 12, 2)) &&
           "10X98765432"[sum % 11] == d[17];
}

static bool tw_id(const char *d)
{
    static const char order[] = "ABCDEFGHJKLMNPQRSTUVXYWZIO"; /* 10, 11, … */
    int v = (int)(strchr(order, d[0]) - order) + 10;
    return strchr("1289", d[1]) && (v / 10 + v % 10 * 9 + weighted(d + 1, "876543211")) % 10 == 0;
}

static bool hk_id(const char *d)
{
    int check = d[7] == 'A' ? 10 : route_is_digit(d[7]) ? digit(d, 7) : -1;
    return check >= 0 && (36 * 9 + (d[0] - 'A' + 10) * 8 + weighted(d + 1, "765432") + check) % 11 == 0;
}

static bool sg_nric(const char *d)
{
    int sum = weighted(d + 1, "2765432");
    switch (d[0]) {
    case 'S':
        return "JZIHGFEDCBA"[sum % 11] == d[8];
    case 'T':
        return "JZIHGFEDCBA"[(sum + 4) % 11] == d[8];
    case 'F':
        return "XWUTRQPNMLK"[sum % 11] == d[8];
    case 'G':
        return "XWUTRQPNMLK"[(sum + 4) % 11] == d[8];
    case 'M':
        return "XWUTRQPNJLK"[(sum + 3) % 11] == d[8];
    default:
        return false;
    }
}

static bool my_nric(const char *d)
{
    int place = number(d, 6, 2);
    return yymmdd(d, 0) && place != 0 && (place < 17 || place > 20);
}
static bool th_pin(const char *d)
{
    return d[0] != '0' && (11 - weighted(d, "DCBA98765432") % 11) % 10 == digit(d, 12);
}
static bool id_nik(const char *d) /* days of women + 40 */
{
    int yy = number(d, 10, 2);
    return number(d, 0, 2) >= 11 && number(d, 12, 4) != 0 &&
           route_date_valid(yy ? yy : 2000, number(d, 8, 2), number(d, 6, 2) % 40);
}
static bool vn_cccd(const char *d) { return d[0] == '0' && number(d, 0, 3) > 0 && number(d, 0, 3) <= 96; }
static bool kr_rrn(const char *d) { return d[6] != '9' && yymmdd(d, 0); } /* no check digit since 2020 */

static bool jp_number(const char *d)
{
    int rest = weighted(d, "65432765432") % 11;
    return (rest <= 1 ? 0 : 11 - rest) == digit(d, 11);
}

static bool au_tfn(const char *d) { return weighted(d, "14375869A") % 11 == 0; }
static bool au_medicare(const char *d)
{
    return d[0] >= '2' && d[0] <= '6' && weighted(d, "13791379") % 10 == digit(d, 8);
}

static bool nz_ird(const char *d)
{
    char n[10] = "00";
    size_t len = strlen(d);
    memcpy(n + 9 - len, d, len);
    int check = (11 - weighted(n, "32765432") % 11) % 11;
    if (check == 10) check = (11 - weighted(n, "74325276") % 11) % 11;
    return number(n, 0, 9) >= 10000000 && check == digit(n, 8);
}

/* ---- rows ---- */

enum need { NEVER, BARE, ALWAYS };
enum { MASK_MAX = 24, SHORTEST = 7, WORD_WINDOW = 48 };

static const struct row {
    const char *name, *mask, *seps;
    bool (*check)(const char *d);
    enum need need;
    const char *words;
} rows[] = {
#define X(name, mask, seps, check, need, words) {name, mask, seps, check, need, words},
#include "detect_ids.inc"
#undef X
};

/* Words that announce any of them. */
static const char any_words[] = "national id|national identity|identity number|identification number|id number|id "
                                "card|personal number|passport|tax id|"
                                "ausweis|personalausweis|dni|身份证|身份證|identity card";

/* The end of what fits the mask at `at`, its characters without separators in `out`; 0 when it does not fit.
 * `formatted`: with every separator. */
static size_t fit(const struct route_scan *s, size_t at, const struct row *r, char *out, bool *formatted)
{
    size_t i = at;
    int n = 0, seps = 0, places = 0;
    bool spaced = false;
    for (const char *m = r->mask; *m; m++) {
        char c = route_at(s, i);
        if (*m == '_') {
            bool written = c && strchr(r->seps, c);
            spaced |= written && c == ' ';
            seps += written;
            i += written;
            places++;
            continue;
        }
        bool ok = *m == '9'   ? route_is_digit(c)
                  : *m == 'A' ? route_is_alpha(c)
                  : *m == 'N' ? route_is_alnum(c)
                              : c == *m;
        if (!ok) return 0;
        if (!strchr("().", *m)) out[n++] = route_is_alpha(c) ? (char)(c & ~32) : c;
        i++;
    }
    out[n] = 0;
    *formatted = places && seps == places;
    char c = route_at(s, i);
    if (route_is_alnum(c) || c == '_' || ((c == '-' || c == '/' || c == '.') && route_is_digit(route_at(s, i + 1))))
        return 0;
    if (spaced && ((c == ' ' && route_is_digit(route_at(s, i + 1))) ||
                   (at >= 2 && s->s[at - 1] == ' ' && route_is_digit(s->s[at - 2]))))
        return 0; /* a piece of a longer row of groups */
    return i;
}

/* Are there as many digits as the shortest number has, with single separators and a letter between them at most? */
static bool enough_digits(const struct route_scan *s, size_t at)
{
    int digits = 0, others = 0;
    for (size_t i = at; i < s->n && i - at < MASK_MAX && digits < SHORTEST; i++) {
        char c = s->s[i];
        if (route_is_digit(c)) {
            digits++;
            others = 0;
        } else if (++others > 2 || (c & 0x80)) {
            break;
        }
    }
    return digits >= SHORTEST;
}

size_t route_match_national_id(const struct route_scan *s, size_t at)
{
    char d[MASK_MAX], p = route_before(s, at), c = s->s[at];
    if ((p == '-' || p == '.' || p == '/') && at >= 2 && route_is_digit(s->s[at - 2])) return 0;
    if (route_is_digit(c) && !enough_digits(s, at)) return 0;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        const struct row *r = &rows[k];
        bool formatted = false;
        if (route_is_digit(c) != (r->mask[0] != 'A')) continue;
        size_t end = fit(s, at, r, d, &formatted);
        if (!end || !r->check(d)) continue;
        if (r->need == NEVER || (r->need == BARE && formatted) || route_near(s, at, WORD_WINDOW, r->words) ||
            route_near(s, at, WORD_WINDOW, any_words))
            return end;
    }
    return 0;
}
