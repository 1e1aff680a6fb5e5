# SPDX-License-Identifier: Apache-2.0
"""The decoder: RMSNorm, interleaved-pair RoPE, grouped-query attention, SwiGLU.

Matrices are kept as (out, in), the row-major order GGUF stores, so that export is a plain copy.
"""
from dataclasses import dataclass

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class Config:
    n_vocab: int = 2560
    n_embd: int = 256
    n_layer: int = 4
    n_head: int = 8
    n_head_kv: int = 4
    n_ff: int = 512
    n_ctx: int = 512
    rope_theta: float = 10000.0
    eps: float = 1e-5

    @property
    def head_dim(self):
        return self.n_embd // self.n_head


def init(cfg, key):
    """A dict of stacked arrays: every per-layer tensor has a leading layer axis."""
    d, f, l = cfg.n_embd, cfg.n_ff, cfg.n_layer
    dkv = cfg.n_head_kv * cfg.head_dim
    ks = jax.random.split(key, 8)

    def normal(k, shape, std):
        return std * jax.random.normal(k, shape, jnp.float32)

    v = jax.vmap(lambda k: jnp.linalg.qr(jax.random.normal(k, (d, dkv)))[0].T)(jax.random.split(ks[3], l))
    # The upper half of the layers starts as a copier: what a head looks at goes straight to the output. The lower half
    # and the feed-forward parts start by adding nothing.
    g = cfg.n_head // cfg.n_head_kv
    o = jnp.repeat(v.reshape(l, cfg.n_head_kv, 1, cfg.head_dim, d), g, 2).reshape(l, d, d).swapaxes(1, 2) / g
    o = o * (jnp.arange(l) >= l // 2)[:, None, None]
    return {
        "token_embd": normal(ks[0], (cfg.n_vocab, d), 1.0),
        "output": normal(ks[6], (cfg.n_vocab, d), 0.01),
        "output_norm": jnp.ones((d,)),
        "layers": {
            "attn_norm": jnp.ones((l, d)),
            "attn_q": normal(ks[1], (l, d, d), d**-0.5),
            "attn_k": normal(ks[2], (l, dkv, d), d**-0.5),
            "attn_v": v,
            "attn_output": o,
            "ffn_norm": jnp.ones((l, d)),
            "ffn_gate": normal(ks[4], (l, f, d), d**-0.5),
            "ffn_up": normal(ks[5], (l, f, d), d**-0.5),
            "ffn_down": jnp.zeros((l, d, f)),
        },
    }


def rms(x, w, eps):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + eps) * w


def rope(x, cos, sin):
    """x: (B, T, H, D); dimensions 2i and 2i+1 turn together."""
    a, b = x[..., 0::2], x[..., 1::2]
    c, s = cos[:, :, None, :], sin[:, :, None, :]
    return jnp.stack([a * c - b * s, a * s + b * c], -1).reshape(x.shape)


def forward(cfg, params, tokens, positions, segments, pick=None):
    """Logits (B, T, V), or (B, M, V) at the places `pick`. Tokens attend only inside their own segment (packing)."""
    b, t = tokens.shape
    h, hk, hd = cfg.n_head, cfg.n_head_kv, cfg.head_dim
    x = params["token_embd"][tokens]
    freq = cfg.rope_theta ** (-jnp.arange(0, hd, 2) / hd)
    ang = positions[..., None] * freq
    cos, sin = jnp.cos(ang), jnp.sin(ang)
    causal = jnp.tril(jnp.ones((t, t), bool))
    mask = causal[None] & (segments[:, :, None] == segments[:, None, :])
    bias = jnp.where(mask, 0.0, -1e9)[:, None, None]

    def block(x, p):
        y = rms(x, p["attn_norm"], cfg.eps)
        q = rope((y @ p["attn_q"].T).reshape(b, t, h, hd), cos, sin)
        k = rope((y @ p["attn_k"].T).reshape(b, t, hk, hd), cos, sin)
        v = (y @ p["attn_v"].T).reshape(b, t, hk, hd)
        q = q.reshape(b, t, hk, h // hk, hd)
        s = jnp.einsum("btkgd,bskd->bkgts", q, k) * hd**-0.5 + bias
        a = jax.nn.softmax(s, -1)
        o = jnp.einsum("bkgts,bskd->btkgd", a, v).reshape(b, t, h * hd)
        x = x + o @ p["attn_output"].T
        y = rms(x, p["ffn_norm"], cfg.eps)
        y = jax.nn.silu(y @ p["ffn_gate"].T) * (y @ p["ffn_up"].T)
        return x + y @ p["ffn_down"].T, None

    for i in range(cfg.n_layer):
        x, _ = block(x, {k: v[i] for k, v in params["layers"].items()})
    if pick is not None:
        x = jnp.take_along_axis(x, pick[..., None], 1)
    x = rms(x, params["output_norm"], cfg.eps)
    return x @ params["output"].T
