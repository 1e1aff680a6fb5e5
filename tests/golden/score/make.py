"""Expected values of tests/unit/task/test_score.c, from scikit-learn, scipy and statsmodels: prints score_golden.h.

    pip install numpy scipy scikit-learn statsmodels
    python3 tests/golden/score/make.py > tests/unit/task/score_golden.h

The answers are made here from a fixed seed: 4 classes, 60 examples, two models, confidences rounded so that some are
equal. Written with scikit-learn 1.9, scipy 1.17, statsmodels 0.15, numpy 2.4."""
import collections
import json
import textwrap

import numpy as np
from scipy import stats
from sklearn import metrics
from statsmodels.stats import contingency_tables, proportion

r = np.random.default_rng(20)
N, K = 60, 4
truth = r.integers(0, K - 1, N)  # the last class never occurs
def model(strength):
    z = r.normal(0, 1, (N, K))
    z[np.arange(N), truth] += strength
    p = np.round(np.exp(1.3 * z) / np.exp(1.3 * z).sum(1, keepdims=True), 2) + 0.005
    return p / p.sum(1, keepdims=True)
def confidence(p): return np.round(p.max(1), 2)

def ece(c, right, bins=15):
    edges = np.linspace(0, 1, bins + 1)
    total = 0
    for i in range(bins):
        inside = (c > edges[i]) & (c <= edges[i + 1])
        if inside.any(): total += inside.mean() * abs(right[inside].mean() - c[inside].mean())
    return total

def aurc(c, right, orders=4000):
    """Geifman and El-Yaniv's, over random orders of equal confidences."""
    total = 0
    for _ in range(orders):
        at = np.lexsort((r.random(len(c)), -c))
        total += np.mean(np.cumsum(~right[at]) / np.arange(1, len(c) + 1))
    return total / orders

def interval(f, *columns, draws=100_000):
    idx = r.integers(0, N, (draws, N))
    v = np.array([f(*(c[i] for c in columns)) for i in idx])
    return np.quantile(v, [0.025, 0.975]), v

def put(name, value): print("static const double %s = %.17g;" % (name, value))
def rows(name, kind, value):
    text = "static const %s %s[%d] = {%s};" % (kind, name, len(value), ", ".join("%.17g" % v for v in value))
    print("\n    ".join(textwrap.wrap(text, 112)))

def slots():
    """Like the output of a slot filling task: an intent, and a list of spans for some names."""
    words = ["abba", "queen", "gold", "paris", "two"]
    return {"intent": str(r.choice(["play", "book"])),
            "slots": {n: [str(w) for w in r.choice(words, r.integers(1, 4))] for n in ["artist", "city", "size"]
                      if r.random() < 0.6}}

def pairs(v): return collections.Counter([("intent", v["intent"])] + [(n, w) for n in v["slots"] for w in v["slots"][n]])

print("/* Written by tests/golden/score/make.py, which says how; do not edit. */\n#include <stdint.h>\n")
a, b = model(1.4), model(0.9)
rows("truth", "uint32_t", truth)
for n, p in (("a", a), ("b", b)):
    right = p.argmax(1) == truth
    rows(n + "_answer", "uint32_t", p.argmax(1))
    rows(n + "_confidence", "double", confidence(p))
    rows(n + "_p_truth", "double", p[np.arange(N), truth])
    rows(n + "_brier", "double", ((p - np.eye(K)[truth]) ** 2).sum(1))
ya, yb, ca = a.argmax(1), b.argmax(1), confidence(a)
ra, rb = ya == truth, yb == truth
put("want_accuracy", metrics.accuracy_score(truth, ya))
lo, hi = proportion.proportion_confint(ra.sum(), N, method="wilson")
put("want_accuracy_lo", lo); put("want_accuracy_hi", hi)
def f1(t, y): return metrics.f1_score(t, y, average="macro", zero_division=0)
put("want_macro_f1", f1(truth, ya))
put("want_log_loss", metrics.log_loss(truth, a, labels=range(K)))
put("want_brier", metrics.brier_score_loss(truth, a, labels=range(K), scale_by_half=False))
put("want_ece", ece(ca, ra))
put("want_auroc", metrics.roc_auc_score(ra, ca))
put("want_aurc", aurc(ca, ra))
(lo, hi), _ = interval(f1, truth, ya, draws=20_000)
put("want_macro_f1_lo", lo); put("want_macro_f1_hi", hi)
nll = -np.log(a[np.arange(N), truth])
boot = stats.bootstrap((nll,), np.mean, n_resamples=100_000, method="percentile", random_state=r)
put("want_log_loss_lo", boot.confidence_interval.low); put("want_log_loss_hi", boot.confidence_interval.high)
put("want_only_a", (ra & ~rb).sum()); put("want_only_b", (rb & ~ra).sum())
table = [[(ra & rb).sum(), (ra & ~rb).sum()], [(rb & ~ra).sum(), (~ra & ~rb).sum()]]
put("want_mcnemar", contingency_tables.mcnemar(table, exact=True).pvalue)
boot = stats.bootstrap((ra * 1.0, rb * 1.0), lambda x, y, axis: np.mean(x, axis) - np.mean(y, axis), paired=True,
                       vectorized=True, n_resamples=100_000, method="percentile", random_state=r)
put("want_difference_lo", boot.confidence_interval.low); put("want_difference_hi", boot.confidence_interval.high)
(lo, hi), v = interval(lambda t, x, y: f1(t, x) - f1(t, y), truth, ya, yb, draws=20_000)
put("want_f1_difference_lo", lo); put("want_f1_difference_hi", hi)
put("want_f1_difference_p", 2 * min((v <= 0).mean(), (v >= 0).mean()))
def literal(v):
    """A C string in lines of its own."""
    text = json.dumps(v, separators=(",", ":"))
    return "\n     ".join(json.dumps(text[i:i + 80]) for i in range(0, len(text), 80))

cases = []
for _ in range(40):  # the bag of (slot, text) pairs that both have, by collections.Counter
    want, got = slots(), slots()
    hit = sum((pairs(want) & pairs(got)).values())
    cases.append("{%s,\n     %s,\n     %d, %d, %d}" % (literal(want), literal(got), hit, sum(pairs(got).values()) - hit,
                                                     sum(pairs(want).values()) - hit))
print("static const struct { const char *want, *got; unsigned hit, spurious, missed; } slots[%d] = {\n    %s};" %
      (len(cases), ",\n    ".join(cases)))
for n, k in ((0, 0), (1, 0), (10, 2), (37, 12), (2000, 950)):
    put("want_mcnemar_%d_%d" % (k, n - k), stats.binomtest(k, n).pvalue if n else 1)
