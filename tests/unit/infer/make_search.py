#!/usr/bin/env python3
"""Write search.inc: which stretches of a text the matches of an expression cover, by trying Python's re.fullmatch on every
part of it and uniting those that overlap. Run in this folder after changing the lists."""
import random
import re

random.seed(20261121)
WORD = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
MADE = [(r"ORD-\d{8}", "see ORD-12345678, ORD-1234 and xORD-123456789"), (r"\d\d", "1 22 333 4444"), (r"[A-Z]{2}\d+", "AB1 ABC22 ab3"),
        (r"a.*z|b", "b a b z b"), (r"(x|xy)(z|yz)", "xyz xz xyyz"), (r"\w+@corp\.example", "to: ann_1@corp.example,bob@corp.example."),
        (r"é+[ü-ž]", "xéé ééü éž"), (r"[^ab]c", "ac bc cc éc"), (r"a*", "baab"), (r"(a+)+b", "aaaaaaaac aab"), (r"(a|aa)+$", "aaab aaa"),
        (r"^ab|b c", "ab ab c"), (r"x{3,5}", "xx xxx xxxxxx"), (r"(\d{4}[ -]?){4}", "4111 1111-11111111 1"), (r".", "a\nb")]


def atom(depth):
    kind = random.randrange(7 if depth else 5)
    if kind < 3:
        return random.choice("abc1")
    if kind < 5:
        return random.choice(["[ab]", "[^a]", ".", r"\d", r"\w", "é"])
    return "(" + expression(depth - 1) + ")"


def expression(depth):
    return "|".join("".join(atom(depth) + random.choice(["", "", "", "*", "+", "?", "{2}", "{1,3}"]) for _ in range(random.randint(1, 3)))
                    for _ in range(random.randint(1, 2)))


def short():
    e = expression(2)
    return e if len(e) < 40 else short()


def cut(text, i):
    return i == 0 or i == len(text) or text[i - 1] not in WORD or text[i] not in WORD


def covered(regex, text, whole):
    ends = regex.endswith("$") or None
    r, spans = re.compile(regex, re.ASCII), []
    for i in range(len(text)):
        for j in range(i + 1, len(text) + 1):
            if (not whole or (cut(text, i) and cut(text, j))) and r.fullmatch(text, i, j) and (not ends or j == len(text)):
                spans.append([i, j])
    out = []
    for i, j in sorted(spans):
        if out and i < out[-1][1]:
            out[-1][1] = max(out[-1][1], j)
        else:
            out.append([i, j])
    return [(len(text[:i].encode()), len(text[:j].encode())) for i, j in out]


def c(s):
    return '"' + "".join(ch if 32 <= ord(ch) < 127 and ch not in '"\\?' else "".join("\\%03o" % b for b in ch.encode()) for ch in s) + '"'


rows = [(r, t, w) for r, t in MADE for w in (0, 1)]
rows += [(short(), "".join(random.choice("aabbc1é. ") for _ in range(random.randint(0, 14))), random.randrange(2)) for _ in range(400)]
with open("search.inc", "w", encoding="utf-8") as f:
    for r, t, w in rows:
        spans = covered(r, t, w)
        f.write("{%s,\n %s, %d, %d,\n {%s}},\n" % (c(r), c(t), w, len(spans), ", ".join("{%d, %d}" % s for s in spans) or "{0, 0}"))
