# SPDX-License-Identifier: Apache-2.0
"""Writes a checkpoint as GGUF: an F32 file for checks and the Q8_0 file that is shipped."""
import argparse
import json
import pickle

import gguf
import numpy as np
from gguf.quants import quantize

import tokenizer as T

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write(path, ck, tok, kind):
    cfg, p = ck["cfg"], ck["params"]
    w = gguf.GGUFWriter(path, "llama")
    w.add_name("Croft help desk")
    w.add_description("A small English help-desk decoder: message to label, spoken order to JSON, short replies. Trained by the project on text the project wrote.")
    w.add_license("apache-2.0")
    w.add_context_length(cfg.n_ctx)
    w.add_embedding_length(cfg.n_embd)
    w.add_block_count(cfg.n_layer)
    w.add_feed_forward_length(cfg.n_ff)
    w.add_head_count(cfg.n_head)
    w.add_head_count_kv(cfg.n_head_kv)
    w.add_rope_dimension_count(cfg.head_dim)
    w.add_rope_freq_base(cfg.rope_theta)
    w.add_layer_norm_rms_eps(cfg.eps)
    w.add_vocab_size(cfg.n_vocab)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if kind == "q8_0" else gguf.LlamaFileType.ALL_F32)
    model = tok["model"]
    names = [t for t, _ in sorted(model["vocab"].items(), key=lambda x: x[1])]
    assert len(names) == cfg.n_vocab
    types = [gguf.TokenType.CONTROL if t in T.SPECIAL else gguf.TokenType.UNUSED if t.startswith("<|unused") else gguf.TokenType.NORMAL for t in names]
    merges = [x if isinstance(x, str) else " ".join(x) for x in model["merges"]]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(names)
    w.add_token_types(types)
    w.add_token_merges(merges)
    ids = model["vocab"]
    w.add_bos_token_id(ids["<|endoftext|>"])
    w.add_eos_token_id(ids["<|im_end|>"])
    w.add_pad_token_id(ids["<|endoftext|>"])
    w.add_add_bos_token(False)
    w.add_chat_template(TEMPLATE)

    def add(name, x):
        x = np.ascontiguousarray(x, np.float32)
        if kind == "q8_0" and x.ndim == 2:
            q = gguf.GGMLQuantizationType.Q8_0
            w.add_tensor(name, quantize(x, q), raw_dtype=q)
        else:
            w.add_tensor(name, x)

    add("token_embd.weight", p["token_embd"])
    for i in range(cfg.n_layer):
        for k, v in p["layers"].items():
            add(f"blk.{i}.{k}.weight", v[i])
    add("output_norm.weight", p["output_norm"])
    add("output.weight", p["output"])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--checkpoint", default="checkpoint.pkl")
    ap.add_argument("--f32")
    ap.add_argument("--q8_0")
    a = ap.parse_args()
    with open(a.checkpoint, "rb") as f:
        ck = pickle.load(f)
    with open(a.checkpoint + ".tokenizer.json", encoding="utf-8") as f:
        tok = json.load(f)
    for kind, path in (("f32", a.f32), ("q8_0", a.q8_0)):
        if path:
            write(path, ck, tok, kind)
            print("wrote", path)
