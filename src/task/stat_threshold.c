/* A threshold with a guarantee (task_stat.h): Learn then Test (Angelopoulos, Bates, Candès, Jordan and Lei, 2021)
 * with fixed-sequence testing.
 *
 * For each candidate t the hypothesis H(t): "the mean loss of what scores ≥ t is above the target". Given how many of
 * the second half score ≥ t, their losses are an independent sample of that mean, so the p-value is valid. The
 * candidates are tested in an order fixed beforehand, each at the full level 1 - confidence, up to the first that
 * cannot be rejected. A false one is only reached by rejecting the first false one in the order, which happens with
 * probability 1 - confidence at most: no correction for the number of candidates is due. A bound for each candidate
 * by itself, and the best of those that pass, would give every one of them its own chance to pass by luck.
 *
 *   first half    score > ... > t_1 > t_2 > ... > t_m     candidates: its scores. Sequence begins where its own
 * p-value ^ begin  ---> tested in this order          is smallest: where passing is likeliest second half   p(t) <= 1
 * - confidence?  yes: next   no: stop; the answer is the one before
 *
 * The order may come from the first half because the tests do not see that half.
 *
 * Where an expectation is to be bounded and not a probability, conformal risk control (Angelopoulos, Bates, Fisch,
 * Lei and Schuster, 2024) needs no tests: the loss of input i at threshold t, L_i(t) = loss_i [score_i > t], falls as
 * t rises, so the lowest t with (L_1(t) + ... + L_n(t) + 1) / (n + 1) <= target has E L_n+1(t) <= target: the 1
 * stands for the worst that the next input can bring. The loss *among the accepted* does not fall with t, so no such
 * statement is to be had of it.
 *
 * Isotonic regression, which also works on scored pairs, is here too. Read next: calib_fit.c. */
#include "base_mem.h"
#include "task_stat.h"

#include <math.h>

enum { MAX_CANDIDATES = 1000 };

static int by_score(const void *a, const void *b) /* highest first */
{
    float x = ((const struct task_scored *)a)->score, y = ((const struct task_scored *)b)->score;
    return (x < y) - (x > y);
}

struct candidate {
    float at;
    double p; /* of the first half */
};

/* Where the scores of the first half change, evenly thinned; the lowest is always one. first: sorted. */
static size_t candidates(const struct task_scored *first, size_t n, double target, bool binary, struct candidate *out)
{
    size_t n_out = 0, step = n / MAX_CANDIDATES + 1;
    double sum = 0;
    for (size_t i = 0, last = 0; i < n; i++) {
        sum += (double)first[i].loss;
        bool end = i + 1 == n;
        if (!end && (first[i].score == first[i + 1].score || i + 1 - last < step)) continue;
        last = i + 1;
        out[n_out++] =
            (struct candidate){first[i].score, task_stat_p_value(sum / (double)(i + 1), i + 1, target, binary)};
    }
    return n_out;
}

int task_stat_threshold(struct task_scored *first, size_t n_first, struct task_scored *second, size_t n_second,
                        double target, double confidence, bool binary, struct task_threshold *out, struct err *e)
{
    struct task_threshold t = {.n_all = n_second};
    struct candidate *c = mem_calloc(MAX_CANDIDATES + 1, sizeof *c);
    if (!c) return err_nomem(e, MAX_CANDIDATES * sizeof *c);
    qsort(first, n_first, sizeof *first, by_score);
    qsort(second, n_second, sizeof *second, by_score);
    size_t n = candidates(first, n_first, target, binary, c), begin = 0;
    for (size_t i = 1; i < n; i++)
        if (c[i].p < c[begin].p) begin = i;
    double sum = 0;
    for (size_t i = begin, k = 0; i < n; i++) {
        for (; k < n_second && second[k].score >= c[i].at; k++) sum += second[k].loss;
        double mean = k ? sum / (double)k : 0;
        bool holds = task_stat_p_value(mean, k, target, binary) <= 1 - confidence;
        if (holds || i == begin) t = (struct task_threshold){holds, c[i].at, k, n_second, mean};
        if (!holds) break;
    }
    mem_free(c);
    *out = t;
    return 0;
}

void task_stat_expectation(struct task_scored *x, size_t n, double target, struct task_threshold *out)
{
    double sum = 1, most = target * (double)(n + 1);
    size_t k = 0; /* accepted: those before it */
    qsort(x, n, sizeof *x, by_score);
    *out = (struct task_threshold){.holds = sum <= most, .n_all = n, .at = n ? x[0].score : 0};
    for (size_t i = 0; i < n && out->holds; i++) {
        if ((sum += (double)x[i].loss) > most) break;
        if (i + 1 == n || x[i + 1].score < x[i].score) k = i + 1; /* equal scores stand or fall together */
    }
    if (!out->holds) return;
    out->at = k < n ? nextafterf(x[k].score, INFINITY) : 0;
    out->n = k;
    for (size_t i = 0; i < k; i++) out->loss += (double)x[i].loss / (double)k;
}

size_t task_stat_isotonic(struct task_scored *pair, size_t n, float *at, float *value)
{
    size_t n_steps = 0, *count = mem_calloc(n ? n : 1, sizeof *count);
    if (!count) return 0;
    qsort(pair, n, sizeof *pair, by_score);
    for (size_t i = n; i-- > 0;) {                         /* rising */
        if (n_steps && at[n_steps - 1] == pair[i].score) { /* equal x are one point */
            value[n_steps - 1] += (pair[i].loss - value[n_steps - 1]) / (float)++count[n_steps - 1];
        } else {
            at[n_steps] = pair[i].score;
            value[n_steps] = pair[i].loss;
            count[n_steps++] = 1;
        }
        if (i && pair[i - 1].score == pair[i].score) continue;
        for (; n_steps > 1 && value[n_steps - 2] >= value[n_steps - 1]; n_steps--) {
            size_t a = count[n_steps - 2], b = count[n_steps - 1];
            value[n_steps - 2] = (value[n_steps - 2] * (float)a + value[n_steps - 1] * (float)b) / (float)(a + b);
            count[n_steps - 2] = a + b;
        }
    }
    mem_free(count);
    return n_steps;
}
