"""Expected values of tests/unit/task/test_text.c: the distance of two models on 64 tokens, by scipy from the logits that
llama.cpp computed for ../shared/fixtures. Counted are the second half's tokens, as croft perplexity counts.

    pip install numpy scipy
    python3 tests/golden/score/text.py ../shared/fixtures/logits"""
import struct
import sys

import numpy as np
from scipy.special import log_softmax, rel_entr

def load(name):
    data = open("%s/%s-dense.logits" % (sys.argv[1], name), "rb").read()
    _, n, dim, _ = struct.unpack("<4i", data[:16])
    values = np.frombuffer(data[16 + 4 * n:], "<f4").reshape(n, dim).astype(float)
    return np.frombuffer(data[16:16 + 4 * n], "<i4"), log_softmax(values, 1)

tokens, base = load("qwen2")
_, model = load("llama")
at = np.arange(len(tokens) // 2, len(tokens) - 1)
b, m, after = base[at], model[at], tokens[at + 1]
kl = rel_entr(np.exp(b), np.exp(m)).sum(1)
nll, base_nll = -m[np.arange(len(at)), after], -b[np.arange(len(at)), after]
print("n_tokens", len(at))
for name, v in (("nll", nll), ("base_nll", base_nll), ("ratio", nll - base_nll), ("kl", kl)):
    print(name, "%.9f %.9f" % (v.mean(), v.std(ddof=1) / np.sqrt(len(v))))
print("change %.9f" % np.sqrt(np.mean((np.exp(-nll) - np.exp(-base_nll)) ** 2)))
print("same_top", (b.argmax(1) == m.argmax(1)).sum(), "kl_max %.9f" % kl.max())
