#!/usr/bin/env python3
"""Model files with random weights, in the shapes and type mixes that a benchmark needs.

    bench/models.py FOLDER [NAME ...]        NAME is SHAPE-TYPE, for example 1B-Q4_K_M; without: what `make bench` uses

A file that exists stays. Speed depends on shapes and types, not on what a model has learnt, so blocks of the
quantised types are made directly: random bits, and scales with which a weight has a standard deviation of about 0.02.
The types of the tensors are those that llama-quantize gives for the same name (compared with its output, tensor by
tensor).

GGUF, as written here (little endian):

    "GGUF"  u32 version 3  u64 n_tensors  u64 n_pairs
    n_pairs   times: string key, u32 kind of value, value              string: u64 length, UTF-8
    n_tensors times: string name, u32 n_dims, u64 dims[], u32 type, u64 offset of its data
    zeros up to a multiple of 32, then the data of every tensor, each starting at a multiple of 32
"""
import itertools
import os
import random
import struct
import sys

# A type: its number in GGUF, weights and bytes of a block, where its 16-bit scales stand and how large they are. The
# rest of a block is random bits.
TYPES = {  # name: (number, weights, bytes, [(offset, scale)])
    "F32": (0, 1, 4, []),
    "Q4_0": (2, 32, 18, [(0, 4e-3)]),
    "Q5_0": (6, 32, 22, [(0, 2e-3)]),
    "Q5_1": (7, 32, 24, [(0, 2e-3), (2, -3e-2)]),
    "Q8_0": (8, 32, 34, [(0, 3e-4)]),
    "Q4_K": (12, 256, 144, [(0, 1e-4), (2, 8e-4)]),
    "Q5_K": (13, 256, 176, [(0, 5e-5), (2, 8e-4)]),
    "Q6_K": (14, 256, 210, [(208, 1.5e-5)]),
}
NARROW = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}  # for rows that are no multiple of 256

SHAPES = {  # arch: the family; d: width; rows of the vocabulary; tied: the embedding is also the output matrix
    "0.5B": dict(arch="qwen2", d=896, layers=24, heads=14, kv=2, ff=4864, vocab=151936, tied=True, pre="qwen2"),
    "1B": dict(arch="llama", d=2048, layers=16, heads=32, kv=8, ff=8192, vocab=128256, tied=True, pre="llama-bpe"),
    "3.8B": dict(arch="phi3", d=3072, layers=32, heads=32, kv=32, ff=8192, vocab=32064, tied=False, pre="gpt-2"),
    "MiniLM": dict(arch="bert", d=384, layers=6, heads=12, kv=12, ff=1536, vocab=30522, tied=True, pre="default"),
    "0.36B": dict(arch="llama", d=960, layers=32, heads=15, kv=5, ff=2560, vocab=49152, tied=True, pre="gpt-2"),
    "1.7B": dict(arch="llama", d=2048, layers=24, heads=32, kv=32, ff=8192, vocab=49152, tied=True, pre="gpt-2"),
    "Base": dict(arch="bert", d=768, layers=12, heads=12, kv=12, ff=3072, vocab=30522, tied=True, pre="default"),
    "tiny": dict(arch="llama", d=256, layers=2, heads=4, kv=2, ff=768, vocab=1024, tied=True, pre="llama-bpe"),
}
QUANTS = ("Q8_0", "Q4_0", "Q4_K_M")
NAMES = [f"{s}-{q}" for s in ("0.5B", "1B") for q in QUANTS] + ["MiniLM-Q8_0"]


def kv_bytes(shape, n_tokens):
    """Of keys and values in 16 bits."""
    s = SHAPES[shape]
    return 2 * 2 * s["layers"] * s["kv"] * (s["d"] // s["heads"]) * n_tokens


# ---- which tensors there are, and their types -----------------------------------------------------------------------


def type_of(tensor, layer, shape, quant, n_in):
    """Q4_K_M spends more bits where errors cost most: on the output matrix, and on the value and down matrices of the
    first and the last eighth of the layers and of every third one between."""
    n, more = shape["layers"], False
    if layer is not None:
        more = layer < n // 8 or layer >= 7 * n // 8 or (layer - n // 8) % 3 == 2
    if quant == "Q8_0":
        return "Q8_0"
    if tensor == ("token_embd" if shape["tied"] else "output"):
        kind = "Q6_K"
    elif quant == "Q4_0":
        kind = "Q4_0"
    elif tensor == "attn_qkv":
        kind = "Q5_K"
    else:
        kind = "Q6_K" if more and tensor in ("attn_v", "ffn_down") else "Q4_K"
    return NARROW.get(kind, kind) if n_in % 256 else kind


def tensors_of(s, quant):
    """Pairs (name, dims, type), in the order of the file; dims as GGUF has them, the row first."""
    d, ff, d_kv = s["d"], s["ff"], s["kv"] * s["d"] // s["heads"]
    bert = s["arch"] == "bert"

    def matrix(name, n_in, n_out, layer=None):
        prefix = "" if layer is None else f"blk.{layer}."
        yield prefix + name + ".weight", (n_in, n_out), type_of(name, layer, s, quant, n_in)
        if bert or s["arch"] == "qwen2" and name in ("attn_q", "attn_k", "attn_v"):
            if layer is not None:
                yield prefix + name + ".bias", (n_out,), "F32"

    def norm(name):
        yield name + ".weight", (d,), "F32"
        if bert:
            yield name + ".bias", (d,), "F32"

    yield from matrix("token_embd", d, s["vocab"])
    if bert:
        yield "position_embd.weight", (d, 512), "F32"
        yield "token_types.weight", (d, 2), "F32"
        yield from norm("token_embd_norm")
    else:
        yield from norm("output_norm")
    if not s["tied"]:
        yield from matrix("output", d, s["vocab"])
    for i in range(s["layers"]):
        if s["arch"] == "phi3":
            parts = [("attn_qkv", d, d + 2 * d_kv), ("attn_output", d, d), ("ffn_up", d, 2 * ff), ("ffn_down", ff, d)]
        else:
            parts = [("attn_q", d, d), ("attn_k", d, d_kv), ("attn_v", d, d_kv), ("attn_output", d, d),
                     ("ffn_up", d, ff), ("ffn_down", ff, d)] + ([] if bert else [("ffn_gate", d, ff)])
        for name, n_in, n_out in parts:
            yield from matrix(name, n_in, n_out, i)
        for name in ("attn_output_norm", "layer_output_norm") if bert else ("attn_norm", "ffn_norm"):
            yield from norm(f"blk.{i}.{name}")


# ---- metadata -------------------------------------------------------------------------------------------------------


def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def pair(key, value):
    """A pair of metadata: the kind follows from the Python type."""
    if isinstance(value, bool):
        kind, data = 7, struct.pack("<?", value)
    elif isinstance(value, int):
        kind, data = 4, struct.pack("<I", value)
    elif isinstance(value, float):
        kind, data = 6, struct.pack("<f", value)
    elif isinstance(value, str):
        kind, data = 8, string(value)
    else:
        text = isinstance(value[0], str)
        items = (string(x) if text else struct.pack("<i", x) for x in value)
        kind, data = 9, struct.pack("<IQ", 8 if text else 5, len(value)) + b"".join(items)
    return string(key) + struct.pack("<I", kind) + data


def byte_letters():
    """The 256 bytes as GPT-2 tokenizers spell them: printable ones as themselves, others from U+0100 on."""
    more = itertools.count(256)
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    return [chr(b) if b in plain else chr(next(more)) for b in range(256)]


def tokenizer(s):
    n = s["vocab"]
    key = "tokenizer.ggml."
    if s["arch"] == "bert":
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        tokens = special + [f"▁w{i}" for i in range(n - len(special))]
        ids = dict(padding=0, unknown=1, cls=2, bos=2, eos=3, seperator=3, mask=4)
        model, types, more = "bert", [3] * 5 + [1] * (n - 5), {key + "token_type_count": 2}
    else:
        # As many tokens and merges as a trained tokenizer has: all pairs of bytes, then triples.
        one = byte_letters()
        two = [(a, b) for a in one for b in one]
        merges = list(itertools.islice(two + [(a + b, c) for a, b in two[:2048] for c in one], n - 258))
        tokens = one + [a + b for a, b in merges] + ["<|bos|>", "<|eos|>"]
        ids = dict(bos=n - 2, eos=n - 1)
        model, types, more = "gpt2", [1] * (n - 2) + [3, 3], {key + "merges": [a + " " + b for a, b in merges]}
    return {key + "model": model, key + "pre": s["pre"], key + "tokens": tokens, key + "token_type": types, **more,
            **{f"{key}{name}_token_id": i for name, i in ids.items()}}


def metadata(s):
    arch, encoder = s["arch"], s["arch"] == "bert"
    m = {"context_length": 512 if encoder else 4096 if arch == "phi3" else 32768, "embedding_length": s["d"],
         "block_count": s["layers"], "feed_forward_length": s["ff"], "attention.head_count": s["heads"],
         "attention.head_count_kv": s["kv"]}
    if encoder:
        m |= {"attention.layer_norm_epsilon": 1e-12, "attention.causal": False, "pooling_type": 1}
    else:
        m |= {"attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 500000.0,
              "rope.dimension_count": s["d"] // s["heads"], "vocab_size": s["vocab"]}
    return {"general.architecture": arch, **{f"{arch}.{k}": v for k, v in m.items()}, **tokenizer(s)}


# ---- the file -------------------------------------------------------------------------------------------------------


def pool(kind, rng):
    """About two MiB of random blocks of a type, to be repeated."""
    _, weights, size, scales = TYPES[kind]
    n = 2**21 // size
    if kind == "F32":
        return struct.pack(f"<{n}f", *(rng.gauss(0, 0.02) for _ in range(n)))
    bits = bytearray(rng.randbytes(n * size))
    for block in range(0, n * size, size):
        for at, scale in scales:
            struct.pack_into("<e", bits, block + at, scale * rng.uniform(0.7, 1.3))
    return bytes(bits)


def data_bytes(dims, kind):
    _, weights, size, _ = TYPES[kind]
    n = 1
    for x in dims:
        n *= x
    return n // weights * size


def tensor_data(name, dims, kind, pools, rng):
    """In pieces, so that a matrix of 200 MiB is not held."""
    n = data_bytes(dims, kind)
    if name.endswith("norm.weight"):
        yield struct.pack(f"<{dims[0]}f", *[1.0] * dims[0])
    elif name.endswith(".bias"):
        yield bytes(n)
    else:
        p = pools[kind]
        size = TYPES[kind][2]
        at = rng.randrange(len(p) // size) * size  # another start for every tensor
        while n:
            piece = p[at:at + n]
            yield piece
            n, at = n - len(piece), 0


def write(path, name):
    shape, _, quant = name.partition("-")
    s, rng = SHAPES[shape], random.Random(name)
    tensors = list(tensors_of(s, quant))
    pools = {kind: pool(kind, rng) for kind in sorted({t[2] for t in tensors})}
    meta = metadata(s)
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(meta)), *(pair(k, v) for k, v in meta.items())]
    offset = 0
    for tensor, dims, kind in tensors:
        head.append(string(tensor) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, TYPES[kind][0], offset))
        offset += -(-data_bytes(dims, kind) // 32) * 32
    with open(path, "wb") as f:
        f.write(b"".join(head))
        for tensor, dims, kind in tensors:
            f.write(bytes(-f.tell() % 32))
            f.writelines(tensor_data(tensor, dims, kind, pools, rng))
        f.write(bytes(-f.tell() % 32))


def ensure(folder, name):
    """The path of a model, written if it is not there."""
    shape, _, quant = name.partition("-")
    if shape not in SHAPES or quant not in QUANTS:
        raise ValueError(f"There is no model {name}: shapes are {', '.join(SHAPES)}, types {', '.join(QUANTS)}, "
                         "written like 1B-Q4_0.")
    path = os.path.join(folder, name + ".gguf")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        part = f"{path}.{os.getpid()}"
        write(part, name)
        os.rename(part, path)
    return path


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    try:
        for wanted in sys.argv[2:] or NAMES:
            print(ensure(sys.argv[1], wanted))
    except (OSError, ValueError) as e:
        sys.exit(f"bench/models.py: {e}")
