"""What bench.py measured, as results.csv, RESULTS.md and figures (SVG)."""
import csv
import os
import platform
import re
import statistics
import subprocess
import time
from typing import NamedTuple


class Sample(NamedTuple):
    model: str
    row: str
    unit: str  # tokens/s and texts/s: more is better; ms and MiB: less
    program: str  # croft or peer
    setting: str  # of the peer
    round: int
    value: float


def values(samples, model, row, program, setting=""):
    """{round: value}; of several in one round their median."""
    found = {}
    for s in samples:
        if (s.model, s.row, s.program, s.setting) == (model, row, program, setting):
            found.setdefault(s.round, []).append(s.value)
    return {r: statistics.median(v) for r, v in found.items()}


def is_rate(unit):
    return unit.endswith("/s")


def gain(unit, ours, theirs):
    return ours / theirs if is_rate(unit) else theirs / ours


def medians_of_settings(samples, model, row):
    settings = {s.setting for s in samples if (s.model, s.row, s.program) == (model, row, "peer")}
    return {s: statistics.median(values(samples, model, row, "peer", s).values()) for s in settings}


def unit_of(samples, model, row):
    return next(s.unit for s in samples if (s.model, s.row) == (model, row))


def best_setting(samples, model, row):
    """The peer's fastest (smallest) setting for a row; None: the peer did not run it."""
    medians = medians_of_settings(samples, model, row)
    best = max if is_rate(unit_of(samples, model, row)) else min
    return best(sorted(medians), key=medians.get) if medians else None


def settings_near_best(samples, model, row):
    """Those within a tenth of the best."""
    medians = medians_of_settings(samples, model, row)
    unit, best = unit_of(samples, model, row), medians[best_setting(samples, model, row)]
    return {s for s, m in medians.items() if gain(unit, m, best) > 0.9}


class Line(NamedTuple):
    """A row of the table."""

    row: str
    unit: str
    croft: list
    peer: list
    setting: str
    ratios: list  # of the rounds; more than 1: Croft is better
    limit: float  # None: not known


def lines_of(bench, model):
    rows = dict.fromkeys(s.row for s in bench.samples if s.model == model)  # in the order of their coming
    for row in rows:
        unit, setting = unit_of(bench.samples, model, row), best_setting(bench.samples, model, row)
        ours = values(bench.samples, model, row, "croft")
        theirs = values(bench.samples, model, row, "peer", setting)
        ratios = [gain(unit, ours[r], theirs[r]) for r in ours if r in theirs]
        yield Line(row, unit, list(ours.values()), list(theirs.values()), setting, ratios,
                   bench.croft.limit(model, row))


def number(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}"


def middle(v):
    return number(statistics.median(v)) if v else "-"


def spread(v):
    return f"{100 * (max(v) - min(v)) / statistics.median(v):.0f} %" if len(v) > 1 else "-"


def percent(v, limit):
    return f"{100 * statistics.median(v) / limit:.0f}" if v and limit else "-"


def is_curve(line):
    """The rows 'prompt 1' to 'prompt 64' are drawn, not listed."""
    words = line.row.split()
    return len(words) == 2 and words[0] == "prompt" and int(words[1]) <= 64


# ---- RESULTS.md -----------------------------------------------------------------------------------------------------


def table(lines, has_peer):
    head = ["", "unit", "croft", "spread", "% of limit"]
    head += ["peer", "spread", "% of limit", "peer's setting", "ratio", "range"] if has_peer else []
    yield "| " + " | ".join(head) + " |"
    yield "|---|---|" + "---:|" * (len(head) - 2)
    for x in lines:
        cells = [x.row, x.unit, middle(x.croft), spread(x.croft), percent(x.croft, x.limit)]
        if has_peer:
            r = x.ratios
            cells += [middle(x.peer), spread(x.peer), percent(x.peer, x.limit),
                      f"`{x.setting}`" if x.setting else "default" if x.peer else "-",
                      f"**{statistics.median(r):.2f}**" if r else "-",
                      f"{min(r):.2f} to {max(r):.2f}" if r else "-"]
        yield "| " + " | ".join(cells) + " |"


def cost_per_token(lines, name):
    """{tokens in one batch: ms per token} of croft or the peer."""
    return {int(x.row.split()[1]): 1e3 / statistics.median(getattr(x, name)) for x in lines if getattr(x, name)}


def curve_text(lines):
    """The largest step up of the cost per token, of each program."""
    for name in ("croft", "peer"):
        ms = cost_per_token(lines, name)
        rises = {n: ms[n] / ms[n - 1] - 1 for n in ms if n - 1 in ms}
        if rises:
            n = max(rises, key=rises.get)
            some = ", ".join(f"{k}: {k * ms[k]:.1f}" for k in (1, 2, 4, 8, 16, 20, 32, 64) if k in ms)
            yield (f"- {name}: ms for so many tokens: {some}. Largest rise of the cost per token when a batch grows by "
                   f"one: {100 * rises[n]:.0f} % (at {n}).")


def command_output(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine():
    wanted = ("Architecture", "CPU(s)", "Model name", "Thread", "Core(s)", "Socket", "L1d", "L2", "L3", "Hypervisor")
    text = command_output("lscpu") or platform.processor()
    for line in text.splitlines():
        if line.strip().startswith(wanted):
            yield "    " + line.strip()
        elif line.startswith("Flags"):
            kinds = ("avx", "fma", "f16c", "amx", "asimd", "i8mm", "sve", "bf16")
            yield "    Flags: " + " ".join(f for f in line.split()[1:] if f.startswith(kinds))


def croft_commit():
    here = os.path.dirname(os.path.abspath(__file__))
    commit = command_output("git", "-C", here, "rev-parse", "--short", "HEAD") or "unknown"
    changed = command_output("git", "-C", here, "status", "--porcelain", "-uno")
    return commit + (" with local changes" if changed else "")


def limits_text(croft):
    for t, rate in sorted(croft.read.items()):
        yield f"    Read, {t} thread{'s' if t > 1 else ''}: {rate / 1e9:.1f} GB/s"
    for (model, t), rate in sorted(croft.peak.items()):
        if t > 1:
            yield f"    Multiply-adds for the main type of {model}: {rate / 1e9:,.0f} GOP/s ({croft.level})"


def commands_text(peer, g):
    ours = g.croft if len(g.croft) < 20 else [g.croft[0], "... as far as", g.croft[-1]]
    yield from dict.fromkeys(f"    croft {w}" for w in ours)
    others = "".join(f"  [{s}]" for s in g.settings if s)
    yield from (f"    {w}{others}" for w in dict.fromkeys(g.peer) if peer.can(w))


def results_md(bench, plan, load, by_model):
    has_peer, peer = bool(bench.peer.programs), bench.peer
    yield "# Speed, side by side\n"
    yield f"croft {croft_commit()}" + (f" and {peer.name} {peer.version}" if has_peer else "") + time.strftime(
        ", %Y-%m-%d; ", time.gmtime()) + f"{bench.rounds} rounds in {bench.seconds() / 60:.1f} minutes."
    if not has_peer:
        yield "\n**No peer was given, so there is nothing to compare with:** only Croft's own numbers follow."
    yield "\nMachine, as lscpu says, and its limits, as measured (the best of all rounds):\n"
    yield from machine()
    yield f"    Load average at the start and end: {load[0]:.2f}, {load[1]:.2f}"
    yield from limits_text(bench.croft)
    yield """
Models: random weights (bench/models.py). Commands, in turns, each on MODEL with -t 2 where nothing else is said; in
brackets the peer's other settings: each row counts the best and names it.
"""
    yield from dict.fromkeys(line for _, g in plan for line in commands_text(peer, g))
    yield """
Medians of the rounds (the last may be incomplete); spread = (largest - smallest) / median. Ratio: the median of the
rounds' own ratios, above 1 when Croft is better, with the smallest and the largest. Limit: the time in which the
weights and the cache can be read once, or the operations done, whichever is longer; of memory: file and session."""
    for model, lines in by_model.items():
        curve = [x for x in lines if is_curve(x)]
        yield f"\n## {model}\n"
        yield from table([x for x in lines if not is_curve(x)], has_peer)
        if curve:
            yield f"\nTokens in one batch:\n\n![cost per token](curve-{model}.svg)\n"
            yield from curve_text(curve)
    if bench.failed:
        yield "\nRuns that failed:\n"
        yield from (f"- {x}" for x in bench.failed)
    yield "\n![rates](rates.svg)\n\n![percent of the limit](limits.svg)"


# ---- figures --------------------------------------------------------------------------------------------------------

CROFT_COLOUR, PEER_COLOUR = "#4477aa", "#ccbb44"


def svg(width, height, title, body):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                      f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
                      '<rect width="100%" height="100%" fill="white"/>', text(12, 22, title, size=15), *body,
                      "</svg>", ""])


def text(x, y, s, anchor="start", size=12):
    s = s.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{s}</text>'


def rect(x, y, w, h, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{colour}"/>'


def legend(x, has_peer):
    yield from (rect(x, 12, 12, 12, CROFT_COLOUR), text(x + 16, 22, "croft"))
    if has_peer:
        yield from (rect(x + 70, 12, 12, 12, PEER_COLOUR), text(x + 86, 22, "peer"))


def bars(title, by_model, has_peer, share):
    """A pair of bars a line; share(line, value) is the length of a bar, 1 the whole width, and its label."""
    x0, w, y, body = 250, 400, 44, [*legend(560, has_peer)]
    for model, lines in by_model.items():
        lines = [x for x in lines if not is_curve(x) and x.croft and share(x, x.croft)]
        if not lines:
            continue
        body.append(text(12, y + 12, model, size=14))
        y += 20
        for x in lines:
            body.append(text(x0 - 8, y + 15, x.row, "end"))
            for i, (v, colour) in enumerate(((x.croft, CROFT_COLOUR), (x.peer, PEER_COLOUR))):
                if v:
                    length, label = share(x, v)
                    body += [rect(x0, y + 11 * i, w * min(length, 1), 10, colour),
                             text(x0 + w * min(length, 1) + 6, y + 9 + 11 * i, label, size=10)]
            y += 28
        y += 8
    return svg(x0 + w + 110, y + 8, title, body)


def rate_share(x, v):
    """The better of the two is the whole width."""
    m = [statistics.median(v), *(statistics.median(u) for u in (x.croft, x.peer) if u)]
    return m[0] / max(m), f"{number(m[0])} {x.unit}"


def limit_share(x, v):
    if not x.limit or not is_rate(x.unit):
        return None
    part = statistics.median(v) / x.limit
    return part, f"{100 * part:.0f} %"


def curve(model, lines):
    """Milliseconds per token over the tokens in one batch, both axes linear."""
    x0, y0, w, h = 60, 340, 620, 290
    series = {name: sorted(cost_per_token(lines, name).items()) for name in ("croft", "peer")}
    top = max(ms for points in series.values() for _, ms in points)
    body = [*legend(560, bool(series["peer"])), text(x0 + w / 2, y0 + 36, "tokens in one batch", "middle")]
    for i in range(5):
        y = y0 - h * i / 4
        body += [text(x0 - 6, y + 4, f"{top * i / 4:.1f}", "end"), rect(x0, y, w, 0.5, "#bbbbbb")]
    for n in (1, *range(8, 65, 8)):
        body.append(text(x0 + w * n / 64, y0 + 16, str(n), "middle"))
    for (name, points), colour in zip(series.items(), (CROFT_COLOUR, PEER_COLOUR)):
        line = " ".join(f"{x0 + w * n / 64:.1f},{y0 - h * ms / top:.1f}" for n, ms in points)
        body.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return svg(720, 390, f"{model}: milliseconds per token", body)


# ---- all files ------------------------------------------------------------------------------------------------------


def marked(text):
    """The sections that other scripts keep in RESULTS.md: {name: text with its marks}."""
    found = re.finditer(r"<!-- (\w+) -->\n.*?\n<!-- end of \1 -->\n", text, re.DOTALL)
    return {m[1]: m[0] for m in found}


def write_section(path, name, body):
    """Put a section in the place of the one with this name, or at the end."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    new = f"<!-- {name} -->\n{body}\n<!-- end of {name} -->\n"
    old = marked(text).get(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new) if old else text + "\n" + new)


def write(bench, plan, folder, load):
    by_model = {m: list(lines_of(bench, m)) for m in bench.paths}
    has_peer = bool(bench.peer.programs)
    files = {"RESULTS.md": "\n".join(results_md(bench, plan, load, by_model)) + "\n",
             "rates.svg": bars("Rates (the longer bar of a pair is the whole width)", by_model, has_peer, rate_share),
             "limits.svg": bars("Percent of what bandwidth and operations allow", by_model, has_peer, limit_share)}
    for model, lines in by_model.items():
        points = [x for x in lines if is_curve(x) and x.croft]
        if points:
            files[f"curve-{model}.svg"] = curve(model, points)
    kept = os.path.join(folder, "RESULTS.md")
    if os.path.exists(kept):
        with open(kept, encoding="utf-8") as f:
            files["RESULTS.md"] += "".join("\n" + x for x in marked(f.read()).values())
    for name, content in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(content)
    with open(os.path.join(folder, "results.csv"), "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["date", *Sample._fields])
        out.writerows([time.strftime("%Y-%m-%d", time.gmtime()), *s[:-1], f"{s.value:.6g}"] for s in bench.samples)
    print("written: " + ", ".join([*files, "results.csv"]))
