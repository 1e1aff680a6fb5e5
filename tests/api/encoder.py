"""A tiny encoder with a real tokenizer, for tests: random weights (a fixed seed) under the word pieces of
tests/golden/tok/wpm.gguf. `write(path)`. The layout of a GGUF file is in retemplate.py."""
import os
import random
import struct

from retemplate import pairs
from server import ROOT

U32, F32, BOOL, STRING = 4, 6, 7, 8
D, LAYERS, FF, HEADS, CTX = 32, 2, 48, 2, 64


def text(s):
    b = s.encode() if isinstance(s, str) else s
    return struct.pack("<Q", len(b)) + b


def pair(key, kind, value):
    pack = {U32: "<I", F32: "<f", BOOL: "<?"}
    return text(key) + struct.pack("<I", kind) + (text(value) if kind == STRING else struct.pack(pack[kind], value))


def tensors(n_vocab):
    """name: (rows or None, columns, mean, deviation)"""
    t = {"token_embd.weight": (n_vocab, D, 0, 1), "position_embd.weight": (CTX, D, 0, 0.3),
         "token_types.weight": (2, D, 0, 0.3), "token_embd_norm.weight": (None, D, 1, 0.2),
         "token_embd_norm.bias": (None, D, 0, 0.2)}
    for i in range(LAYERS):
        for name, rows, columns in ("attn_q", D, D), ("attn_k", D, D), ("attn_v", D, D), ("attn_output", D, D), \
                ("ffn_up", FF, D), ("ffn_down", D, FF):
            t["blk.%d.%s.weight" % (i, name)] = (rows, columns, 0, columns ** -0.5)
            t["blk.%d.%s.bias" % (i, name)] = (None, rows, 0, 0.1)
        for name in "attn_output_norm", "layer_output_norm":
            t["blk.%d.%s.weight" % (i, name)] = (None, D, 1, 0.2)
            t["blk.%d.%s.bias" % (i, name)] = (None, D, 0, 0.2)
    return t


def write(path):
    with open(os.path.join(ROOT, "tests/golden/tok/wpm.gguf"), "rb") as f:
        b = f.read()
    kv = [text(key) + struct.pack("<I", kind) + b[start:end] for key, kind, start, end in pairs(b)
          if key and key.startswith(b"tokenizer.")]
    n_vocab = [struct.unpack_from("<IQ", b, start)[1] for key, _, start, _ in pairs(b)
               if key == b"tokenizer.ggml.tokens"][0]
    kv += [pair("general.architecture", STRING, "bert"), pair("bert.block_count", U32, LAYERS),
           pair("bert.context_length", U32, CTX), pair("bert.embedding_length", U32, D),
           pair("bert.feed_forward_length", U32, FF), pair("bert.attention.head_count", U32, HEADS),
           pair("bert.attention.layer_norm_epsilon", F32, 1e-5), pair("bert.attention.causal", BOOL, False),
           pair("bert.pooling_type", U32, 1)]
    if not any(k.startswith(text("tokenizer.ggml.token_type_count")) for k in kv):
        kv.append(pair("tokenizer.ggml.token_type_count", U32, 2))
    r = random.Random(7)
    head, data = b"", b""
    all_tensors = tensors(n_vocab)
    for name, (rows, columns, mean, deviation) in all_tensors.items():
        shape = [columns] + ([rows] if rows else [])
        head += text(name) + struct.pack("<I%dQIQ" % len(shape), len(shape), *shape, 0, len(data))
        data += struct.pack("<%df" % (columns * (rows or 1)), *(r.gauss(mean, deviation) for _ in range(columns * (rows or 1))))
        data += b"\0" * (-len(data) % 32)
    whole = b"GGUF" + struct.pack("<IQQ", 3, len(all_tensors), len(kv)) + b"".join(kv) + head
    with open(path, "wb") as f:
        f.write(whole + b"\0" * (-len(whole) % 32) + data)
