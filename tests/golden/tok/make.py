"""Make the small vocabularies of this folder and what independent implementations make of some texts with them.

bpe.gguf   byte-level BPE, cut as qwen2 does      trained and run by `tokenizers`
spm.gguf   SentencePiece BPE with byte fallback   trained and run by `sentencepiece`
wpm.gguf   WordPiece                              trained and run by `tokenizers`
ugm.gguf   unigram with a normalisation table     trained and run by `sentencepiece`
NAME.gguf.inp / .out   texts, each followed by a line __ggml_vocab_test__, and one line of ids for each
NAME.gguf.special.inp / .out   the same with control tokens in the text, and with BOS/EOS (CLS/SEP) added

pip install tokenizers sentencepiece protobuf gguf; run from this folder: python3 make.py
"""
import os
import tempfile

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SEPARATOR = "\n__ggml_vocab_test__\n"
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

TRAINING = """
The baker opened the shop at seven and sold the first loaf before the kettle had boiled.
She'll bring the ladder tomorrow; we've borrowed it twice and he's lent it three times.
Please send two boxes of screws, forty metres of rope and a tin of white paint to the harbour office.
Where is my parcel? It was promised for Monday, and today is Thursday the 14th.
I'd like to change the delivery address, please. The new one is 27 Mill Lane, second floor.
The river rose 120 centimetres in 3 days, the bridge was closed, and nobody could cross.
Can I return the blue jacket? It doesn't fit, and the sleeves are too long.
Nothing grows in the north garden except moss, ferns and one stubborn apple tree.
They're counting the sheep again: 101, 102, 103 ... 1999, 2000.
    def area(width, height):
        return width * height  # square metres
    if (count > 0) { total += price[count - 1]; } else { return -1; }
Der Bäcker öffnete um sieben Uhr, und die Straße roch nach frischem Brot.
Wir müssen die größeren Kisten zuerst über die Brücke bringen.
Le garçon a mangé une crêpe à la fête, puis il est rentré à la maison.
El niño corrió hacia el río y encontró una señal pequeña en el camino.
Мальчик пошёл к реке и нашёл там старую лодку.
Река поднялась, и мост закрыли на три дня.
小さな犬が庭で遊んでいます。
河水上涨了，桥关闭了三天。
The market sells apples, pears, plums and cherries; the mill sells flour, bran and oats.
The captain wrote in the log: wind from the west, sea calm, all well on board.
Every morning the postman leaves the letters, the bills and the newspaper on the same step.
What's the matter with the printer? It prints every second page, and then it stops.
I'll call you back in ten minutes, or you can write to the office at once.
""" * 4

TEXTS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", " \n ", "\t\n  \t", "a", "The", " the", "the shop", "The  shop", "The   shop ",
    "She'll bring the ladder; we've borrowed it, he'S lent it.", "I'd like 27 loaves, 1999 pears and 3.5 tins!",
    "Where is my parcel?\nIt was promised for Monday.\r\n\r\nThanks", "    if (count > 0) { return -1; }\n\n\n",
    "Der Bäcker öffnete um sieben Uhr.", "GRÖSSE Straße ÄÖÜ äöü", "crêpe à la fête, garçon", "El niño corrió",
    "Мальчик пошёл к реке", "ПРИВЕТ Мир", "小さな犬が庭で遊んでいます。", "河水上涨了，桥关闭了", "桥3天",
    "mixed: Straße/река/庭 123", "e\u0301 a\u0300 n\u0303", "🙂 smile 🙂🙂", "👩‍🌾", "zero\u200bwidth", "tab\tand\u00a0nbsp",
    "!!! ??? ... -- ;;", "(((a)))", "x=1;y=2", "1234567890", "١٢٣", "ＡＢＣ１２３", "the<sep>shop", "<sep><sep> <sep>", "< sep >",
    "unusual Ǆ ǆ ﬁ ſ", "The baker opened the shop at seven and sold the first loaf before the kettle had boiled.",
    "internationalisation of counterrevolutionaries",
]


def write(name, model, tokens, types, scores=None, merges=None, **keys):
    w = gguf.GGUFWriter(name + ".gguf", "llama")
    w.add_name("croft test vocabulary")
    w.add_tokenizer_model(model)
    w.add_token_list(tokens)
    w.add_token_types(types)
    if scores is not None:
        w.add_token_scores(scores)
    if merges is not None:
        w.add_token_merges(merges)
    for key, value in keys.items():
        if isinstance(value, bool):
            w.add_bool("tokenizer.ggml." + key, value)
        elif isinstance(value, int):
            w.add_uint32("tokenizer.ggml." + key, value)
        elif isinstance(value, bytes):
            w.add_precompiled_charsmap(value)
        else:
            w.add_string("tokenizer.ggml." + key, value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def expect(name, encode, texts=TEXTS):
    with open(name + ".inp", "w", newline="", encoding="utf-8") as f:
        f.write("".join(t + SEPARATOR for t in texts))
    with open(name + ".out", "w") as f:
        f.write("".join(" ".join(map(str, encode(t))) + "\n" for t in texts))


def bpe():
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TRAINING.splitlines(True), trainers.BpeTrainer(
        vocab_size=800, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.add_tokens([AddedToken("<sep>", normalized=False)])
    n = t.get_vocab_size()
    import json
    vocab = json.loads(t.to_str())
    merges = [" ".join(m) if isinstance(m, list) else m for m in vocab["model"]["merges"]]
    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens = [t.id_to_token(i) for i in range(n)] + control
    types = [USER if x == "<sep>" else NORMAL for x in tokens[:n]] + [CONTROL] * 3
    write("bpe", "gpt2", tokens, types, merges=merges, pre="qwen2", bos_token_id=n, eos_token_id=n + 2)
    expect("bpe.gguf", lambda s: t.encode(s).ids)
    t.add_special_tokens([AddedToken(c, normalized=False, special=True) for c in control])
    expect("bpe.gguf.special", lambda s: t.encode(s).ids,
           ["<|im_start|>user\nWhere is my parcel?<|im_end|>\n<|im_start|>assistant\n", "<|im_end|><|im_end|> <|im_end|>",
            "<|im_start|", "a<sep><|endoftext|>b"])


def piece_types(sp):
    return [UNKNOWN if sp.is_unknown(i) else CONTROL if sp.is_control(i) else BYTE if sp.is_byte(i)
            else UNUSED if sp.is_unused(i) else USER if sp.id_to_piece(i) == "<sep>" else NORMAL
            for i in range(sp.get_piece_size())]


def train_sentencepiece(folder, **options):
    source = os.path.join(folder, "text")
    with open(source, "w", encoding="utf-8") as f:
        f.write(TRAINING)
    sentencepiece.SentencePieceTrainer.train(
        input=source, model_prefix=os.path.join(folder, "m"), user_defined_symbols=["<sep>"], minloglevel=2,
        num_threads=1, **options)
    return sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "m.model"))


def spm():
    with tempfile.TemporaryDirectory() as folder:
        sp = train_sentencepiece(folder, model_type="bpe", vocab_size=800, byte_fallback=True,
                                 normalization_rule_name="identity", remove_extra_whitespaces=False,
                                 character_coverage=0.99)
        n = sp.get_piece_size()
        write("spm", "llama", [sp.id_to_piece(i) for i in range(n)], piece_types(sp),
              scores=[sp.get_score(i) for i in range(n)], pre="default", bos_token_id=1, eos_token_id=2,
              unknown_token_id=0, add_bos_token=True, add_eos_token=False)
        # sentencepiece puts no second space before text that follows a user-defined symbol; GGUF readers do
        texts = [x for x in TEXTS if "<sep>" not in x]
        expect("spm.gguf", sp.encode, texts)
        expect("spm.gguf.special", lambda s: [1] + sp.encode(s), ["the shop", "", " The baker"])


def ugm():
    with tempfile.TemporaryDirectory() as folder:
        rules = os.path.join(folder, "rules.tsv")
        pairs = [(chr(0xFF21 + i), chr(65 + i)) for i in range(26)] + [(chr(0xFF10 + i), chr(48 + i)) for i in range(10)]
        pairs += [("\u00a0", " "), ("\t", " "), ("\n", " "), ("\r", " "), ("\ufb01", "fi"), ("a\u0300", "\u00e0"),
                  ("\u200b", "")]
        with open(rules, "w") as f:
            for a, b in pairs:
                f.write(" ".join("%X" % ord(c) for c in a) + "\t" + " ".join("%X" % ord(c) for c in b) + "\n")
        sp = train_sentencepiece(folder, model_type="unigram", vocab_size=300, normalization_rule_tsv=rules,
                                 remove_extra_whitespaces=True, character_coverage=0.99, pad_id=3)
        m = pb.ModelProto()
        m.ParseFromString(open(os.path.join(folder, "m.model"), "rb").read())
        n = sp.get_piece_size()
        write("ugm", "t5", [sp.id_to_piece(i) for i in range(n)], piece_types(sp),
              scores=[sp.get_score(i) for i in range(n)], pre="default", bos_token_id=1, eos_token_id=2,
              unknown_token_id=0, add_bos_token=False, add_eos_token=True, add_space_prefix=True,
              remove_extra_whitespaces=True, precompiled_charsmap=bytes(m.normalizer_spec.precompiled_charsmap))
        texts = [x for x in TEXTS if "<sep>" not in x]
        expect("ugm.gguf", sp.encode, texts)
        expect("ugm.gguf.special", lambda s: sp.encode(s) + [2], ["the shop", ""])


def wpm():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(TRAINING.splitlines(True), trainers.WordPieceTrainer(
        vocab_size=700, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    n = t.get_vocab_size()
    tokens = []
    for i in range(n):
        s = t.id_to_token(i)
        if not (s.startswith("[") and s.endswith("]")):
            s = s[2:] if s.startswith("##") else "\u2581" + s
        tokens.append(s)
    write("wpm", "bert", tokens, [CONTROL if i < 5 else NORMAL for i in range(n)], unknown_token_id=1,
          seperator_token_id=3, padding_token_id=0, cls_token_id=2, mask_token_id=4)
    plain = Tokenizer.from_str(t.to_str())
    expect("wpm.gguf", lambda s: plain.encode(s).ids)
    expect("wpm.gguf.special", lambda s: [2] + t.encode(s).ids + [3], ["The baker [MASK] the shop", "", "[SEP]x"])


bpe()
spm()
ugm()
wpm()
