"""Writes golden.inc: what independent implementations compute for the kernels.

Dequantised values come from the Python package gguf (gguf.quants.dequantize), everything else from numpy in float64.
Run from the repository root, with numpy and gguf installed:  python tests/unit/kern/make_golden.py
"""
import numpy as np
import gguf
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize

TYPES = "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4 F16 BF16".split()
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0]}
rng = np.random.default_rng(20)
out = open("tests/unit/kern/golden.inc", "w")
out.write("/* Written by make_golden.py (beside this file) with the Python package gguf and numpy; not by Croft. */\n")


def array(kind, name, values, fmt):
    out.write(f"static const {kind} {name}[{len(values)}] = {{\n")
    line = "   "
    for v in values:
        item = " " + fmt(v) + ","
        if len(line) + len(item) > 108:
            out.write(line + "\n")
            line = "   "
        line += item
    out.write(line + "\n};\n")


def f32(name, values):
    array("float", name, np.asarray(values, np.float32).ravel(),
          lambda v: np.format_float_scientific(v, unique=True, trim="0") + "f")


def act(n):
    """Activations of the products: the same formula is in test_kern.c."""
    return np.array([np.float32((i * 37 % 101 - 50) / np.float32(50)) for i in range(n)], np.float32)


rows = []
for name in TYPES:
    t = T[name]
    block, size = gguf.GGML_QUANT_SIZES[t]
    n_blocks = {1: 64, 32: 2, 256: 1}[block]
    data = rng.integers(0, 256, (n_blocks, size), dtype=np.uint8)
    if name == "F16":
        data = rng.normal(0, 0.5, n_blocks).astype(np.float16)
        data[:6] = [0, 6e-8, -6.1e-5, 65504, -65504, 1.5]
        data = data.view(np.uint8).reshape(-1, 2)
    elif name == "BF16":
        data = (rng.normal(0, 0.5, n_blocks).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        data = data.view(np.uint8).reshape(-1, 2)
    elif name == "MXFP4":
        data[:, 0] = [0, 125]  # a subnormal scale and a common one
    for at in SCALES.get(name, []):
        d = np.float16(rng.uniform(0.002, 0.02, n_blocks) * rng.choice([-1, 1], n_blocks))
        data[:, at:at + 2] = d.view(np.uint8).reshape(-1, 2)
    values = dequantize(data.reshape(1, -1), t).ravel()
    array("uint8_t", f"bytes_{name}", data.ravel(), str)
    f32(f"values_{name}", values)
    rows.append((name, np.dot(values.astype(np.float64), act(values.size).astype(np.float64))))

out.write("static const struct golden_type {\n    int type;\n    const uint8_t *bytes;\n    const float *values;\n"
          "    size_t n;\n    double dot;\n} golden_types[] = {\n")
for name, dot in rows:
    out.write(f"    {{KERN_{name}, bytes_{name}, values_{name}, sizeof values_{name} / 4, {dot!r}}},\n".replace("np.float64(", "").replace(")}", "}"))
out.write("};\n")

n = 37
x, u = rng.normal(0, 3, n).astype(np.float32), rng.normal(0, 1, n).astype(np.float32)
w, b = rng.normal(1, 0.2, n).astype(np.float32), rng.normal(0, 0.2, n).astype(np.float32)
X, U, W, B = (a.astype(np.float64) for a in (x, u, w, b))
for name, v in (("vec_x", x), ("vec_u", u), ("vec_w", w), ("vec_b", b)):
    f32(name, v)
e = np.exp(X - X.max())
f32("want_softmax", e / e.sum())
f32("want_silu_mul", X / (1 + np.exp(-X)) * U)
f32("want_gelu_mul", 0.5 * X * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3))) * U)
f32("want_softcap", 5 * np.tanh(X / 5))
f32("want_rms_norm", X / np.sqrt((X * X).mean() + 1e-5) * W)
f32("want_layer_norm", (X - X.mean()) / np.sqrt(X.var() + 1e-5) * W + B)
h = np.array([1, -2.5, 65519, 65520, 1e-8, 5.9e-8, 3.0e-8, 6.1e-5, 1.00048828125, 1.00146484375, -0.0, 0.1], np.float32)
f32("half_in", h)
with np.errstate(over="ignore"):
    array("uint16_t", "half_out", h.astype(np.float16).view(np.uint16), lambda v: f"0x{v:04x}")

# attention: 3 queries of 32 elements, 21 positions; query i sees [i, 21 - 4 i); with and without a cap of 2 on scores
q, k = rng.normal(0, 1, (3, 32)).astype(np.float32), rng.normal(0, 1, (21, 32)).astype(np.float32)
v = rng.normal(0, 1, (21, 32)).astype(np.float32)
f32("attn_q", q)
f32("attn_k", k)
f32("attn_v", v)
for name, cap in (("want_attend", lambda s: s), ("want_attend_capped", lambda s: 2 * np.tanh(s / 2))):
    s = cap(0.25 * (q.astype(np.float64) @ k.astype(np.float64).T))
    for i in range(3):
        s[i, :i], s[i, 21 - 4 * i:] = -np.inf, -np.inf
    e = np.exp(s - s.max(1, keepdims=True))
    f32(name, e / e.sum(1, keepdims=True) @ v.astype(np.float64))
