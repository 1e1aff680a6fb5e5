# SPDX-License-Identifier: Apache-2.0
"""Scores a GGUF of this recipe with plain numpy over its dequantised tensors; needs neither JAX nor the training code.

Greedy: the answer is decoded token by token and compared as a whole. Constrained: the label with the highest total
log-probability.
"""
import argparse
import collections
import json
import re

import gguf
import numpy as np
from gguf.quants import dequantize
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers


class Model:
    def __init__(self, path):
        rd = gguf.GGUFReader(path)
        f = {k: v.contents() for k, v in rd.fields.items() if not k.startswith("GGUF.")}
        self.meta = f
        self.w = {t.name: dequantize(t.data, t.tensor_type).astype(np.float32) for t in rd.tensors}
        self.n_layer, self.h, self.hk = (f["llama." + k] for k in ("block_count", "attention.head_count", "attention.head_count_kv"))
        self.d = f["llama.embedding_length"]
        self.hd = self.d // self.h
        self.eps = f["llama.attention.layer_norm_rms_epsilon"]
        self.theta = f["llama.rope.freq_base"]
        toks, types = f["tokenizer.ggml.tokens"], f["tokenizer.ggml.token_type"]
        tk = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(toks)}, merges=[tuple(m.split(" ")) for m in f["tokenizer.ggml.merges"]]))
        tk.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        tk.decoder = decoders.ByteLevel()
        tk.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, k in zip(toks, types) if k == gguf.TokenType.CONTROL])
        self.tk, self.eos = tk, f["tokenizer.ggml.eos_token_id"]

    def rms(self, x, w):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * w

    def rope(self, x, pos):
        ang = pos[:, None] * self.theta ** (-np.arange(0, self.hd, 2) / self.hd)
        c, s = np.cos(ang)[None, :, None].astype(np.float32), np.sin(ang)[None, :, None].astype(np.float32)
        a, b = x[..., 0::2], x[..., 1::2]
        return np.stack([a * c - b * s, a * s + b * c], -1).reshape(x.shape)

    def run(self, ids, cache=None):
        """ids (B, T) after the cached part; returns logits (B, T, V) and the new cache (one K and V per layer)."""
        b, t = ids.shape
        past = 0 if cache is None else cache[0][0].shape[1]
        pos = np.arange(past, past + t)
        x = self.w["token_embd.weight"][ids]
        new = []
        mask = np.where(np.arange(past + t)[None] <= pos[:, None], 0.0, -1e9).astype(np.float32)
        for i in range(self.n_layer):
            w = lambda n: self.w[f"blk.{i}.{n}.weight"]
            y = self.rms(x, w("attn_norm"))
            q = self.rope((y @ w("attn_q").T).reshape(b, t, self.h, self.hd), pos)
            k = self.rope((y @ w("attn_k").T).reshape(b, t, self.hk, self.hd), pos)
            v = (y @ w("attn_v").T).reshape(b, t, self.hk, self.hd)
            if cache is not None:
                pk, pv = (np.broadcast_to(c, (b, *c.shape[1:])) for c in cache[i])
                k, v = np.concatenate([pk, k], 1), np.concatenate([pv, v], 1)
            new.append((k, v))
            q = q.reshape(b, t, self.hk, self.h // self.hk, self.hd)
            s = np.einsum("btkgd,bskd->bkgts", q, k, optimize=True) * self.hd**-0.5 + mask
            s = np.exp(s - s.max(-1, keepdims=True))
            s /= s.sum(-1, keepdims=True)
            o = np.einsum("bkgts,bskd->btkgd", s, v, optimize=True).reshape(b, t, -1)
            x = x + o @ w("attn_output").T
            y = self.rms(x, w("ffn_norm"))
            g = y @ w("ffn_gate").T
            x = x + (g / (1 + np.exp(-g)) * (y @ w("ffn_up").T)) @ w("ffn_down").T
        x = self.rms(x, self.w["output_norm.weight"])
        return x @ self.w["output.weight"].T, new

    def prompt(self, system, user):
        return self.tk.encode(f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n").ids

    def greedy(self, logits, cache, limit):
        out = []
        while len(out) < limit:
            k = int(logits[0, -1].argmax())
            if k == self.eos:
                break
            out.append(k)
            logits, cache = self.run(np.array([[k]]), cache)
        return self.tk.decode(out, skip_special_tokens=False)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def classify(m, rows, labels, system="Classify the message.", show=False):
    lab = [m.tk.encode(x).ids + [m.eos] for x in labels]
    width = max(map(len, lab))
    pad = np.array([x + [m.eos] * (width - len(x)) for x in lab])
    greedy = constrained = 0
    per, conf = collections.defaultdict(lambda: [0, 0, 0]), collections.Counter()
    for x in rows:
        logits, cache = m.run(np.array([m.prompt(system, x["input"])]))
        g = m.greedy(logits, cache, 12)
        lp0 = log_softmax(logits[0, -1])
        lg, _ = m.run(pad[:, :-1], cache)
        lp = log_softmax(lg)
        score = [lp0[s[0]] + sum(lp[i, j, s[j + 1]] for j in range(len(s) - 1)) for i, s in enumerate(lab)]
        c = labels[int(np.argmax(score))]
        p = per[x["label"]]
        p[0] += 1
        p[1] += g == x["label"]
        p[2] += c == x["label"]
        if c != x["label"]:
            conf[x["label"], c] += 1
            if show:
                print(f"  {x['label']} -> {c}: {x['input']}")
    n = len(rows)
    greedy, constrained = sum(p[1] for p in per.values()), sum(p[2] for p in per.values())
    print(f"classify: {n} messages, greedy {greedy / n:.4f}, constrained {constrained / n:.4f}")
    for k in labels:
        if per[k][0]:
            print(f"  {k:18s} {per[k][1]:3d} {per[k][2]:3d} of {per[k][0]}")
    print("  most confused:", ", ".join(f"{a}->{b} {c}" for (a, b), c in conf.most_common(12)))


def extract(m, rows, system="Write the order as JSON.", show=False):
    exact = valid = items = 0
    for x in rows:
        logits, cache = m.run(np.array([m.prompt(system, x["input"])]))
        g = m.greedy(logits, cache, 160)
        try:
            got = json.loads(g)
            valid += 1
        except ValueError:
            got = None
        exact += got == x["output"]
        items += bool(got) and got.get("items") == x["output"]["items"]
        if show and got != x["output"]:
            print("  ", x["input"], "\n    want", json.dumps(x["output"]), "\n    got ", g)
    n = len(rows)
    print(f"extract: {n} orders, exact match {exact / n:.4f}, valid JSON {valid / n:.4f}, items right {items / n:.4f}")


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("model")
    ap.add_argument("--intents")
    ap.add_argument("--orders")
    ap.add_argument("--task", default="../../examples/helpdesk/task.yaml", help="the labels are read from here")
    ap.add_argument("--show", action="store_true", help="print the wrong answers")
    ap.add_argument("--ask", help="answer one message under the system message 'Reply to the customer.'")
    a = ap.parse_args()
    m = Model(a.model)
    load = lambda p: [json.loads(x) for x in open(p, encoding="utf-8") if x.strip()]
    if a.intents:
        labels = re.findall(r"^\s*- \{name: (\w+)", open(a.task, encoding="utf-8").read(), re.M)
        classify(m, load(a.intents), labels, show=a.show)
    if a.orders:
        extract(m, load(a.orders), show=a.show)
    if a.ask:
        logits, cache = m.run(np.array([m.prompt("Reply to the customer.", a.ask)]))
        print(m.greedy(logits, cache, 120))
