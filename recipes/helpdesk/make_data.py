# SPDX-License-Identifier: Apache-2.0
"""Writes the training text from seeds/*.txt, lists.py, orders.py and replies.txt. Deterministic.

Seed lines use two marks: (a|b|c) picks one alternative (may nest, may be empty) and {slot} is filled from lists.py.
"""
import argparse
import json
import pathlib
import random
import re

import lists
import orders

HERE = pathlib.Path(__file__).parent
OUT = HERE.parent.parent / "examples" / "helpdesk"

LABELS = """order_status change_delivery cancel_order return_item refund_status exchange_item damaged_item missing_item
wrong_item stock_check product_question discount_code payment_problem invoice_copy login_problem update_account gift_card
opening_hours warranty_repair loyalty_points speak_to_human out_of_scope""".split()


def expand(r, line):
    """One random sentence of a seed line."""
    pat = re.compile(r"\(([^()]*)\)")
    while m := pat.search(line):
        line = line[: m.start()] + r.choice(m.group(1).split("|")) + line[m.end():]
    line = re.sub(r"\{(\w+)\}", lambda m: lists.slot(r, m.group(1)), line)
    line = re.sub(r"\s+([,.?!])", r"\1", re.sub(r"\s+", " ", line)).strip(" ,")
    return line


def seeds(label):
    rows = (HERE / "seeds" / f"{label}.txt").read_text().splitlines()
    rows = [x.strip() for x in rows if x.strip()]
    # a line with many alternatives stands for more sentences, so it is drawn a little more often
    w = [1 + min(2.0, 0.16 * x.count("|")) for x in rows]
    return rows, w


GREET = "hi|hello|hey|hi there|hello there|good morning|good afternoon|good evening|dear team|hi team|dear sir or madam|hiya|morning|hey guys|hello all|greetings".split("|")
OPEN = """quick question|sorry to bother you|I have a question|I hope you can help|can you help me|could you help|I need some help|need help please|I've got a problem|
there's a problem|I'm not sure who to ask|just a question|please help|I'm hoping you can sort this|not sure if this is the right place|question for you|
I'm writing about my last order|it's me again|so|um|ok so|right|listen|well|look|excuse me|sorry|I don't understand|I wonder if you can help|one thing""".replace("\n", "").split("|")
CTX_ORDER = """I ordered {ait} from you {ago}|I bought {ait} {ago}|my order number is {no}|order number {no}|I placed an order {ago}|I ordered some things {ago}|
it's about order {no}|it's about my {it}|I bought {gro} and {ait} from your website|ref {no}|this is about the {it} I bought {ago}|I ordered online {ago}|
we ordered {ait} and {its} for the new flat|got my delivery {ago}|it was a present for my mum|it's for my son's birthday on {day}|I'm a first time customer|
my order from {date}|we bought it in your {city} shop|I paid {money} for it|it's a gift|I did a big shop {ago}""".replace("\n", "").split("|")
CTX_ANY = """I've been a customer for {small} years|I shop with you every week|I live in {city}|I'm in a bit of a hurry|I've looked on the website but found nothing|
I couldn't find the answer in the faq|I've asked this before|my wife told me to ask|I'm asking for my mum|my name is {name}|this is {name}|I looked everywhere in the app|
I'm new here|I never had this before|I normally shop in {city}|I'm not very technical|it's the first time I shop here|my friend said you could help|I'm on the app|
I'm on my phone right now|I'm at work so can't call""".replace("\n", "").split("|")
CLOSE = """thanks|thank you|thanks in advance|cheers|please|please help|please advise|let me know|please let me know|many thanks|ta|thx|kind regards|best wishes|thank you so much|
kind regards, {name}|thanks, {name}|{name}|this is urgent|it's urgent|asap please|as soon as possible please|what can I do|what do I do|what should I do now|what now|
can you help|can you help me|please sort this out|can you sort it|can you check|could you look into it|can you look into this|not happy|I'm not happy about it|
this is really annoying|very disappointed|I'm getting annoyed|not good enough|this is ridiculous|it's a joke|really frustrating|hope you can help|I'd appreciate it|
sorry for the trouble|no rush|whenever you can|hope to hear from you soon|waiting for your answer|please get back to me|is that ok|is that possible|how does that work|
any help appreciated|would be great|if possible|I look forward to your reply|tell me please""".replace("\n", "").split("|")

SUBS = [
    (r"\bcan't\b", ["cannot", "can not", "cant", "am not able to"]), (r"\bdon't\b", ["do not", "dont"]), (r"\bdoesn't\b", ["does not", "doesnt"]),
    (r"\bisn't\b", ["is not", "isnt", "ain't"]), (r"\bwon't\b", ["will not", "wont"]), (r"\bhaven't\b", ["have not", "havent"]), (r"\bhasn't\b", ["has not", "hasnt"]),
    (r"\bwasn't\b", ["was not", "wasnt"]), (r"\bdidn't\b", ["did not", "didnt"]), (r"\bI'm\b", ["I am", "im", "i'm"]), (r"\bI've\b", ["I have", "ive"]), (r"\bI'd like\b", ["I would like", "I want", "I wanna", "id like"]),
    (r"\bit's\b", ["it is", "its"]), (r"\bwhat's\b", ["what is", "whats"]), (r"\bwhere's\b", ["where is", "wheres"]), (r"\bplease\b", ["pls", "plz", "kindly"]),
    (r"\byou\b", ["u", "you guys", "ya"]), (r"\byour\b", ["ur", "the"]), (r"\bbecause\b", ["cos", "as", "since"]), (r"\bstore\b", ["shop", "branch"]), (r"\bshop\b", ["store"]),
    (r"\bparcel\b", ["package", "packet", "box"]), (r"\bpackage\b", ["parcel"]), (r"\bcolour\b", ["color"]), (r"\bmum\b", ["mom", "mother"]), (r"\bphone number\b", ["mobile number", "number"]),
    (r"\bbroken\b", ["broke", "busted", "bust"]), (r"\bbought\b", ["purchased", "got", "picked up"]), (r"\breceived\b", ["got", "recieved"]), (r"\barrived\b", ["came", "turned up", "got here"]),
    (r"\bhow do I\b", ["how can I", "how to", "how would I", "what's the way to", "how does one"]), (r"\bcan I\b", ["may I", "could I", "am I able to", "is it possible to"]),
    (r"\bcan you\b", ["could you", "would you", "are you able to", "will you"]), (r"\bI want to\b", ["I'd like to", "I need to", "I wish to", "I would love to", "wanna", "want to"]),
    (r"\bI need\b", ["I require", "I'm after", "need"]), (r"\bmoney\b", ["cash", "money"]), (r"\bget\b", ["get", "receive", "have"]), (r"\bwebsite\b", ["site", "web page", "webshop"]),
    (r"\bemail\b", ["e-mail", "mail"]), (r"\bitem\b", ["product", "article", "thing"]), (r"\bsend back\b", ["return", "ship back", "post back"]), (r"\bcourier\b", ["delivery driver", "driver", "carrier"]),
    (r"\bwrong\b", ["incorrect", "wrong"]), (r"\bstopped working\b", ["quit working", "gave out", "is not working any longer", "no longer works"]), (r"\bdelivery\b", ["delivery", "drop-off"]),
    (r"\bcancel\b", ["cancel", "cancel", "call off", "annul", "stop", "withdraw", "undo"]), (r"\bmy order\b", ["my purchase", "my order", "the order", "my shopping", "the stuff I ordered", "our order"]),
    (r"\breturn\b", ["return", "send back", "bring back", "give back", "return"]), (r"\brefund\b", ["refund", "money back", "refund", "reimbursement", "repayment"]),
    (r"\bswap\b", ["exchange", "switch", "change", "trade"]), (r"\bexchange\b", ["swap", "switch", "change", "exchange"]), (r"\bdeliver\b", ["drop off", "bring", "deliver", "send"]),
    (r"\bordered\b", ["bought", "ordered", "got", "paid for", "purchased", "requested"]), (r"\bsent\b", ["sent", "shipped", "posted", "delivered"]), (r"\bship\b", ["send", "post", "dispatch", "ship"]),
    (r"\bin stock\b", ["in stock", "available", "on the shelf", "in store", "to be had"]), (r"\bmissing\b", ["missing", "absent", "not there", "lacking", "left out"]),
    (r"\bsmashed\b", ["shattered", "broken", "in bits", "in pieces", "cracked"]), (r"\bcracked\b", ["split", "broken", "chipped", "cracked"]), (r"\bdamaged\b", ["damaged", "ruined", "battered", "wrecked"]),
    (r"\bcharged\b", ["billed", "charged", "debited", "invoiced"]), (r"\bdeclined\b", ["refused", "rejected", "turned down", "not accepted"]), (r"\breceipt\b", ["receipt", "bill", "invoice", "receipt"]),
    (r"\binvoice\b", ["invoice", "bill", "receipt", "invoice"]), (r"\b(log in|sign in)\b", ["log in", "sign in", "login", "get in", "log on", "access my account"]), (r"\bpassword\b", ["password", "passcode", "password", "pass word"]),
    (r"\blocked\b", ["locked", "blocked", "frozen", "suspended"]), (r"\bdelete\b", ["delete", "remove", "erase", "close", "wipe"]), (r"\bwarranty\b", ["guarantee", "warranty", "cover"]), (r"\brepair\b", ["repair", "fix", "mend"]),
    (r"\bperson\b", ["person", "human", "member of staff", "colleague", "real person", "somebody"]), (r"\bhuman\b", ["human", "person", "real person", "human being"]), (r"\bagent\b", ["agent", "representative", "advisor", "colleague"]),
    (r"\bdiscount\b", ["discount", "reduction", "money off", "discount", "rebate"]), (r"\bcode\b", ["code", "code", "promo"]), (r"\bpoints\b", ["points", "points", "bonus points", "reward points"]), (r"\bloyalty card\b", ["club card", "membership card", "points card", "loyalty card"]),
    (r"\bopen\b", ["open", "open", "trading"]), (r"\bclose\b", ["close", "shut"]), (r"\bclosed\b", ["shut", "closed"]), (r"\bnearest\b", ["closest", "nearest"]), (r"\baddress\b", ["address", "address", "adress"]),
    (r"\bsize\b", ["size", "size", "sz"]), (r"\bgot\b", ["received", "got", "was sent"]), (r"\bwhen will\b", ["when will", "what day will", "how soon will", "any idea when will"]), (r"\bstill\b", ["still", "as of now", ""]),
    (r"\bmy (?=[a-z])", ["my ", "the ", "our ", "my "]), (r"\byesterday\b", ["yesterday", "today", "this afternoon", "on the 3rd"]), (r"\bhelp\b", ["help", "assist"]), (r"\bquestion\b", ["question", "query"]),
    (r"\bvoucher\b", ["coupon", "voucher"]), (r"\bgift card\b", ["giftcard", "gift voucher", "gift card"]), (r"\bcustomer service\b", ["customer care", "support", "customer services"]),
]
SUBS = [(re.compile(p), v) for p, v in SUBS]
NEAR = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wqertyuiopsasdfghjkxzxcvbn"))


def typo(r, text, n):
    words = text.split(" ")
    for _ in range(n):
        i = r.randrange(len(words))
        w = words[i]
        if len(w) < 4 or not w.isalpha():
            continue
        k = r.randrange(1, len(w) - 1)
        p = r.random()
        if p < 0.35:
            w = w[:k] + w[k + 1] + w[k] + w[k + 2:]
        elif p < 0.65:
            w = w[:k] + w[k + 1:]
        elif p < 0.8:
            w = w[:k] + w[k] + w[k:]
        elif p < 0.95:
            w = w[:k] + NEAR.get(w[k], w[k]) + w[k + 1:]
        elif i + 1 < len(words):
            w = w + words[i + 1]
            words[i + 1] = ""
        words[i] = w
    return " ".join(x for x in words if x)


def style(r, parts):
    """Joins sentence parts the way one customer might type them."""
    formal = r.random()
    out = []
    for i, p in enumerate(parts):
        if formal < 0.5:
            p = p[0].upper() + p[1:]
        question = re.match(r"(?i)(what|where|when|who|how|why|which|can|could|do|does|did|is|are|will|would|has|have|was|am|any)\b", p)
        if p[-1] in ".?!":
            end = ""
        elif formal < 0.62:
            end = "?" if question and r.random() < 0.85 else r.choice([".", ".", ".", "!", "...", ""])
        elif formal < 0.8:
            end = "," if i + 1 < len(parts) else ""
        else:
            end = ""
        out.append(p + end)
    text = " ".join(out)
    if r.random() < 0.1 and len(parts) > 1:
        text = text.replace(". ", "\n", 1) if r.random() < 0.3 else text.replace(", ", " - ", 1)
    p = r.random()
    if p < 0.34:
        text = text.lower()
    elif p < 0.365:
        text = text.upper()
    if r.random() < 0.2:
        text = text.replace("'", "")
    elif r.random() < 0.1:
        text = text.replace("'", "\u2019")
    if r.random() < 0.1:
        text = re.sub(r"[.?!]+$", lambda m: m.group(0)[0] * r.randint(2, 3), text)
    return text


def message(r, label, rows, w):
    kinds = r.random()
    pick = lambda: expand(r, r.choices(rows, w)[0])
    core = [pick()]
    oos = label == "out_of_scope"
    if not oos and kinds < 0.16:
        core.append(pick())
    for i, c in enumerate(core):
        for pat, alts in SUBS:
            if r.random() < 0.26:
                c = pat.sub(lambda m: r.choice(alts), c)
        core[i] = re.sub(r" +", " ", c).strip() or "help"
    pre, post = [], []
    p = r.random()
    if p < 0.20: pre.append(r.choice(GREET))
    elif p < 0.30: pre += [r.choice(GREET), r.choice(OPEN)]
    elif p < 0.38: pre.append(r.choice(OPEN))
    if r.random() < (0.06 if oos else 0.20):
        post_sale = label not in ("opening_hours", "speak_to_human", "out_of_scope", "gift_card", "login_problem", "stock_check") or r.random() < 0.15
        ctx = expand(r, r.choice(CTX_ORDER if post_sale and r.random() < 0.7 else CTX_ANY))
        (pre if r.random() < 0.75 else post).append(ctx)
    if r.random() < 0.26:
        post.append(expand(r, r.choice(CLOSE)))
    parts = pre + core + post
    if oos and len(parts) == 1 and r.random() < 0.4:
        return parts[0]
    text = style(r, parts)
    if r.random() < 0.06 and len(core) == 1:
        # spoken filler at a word boundary
        ws = text.split(" ")
        ws.insert(r.randrange(len(ws) + 1), r.choice(["uh", "um", "er", "like", "well", "hm", "actually", "basically", "just"]))
        text = " ".join(ws)
    if r.random() < 0.24:
        text = typo(r, text, r.choice([1, 1, 1, 2, 2, 3]))
    return text


def dump(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        for x in rows:
            f.write(json.dumps(x, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(path.name, len(rows), "rows", path.stat().st_size, "bytes")


def classify_rows(seed, per_label, oos_factor):
    r = random.Random(seed)
    out, seen = [], set()
    for label in LABELS:
        rows, w = seeds(label)
        n = int(per_label * (oos_factor if label == "out_of_scope" else 1))
        # every seed line at least twice, the rest by weight
        todo = [(x, [1.0]) for x in rows] * 2
        got = tries = 0
        while got < n and tries < 40 * n:
            tries += 1
            rr, ww = ([todo[tries - 1][0]], [1.0]) if tries <= len(todo) else (rows, w)
            m = message(r, label, rr, ww)
            if m.lower() in seen or len(m) > 330:
                continue
            seen.add(m.lower())
            out.append({"input": m, "label": label})
            got += 1
    r.shuffle(out)
    return out


def reply_rows(seed, n):
    r = random.Random(seed)
    table, cur = {}, None
    path = HERE / "replies.txt"
    if not path.exists():
        return []
    for line in path.read_text().splitlines():
        if line.startswith("["):
            cur = table.setdefault(line.strip("[]"), [])
        elif line.strip():
            cur.append(line.strip())
    assert all(len(table[x]) >= 8 for x in LABELS)
    out = []
    for i in range(n):
        label = LABELS[i % len(LABELS)]
        rows, w = seeds(label)
        out.append({"input": message(r, label, rows, w), "output": expand(r, r.choice(table[label]))})
    r.shuffle(out)
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--per-label", type=int, default=1600)
    ap.add_argument("--oos-factor", type=float, default=3.5)
    ap.add_argument("--orders", type=int, default=14000)
    ap.add_argument("--replies", type=int, default=6600)
    a = ap.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    dump(OUT / "train.jsonl", classify_rows(11, a.per_label, a.oos_factor))
    dump(OUT / "orders_train.jsonl", orders.rows(22, a.orders))
    dump(OUT / "replies_train.jsonl", reply_rows(33, a.replies))


if __name__ == "__main__":
    main()
