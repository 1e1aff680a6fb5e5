/* Tails of the binomial distribution, exactly, and p-values from them (task_stat.h).
 *
 *   P(Bin(n, p) ≤ k) = I_{1-p}(n - k, k + 1)                                   incomplete beta
 *   Clopper–Pearson: the p at which that is 1 - confidence      Clopper and Pearson, Biometrika 26 (1934)
 *   Hoeffding–Bentkus, for losses in [0, 1] with mean r over n, target a:
 *      min( exp(-n h(min(r, a), a)),  e P(Bin(n, a) ≤ ceil(n r)) ),  h(r, a) = r ln(r/a) + (1-r) ln((1-r)/(1-a))
 *      Bates et al., J. ACM 68 (2021); the two parts are Hoeffding's (1963) and Bentkus' (2004)
 *
 * Stateless. Read next: stat_threshold.c. */
#include "task_stat.h"

#include <float.h>
#include <math.h>

/* The continued fraction of I_x(a, b) (Abramowitz and Stegun 26.5.8), evaluated from the front with Lentz's method,
 * which keeps the ratios of numerators and denominators and never the huge numbers themselves. Converges fast where
 * x < (a + 1) / (a + b + 2). */
static double fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m <= 100000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double change = 1;
        for (int half = 0; half < 2; half++) {
            double term = half ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            change = c * d;
            f *= change;
        }
        if (fabs(change - 1) < 4 * DBL_EPSILON) break;
    }
    return f;
}

static double ln_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

double task_stat_beta(double a, double b, double x)
{
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    double front = exp(ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * fraction(a, b, x) / a;
    return 1 - front * fraction(b, a, 1 - x) / b;
}

double task_stat_binomial(uint64_t k, uint64_t n, double p)
{
    return k >= n ? 1 : task_stat_beta((double)(n - k), (double)k + 1, 1 - p);
}

double task_stat_upper(uint64_t k, uint64_t n, double confidence)
{
    double lo = n ? (double)k / (double)n : 0, hi = 1;
    if (k >= n) return 1;
    for (int i = 0; i < 100 && hi - lo > DBL_EPSILON * hi; i++) {
        double mid = (lo + hi) / 2;
        if (task_stat_binomial(k, n, mid) > 1 - confidence)
            lo = mid;
        else
            hi = mid;
    }
    return hi;
}

double task_stat_p_value(double mean, uint64_t n, double target, bool binary)
{
    if (n == 0) return 1;
    double sum = mean * (double)n;
    if (binary) return task_stat_binomial((uint64_t)llround(sum), n, target);
    double r = fmin(mean, target);
    double h = (r > 0 ? r * log(r / target) : 0) + (r < 1 ? (1 - r) * log((1 - r) / (1 - target)) : 0);
    double hoeffding = exp(-(double)n * h);
    double bentkus = M_E * task_stat_binomial((uint64_t)ceil(sum - 1e-9), n, target);
    return fmin(1, fmin(hoeffding, bentkus));
}

uint64_t task_stat_needed(double target, double confidence)
{
    return (uint64_t)ceil(log(1 - confidence) / log1p(-target) - 1e-9);
}
