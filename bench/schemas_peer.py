#!/usr/bin/env python3
"""JSON Schemas beside llguidance, in one run on one thread: what compiles, how fast, and the cost of a token's mask and step
along the same tokens of the same texts. Needs llguidance, tokenizers and gguf from PyPI, build/bench-schemas, a GGUF file with
a byte-level BPE vocabulary of Qwen 2, and maskbench (bench/schemas.py says where from).

    bench/schemas_peer.py VOCAB.gguf FOLDER [N]     every Nth of the folder's files

Times are of the processor. Both get their grammar in the styles without free white space."""
import collections
import ctypes
import glob
import json
import os
import sys
import time

import gguf
import llguidance
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from schemas import Croft

WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def bytes_of_letters():
    """GPT-2's letters for bytes: printable ones stand for themselves, the others follow 255."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {chr(c): b for b, c in zip(plain + others, plain + [256 + i for i in range(len(others))])}


class Vocabulary:
    """What llguidance asks of a tokenizer."""
    def __init__(self, path):
        field = gguf.GGUFReader(path).fields
        read = lambda key: field["tokenizer.ggml." + key].contents()
        pieces, kinds, letter = read("tokens"), read("token_type"), bytes_of_letters()
        self.bpe = Tokenizer(models.BPE({t: i for i, t in enumerate(pieces)}, [tuple(m.split(" ")) for m in read("merges")]))
        self.bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(WORDS), "isolated"),
                                                          pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        self.tokens = [bytes(letter[c] for c in t) if k == 1 else t.encode() for t, k in zip(pieces, kinds)]
        self.special_token_ids = [i for i, k in enumerate(kinds) if k != 1]
        self.eos_token_id, self.bos_token_id = read("eos_token_id"), None

    def __call__(self, text):
        return self.bpe.encode(text if isinstance(text, str) else text.decode("utf-8", "replace")).ids


def peer_follows(tokenizer, grammar, ids, mask):
    """Does it take the tokens; how many, microseconds together, the largest."""
    matcher, costs = llguidance.LLMatcher(tokenizer, grammar), []
    for i in ids:
        start = time.thread_time()
        matcher.unsafe_compute_mask_ptr(ctypes.addressof(mask), ctypes.sizeof(mask))
        good = mask[i // 32] >> i % 32 & 1 and matcher.consume_token(i)
        costs.append(1e6 * (time.thread_time() - start))
        if not good:
            return False, len(costs), sum(costs), max(costs)
    return matcher.is_accepting(), len(costs), sum(costs), max(costs, default=0)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if not os.path.isdir(sys.argv[2]):
        print("Skipped: %s is no folder; fetch the collection first." % sys.argv[2])
        return
    vocabulary, croft = Vocabulary(sys.argv[1]), Croft(sys.argv[1])
    tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(vocabulary))
    mask = (ctypes.c_uint32 * ((len(vocabulary.tokens) + 31) // 32))()
    n, compiled, cost = collections.Counter(), {"croft": [], "llguidance": []}, {"croft": [], "llguidance": []}
    for path in sorted(glob.glob(os.path.join(sys.argv[2], "*.json")))[::int((sys.argv + ["1"])[3])]:
        with open(path, encoding="utf-8") as f:
            case = json.load(f)
        answer, text = croft.ask("S", case["schema"]), json.dumps(case["schema"])
        start = time.thread_time()
        try:
            grammar = llguidance.LLMatcher.grammar_from_json_schema(text, defaults={"whitespace_flexible": False})
            good = not llguidance.LLMatcher(tokenizer, grammar).is_error()
        except ValueError:
            good = False
        us = 1e6 * (time.thread_time() - start)
        ours = answer.startswith("ok")
        n.update({"schemas": 1, "croft compiles": ours, "llguidance compiles": good})
        if not (ours and good):
            continue
        compiled["croft"].append(float(answer.split()[1]))
        compiled["llguidance"].append(us)
        for t in case["tests"]:
            ids = vocabulary(json.dumps(t["data"], ensure_ascii=False, separators=(",", ":")))
            made = croft.ask("T", t["data"]).split()[1] == "1"
            theirs, *figures = peer_follows(tokenizer, grammar, ids, mask)
            kind = "valid" if t["valid"] else "not valid"
            n.update({kind: 1, kind + ", croft makes": made, kind + ", llguidance makes": theirs})
            if made and theirs:
                cost["croft"].append([float(x) for x in croft.ask("M", t["data"]).split()[1:]])
                cost["llguidance"].append(figures)
    print(dict(n))
    for who, list_ in compiled.items():
        list_.sort()
        tokens = sum(c[0] for c in cost[who])
        print("%-10s compile, microseconds: median %.0f, 90 %% %.0f, 99 %% %.0f; mask and step: mean %.1f, largest %.0f" % (
            who, *(list_[int(q * (len(list_) - 1))] for q in (.5, .9, .99)), sum(c[1] for c in cost[who]) / tokens,
            max(c[2] for c in cost[who])))


if __name__ == "__main__":
    main()
