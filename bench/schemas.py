#!/usr/bin/env python3
"""Drive build/bench-schemas over collections of JSON Schemas that are not part of this repository.

    bench/schemas.py VOCAB.gguf suite FOLDER...     JSON-Schema-Test-Suite: tests/draft2020-12 and its siblings
    bench/schemas.py VOCAB.gguf bench FOLDER [N]    maskbench of guidance-ai/jsonschemabench: data/*.json, every Nth
    bench/schemas.py VOCAB.gguf schemas FOLDER [N]  any folder of schemas, every Nth: which compile, how fast

Each prints what disagrees and the sums. made: the grammar makes a text that is not valid (must be none); loose and strict:
the check of finished texts accepts what is not valid, refuses what is; narrow: valid, but not written that way. The exit
status is 1 if anything was made that is not valid."""
import collections
import glob
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


class Croft:
    def __init__(self, vocab):
        self.command = [os.path.join(HERE, "..", "build", "bench-schemas"), vocab, "30"]
        self.start()

    def start(self):
        self.p = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, kind, value):
        line = kind + json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
        self.p.stdin.write(line.encode("utf-8", "surrogatepass"))
        self.p.stdin.flush()
        answer = self.p.stdout.readline().decode("utf-8", "replace").rstrip("\n")
        if not answer:
            answer = "no 0 ended by %d" % self.p.wait()
            self.start()
        return answer


class Sums:
    def __init__(self):
        self.n, self.reasons, self.compile, self.mask = collections.Counter(), collections.Counter(), [], []

    def schema(self, answer):
        if answer.startswith("ok"):
            self.n["compiled"] += 1
            self.compile.append(float(answer.split()[1]))
            return True
        found = re.match(r"no -?\d+ In the schema at (\S*): (.*)", answer)
        self.n["refused"] += 1
        self.reasons[(found.group(1).rsplit("/", 1)[-1], found.group(2)[:80]) if found else answer[:80]] += 1
        return False

    def text(self, croft, value, valid, name):
        check, made = (x == "1" for x in croft.ask("T", value).split(" ", 2)[:2])
        kind = "made" if made and not valid else "loose" if check and not valid else "strict" if valid and not check else \
            "narrow" if valid and not made else "agree"
        self.n[kind] += 1
        if kind in ("made", "loose", "strict"):
            print(kind, name, json.dumps(value)[:100], sep="\t")
        return made

    def report(self):
        print(dict(self.n))
        total = self.n["compiled"] + self.n["refused"]
        self.compile.sort()
        at = lambda q: self.compile[min(len(self.compile) - 1, int(q * len(self.compile)))] if self.compile else 0
        print("compiled %.1f %% of %d; microseconds: median %.0f, 90 %% %.0f, 99 %% %.0f, largest %.0f" % (
            100 * self.n["compiled"] / max(1, total), total, at(.5), at(.9), at(.99), at(1)))
        if self.mask:
            tokens = sum(t for t, _, _ in self.mask)
            print("mask and step of %d tokens: mean %.1f, largest %.0f microseconds" % (
                tokens, sum(s for _, s, _ in self.mask) / max(1, tokens), max(m for _, _, m in self.mask)))
        for reason, n in self.reasons.most_common(20):
            print("%5d refused: %s" % (n, reason if isinstance(reason, str) else ": ".join(reason)))
        return 1 if self.n["made"] else 0


def suite(croft, sums, folder, every):
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.json"), recursive=True)):
        with open(path, encoding="utf-8") as f:
            cases = json.load(f)
        for case in cases:
            if sums.schema(croft.ask("S", case["schema"])):
                for t in case["tests"]:
                    sums.text(croft, t["data"], t["valid"], "%s: %s: %s" % (os.path.basename(path), case["description"],
                                                                           t["description"]))


def bench(croft, sums, folder, every):
    for path in sorted(glob.glob(os.path.join(folder, "*.json")))[::every]:
        with open(path, encoding="utf-8") as f:
            case = json.load(f)
        if not sums.schema(croft.ask("S", case["schema"])):
            continue
        for t in case["tests"]:
            if sums.text(croft, t["data"], t["valid"], os.path.basename(path)):
                _, tokens, total, largest = (float(x) for x in croft.ask("M", t["data"]).split())
                sums.mask.append((tokens, total, largest))


def schemas(croft, sums, folder, every):
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.json"), recursive=True))[::every]:
        try:
            with open(path, encoding="utf-8") as f:
                sums.schema(croft.ask("S", json.load(f)))
        except ValueError:
            sums.n["not JSON"] += 1


def main():
    if len(sys.argv) < 4 or sys.argv[2] not in ("suite", "bench", "schemas"):
        sys.exit(__doc__)
    folders, every = sys.argv[3:], 1
    if sys.argv[2] != "suite" and folders[-1].isdigit():
        every = int(folders.pop())
    missing = [f for f in folders if not os.path.isdir(f)]
    if missing:
        print("Skipped: %s is no folder; fetch the collection first." % missing[0])
        return 0
    croft, sums = Croft(sys.argv[1]), Sums()
    for folder in folders:
        globals()[sys.argv[2]](croft, sums, folder, every)
    return sums.report()


if __name__ == "__main__":
    sys.exit(main())
