#!/usr/bin/env python3
"""Tiny models of every architecture family with random weights (fixed seeds), and what a reference engine computes.

usage: make.py PROGRAM        needs python packages numpy and gguf
PROGRAM MODEL.gguf "1 2 3" OUT [--embd] evaluates the tokens with a reference implementation (the committed values are
llama.cpp's: one thread, F32 cache, no flash attention) and writes what `croft logits` writes: int32 magic 0x4f474c31,
n_tokens, dim, 0, tokens, float32 values [n_tokens][dim]. Layers are few and narrow, so a file stays under 60 KB."""
import os, subprocess, sys
import numpy as np
from gguf import GGUFWriter, GGUFValueType as T

HERE = os.path.dirname(os.path.abspath(__file__))
V, N_TOKENS = 40, 40
LLAMA3_FREQS = [1.0, 1.0, 1.7, 8.0]

# name: architecture, width, layers, feed-forward, heads, key/value heads, head size, metadata, options
MODELS = {
    "llama": ("llama", 24, 2, 40, 4, 2, 6, {"rope.freq_base": 1e4}, {"tied": False, "bias": True}),
    "llama3": ("llama", 24, 2, 40, 3, 1, 8, {"rope.freq_base": 5e5}, {"freqs": LLAMA3_FREQS}),
    "mistral3": ("mistral3", 24, 2, 40, 3, 3, 8,
                 {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.yarn_log_multiplier": 1.0,
                  "rope.scaling.original_context_length": 16, "attention.temperature_scale": 0.1}, {}),
    "smollm3": ("smollm3", 16, 4, 32, 2, 1, 8, {}, {}),
    "qwen2": ("qwen2", 24, 2, 40, 6, 2, 4, {"rope.freq_base": 1e6}, {"qkv_bias": True}),
    "qwen3": ("qwen3", 24, 2, 40, 4, 2, 10, {"rope.freq_base": 1e6}, {"qk_norm": True}),
    "gemma2": ("gemma2", 24, 2, 40, 3, 1, 8,
               {"attention.sliding_window": 9, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0},
               {"post": True}),
    "gemma3": ("gemma3", 16, 3, 24, 2, 1, 8,
               {"attention.sliding_window": 7, "attention.sliding_window_pattern": [True, True, False],
                "rope.freq_base": 1e6, "rope.scaling.type": "linear", "rope.scaling.factor": 8.0},
               {"post": True, "qk_norm": True}),
    "phi3": ("phi3", 24, 2, 32, 4, 2, 6,
             {"rope.dimension_count": 4, "rope.scaling.original_context_length": 64, "rope.scaling.attn_factor": 1.2},
             {"fused": True, "factors": True}),
    "qwen35": ("qwen35", 16, 2, 24, 2, 1, 8,
               {"rope.dimension_count": 4, "rope.dimension_sections": [1, 1, 0, 0], "ssm.conv_kernel": 4,
                "ssm.state_size": 8, "ssm.group_count": 1, "ssm.time_step_rank": 2, "ssm.inner_size": 16,
                "full_attention_interval": 2}, {"qk_norm": True, "delta": [0]}),
    "lfm2": ("lfm2", 20, 3, 32, 2, [0, 2, 0], 10, {"shortconv.l_cache": 3}, {"qk_norm": True, "conv": [0, 2]}),
    "bert-mean": ("bert", 20, 2, 32, 2, 2, 10, {"pooling_type": 1}, {}),
    "bert-cls": ("bert", 24, 2, 32, 3, 3, 8, {"pooling_type": 2}, {}),
}


class Writer:
    def __init__(self, path, arch, seed):
        self.w, self.arch, self.rng = GGUFWriter(path, arch), arch, np.random.default_rng(seed)

    def meta(self, key, v):
        key = f"{self.arch}.{key}"
        if isinstance(v, bool): self.w.add_bool(key, v)
        elif isinstance(v, int): self.w.add_uint32(key, v)
        elif isinstance(v, float): self.w.add_float32(key, v)
        elif isinstance(v, str): self.w.add_string(key, v)
        else: self.w.add_key_value(key, v, T.ARRAY, sub_type=T.BOOL if isinstance(v[0], bool) else T.INT32)

    def tensor(self, name, a): self.w.add_tensor(name, np.ascontiguousarray(a, dtype=np.float32))
    def normal(self, *shape): return self.rng.standard_normal(shape)
    def matrix(self, name, rows, cols, gain=1.0): self.tensor(name + ".weight", self.normal(rows, cols) * gain / np.sqrt(cols))
    def norm(self, name, n, bias=False):
        self.tensor(name + ".weight", 1 + 0.3 * self.normal(n))
        if bias: self.bias(name, n)
    def bias(self, name, n): self.tensor(name + ".bias", 0.3 * self.normal(n))

    def close(self):
        self.w.write_header_to_file(); self.w.write_kv_data_to_file(); self.w.write_tensors_to_file(); self.w.close()


def mixer(m, b, i, arch, d, nh, nkv, dh, meta, o):
    if i in o.get("delta", []):
        s, ng, nv, taps = (meta["ssm." + k] for k in ("state_size", "group_count", "time_step_rank", "conv_kernel"))
        channels = 2 * s * ng + s * nv
        m.matrix(b + "attn_qkv", channels, d, 1.5); m.matrix(b + "attn_gate", s * nv, d)
        m.tensor(b + "ssm_conv1d.weight", 0.5 * m.normal(channels, taps))
        m.tensor(b + "ssm_dt.bias", 0.5 * m.normal(nv) - 2); m.tensor(b + "ssm_a", -np.exp(0.5 * m.normal(nv)))
        m.matrix(b + "ssm_beta", nv, d); m.matrix(b + "ssm_alpha", nv, d)
        m.norm(b + "ssm_norm", s); m.matrix(b + "ssm_out", d, s * nv)
        return
    if i in o.get("conv", []):
        m.matrix(b + "shortconv.in_proj", 3 * d, d, 1.5)
        m.tensor(b + "shortconv.conv.weight", 0.6 * m.normal(d, meta["shortconv.l_cache"]))
        m.matrix(b + "shortconv.out_proj", d, d)
        return
    nkv = nkv[i] if isinstance(nkv, list) else nkv
    q = nh * dh * (2 if arch == "qwen35" else 1)
    if o.get("fused"):
        m.matrix(b + "attn_qkv", q + 2 * nkv * dh, d, 1.5)
    else:
        for t, rows in (("attn_q", q), ("attn_k", nkv * dh), ("attn_v", nkv * dh)):
            m.matrix(b + t, rows, d, 1.5)
            if o.get("bias") or o.get("qkv_bias") or arch == "bert": m.bias(b + t, rows)
    if o.get("qk_norm"): m.norm(b + "attn_q_norm", dh); m.norm(b + "attn_k_norm", dh)
    m.matrix(b + "attn_output", d, nh * dh)
    if o.get("bias") or arch == "bert": m.bias(b + "attn_output", d)


def feed_forward(m, b, arch, d, ff, o):
    bias = o.get("bias") or arch == "bert"
    if o.get("fused"):
        m.matrix(b + "ffn_up", 2 * ff, d)
    else:
        for t in ("ffn_up",) if arch == "bert" else ("ffn_gate", "ffn_up"):
            m.matrix(b + t, ff, d)
            if bias: m.bias(b + t, ff)
    m.matrix(b + "ffn_down", d, ff)
    if bias: m.bias(b + "ffn_down", d)


def write(name, seed):
    arch, d, n_layer, ff, nh, nkv, dh, meta, o = MODELS[name]
    bert, gemma = arch == "bert", arch.startswith("gemma")
    m = Writer(f"{HERE}/{name}.gguf", arch, seed)
    m.meta("block_count", n_layer); m.meta("context_length", 64); m.meta("embedding_length", d)
    m.meta("feed_forward_length", ff); m.meta("attention.head_count", nh); m.meta("attention.head_count_kv", nkv)
    m.meta("attention.key_length", dh); m.meta("attention.value_length", dh); m.meta("vocab_size", V)
    m.meta("attention.layer_norm_epsilon" if bert else "attention.layer_norm_rms_epsilon", 1e-5)
    if bert: m.meta("attention.causal", False); m.w.add_uint32("tokenizer.ggml.token_type_count", 2)
    if not bert and "rope.dimension_count" not in meta: m.meta("rope.dimension_count", dh)
    for k, v in meta.items(): m.meta(k, v)
    m.w.add_string("tokenizer.ggml.model", "test")
    m.w.add_array("tokenizer.ggml.tokens", [f"t{i}" for i in range(V)])
    m.w.add_key_value("tokenizer.ggml.token_type", [1] * V, T.ARRAY, sub_type=T.INT32)
    m.w.add_key_value("tokenizer.ggml.scores", [0.0] * V, T.ARRAY, sub_type=T.FLOAT32)
    m.tensor("token_embd.weight", m.normal(V, d) * (0.3 if gemma else 1.0))
    if bert:
        m.tensor("position_embd.weight", 0.5 * m.normal(64, d)); m.tensor("token_types.weight", 0.5 * m.normal(2, d))
        m.norm("token_embd_norm", d, bias=True)
    else:
        m.norm("token_embd_norm" if arch == "lfm2" else "output_norm", d)
        if not o.get("tied", True): m.matrix("output", V, d, 2.0)
    if "freqs" in o: m.tensor("rope_freqs.weight", o["freqs"])
    if "factors" in o: m.tensor("rope_factors_long.weight", [1.5, 3.0]); m.tensor("rope_factors_short.weight", [1.0, 1.2])
    for i in range(n_layer):
        b = f"blk.{i}."
        if not bert: m.norm(b + "attn_norm", d)
        mixer(m, b, i, arch, d, nh, nkv, dh, meta, o)
        if o.get("post") or arch == "qwen35": m.norm(b + "post_attention_norm", d)
        if bert: m.norm(b + "attn_output_norm", d, bias=True); m.norm(b + "layer_output_norm", d, bias=True)
        elif arch != "qwen35": m.norm(b + "ffn_norm", d)
        feed_forward(m, b, arch, d, ff, o)
        if o.get("post"): m.norm(b + "post_ffw_norm", d)
    m.close()


for number, name in enumerate(MODELS):
    write(name, 1000 + number)
    tokens = " ".join(map(str, np.random.default_rng(number).integers(0, V, N_TOKENS)))
    out = f"{HERE}/{name}" + (".embd" if name.startswith("bert") else ".logits")
    extra = ["--embd"] if name.startswith("bert") else []
    subprocess.run([sys.argv[1], f"{HERE}/{name}.gguf", tokens, out] + extra, check=True)
    print(name, os.path.getsize(f"{HERE}/{name}.gguf"))
