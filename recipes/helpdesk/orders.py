# SPDX-License-Identifier: Apache-2.0
"""Spoken orders and their JSON, from a small grammar written by the project."""
import random
import re

import lists

# unit words are spoken but not part of the product
COUNT = """apples|bananas|pears|oranges|lemons|limes|avocados|mangoes|peaches|plums|kiwis|grapefruits|pineapples|melons|onions|red onions|carrots|potatoes|sweet potatoes|
cucumbers|tomatoes|courgettes|aubergines|red peppers|green peppers|leeks|cabbages|lettuces|cauliflowers|eggs|free range eggs|brown eggs|bagels|croissants|muffins|doughnuts|rolls|
bread rolls|baguettes|wraps|tortillas|frozen pizzas|pizzas|pies|steaks|salmon fillets|chicken breasts|sausages|burgers|fish cakes|yoghurts|chocolate bars|protein bars|
cereal bars|candles|light bulbs|batteries|notebooks|pens|pencils|envelopes|mugs|plates|bowls|wine glasses|forks|spoons|knives|tea towels|bath towels|pillows|cushions|
blankets|t-shirts|white shirts|black socks|jumpers|hoodies|phone chargers|usb cables|phone cases|mouse pads|extension leads|plant pots|rose bushes|tennis balls|
footballs|puzzles|storage boxes|coat hangers|picture frames|sponges|bin bags|toothbrushes|razors|bars of soap|sim cards|ink cartridges|memory cards|desk lamps|
water bottles|lunch boxes|scented candles|birthday cards|gift bags|balloons|paper plates|napkins|nappies|dog toys|cat toys|padlocks|screwdrivers|paint brushes|
garlic bulbs|corn cobs|mince pies|fruit scones|vegan burgers|veggie sausages|beef burgers|lamb chops|pork chops|ready meals|cinnamon buns|pretzels|beetroots|artichokes|
figs|nectarines|blood oranges|satsumas|passion fruits|turnips|radishes|bath mats|door mats|power banks|headphones|keyboards|umbrellas|scarves|woolly hats|baseball caps|
belts|wallets|rucksacks|garden chairs|folding chairs|fairy lights|alarm clocks|mixing bowls|frying pans|wooden spoons|chopping boards""".replace("\n", "").split("|")
COUNT = [x for x in COUNT if x != "bars of soap"]
MASS = """milk|whole milk|skimmed milk|oat milk|almond milk|soy milk|coconut milk|bread|brown bread|white bread|sourdough bread|rye bread|butter|salted butter|cheese|cheddar|
grated cheese|goat cheese|cream cheese|cottage cheese|mozzarella|parmesan|feta|cream|sour cream|greek yoghurt|plain yoghurt|rice|basmati rice|brown rice|pasta|spaghetti|penne|
noodles|couscous|flour|plain flour|sugar|brown sugar|salt|black pepper|olive oil|sunflower oil|vinegar|ketchup|mayonnaise|mustard|honey|strawberry jam|marmalade|peanut butter|
cereal|corn flakes|porridge oats|muesli|granola|coffee|ground coffee|instant coffee|coffee beans|decaf coffee|tea|green tea|tea bags|peppermint tea|orange juice|apple juice|lemonade|
cola|diet cola|sparkling water|still water|mineral water|beer|lager|red wine|white wine|gin|cider|chicken|minced beef|bacon|ham|turkey|salmon|tuna|prawns|fish fingers|tofu|
hummus|lentils|red lentils|chickpeas|kidney beans|baked beans|tomato soup|tinned tomatoes|chopped tomatoes|tomato paste|sweetcorn|frozen peas|spinach|salad|rocket|broccoli|mushrooms|
celery|garlic|ginger|parsley|basil|coriander|grapes|red grapes|strawberries|raspberries|blueberries|cherries|ice cream|vanilla ice cream|chocolate|dark chocolate|biscuits|crisps|
popcorn|peanuts|almonds|walnuts|cashews|raisins|chewing gum|baby food|baby wipes|cat food|dog food|cat litter|bird seed|toilet paper|toilet roll|kitchen roll|tissues|
washing powder|fabric softener|washing up liquid|dishwasher tablets|bleach|hand soap|soap|shampoo|conditioner|shower gel|toothpaste|sun cream|plasters|printer paper|wrapping paper|
sticky tape|white paint|potting soil|firewood|charcoal|socks|black tights|curry paste|soy sauce|maple syrup|coconut oil|stock cubes|yeast|baking powder|cocoa powder|
iced tea|tonic water|ginger beer|kombucha|energy drinks|oat biscuits|rice cakes|crackers|salsa|guacamole|olives|pickles|pesto|custard|double cream|kefir|cod|mackerel|
rump steak|smoked salmon|cotton wool|face masks|hair gel|furniture polish|aluminium foil|baking paper|cling film|freezer bags|paracetamol|vitamin tablets|lip balm""".replace("\n", "").split("|")
UNITS = """bottles|cartons|litres|packs|packets|bags|boxes|kilos|kilograms|tins|cans|jars|loaves|tubs|tubes|pints|blocks|bunches|rolls|bars|punnets|crates|cases|sacks|trays|pots|slices|multipacks|
pounds|grams|bundles|sticks|pairs|sets""".replace("\n", "").split("|")
ONE_UNIT = {u: u[:-1] for u in UNITS} | {"loaves": "loaf", "boxes": "box", "bunches": "bunch"}
MADE = ["lemon", "vanilla", "organic", "smoked", "spicy", "frozen", "large", "small", "green", "blue", "red", "wooden", "cotton", "garlic", "honey", "ginger", "mint",
        "salted", "roasted", "dried", "fresh", "glass", "steel", "purple", "mini", "gluten free", "sugar free", "low fat", "vegan", "baby", "winter", "woollen", "leather", "bamboo", "unsalted", "jumbo"]
NOUNS = ["tart", "cake", "sauce", "bowl", "towel", "lamp", "mat", "soup", "pie", "jug", "brush", "cup", "syrup", "bun", "chips", "jar", "basket", "tray", "ribbon", "rope",
         "spread", "dip", "bar", "drink", "powder", "cream", "oil", "hat", "glove", "stool", "vase", "clock", "pillow", "sheet", "ball", "pan", "spoon", "candle", "seeds", "nuts", "crisps", "biscuits", "tea"]
WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty twenty-one twenty-two twenty-three twenty-four".split()


def singular(p):
    for a, b in (("loaves", "loaf"), ("knives", "knife"), ("potatoes", "potato"), ("tomatoes", "tomato"), ("mangoes", "mango"), ("peaches", "peach"), ("radishes", "radish"),
                 ("batteries", "battery"), ("scarves", "scarf"), ("brushes", "brush"), ("boxes", "box"), ("glasses", "glass"), ("bushes", "bush")):
        if p.endswith(a):
            return p[: -len(a)] + b
    if p in ("headphones", "fairy lights", "napkins"):
        return p
    return p[:-1] if p.endswith("s") else p


def made_up(r):
    """Unusual names, so that the model learns to copy rather than to recall."""
    if r.random() < 0.45:
        return r.choice(MADE) + " " + r.choice(NOUNS)
    if r.random() < 0.5:
        return r.choice(MADE) + " " + r.choice(COUNT + MASS)
    syl = ["ba", "ko", "ri", "ta", "mel", "lo", "san", "vi", "pon", "dra", "fi", "gu", "hel", "jo", "ne", "qua", "ser", "tul", "wim", "zo", "cha", "bri", "sto", "pe", "nu", "lin", "mar", "co"]
    return "".join(r.choice(syl) for _ in range(r.randint(2, 3))) + r.choice(["", "", " " + r.choice(NOUNS)])


def quantity(r):
    return r.choices([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 11, 15, 20, 24, r.randint(13, 24)], [9, 12, 9, 7, 5, 6, 2, 3, 2, 4, 6, 1, 1, 1, 1, 3])[0]


def say_n(r, n):
    if n == 12 and r.random() < 0.6:
        return r.choice(["a dozen", "a dozen", "one dozen", "12", "twelve"])
    if n == 6 and r.random() < 0.4:
        return "half a dozen"
    if n == 24 and r.random() < 0.4:
        return "two dozen"
    if n == 2 and r.random() < 0.18:
        return r.choice(["a couple of", "a couple of", "a couple"])
    return WORDS[n] if r.random() < 0.62 else str(n)


def an(w):
    return ("an " if w[0] in "aeiou" and not w.startswith(("uni", "usb")) else "a ") + w


def phrase(r, prod, kind, n):
    """Spoken form and the product as it must come out."""
    if kind == "mass":
        if r.random() < 0.72:
            u = r.choice(UNITS)
            if n == 1:
                u1 = ONE_UNIT[u]
                return r.choice([an(u1), "one " + u1, an(u1), "1 " + u1]) + " of " + prod, prod
            s = say_n(r, n)
            if s in ("a couple",): s = "a couple of"
            return f"{s} {u} of {prod}", prod
        if n == 1:
            return r.choice(["some " + prod, prod, "one " + prod, "the " + prod, "some " + prod, "1 " + prod, an(prod), "1x " + prod]), prod
        return r.choice([f"{say_n(r, n)} {prod}", f"{n}x {prod}", f"{n} x {prod}", f"{say_n(r, n)} {prod}", f"{prod} times {WORDS[n]}"]), prod
    if n == 1:
        p = singular(prod)
        return r.choice([an(p), "one " + p, an(p), "1 " + p, "a single " + p, "just one " + p, "one of the " + p if False else "one " + p, an(p)]), p
    if r.random() < 0.12:
        u = r.choice(["packs", "boxes", "bags", "packets", "kilos", "trays", "sets", "cartons", "bunches", "punnets"])
        return f"{say_n(r, n)} {u} of {prod}".replace("a couple packs", "a couple of packs"), prod
    return r.choice([f"{say_n(r, n)} {prod}"] * 5 + [f"{n}x {prod}", f"{n} x {prod}", f"{prod}, {WORDS[n]} of them", f"{say_n(r, n)} of the {prod}".replace("of of", "of")]), prod


LEAD = """can I get|could I have|I'd like|I would like|I need|I want|please send me|we need|give me|let me have|can you send|order|please order|I'll take|I'll have|put me down for|
add|get me|can we get|could you put together|I want to order|I'd like to order|I'm after|we'd like|could we have|I wanna order|let's do|my order is|so I need|the list is|
please add|I was hoping to get|would you send me|may I have|looking to order|for my order|this week I need|shopping list:|today I need some things:|can I order|it's|yes|okay so|
can you put me down for|I'll need|ordering|just|make it|I'd love|send over|could you get me|chuck in|start with""".replace("\n", "").split("|")
GREET = "hi|hello|hi there|good morning|hey|hello there|good evening|evening|morning|hiya|hey there|um|uh|okay|right|so|yeah|alright|good afternoon|yes hello|hi it's Anna|hi it's Tom from next door|hello this is Mrs Patel|ok".split("|")
FILL = "uh|um|er|erm|like|let me think|let's see|what else|you know|hmm|oh|well|and yes".split("|")
DELIVERY = """for delivery|delivered|delivered to my house|to be delivered|please deliver|can you deliver that|deliver it|home delivery please|bring it to my place|drop it off at mine|
delivered to my door|please deliver it to my flat|with delivery|I want it delivered|send it to my address|delivery please|can it be delivered|have it delivered|drop it round|
could you bring it over|I need it delivered|please have it brought to the house|get it delivered|deliver them|ship it to me|to my home address|bring them to us|delivery""".replace("\n", "").split("|")
PICKUP = """for pickup|for pick up|I'll pick it up|I'll collect it|for collection|I'll come and get it|I'll swing by to get it|to collect|pickup please|click and collect|
I'll pick them up|collecting in store|I'll come by the shop|my husband will pick it up|I'll fetch it|to pick up in the store|I'll collect|I'm going to pick it up myself|
collection please|my wife will collect it|I'd rather pick it up|I will come to the store for it|pick up|we'll come and collect|store pickup|I'll grab it from the shop|collected from the store""".replace("\n", "").split("|")


def day_phrase(r, d):
    if d in ("today", "tomorrow"):
        return r.choice([d, d, "for " + d, "by " + d, d + " please", d + (" evening" if r.random() < 0.5 else " morning"), "sometime " + d])
    return r.choice(["on " + d, "for " + d, "this " + d, "next " + d, "by " + d, d, d + " please", "on " + d + " morning", d + " afternoon", "on " + d + " evening", "before noon on " + d, "this coming " + d, "for this " + d])


def one(r):
    k = r.choices([1, 2, 3, 4], [28, 34, 25, 13])[0]
    items, used = [], set()
    for _ in range(k):
        while True:
            p = r.random()
            if p < 0.42: prod, kind = r.choice(COUNT), "count"
            elif p < 0.80: prod, kind = r.choice(MASS), "mass"
            else: prod, kind = made_up(r), "mass"
            if prod not in used:
                used.add(prod)
                break
        items.append([prod, kind, quantity(r)])
    spoken, out = [], []
    for prod, kind, n in items:
        text, name = phrase(r, prod, kind, n)
        p = r.random()
        if p < 0.045:
            # the customer corrects the number
            m = n
            while m == n: m = quantity(r)
            if m == 1 or n == 1: m, n2 = (m if m > 1 else 4), (n if n > 1 else 3)
            else: n2 = n
            if m == n2: m += 1
            text, name = phrase(r, prod, kind, m)
            w = say_n(r, n2).replace("a couple of", "two").replace("a couple", "two")
            text += r.choice([", no wait, make that ", ", no, ", ", sorry, ", ", actually make it ", " no make that ", ", or rather ", " actually ", ", wait, ", ", I mean ", ", hang on, make it ", " oh no "]) + w
            n = n2
        elif p < 0.06 and kind == "count" and n > 1:
            m = n % 20 + 2
            text = f"{WORDS[m] if m < 25 else m}{r.choice([', no, ', ' no ', ', sorry, ', ', I mean ', ' er '])}{WORDS[n]} {prod}"
            name = prod
        elif p < 0.085:
            # the customer corrects the product
            other = r.choice(COUNT if kind == "count" else MASS)
            t2, n2 = phrase(r, other, kind, n)
            if kind == "count" and n > 1 and re.match(r"^(\d+|[a-z -]+?) " + re.escape(prod) + "$", text):
                text += r.choice([", no, ", ", sorry, ", ", I mean ", ", no wait, "]) + other
                name = other
            else:
                text += r.choice([", no, not that, ", ", sorry, I mean ", ", no wait, ", ", scratch that, "]) + t2
                name = n2
        if r.random() < 0.07:
            text = r.choice(FILL) + r.choice([" ", ", "]) + text
        spoken.append(text)
        out.append({"product": name, "quantity": n})
    # joining
    style = r.random()
    if len(spoken) == 1:
        body = spoken[0]
    elif style < 0.55:
        body = ", ".join(spoken[:-1]) + r.choice([" and ", ", and ", " and ", " plus ", " and also ", " as well as "]) + spoken[-1]
    elif style < 0.72:
        body = " and ".join(spoken)
    elif style < 0.8:
        body = ", ".join(spoken)
    elif style < 0.87:
        body = " ".join(spoken[:-1]) + " and " + spoken[-1]
    elif style < 0.94:
        body = spoken[0] + "".join(r.choice([", then ", ", also ", ", oh and ", " and then ", ". And ", ", and add ", ". Also "]) + s for s in spoken[1:])
    else:
        body = "\n".join(spoken) if r.random() < 0.2 else "; ".join(spoken)
    if len(out) > 1 and r.random() < 0.03:
        i = r.randrange(len(out))
        body += r.choice([", actually leave out the ", ", no forget the ", ", scrap the ", ", actually not the ", ". Oh, skip the "]) + out[i]["product"]
        del out[i]
    ful = r.choices(["delivery", "pickup", None], [40, 32, 28])[0]
    day = r.choice(lists.DAYS + ["today", "tomorrow", "tomorrow", "today"]) if r.random() < 0.64 else None
    dtext = day_phrase(r, day) if day else ""
    if day and r.random() < 0.05:
        other = r.choice([d for d in lists.DAYS if d != day])
        dtext = "on " + other + r.choice([", no, ", " no sorry ", ", I mean ", ", actually ", ", no wait, make it "]) + day
    ftext = r.choice(DELIVERY if ful == "delivery" else PICKUP) if ful else ""
    if ful == "delivery" and r.random() < 0.04:
        ftext = r.choice(["I'll pick it up, no actually deliver it", "for pickup, no, delivery please", "not pickup, delivery"])
    elif ful == "pickup" and r.random() < 0.05:
        ftext = r.choice(["deliver it, no, I'll pick it up", "for delivery, sorry, pickup", "no delivery, I'll collect it", "not delivered, I'll pick it up"])
    tail = [x for x in (ftext, dtext) if x]
    if len(tail) == 2 and r.random() < 0.25:
        tail.reverse()
    lead = r.choice(LEAD)
    first = ""
    if r.random() < 0.32:
        first = r.choice(GREET) + r.choice([" ", ", ", ", "])
    p = r.random()
    if tail and p < 0.14:
        # the where and when first
        head = " ".join(tail)
        text = first + head + r.choice([", ", ": ", " I need ", " please, "]) + body
    elif p < 0.2:
        text = first + body + (r.choice([", ", " "]) + " ".join(tail) if tail else "")
    else:
        sep = r.choice([" ", ", ", ", ", ". "]) if tail else ""
        text = first + lead + " " + body + sep + r.choice([" ", " ", ", "]).join(tail)
    if r.random() < 0.25:
        text += r.choice([" please", " thanks", ", please", ", thank you", " thank you very much", ". Thanks!", " cheers", ", that's all", ", that's it", ". That's everything.", " ok?"])
    p = r.random()
    if p < 0.45:
        text = text[0].upper() + text[1:]
        if r.random() < 0.7 and text[-1].isalpha():
            text += r.choice([".", ".", "?", "!"])
        for d in lists.DAYS:
            if r.random() < 0.6:
                text = re.sub(rf"\b{d}\b", d.capitalize(), text)
    elif p < 0.75:
        text = text.lower()
        if r.random() < 0.5:
            text = re.sub(r"[,.;:!?]", "", text)
    text = re.sub(r"\s+([,.?!])", r"\1", re.sub(r" +", " ", text)).strip()
    for x in out:
        x["product"] = x["product"].lower()
    return {"input": text, "output": {"items": out, "fulfilment": ful, "day": day}}


def rows(seed, n):
    r = random.Random(seed)
    out, seen = [], set()
    while len(out) < n:
        x = one(r)
        low = x["input"].lower()
        if low in seen or len(low) > 300:
            continue
        if not all(i["product"] in low for i in x["output"]["items"]):
            continue
        seen.add(low)
        out.append(x)
    return out
