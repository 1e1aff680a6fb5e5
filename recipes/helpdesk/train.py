# SPDX-License-Identifier: Apache-2.0
"""Trains the help-desk decoder on a CPU. See README.md for the commands and the time it takes."""
import argparse
import pathlib
import pickle
import random
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tokenizers import Tokenizer

import tokenizer as T
from model import Config, forward, init

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent.parent / "examples" / "helpdesk"


def encode(tk, system, rows):
    """(ids, answer start) of every (input, answer) pair."""
    pre = [len(x.ids) for x in tk.encode_batch([T.prompt(system, a) for a, _ in rows])]
    full = tk.encode_batch([T.prompt(system, a) + b + "<|im_end|>" for a, b in rows])
    return [(np.array(x.ids, np.int32), p) for x, p in zip(full, pre)]


def noisy(r, text):
    """A little word noise, new in every epoch."""
    p = r.random()
    w = text.split(" ")
    if p > 0.6 or len(w) < 4:
        return text
    if p < 0.42:
        w = [x for x in w if r.random() > 0.14] or w
    elif p < 0.5:
        i = r.randrange(len(w) - 1)
        w[i], w[i + 1] = w[i + 1], w[i]
    else:
        i = r.randrange(len(w))
        x = list(w[i])
        if len(x) > 3:
            del x[r.randrange(1, len(x))]
        w[i] = "".join(x)
    return " ".join(w)


def epoch(tk, sets, seed, a):
    """Packed rows: tokens, positions, segments, places of the loss, their targets and weights."""
    r = random.Random(seed)
    g = np.random.default_rng(seed)
    cls, orders, replies = sets
    ex = []
    for ids, p in encode(tk, T.SYSTEM["classify"], [(noisy(r, x["input"]), x["label"]) for x in cls]):
        ex.append((ids, p, 1.0, "classify"))
    k = int(len(orders) * a.order_share)
    for ids, p in encode(tk, T.SYSTEM["order"], [(x["input"], T.dump_json(x["output"])) for x in r.sample(orders, k)]):
        ex.append((ids, p, a.order_weight, "order"))
    if replies:
        k = int(len(replies) * a.reply_share)
        for ids, p in encode(tk, T.SYSTEM["reply"], [(x["input"], x["output"]) for x in r.sample(replies, k)]):
            ex.append((ids, p, 0.25, "reply"))
    r.shuffle(ex)
    L = a.row
    rows, bins = [], []
    for e in ex:
        if len(e[0]) > L:
            continue
        for i, (room, b) in enumerate(bins):
            if len(e[0]) <= room:
                b.append(e)
                bins[i] = (room - len(e[0]), b)
                if bins[i][0] < 24:
                    rows.append(bins.pop(i)[1])
                break
        else:
            bins.append((L - len(e[0]), [e]))
            if len(bins) > 60:
                rows.append(bins.pop(0)[1])
    rows += [b for _, b in bins]
    r.shuffle(rows)
    n = len(rows)
    tok, pos, seg, tgt = (np.zeros((n, L), np.int32) for _ in range(4))
    wgt = np.zeros((n, L), np.float32)
    tail = len(tk.encode("<|im_end|>\n<|im_start|>assistant\n").ids)
    head = {s: len(tk.encode(T.prompt(s, "").split("<|im_end|>\n<|im_start|>assistant")[0]).ids) for s in T.SYSTEM.values()}
    for i, b in enumerate(rows):
        o = 0
        for s, (ids, p, w, task) in enumerate(b):
            m, h = len(ids), head[T.SYSTEM[task]]
            inp = ids.copy()
            if task == "classify" and a.token_noise > 0:
                # only inside the customer's message
                u0, u1 = h, p - tail
                if u1 > u0:
                    hit = np.flatnonzero(g.random(u1 - u0) < a.token_noise) + u0
                    inp[hit] = g.integers(0, tk.get_vocab_size() - 3, len(hit))
            tok[i, o:o + m] = inp
            pos[i, o:o + m] = np.arange(m)
            seg[i, o:o + m] = s + 1
            tgt[i, o:o + m - 1] = ids[1:]
            wgt[i, o + h:o + p - tail] = a.text_weight
            wgt[i, o + p - 1:o + m - 1] = w
            o += m
    # the loss is taken at a.picks places of a row: every answer token first, then a random part of the message text
    pick = np.argsort(-wgt - (wgt > 0) * 0.01 * g.random(wgt.shape), 1, kind="stable")[:, :a.picks].astype(np.int32)
    take = lambda x: np.take_along_axis(x, pick, 1)
    return tok, pos, seg, pick, take(tgt), take(wgt)


def orthogonal(m):
    """Five Newton-Schulz steps: the nearest orthogonal matrix to each of the stacked matrices, roughly."""
    flip = m.shape[-2] > m.shape[-1]
    x = jnp.swapaxes(m, -1, -2) if flip else m
    x = x / (jnp.linalg.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
    for _ in range(5):
        y = x @ jnp.swapaxes(x, -1, -2)
        x = 3.4445 * x + (-4.7750 * y + 2.0315 * y @ y) @ x
    return jnp.swapaxes(x, -1, -2) if flip else x


def muon(sched, beta=0.95, decay=0.05):
    """Momentum whose update is made orthogonal; for the matrices of the layers. Adam takes all other parameters."""

    def start(p):
        return {"m": jax.tree.map(jnp.zeros_like, p), "n": jnp.zeros((), jnp.int32)}

    def update(g, s, p):
        m = jax.tree.map(lambda a, b: beta * a + b, s["m"], g)
        lr = sched(s["n"])
        u = jax.tree.map(lambda a, b, w: -lr * (0.2 * max(w.shape[-2:]) ** 0.5 * orthogonal(beta * a + b) + decay * w), m, g, p)
        return u, {"m": m, "n": s["n"] + 1}

    return optax.GradientTransformation(start, update)


def head_start(params, tk, rows, seed):
    """Starts the embedding and the output from what is cheap to know.

    "Oat", "oat" and " oat" start as neighbours, in the embedding and in the output, so that copying need not be learnt
    word by word. A bag-of-words classifier, trained in a few seconds, tells how much each token speaks for each label.
    """
    r = np.random.default_rng(seed)
    n, d = params["token_embd"].shape
    first, same = {}, np.zeros(n, np.int32)
    for t, i in sorted(tk.get_vocab().items(), key=lambda x: x[1]):
        same[i] = first.setdefault(t.removeprefix("\u0120").lower() or t, i)
    labels = sorted({x["label"] for x in rows})
    bags = [np.unique(same[x.ids]) for x in tk.encode_batch([x["input"] for x in rows])]
    y = np.array([labels.index(x["label"]) for x in rows])
    w, g = np.zeros((n, len(labels))), np.full(n, 1e-8)
    for i in r.permutation(len(bags)):
        b = bags[i]
        s = np.exp(w[b].sum(0) - w[b].sum(0).max())
        s /= s.sum()
        s[y[i]] -= 1
        g[b] += s @ s
        w[b] -= 0.15 * s / np.sqrt(g[b])[:, None]
    w -= w.mean(1, keepdims=True)
    bag = (w / w.std()) @ r.standard_normal((len(labels), d)) / len(labels) ** 0.5
    base = r.standard_normal((n, d))
    e = 0.5 * np.asarray(params["token_embd"]) + 0.7 * base[same] + 0.5 * bag[same]
    out = np.asarray(params["output"]) + 0.01 * base[same]
    return {**params, "token_embd": jnp.asarray(e, jnp.float32), "output": jnp.asarray(out, jnp.float32)}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default="checkpoint.pkl")
    ap.add_argument("--steps", type=int, default=1700)
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--row", type=int, default=128)
    ap.add_argument("--layers", type=int, default=4)
    ap.add_argument("--vocab", type=int, default=2560)
    ap.add_argument("--lr", type=float, default=3e-3, help="of the layers' matrices")
    ap.add_argument("--lr-out", type=float, default=1e-3, help="of the output and the norms; the embedding takes ten times as much")
    ap.add_argument("--decay", type=float, default=0.05)
    ap.add_argument("--picks", type=int, default=52)
    ap.add_argument("--token-noise", type=float, default=0.06)
    ap.add_argument("--text-weight", type=float, default=0.08)
    ap.add_argument("--order-share", type=float, default=0.5)
    ap.add_argument("--order-weight", type=float, default=0.5)
    ap.add_argument("--reply-share", type=float, default=0.4)
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("--fall", type=int, default=600, help="steps of the final decay of the learning rate")
    ap.add_argument("--init", help="start from the weights and the tokenizer of this checkpoint")
    ap.add_argument("--resume", help="go on from this checkpoint; same result as one uninterrupted run")
    a = ap.parse_args()

    tk = Tokenizer.from_file(a.init + ".tokenizer.json") if a.init else T.build(DATA, a.vocab)
    tk.save(a.out + ".tokenizer.json")
    sets = [T.load_jsonl(DATA / f) for f in ("train.jsonl", "orders_train.jsonl", "replies_train.jsonl")]
    cfg = Config(n_vocab=a.vocab, n_layer=a.layers)
    params = init(cfg, jax.random.PRNGKey(a.seed))
    print("parameters", sum(x.size for x in jax.tree.leaves(params)), flush=True)
    if a.init:
        with open(a.init, "rb") as f:
            params = jax.tree.map(jnp.asarray, pickle.load(f)["params"])
    else:
        params = head_start(params, tk, sets[0], a.seed)
    warm = 60
    # warm up, stay, then fall to zero in a straight line over the last part
    sched = lambda lr: lambda n: lr * jnp.minimum(jnp.minimum(1.0, (n + 1) / warm), jnp.maximum(0.0, (a.steps - n) / a.fall))
    kind = lambda p: {**jax.tree.map(lambda x: "matrix" if x.ndim == 3 else "other", p), "token_embd": "input"}
    opt = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.multi_transform({"matrix": muon(sched(a.lr), decay=a.decay), "input": optax.adam(sched(10 * a.lr_out), b1=0.9, b2=0.98), "other": optax.adam(sched(a.lr_out), b1=0.9, b2=0.98)}, kind),
    )
    state = opt.init(params)

    def loss_fn(p, tok, pos, seg, pick, tgt, wgt):
        logits = forward(cfg, p, tok, pos, seg, pick)
        nll = jax.nn.logsumexp(logits, -1) - jnp.take_along_axis(logits, tgt[..., None], -1)[..., 0]
        return jnp.sum(nll * wgt) / jnp.sum(wgt)

    @jax.jit
    def step(p, s, *batch):
        loss, g = jax.value_and_grad(loss_fn)(p, *batch)
        u, s = opt.update(g, s, p)
        return optax.apply_updates(p, u), s, loss

    start = 0
    if a.resume:
        with open(a.resume, "rb") as f:
            ck = pickle.load(f)
        params, state, start = jax.tree.map(jnp.asarray, ck["params"]), jax.tree.map(jnp.asarray, ck["state"]), ck["step"]
    t0, n, ep, avg = time.time(), 0, 0, None
    while n < a.steps:
        data = epoch(tk, sets, 1000 * a.seed + ep, a)
        if ep == 0:
            print("rows", len(data[0]), "tokens per epoch", int((data[2] > 0).sum()), "fill", float((data[2] > 0).mean()), flush=True)
        for i in range(0, len(data[0]) - a.batch + 1, a.batch):
            if n < start:
                n += 1
                continue
            params, state, loss = step(params, state, *(x[i:i + a.batch] for x in data))
            n += 1
            if n % 50 == 0 or n == 1:
                l = float(loss)
                avg = l if avg is None else 0.8 * avg + 0.2 * l
                print(f"step {n} epoch {ep} loss {l:.3f} avg {avg:.3f} seconds {time.time() - t0:.0f}", flush=True)
            if n % 100 == 0 or n == a.steps:
                with open(a.out, "wb") as f:
                    pickle.dump({"cfg": cfg, "params": jax.tree.map(np.asarray, params), "state": jax.tree.map(np.asarray, state), "step": n, "args": vars(a)}, f)
            if n >= a.steps:
                break
        ep += 1
    print(f"done in {time.time() - t0:.0f} s", flush=True)


if __name__ == "__main__":
    main()
