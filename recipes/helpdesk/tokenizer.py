# SPDX-License-Identifier: Apache-2.0
"""A GPT-2 style byte-level BPE whose words tokenise alike with and without a leading space.

Merges are first learnt on words without their space; then "space + piece" merges are appended for every piece that can
start a word. So " avocados" and "avocados" split at the same places, which makes copying a product name easy to learn.
"""
import json
import pathlib

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def load_jsonl(path):
    return [json.loads(x) for x in open(path, encoding="utf-8")]


def dump_json(x):
    return json.dumps(x, ensure_ascii=False, separators=(",", ":"))


def texts(data):
    for x in load_jsonl(data / "train.jsonl"):
        yield x["input"]
        yield x["label"]
    for x in load_jsonl(data / "orders_train.jsonl"):
        yield x["input"]
        yield dump_json(x["output"])
    for x in load_jsonl(data / "replies_train.jsonl"):
        yield x["output"]
    for _ in range(3000):
        yield "system user assistant Classify the message. Write the order as JSON. Reply to the customer."


def build(data, n_vocab):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    space = "\u0120"

    def learn(size):
        tk = Tokenizer(models.BPE())
        tk.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        tr = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, min_frequency=4, show_progress=False)
        tk.train_from_iterator((t.replace(" ", "\n") for t in texts(data)), tr)
        m = json.loads(tk.to_str())["model"]
        merges = [tuple(x) if isinstance(x, list) else tuple(x.split(" ")) for x in m["merges"]]
        return [(a, b) for a, b in merges if space not in a + b]

    def finish(merges):
        pieces = [a + b for a, b in merges]
        start = [c for c in alphabet if c.isascii() and c.isalnum()] + list("#$(-'\"&+/") + [p for p in pieces if p[0].isascii() and p[0].isalnum()]
        lead = [(space, p) for p in start]
        vocab = alphabet + pieces + [space + p for p in start] + SPECIAL
        return vocab, merges + lead

    n = n_vocab // 2 + 80
    merges = learn(n)
    while True:
        vocab, allm = finish(merges)
        if len(vocab) <= n_vocab:
            break
        merges = merges[:-1]
    # fill up to a round size with unused control tokens
    k = 0
    while len(vocab) < n_vocab:
        vocab.insert(len(vocab) - len(SPECIAL), f"<|unused{k}|>")
        k += 1
    assert len(set(vocab)) == n_vocab
    ids = {t: i for i, t in enumerate(vocab)}
    tk = Tokenizer(models.BPE(vocab=ids, merges=allm))
    tk.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tk.decoder = decoders.ByteLevel()
    tk.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    return tk


SYSTEM = {"classify": "Classify the message.", "order": "Write the order as JSON.", "reply": "Reply to the customer."}


def prompt(system, user):
    return f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


if __name__ == "__main__":
    here = pathlib.Path(__file__).parent
    tk = build(here.parent.parent / "examples" / "helpdesk", 2560)
    print(tk.get_vocab_size(), tk.encode(prompt(SYSTEM["classify"], "Where is my order?")).tokens)
    print(tk.encode(' avocados"avocados pretzels"pretzels {"items":[{"product":"oat milk","quantity":2}],"fulfilment":"delivery","day":"friday"}').tokens)
