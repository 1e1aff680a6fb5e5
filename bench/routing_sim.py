#!/usr/bin/env python3
"""What a policy between two models gains, simulated on real answers: for 14,042 questions of MMLU, whether Llama-2-7B,
Mixtral-8x7B and GPT-4 were right.

    bench/routing_sim.py [CSV]

The file (by default ../shared/data/routing/mmlu_three_tier.csv beside the repository) has the columns subject, row and one
…_correct for each model, empty where the answer is not known; the answers are those published with RouteLLM. For each pair of a smaller and a larger model,
and each share of calls that go to the larger:

    random    any question may go
    oracle    questions that only the larger gets right go first, those that only the smaller does last: no router can do
              more, and where the smaller is right where the larger is not, more than the whole gap is recovered
    subject   the router knows a question's subject alone: fitted on one half of the questions (drawn by subject), it sends
              the subjects first in which the larger gained most; tested on the other half, and the halves changed

The gap recovered at a share c is PGR(c) = (accuracy(c) - small) / (large - small); its average over all shares is APGR, the
area under the curve between the two ends (Ong et al. 2024, RouteLLM: Learning to Route LLMs with Preference Data,
arXiv:2406.18665, section 3). Random routing has 0.5. The integral is exact here: the curves are linear between questions,
the trapezoids are those of all questions. Intervals: percentiles of 200 resamples of the questions, seeded.

Writes routing.csv and routing.svg to BENCH_OUT (bench) and a section of RESULTS.md there. Exit status: 0, also when the
file is not there; 2 for wrong usage."""
import csv
import os
import random
import statistics
import sys

import report

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = os.path.join(ROOT, "../shared/data/routing/mmlu_three_tier.csv")
MODELS = {"Llama-2-7B": "llama2_7b_correct", "Mixtral-8x7B": "mixtral_8x7b_correct", "GPT-4": "gpt4_1106_correct"}
PAIRS = [("Llama-2-7B", "GPT-4"), ("Mixtral-8x7B", "GPT-4"), ("Llama-2-7B", "Mixtral-8x7B")]
RESAMPLES, SEED, POINTS = 200, 1, 21


def curve(gains, n_small):
    """[accuracy] when the first 0, 1, …, n of these questions go to the larger model; gains: its answers less the smaller's."""
    right, out = n_small, [n_small / len(gains)]
    for g in gains:
        right += g
        out.append(right / len(gains))
    return out


def apgr(accuracies):
    """The area under the gap recovered, by trapezoids; None where the models are equally good."""
    low, high = accuracies[0], accuracies[-1]
    if high == low:
        return None
    inside = sum(accuracies) - (low + high) / 2
    return (inside / (len(accuracies) - 1) - low) / (high - low)


def halves(rows, rng):
    """Each subject's questions, shuffled, in two halves."""
    by_subject = {}
    for row in rows:
        by_subject.setdefault(row[0], []).append(row)
    first, second = [], []
    for subject in sorted(by_subject):
        part = by_subject[subject]
        rng.shuffle(part)
        middle = (len(part) + rng.randrange(2)) // 2
        first += part[:middle]
        second += part[middle:]
    return first, second


def fit(rows):
    """{subject: mean gain of the larger model}"""
    sums = {}
    for subject, small, large in rows:
        s = sums.setdefault(subject, [0, 0])
        s[0] += large - small
        s[1] += 1
    return {subject: s / n for subject, (s, n) in sums.items()}


def tested(fitted, rows, rng):
    """The curve of a fitted router on other questions; those of a subject go in any order."""
    order = [(-fitted.get(subject, 0), rng.random(), large - small) for subject, small, large in rows]
    order.sort()
    return curve([g for _, _, g in order], sum(r[1] for r in rows))


def at_share(accuracies, share):
    x = share * (len(accuracies) - 1)
    i = min(int(x), len(accuracies) - 2)
    return accuracies[i] + (x - i) * (accuracies[i + 1] - accuracies[i])


def policies(rows, rng):
    """{policy: [curves]}: of two halves, or of all."""
    a, b = halves(rows, rng)
    n_small = sum(r[1] for r in rows)
    gains = [large - small for _, small, large in rows]
    return {"oracle": [curve(sorted(gains, reverse=True), n_small)],
            "subject": [tested(fit(a), b, rng), tested(fit(b), a, rng)],
            "random": [[(n_small + share * sum(gains)) / len(rows) for share in (0, 1)]]}  # its mean is a line


def interval(rows, seed):
    """{policy: (2.5 %, 97.5 %)} of APGR. The halves are resampled each by itself: no question is in both."""
    rng, found = random.Random(seed), {}
    a, b = halves(rows, rng)
    for _ in range(RESAMPLES):
        x, y = rng.choices(a, k=len(a)), rng.choices(b, k=len(b))
        both = x + y
        oracle = curve(sorted((large - small for _, small, large in both), reverse=True), sum(r[1] for r in both))
        subject = [apgr(tested(fit(x), y, rng)), apgr(tested(fit(y), x, rng))]
        found.setdefault("oracle", []).append(apgr(oracle))
        found.setdefault("subject", []).append(statistics.mean(s for s in subject if s is not None))
    cut = {k: statistics.quantiles(v, n=40) for k, v in found.items()}
    return {k: (q[0], q[-1]) for k, q in cut.items()}


def share_for(curves, gap):
    """The least share of calls that recovers so much of the gap, on average over the curves."""
    for i in range(1001):
        c = i / 1000
        if statistics.mean((at_share(x, c) - x[0]) / (x[-1] - x[0]) for x in curves) >= gap:
            return c
    return 1


def figure(by_pair):
    """A panel a pair: accuracy by share of calls."""
    colours = {"oracle": report.PEER_COLOUR, "subject": report.CROFT_COLOUR, "random": "#888888"}
    w, h, x0, body = 240, 200, 56, []
    for small_large, curves in by_pair.items():
        low, high = curves["random"][0][0], max(max(x) for x in curves["oracle"])
        low, high = low - 0.02, high + 0.02
        body.append(report.text(x0, 48, "%s to %s" % small_large, size=13))
        for k in range(5):
            v = low + (high - low) * k / 4
            body.append(report.text(x0 - 6, 60 + h - h * k / 4 + 4, "%.0f %%" % (100 * v), "end", 10))
            body.append(report.text(x0 + w * k / 4, 60 + h + 16, "%d %%" % (25 * k), "middle", 10))
        body.append(f'<rect x="{x0}" y="60" width="{w}" height="{h}" fill="none" stroke="#cccccc"/>')
        for name, several in curves.items():
            points = []
            for i in range(101):
                v = statistics.mean(at_share(x, i / 100) for x in several)
                points.append("%.1f,%.1f" % (x0 + w * i / 100, 60 + h - h * (v - low) / (high - low)))
            body.append(f'<polyline fill="none" stroke="{colours[name]}" stroke-width="2" points="{" ".join(points)}"/>')
        x0 += w + 70
    for i, (name, colour) in enumerate(colours.items()):
        body += [report.rect(500 + 90 * i, 12, 12, 12, colour), report.text(516 + 90 * i, 22, name)]
    body.append(report.text(x0 / 2, 60 + h + 36, "share of calls that the larger model answers", "middle"))
    return report.svg(x0 - 30, 60 + h + 48, "Accuracy on MMLU by share escalated", body)


def section(lines):
    out = ["## Routing between two models, simulated\n",
           "`bench/routing_sim.py`, on questions of MMLU for which it is known whether both models were right (published with",
           "RouteLLM). *Gap recovered* (APGR): how much of the way from the smaller model's accuracy to the larger's is gone,",
           "averaged over all shares of calls to the larger; 0.5 is chance. *By subject*: a router that knows a question's subject",
           "alone, fitted on one half, tested on the other. *Oracle*: what no router can pass; above 1 where the smaller model is",
           "right on questions that the larger gets wrong. In brackets: 95 % of 200 resamples. Random and oracle are the frame;",
           "the last columns say what share of calls it takes to recover half and four fifths of the gap (random: 50 % and 80 %).\n",
           "| from, to | questions | accuracy | gap recovered: random | by subject | oracle | half: by subject | oracle | four fifths: by "
           "subject | oracle |",
           "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|", *lines, "", "![accuracy by share](routing.svg)"]
    return "\n".join(out)


def main():
    if len(sys.argv) > 2 or sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        return 2 * (len(sys.argv) > 2)
    path = (sys.argv[1:] or [SOURCE])[0]
    if not os.path.exists(path):
        print("SKIP: '%s' is not there: which model was right on which question of MMLU" % path)
        return 0
    with open(path, encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    folder = os.environ.get("BENCH_OUT", os.path.join(ROOT, "bench"))
    by_pair, lines, table = {}, [], []
    for small, large in PAIRS:
        own = [(r["subject"], int(r[MODELS[small]]), int(r[MODELS[large]])) for r in rows
               if r[MODELS[small]] and r[MODELS[large]]]
        curves = by_pair[small, large] = policies(own, random.Random(SEED))
        area = {k: statistics.mean(map(apgr, v)) for k, v in curves.items()}
        ranges = interval(own, SEED)
        for name, several in curves.items():
            for i in range(POINTS):
                c = i / (POINTS - 1)
                table.append([small, large, name, "%.2f" % c, "%.5f" % statistics.mean(at_share(x, c) for x in several)])
        said = ["%.3f (%.3f to %.3f)" % (area[k], *ranges[k]) for k in ("subject", "oracle")]
        calls = ["%.0f %%" % (100 * share_for(curves[k], gap)) for gap in (0.5, 0.8) for k in ("subject", "oracle")]
        ends = curves["random"][0]
        lines.append("| %s, %s | %s | %.1f %% to %.1f %% | %.3f | %s | %s |" % (
            small, large, format(len(own), ","), 100 * ends[0], 100 * ends[1], area["random"], " | ".join(said), " | ".join(calls)))
        print(lines[-1])
    with open(os.path.join(folder, "routing.csv"), "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["small", "large", "policy", "share", "accuracy"])
        out.writerows(table)
    with open(os.path.join(folder, "routing.svg"), "w", encoding="utf-8") as f:
        f.write(figure(by_pair))
    report.write_section(os.path.join(folder, "RESULTS.md"), "routing", section(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
