#!/usr/bin/env python3
"""How well a roofline predicts Croft's rates: measured, fitted, and its error on models that the fit has not seen.

    bench/roofline.py --measure MODEL.gguf ...   measure (both thread counts), add rows to bench/roofline.csv
    bench/roofline.py                            the error, by leaving one shape out at a time; a table
    bench/roofline.py --fit                      … and write the constants to src/econ/roofline_fit.inc, the error there
                                                 and into docs/QUALIFY.md, and what a test expects

The formulas are in docs/QUALIFY.md and, once more, below: this file is the second opinion that
tests/unit/econ/test_roofline.c is checked against. Every row of the CSV has all that its prediction needs: the shape of
the model, the limits of the machine as measured in the same command (they move on shared machines), the rate.

Settings (environment): CROFT (build/croft); ROUNDS (2); PREFIX, put before each command, e.g. "chrt -r 1" on a machine
with other work; THREADS ("1 2"); CSV (bench/roofline.csv); PAUSE (0): rest after each command, as a
multiple of what it took, so that a machine with other work gets on with it.
"""
import csv
import datetime
import json
import math
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CROFT = os.environ.get("CROFT", os.path.join(HERE, "..", "build", "croft"))
CSV = os.environ.get("CSV", os.path.join(HERE, "roofline.csv"))
FIT = os.path.join(HERE, "..", "src", "econ", "roofline_fit.inc")
DOCS = os.path.join(HERE, "..", "docs", "QUALIFY.md")
GOLDEN = os.path.join(HERE, "..", "tests", "unit", "econ", "roofline_golden.inc")
FLOATS = ("F32", "F16", "BF16")
COLUMNS = ["model", "shape", "weights", "n_layer", "kv_bytes", "attn_ops", "ff_elements", "threads", "test", "n", "depth",
           "tokens_per_s", "read_bytes_per_s", "int8_ops_per_s", "float_ops_per_s", "cache_bytes", "date"]

# ---- measuring ------------------------------------------------------------------------------------------------------


def run_json(*args):
    prefix = os.environ.get("PREFIX", "").split()
    start = time.monotonic()
    p = subprocess.run([*prefix, CROFT, *args, "--json"], capture_output=True, text=True, check=False)
    time.sleep(float(os.environ.get("PAUSE", "0")) * (time.monotonic() - start))
    if p.returncode:
        raise RuntimeError(f"croft {' '.join(args)}: {p.stderr.strip()}")
    return json.loads(p.stdout)


def shape_of(path):
    """What a prediction needs of a model, from the header of its file: weights by type, in layers and in the head."""
    s = run_json("show", path, "--tensors")
    tensors = s["tensors"]
    names = {t["name"] for t in tensors}
    head = "output.weight" if "output.weight" in names else "token_embd.weight"
    encoder = not any(t["name"] == "output_norm.weight" for t in tensors)
    weights = {}
    for t in tensors:
        dims = [int(x) for x in t["shape"].replace("×", " ").split()]
        if len(dims) < 2:
            continue
        params = math.prod(dims)
        in_layer = t["name"].startswith("blk.")
        if not in_layer and (encoder or t["name"] != head):
            continue
        w = weights.setdefault(t["type"], [0, 0, 0, 0])
        w[0 if in_layer else 2] += params
        w[1 if in_layer else 3] += t["bytes"]
    n_layer, d, heads, kv = s["n_layers"], s["n_embd"], s["n_heads"], s["n_heads_kv"] or s["n_heads"]
    d_head = d // heads
    return {"model": os.path.basename(path).removesuffix(".gguf"),
            "weights": " ".join(f"{k}:{':'.join(map(str, v))}" for k, v in sorted(weights.items())),
            "n_layer": n_layer, "kv_bytes": 0 if encoder else n_layer * kv * 2 * d_head * 2,
            "attn_ops": 4 * n_layer * heads * d_head, "ff_elements": n_layer * s["n_ff"]}, \
        encoder, sum(w[0] for w in weights.values())


def tests_of(encoder, params):
    """Arguments of croft bench, and what they measure: (test, n, depth)."""
    if encoder:
        return [(["-p", "64", "--sequences", "1"], [("prompt", 64, 0)]),
                (["-p", "256", "--sequences", "1"], [("prompt", 256, 0)])]
    small = params < 2e9
    return [(["-p", "128", "-n", "16"], [("prompt", 128, 0), ("decode", 16, 0)]),
            *([(["-p", "512", "-n", "16", "-d", "1024"], [("prompt", 512, 1024), ("decode", 16, 1024)])]
              if params < 5e8 else []),
            *([(["-p", "512", "-n", "0"], [("prompt", 512, 0)])] if small else [])]


def measure(paths):
    machine = run_json("doctor", "--no-measure")["machine"]
    cache = machine.get("l3_bytes") or 0
    new = not os.path.exists(CSV)
    with open(CSV, "a", newline="") as f:
        out = csv.DictWriter(f, COLUMNS, lineterminator="\n")
        if new:
            out.writeheader()
        for _ in range(int(os.environ.get("ROUNDS", "2"))):
            for path in paths:
                shape, encoder, params = shape_of(path)
                for args, rates in tests_of(encoder, params):
                    for t in os.environ.get("THREADS", "1 2").split():
                        repeat = "1" if params > 2e8 else "5"
                        r = run_json("bench", path, *args, "-r", repeat, "-t", t)
                        kind = "float" if shape["weights"].split(":")[0] in FLOATS and " " not in shape["weights"] \
                            else "int8"
                        for test, n, depth in rates:
                            out.writerow({**shape, "shape": shape["model"].partition("-")[0].lower(), "threads": t,
                                          "test": test, "n": n, "depth": depth, "cache_bytes": cache,
                                          "tokens_per_s": round(r[f"{test}_tokens_per_s"], 3),
                                          "read_bytes_per_s": round(r["read_bytes_per_s"]),
                                          f"{kind}_ops_per_s": round(r["peak_ops_per_s"]),
                                          "date": datetime.date.today().isoformat()})
                        f.flush()
                        print(shape["model"], *args, "-t", t, flush=True)


# ---- the formulas: docs/QUALIFY.md and src/econ/roofline.c ----------------------------------------------------------


class Row:
    """A measurement from the rounds of a test. A prompt is a matter of arithmetic, which other work can only slow down:
    the fastest round counts. Decoding is a matter of bandwidth, which on a shared machine moves up and down: medians
    of rate and bandwidth."""

    def __init__(self, rows, peaks):
        r = rows[0]
        self.model, self.shape, self.test = r["model"], r["shape"], r["test"]
        self.threads, self.n, self.depth = int(r["threads"]), float(r["n"]), float(r["depth"])
        middle = max if self.test == "prompt" else statistics.median
        self.rate = middle(float(x["tokens_per_s"]) for x in rows)
        self.read = statistics.median(float(x["read_bytes_per_s"]) for x in rows)
        self.int8, self.float = peaks["int8", r["threads"]], peaks["float", r["threads"]]
        self.weights = {w.split(":")[0]: [float(x) for x in w.split(":")[1:]] for w in r["weights"].split()}
        self.n_layer, self.kv, self.attn = float(r["n_layer"]), float(r["kv_bytes"]), float(r["attn_ops"])
        self.ff, self.encoder = float(r["ff_elements"]), float(r["kv_bytes"]) == 0
        self.cache = float(r["cache_bytes"])
        self.rounds = len(rows)
        self.bytes = sum(w[1] + w[3] for w in self.weights.values())
        self.in_cache = self.bytes + self.kv * self.pos() < self.cache / 2

    def ops(self, kind):
        return self.float if kind in FLOATS else self.int8

    def pos(self):
        """Positions that a token of the test looks at, on average."""
        return self.n if self.encoder else self.depth + self.n / 2

    def features(self):
        return features(self.test, self, self.n, self.pos())


def features(test, s, n, pos):
    """Seconds per token that each constant multiplies; s has the shape of a model and the limits of a machine."""
    wait = s.threads > 1
    if test == "decode":
        size = s.bytes + s.kv * pos
        f = {f"row {k}": 2 * (w[0] + w[2]) / s.ops(k) for k, w in s.weights.items()}
        f["memory"] = 0 if size < s.cache / 2 else size / s.read
        f["row_attn"] = s.attn * pos / s.float
        f["layer"] = s.n_layer
        f["layer_wait"] = s.n_layer * wait
        return f
    f = {f"many {k}": 2 * w[0] / s.ops(k) for k, w in s.weights.items()}
    f["many_attn"] = s.attn * pos / s.float
    f["ff"] = s.ff / s.float
    f["width"] = s.attn / 4 / s.float
    f["ff_encoder"] = s.ff * s.encoder / s.float
    f["many_wait"] = s.n_layer * wait / n
    f["head"] = sum(2 * w[2] / s.ops(k) for k, w in s.weights.items()) / n
    return f


def read_rows():
    groups, peaks = {}, {}
    with open(CSV, newline="") as f:
        for r in csv.DictReader(f):
            groups.setdefault((r["model"], r["threads"], r["test"], r["n"], r["depth"]), []).append(r)
            for kind in ("int8", "float"):  # the arithmetic units do not slow down: a low peak was a disturbed one
                if r[kind + "_ops_per_s"]:
                    key = kind, r["threads"]
                    peaks[key] = max(peaks.get(key, 0), float(r[kind + "_ops_per_s"]))
    return [Row(g, peaks) for g in groups.values()]


# ---- fitting --------------------------------------------------------------------------------------------------------

# Where a constant starts, and where one ends up that no row speaks of: seconds for those of layers, else a factor.
START = {"layer": 5e-6, "layer_wait": 5e-6, "many_wait": 5e-5, "ff": 10.0, "width": 10.0, "ff_encoder": 100.0}
TYPES = ["F32", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS",
         "BF16", "MXFP4"]
PULL = 0.1  # how strongly a type is drawn to the mean of the others, beside one row's relative error


def solve(a, b):
    """The symmetric positive system a x = b, by Cholesky."""
    n = len(b)
    c = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            s = a[i][j] - sum(c[i][k] * c[j][k] for k in range(j))
            c[i][j] = math.sqrt(max(s, 1e-12)) if i == j else s / c[j][j]
    y = [0.0] * n
    for i in range(n):
        y[i] = (b[i] - sum(c[i][k] * y[k] for k in range(i))) / c[i][i]
    x = [0.0] * n
    for i in reversed(range(n)):
        x[i] = (y[i] - sum(c[k][i] * x[k] for k in range(i + 1, n))) / c[i][i]
    return x


def fit(rows):
    """Constants, all positive: least squares of the logarithm of predicted over measured, by Gauss-Newton steps on the
    logarithms of the constants; rows far off count less (Huber, from 15 % on)."""
    features = [r.features() for r in rows]
    names = sorted({k for f in features for k in f})
    typed = [i for i, k in enumerate(names) if " " in k and k.split()[1] not in FLOATS]
    u = [math.log(START.get(k, 1.5)) for k in names]
    start = list(u)

    def errors(v):
        x = [math.exp(t) for t in v]
        terms = [[f.get(k, 0) * x[i] * r.rate for i, k in enumerate(names)] for f, r in zip(features, rows)]
        return terms, [math.log(sum(t)) for t in terms]

    def cost(v, e):
        mean = statistics.fmean(v[i] for i in typed) if typed else 0
        return (sum(x * x if abs(x) < 0.15 else 0.3 * abs(x) - 0.0225 for x in e)
                + sum((PULL * (v[i] - mean)) ** 2 for i in typed) + sum((0.02 * (a - b)) ** 2 for a, b in zip(v, start)))

    terms, e = errors(u)
    damp = 1e-2
    for _ in range(60):
        n = len(names)
        a = [[0.0] * n for _ in range(n)]
        b = [0.0] * n
        for t, x in zip(terms, e):
            total, weight = sum(t), min(1, 0.15 / max(abs(x), 1e-9))
            j = [(i, v / total) for i, v in enumerate(t) if v > 0]
            for i, ji in j:
                b[i] -= weight * ji * x
                for k, jk in j:
                    a[i][k] += weight * ji * jk
        mean = statistics.fmean(u[i] for i in typed) if typed else 0
        for i in range(n):
            a[i][i] += 0.02 ** 2 + damp
            b[i] -= 0.02 ** 2 * (u[i] - start[i])
            if i in typed:
                a[i][i] += PULL ** 2
                b[i] -= PULL ** 2 * (u[i] - mean)
        v = [x + max(-1, min(1, d)) for x, d in zip(u, solve(a, b))]
        new_terms, new_e = errors(v)
        if cost(v, new_e) < cost(u, e):
            u, terms, e, damp = v, new_terms, new_e, damp / 3
        else:
            damp *= 5
            if damp > 1e6:
                break
    return {k: math.exp(t) for k, t in zip(names, u)}


def with_all_types(c, prefix):
    """A constant for each type: one that no row has gets the geometric mean of the others of its kind."""
    out = dict(c)
    for kinds in ([t for t in TYPES if t in FLOATS], [t for t in TYPES if t not in FLOATS]):
        known = [c[f"{prefix} {t}"] for t in kinds if f"{prefix} {t}" in c]
        mean = math.exp(statistics.fmean(map(math.log, known))) if known else 1.5
        for t in kinds:
            out.setdefault(f"{prefix} {t}", mean)
    return out


def predict(c, row):
    """Tokens per second."""
    return rate(c, row.features())


def rate(c, seconds):
    return 1 / sum(c.get(k, 0) * v for k, v in seconds.items())


PREFIX = {"decode": "row", "prompt": "many"}


def held_out(rows, test):
    """Pairs (row, predicted / measured - 1), each by a fit without its shape."""
    rows = [r for r in rows if r.test == test]
    out = []
    for shape in sorted({r.shape for r in rows}):
        c = with_all_types(fit([r for r in rows if r.shape != shape]), PREFIX[test])
        out += [(r, predict(c, r) / r.rate - 1) for r in rows if r.shape == shape]
    return out


def quantile(x, q):
    x = sorted(x)
    at = q * (len(x) - 1)
    i = int(at)
    return x[i] + (x[min(i + 1, len(x) - 1)] - x[i]) * (at - i)


def summary(pairs):
    e = [abs(x) for _, x in pairs]
    return len(e), quantile(e, 0.5), quantile(e, 0.9), max(e)


def report(results):
    for test, pairs in results.items():
        print(f"\n{test}: predicted / measured - 1, each shape by a fit of the others")
        for shape in sorted({r.shape for r, _ in pairs}, key=lambda s: [r.bytes for r, _ in pairs if r.shape == s][0]):
            for r, x in pairs:
                if r.shape == shape:
                    print(f"  {r.model:16} {r.threads} threads  {r.n:4.0f} tokens behind {r.depth:4.0f}  "
                          f"{r.rate:10.2f}/s  {100 * x:+6.1f} %{'  in cache' if r.in_cache else ''}")
        for what, part in (("all", pairs), ("larger than the cache", [p for p in pairs if not p[0].in_cache]),
                           ("in cache", [p for p in pairs if p[0].in_cache])):
            if part:
                n, median, p90, worst = summary(part)
                print(f"  {what}: {n} measurements, median {100 * median:.1f} %, nine of ten within {100 * p90:.1f} %, "
                      f"worst {100 * worst:.1f} %")


HEAD = """/* Constants of src/econ/roofline.c and the error of its predictions, written by bench/roofline.py --fit from
 * bench/roofline.csv. docs/QUALIFY.md says how to measure and fit anew.
 *
 * TYPE(name, row, many, shapes that have it)   0 shapes: the geometric mean of the others
 * CONSTANT(name, value)                        seconds for layer, layer_wait and many_wait, else factors
 * ERROR(test, weights fit the last cache, measurements, median, nine of ten, worst)
 * MEASURED(on, date) */
"""
MACROS = ("TYPE(name, row, many, shapes)", "CONSTANT(name, value)", "ERROR(of, in_cache, n, median, p90, worst)",
          "MEASURED(machine, date)")


def write_fit(rows, results):
    c = {}
    for test, prefix in PREFIX.items():
        c |= with_all_types(fit([r for r in rows if r.test == test]), prefix)
    lines = [HEAD.rstrip()]
    for m in MACROS:
        lines += [f"#ifndef {m.partition('(')[0]}", f"#define {m}", "#endif"]
    for t in TYPES:
        n = len({r.shape for r in rows if t in r.weights and r.weights[t][0] + r.weights[t][2] > 0})
        lines.append(f'TYPE("{t}", {c["row " + t]:.4g}, {c["many " + t]:.4g}, {n})')
    lines += [f"CONSTANT({k}, {c[k]:.4g})" for k in sorted(c) if " " not in k]
    for test, pairs in results.items():
        for cached in (False, True):
            part = [p for p in pairs if p[0].in_cache == cached]
            if part:
                n, median, p90, worst = summary(part)
                lines.append(f'ERROR("{test}", {str(cached).lower()}, {n}, {median:.3f}, {p90:.3f}, {worst:.3f})')
    with open(CSV, newline="") as f:
        date = max(r["date"] for r in csv.DictReader(f))
    machine = run_json("doctor", "--no-measure")
    on = f"{machine['machine']['cpu']}, {' and '.join(str(t) for t in sorted({r.threads for r in rows}))} threads"
    lines.append(f'MEASURED("{on}", "{date}")')
    lines += [f"#undef {m.partition('(')[0]}" for m in MACROS]
    with open(FIT, "w") as f:
        f.write("\n".join(lines) + "\n")
    write_docs(on, date, rows, results)
    write_golden(rows, {k: float(f"{v:.4g}") for k, v in c.items()})


def write_docs(on, date, rows, results):
    """The table of docs/QUALIFY.md, between its marks."""
    lines = [f"The size of predicted / measured - 1, of model shapes that the fit had not seen; {on}, {date}:", ""]
    lines += ["| | measurements | median | off by 15 % at most | nine of ten within | worst |",
              "|---|---:|---:|---:|---:|---:|"]
    parts = [(test, what, [p for p in pairs if keep(p[0])]) for test, pairs in results.items()
             for what, keep in (("larger than half of the last cache", lambda r: not r.in_cache),
                                ("within it", lambda r: r.in_cache))]
    for test, what, part in parts:
        if part:
            n, median, p90, worst = summary(part)
            near = sum(abs(x) <= 0.15 for _, x in part)
            lines.append(f"| {test}, weights {what} | {n} | {100 * median:.1f} % | {near} | {100 * p90:.1f} % | "
                         f"{100 * worst:.1f} % |")
    shapes = sorted({r.shape for r in rows})
    types = sorted({t for r in rows for t in r.weights})
    lines += ["", f"Shapes: {', '.join(shapes)}.", f"Types: {', '.join(types)}."]
    with open(DOCS) as f:
        text = f.read()
    before, _, rest = text.partition("<!-- error -->\n")
    _, _, after = rest.partition("<!-- end of error -->")
    with open(DOCS, "w") as f:
        f.write(before + "<!-- error -->\n" + "\n".join(lines) + "\n<!-- end of error -->" + after)


def write_golden(rows, c):
    """What tests/unit/econ/test_roofline.c expects: an answer of 30 tokens to a prompt of 200 behind 50 others."""
    lines = ["/* Written by bench/roofline.py --fit, whose formulas are apart from those of src/econ/roofline.c: an answer of",
             " * 30 tokens to a prompt of 200 behind 50 cached ones (an encoder's: none). GOLDEN(name, threads, layers, ff, attn,",
             " * kv, cache, read, int8, float, decodes, prompt rate, decode rate, {type, layer and head weights, bytes} ...) */"]
    for r in {(r.model, r.threads): r for r in rows}.values():
        prompt = rate(c, features("prompt", r, 200, 200 if r.encoder else 50 + 200 / 2))
        decode = 0 if r.encoder else rate(c, features("decode", r, 30, 50 + 200 + 30 / 2))
        weights = ", ".join('{"%s", %.0f, %.0f, %.0f, %.0f}' % (k, w[0], w[2], w[1], w[3]) for k, w in r.weights.items())
        lines.append(f'GOLDEN("{r.model}", {r.threads}, {r.n_layer:.0f}, {r.ff:.0f}, {r.attn:.0f}, {r.kv:.0f}, {r.cache:.0f},\n'
                     f'       {r.read:.0f}, {r.int8:.0f}, {r.float:.0f}, {str(not r.encoder).lower()},\n'
                     f'       {prompt:.9g}, {decode:.9g},\n       ' + weights.replace("}, ", "},\n       ") + ")")
    with open(GOLDEN, "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"] and len(sys.argv) > 2:
        measure(sys.argv[2:])
    elif sys.argv[1:] in ([], ["--fit"]):
        measured = read_rows()
        errors_found = {test: held_out(measured, test) for test in PREFIX}
        report(errors_found)
        if sys.argv[1:]:
            write_fit(measured, errors_found)
    else:
        sys.exit(__doc__)
