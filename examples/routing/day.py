#!/usr/bin/env python3
"""A help desk's day between two tiers: calibrate the demo model, serve it beside a frontier, send the written test set,
say what was promised and what happened, and prove it from the receipts. scripts/demo runs it.

    examples/routing/day.py [--messages N] [--delay S] [--error-rate F] [--confidence C] [--target-error F]

The frontier is a STAND-IN (tests/api/upstream.py): a local server that answers from the written labels of the test set,
wrong at a stated rate, after a stated delay, at the price in examples/routing/croft.yaml. Nothing leaves this machine.
With OPENAI_API_KEY set, and a yes at a terminal, it is OpenAI's API (the model is $DAY_MODEL, gpt-4.1-mini left out).

Everything it writes, receipts and calibration too, is in a temporary folder that goes when it ends. Exit 1: a request
failed, a message came where its class forbids, or the receipts do not say what happened."""
import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/api"))
from server import CROFT, GOLD, MODEL, ROOT, Server, Upstream  # noqa: E402

TASK = "examples/helpdesk/task.yaml"
SETTINGS = "examples/routing/croft.yaml"
ACCOUNT = "Please pay the refund to GB82 WEST 1234 5698 7654 32, the parcel never came"
CLIENTS = 4

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--messages", type=int, default=0, help="send N of the test set, evenly spread (0: all)")
p.add_argument("--delay", type=float, default=0.3, help="seconds that the stand-in takes to answer")
p.add_argument("--error-rate", type=float, default=0.02, help="share of messages that the stand-in answers wrongly")
p.add_argument("--target-error", type=float, default=0.15)
p.add_argument("--confidence", type=float, default=0.95)
args = p.parse_args()


def step(text):
    print("\n== " + text, flush=True)


def croft(*words, say=True, about=None):
    """Runs croft; shows the command as a user would write it, what it is about, and what it prints."""
    if say:
        step("croft " + " ".join(words))
        if about:
            print(about + "\n", flush=True)
    r = subprocess.run([CROFT, *words], stdout=subprocess.PIPE, text=True)
    if r.returncode:
        sys.exit("croft %s: exit code %d" % (" ".join(words), r.returncode))
    if say:
        print(r.stdout, end="", flush=True)
    return r.stdout


# ---- what is served ----------------------------------------------------------------------------------------------------

def real_wanted():
    """Whether the user has a key and agrees, in so many words, to send the messages and to pay."""
    if not os.environ.get("OPENAI_API_KEY") or not sys.stdin.isatty():
        return False
    print("OPENAI_API_KEY is set. Ask api.openai.com instead of the stand-in? About a hundred of the written messages\n"
          "would leave this machine, at your cost (some cents).", flush=True)
    return input("Type yes to do so, anything else for the stand-in: ").strip().lower() == "yes"


def settings(at, port):
    """examples/routing/croft.yaml with the model's copy, any free port, and the frontier's address."""
    changes = [("models/helpdesk-q8_0.gguf", at + "/helpdesk.gguf"), ("port: 8080", "port: 0")]
    if port:
        changes += [("http://127.0.0.1:8090/v1", "http://127.0.0.1:%d/v1" % port)]
    else:  # the price is then the dated table's, and the region is not the European one
        changes += [("url: http://127.0.0.1:8090/v1", "url: https://api.openai.com/v1\n    key_env: OPENAI_API_KEY"),
                    ("model: stand-in", "model: " + os.environ.get("DAY_MODEL", "gpt-4.1-mini")), ("region: eu", "region: us"),
                    ("    price: {input: 2.5, output: 10} # per million tokens\n", ""), ("regions: [eu]", "regions: [eu, us]")]
    with open(SETTINGS, encoding="utf-8") as f:
        text = f.read()
    for old, new in changes:
        if old not in text:
            sys.exit("%s has no longer '%s'" % (SETTINGS, old))
        text = text.replace(old, new)
    path = os.path.join(at, "croft.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def calibrate(at):
    model = os.path.join(at, "helpdesk.gguf")
    shutil.copy(MODEL, model)
    croft("calibrate", TASK, "-m", model, "--target-error", str(args.target_error), "--confidence", str(args.confidence))
    with open(os.path.join(at, "helpdesk.helpdesk-intent.calibration.json"), encoding="utf-8") as f:
        c = json.load(f)
    print("\nWhy %g %%: a bound that must hold after a look at only %d examples leaves room for little less. More examples\n"
          "would support a lower target, or the same with more answers that stand." % (100 * c["target_error"], c["n"]))
    return c


# ---- the day -----------------------------------------------------------------------------------------------------------

class Answer:
    """What a client sees of one answer."""

    def __init__(self, server, row):
        t = time.monotonic()
        self.status, h, text = server.ask("/v1/tasks/helpdesk-intent", {"input": row["input"]})
        self.ms = 1000 * (time.monotonic() - t)
        self.row, self.tier, self.reason = row, h.get("X-Croft-Tier", "none"), h.get("X-Croft-Reason", "")
        self.cost, self.receipt = float(h.get("X-Croft-Cost") or 0), h.get("X-Croft-Receipt", "")
        self.label = json.loads(text).get("label") if self.status == 200 else None
        self.right = self.label == row.get("label")


def test_set():
    with open(GOLD, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    n = args.messages if 0 < args.messages < len(rows) else len(rows)
    return [rows[i * len(rows) // n] for i in range(n)]


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def wilson(k, n):
    """The 95 % interval of a share, in percent (Wilson 1927)."""
    z, f = 1.959964, k / n
    mid, half = f + z * z / (2 * n), z * (f * (1 - f) / n + z * z / (4 * n * n)) ** 0.5
    low, high = (mid - half) / (1 + z * z / n), (mid + half) / (1 + z * z / n)
    return "%.1f to %.1f" % (100 * max(0, low), 100 * min(1, high))


def report(answers, c, checks, spent):
    row = "%-26s %7s %8s %10s  %-13s %8s %8s"
    print(row % ("answered by", "answers", "share", "accuracy", "95 % interval", "p50 ms", "p95 ms"))
    groups = [("local, within the promise", lambda a: a.tier == "local" and a.reason == "confident"),
              ("local, for other reasons", lambda a: a.tier == "local" and a.reason != "confident"),
              ("frontier", lambda a: a.tier != "local"), ("all", lambda a: True)]
    for name, belongs in groups:
        of = [a for a in answers if belongs(a)]
        if of:
            k, ms = sum(a.right for a in of), [a.ms for a in of]
            print(row % (name, len(of), "%.1f %%" % (100 * len(of) / len(answers)), "%.1f %%" % (100 * k / len(of)),
                         wilson(k, len(of)), "%.1f" % quantile(ms, 0.5), "%.1f" % quantile(ms, 0.95)))
    stand, gone = [a for a in answers if groups[0][1](a)], [a for a in answers if groups[2][1](a)]
    wrong = sum(not a.right for a in stand)
    print("\npromised   of the answers that stand here at most %g %% are wrong, with %g %% confidence, for messages like the\n"
          "           %d that the calibration saw" % (100 * c["target_error"], 100 * c["confidence"], c["n"]))
    if stand:
        print("happened   %d of %d were wrong: %.1f %%" % (wrong, len(stand), 100 * wrong / len(stand)))
    else:
        print("happened   no answer stood" + ("" if c["holds"] else ": no threshold keeps this promise"))
    scope = [a for a in answers if a.row["label"] == "out_of_scope"]
    print("           %d messages were not for a shop's help desk at all; %d of them went to the frontier, %d were labelled so"
          % (len(scope), sum(a.tier != "local" for a in scope), sum(a.right for a in scope)))
    if gone:
        each = sum(a.cost for a in gone) / len(gone)
        print("cost       %.4f USD: %d answers from the frontier and %d background checks of local ones\n"
              "           per 1,000 answers %.3f USD, where all to the frontier would be %.3f USD, by their mean"
              % (spent, len(gone), checks, 1000 * spent / len(answers), 1000 * each))
    print("           (latency with %d clients at a time on this machine; electricity is not in the cost)" % CLIENTS)


def day(at, up):
    c = calibrate(at)
    path = settings(at, up and up.port)
    step("The frontier" + (": a stand-in" if up else ": api.openai.com"))
    if up:
        print("It is not a model: a server on this machine that answers from the written labels of the test set, wrongly for\n"
              "%g %% of the messages, %g ms after it was asked, at the price that %s states."
              % (100 * args.error_rate, 1000 * args.delay, SETTINGS))
    croft("serve", "--check", "-c", path)
    print("Everything is there.")
    rows = test_set()
    step("croft serve -c %s   and %d messages to /v1/tasks/helpdesk-intent" % (path, len(rows)))
    with Server("-c", path) as server:
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            answers = list(clients.map(lambda row: Answer(server, row), rows))
        kept = Answer(server, {"input": ACCOUNT})
    log = json.loads(croft("receipts", "--limit", "0", "--json", say=False))  # the server has ended: all are on disk
    report(answers, c, sum(bool(r.get("shadow")) for r in log), sum(float(r.get("cost", 0)) for r in log))

    def first(**wanted):
        return next((a for a in answers if all(getattr(a, k) == v for k, v in wanted.items())), None)
    shown = [("stood here", first(tier="local", reason="confident")),
             ("went to the frontier", first(tier="frontier")), ("was kept here by its class", kept)]
    for what, a in shown:
        if a:
            croft("receipts", "show", a.receipt, about="this one %s: \"%s\" → %s" % (what, a.row["input"], a.label))
    croft("receipts", "--perimeter")
    croft("audit", "verify")
    return check(answers, kept, log, up)


def check(answers, kept, log, up):
    """What must be true of every day, from three witnesses: the clients, the receipts, and the stand-in."""
    wrong = ["%s: HTTP %d" % (a.row["input"], a.status) for a in answers + [kept] if a.status != 200]
    if (kept.tier, kept.reason) != ("local", "class"):
        wrong.append("the message with an account number: %s, %s" % (kept.tier, kept.reason))
    missing = {a.receipt for a in answers + [kept]} - {r["id"] for r in log}
    if missing:
        wrong.append("%d answers have no receipt" % len(missing))
    if up:
        seen = up.control()
        sent = sum(m["times"] for r in log for m in r.get("left", []))
        if seen["requests"] != sent:
            wrong.append("the stand-in saw %d requests, the receipts know of %d" % (seen["requests"], sent))
        if any("GB82" in text for text in seen["texts"]):
            wrong.append("the stand-in saw the account number")
    for line in wrong:
        print("WRONG: " + line)
    if not wrong:
        print("\n%d answers have %d receipts%s." % (len(answers) + 1, len(answers) + 1,
              "; the stand-in saw the %d messages that they say left, and no account number" % sent if up else ""))
    return 1 if wrong else 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="croft-day-") as at:
        for name in [n for n in os.environ if n.startswith("CROFT_")]:  # the user's own settings and receipts stay out of it
            del os.environ[name]
        os.environ["CROFT_HOME"] = at
        try:
            if real_wanted():
                return day(at, None)
            with Upstream("--error-rate", str(args.error_rate), "--delay", str(args.delay)) as up:
                return day(at, up)
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
