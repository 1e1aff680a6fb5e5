# SPDX-License-Identifier: Apache-2.0
"""Word lists for the generator grammar, written by the project."""
import random

HOUSE = """kettle|toaster|lamp|rug|table|desk|chair|sofa|wardrobe|bookcase|mattress|duvet|pillow|towel|frying pan|saucepan|pan set|knife block|
vase|mirror|clock|picture frame|curtain|blind|shelf|bin|ironing board|iron|laundry basket|drying rack|garden chair|parasol|barbecue|hose|lawn mower|
tent|sleeping bag|suitcase|backpack|handbag|wallet|watch|necklace|ring|bike|helmet|scooter|football|yoga mat|puzzle|board game|doll|toy car|teddy bear|
lego set|book|novel|cookbook|notebook|pen set|candle|mug|plate set|wine glass|teapot|lunch box|water bottle|umbrella|pram|car seat|cot|high chair|
baby monitor|dog bed|cat tree|fish tank|plant pot|christmas tree|perfume|face cream|shampoo|hair dryer|razor|electric toothbrush|coffee table|
bed frame|chest of drawers|office chair|bean bag|blanket|cushion|tablecloth|drill|screwdriver set|ladder|paint|tool box|extension lead|light bulb|fairy lights|
storage box|shower curtain|bath mat|baking tray|mixing bowl|chopping board|blender|stroller|trampoline|paddling pool|swing set|doormat|coat rack|rucksack|pushchair|birdbath|garden gnome|wheelbarrow|bunk bed|dining set|corner sofa|armchair|footstool|sideboard|bedside table|wok|casserole dish|
pressure cooker|egg timer|bread bin|corkscrew|salad spinner|colander|grater|peeler|jug|cake stand|cookie jar|thermos|flask|picnic basket|cool box|camping stove|torch|lantern|compass|
binoculars|telescope|guitar|ukulele|drum kit|piano stool|vinyl record|poster|calendar|diary|fountain pen|school bag|pencil case|paint set|easel|sewing kit|wool|knitting needles|
jigsaw|card game|chess set|dartboard|pool table|golf clubs|tennis racket|cricket bat|skateboard|roller skates|dumbbells|rowing machine|swimming goggles|wetsuit|kayak|fishing rod|
bird feeder|hamster cage|dog lead|cat flap|aquarium pump|litter tray|rabbit hutch|bracelet|earrings|scarf|tie|cufflinks|purse|briefcase|lunch bag|travel pillow|hand cream|lipstick|
mascara|aftershave|bath bombs|hand mirror|scales|thermometer|first aid kit|heating pad|walking stick|smoke alarm|padlock|doorbell|door handle|tap|sink|toilet seat|shower head|
radiator|wallpaper|tiles|carpet|laminate flooring|paint roller|hammer|spanner|saw|spirit level|glue gun|staple gun|garden shears|rake|spade|watering can|greenhouse|compost bin|
hammock|sun lounger|fire pit|gazebo|bench|wreath|advent calendar|stocking|tinsel|party hats|balloons|costume mask|gift box|hamper|flowers|bouquet|potted orchid|cactus|bonsai""".replace("\n", "").split("|")
ELECTRIC = """laptop|phone|tablet|tv|television|headphones|earbuds|speaker|printer|monitor|keyboard|mouse|camera|games console|controller|smart watch|
router|power bank|charger|vacuum cleaner|robot vacuum|washing machine|dishwasher|tumble dryer|fridge|freezer|oven|microwave|hob|coffee machine|kettle|toaster|
blender|food processor|air fryer|slow cooker|rice cooker|hair dryer|hair straightener|electric shaver|electric toothbrush|iron|fan|heater|dehumidifier|
air conditioner|doorbell|radio|projector|e-reader|drill|lawn mower|hedge trimmer|electric scooter|electric bike|sewing machine|bread maker|juicer|
soundbar|steam mop|pressure washer|electric blanket|baby monitor|fitness tracker|hoover|dashcam|thermostat|wireless speaker|gaming chair|treadmill|exercise bike""".replace("\n", "").split("|")
CLOTHES = """dress|shirt|t-shirt|jumper|sweater|hoodie|jacket|coat|winter coat|raincoat|blouse|skirt|suit|cardigan|polo shirt|swimsuit|dressing gown|vest|tracksuit|
blazer|top|fleece|parka|costume|school uniform|uniform|wedding dress|bra|belt|hat|cap""".replace("\n", "").split("|")
WEARPL = "jeans|trousers|shorts|leggings|shoes|boots|trainers|sandals|slippers|gloves|socks|pyjamas|tights|heels|wellies|running shoes|hiking boots|sneakers|glasses|sunglasses".split("|")
GROCERY = """milk|bread|eggs|butter|cheese|yoghurt|chicken|minced beef|bacon|sausages|ham|salmon|prawns|fish fingers|rice|pasta|flour|sugar|salt|olive oil|ketchup|
mayonnaise|honey|jam|peanut butter|cereal|oats|muesli|granola|coffee|tea bags|orange juice|apple juice|lemonade|cola|sparkling water|beer|red wine|white wine|
bananas|apples|pears|grapes|strawberries|raspberries|blueberries|oranges|lemons|avocados|tomatoes|potatoes|carrots|onions|garlic|peppers|mushrooms|broccoli|
spinach|salad|cucumber|cabbage|sweetcorn|peas|beans|lentils|chickpeas|tofu|hummus|oat milk|almond milk|soy milk|ice cream|frozen pizza|chocolate|biscuits|crisps|
cake|croissants|bagels|tortillas|soup|baby food|nappies|toilet paper|kitchen roll|washing powder|dishwasher tablets|washing up liquid|cat food|dog food|
protein bars|gluten free bread|vegan cheese|turkey|lamb|steak|cod|tuna|cream|curry paste|soy sauce|noodles|stuffing|mince pies|birthday cake|ham slices|brie|feta|mozzarella|cream cheese|cottage cheese|custard|trifle|waffles|pancakes|crumpets|muffins|scones|baguettes|pitta bread|naan|samosas|
spring rolls|sushi|quiche|pies|pasties|meatballs|burgers|kebabs|duck|mackerel|sardines|crab|mussels|seaweed|pickles|olives|capers|mustard|vinegar|gravy|stock cubes|herbs|basil|parsley|
ginger|chillies|limes|mangoes|melons|pineapple|kiwis|plums|cherries|figs|dates|raisins|almonds|walnuts|cashews|peanuts|popcorn|sweets|lollies|marshmallows|gum|squash|smoothies|
iced coffee|kombucha|gin|whisky|cider|prosecco|bleach|sponges|bin bags|foil|cling film|candles|matches|batteries|tissues|cotton wool|plasters|deodorant|toothpaste|soap|wipes|formula""".replace("\n", "").split("|")
COLOURS = "black|white|blue|red|green|grey|navy|pink|purple|beige|brown|yellow|cream|silver|gold|orange|dark blue|light grey|burgundy".split("|")
SIZES = "s|m|l|xl|xs|xxl|8|10|12|14|16|18|36|38|40|42|44|5|6|7|9|11|small|medium|large|extra large".split("|")
SZR = "bigger|smaller|larger|longer|shorter|wider|different".split("|")
DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday".split("|")
MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december".split("|")
CITIES = """London|Leeds|Manchester|Bristol|Glasgow|Cardiff|Dublin|Oxford|York|Brighton|Liverpool|Sheffield|Norwich|Berlin|Paris|Madrid|Boston|Chicago|Denver|
Seattle|Toronto|Sydney|Vienna|Cork|Bath|Exeter|Newcastle|Nottingham|Portsmouth|Aberdeen|Reading|Derby|Plymouth|Cambridge|Kingston|high street|city centre|
Market Street|town centre|station|Riverside|Westfield""".replace("\n", "").split("|")
STREETS = "Oak Lane|High Street|Mill Road|Church Street|Park Avenue|Station Road|Elm Close|Queen Street|Victoria Road|River Walk|Hill Rise|Garden Way".split("|")
NAMES = """Anna|James|Priya|Tom|Maria|Ahmed|Sarah|John|Chloe|David|Fatima|Lukas|Emma|Ben|Olivia|Raj|Sophie|Mark|Zoe|Karen|Mr Brown|Mrs Patel|Ms Clark|Helen|Ivan|Yusuf|
Lena|Grace|Peter|Nadia|Oscar|Rosa|Kevin|Laura|Sam|Alex""".replace("\n", "").split("|")
HOLS = "christmas eve|christmas day|christmas|boxing day|new year's eve|new year's day|easter sunday|easter monday|easter|good friday|bank holiday monday|the bank holiday|thanksgiving|labour day|black friday".split("|")
LANGS = "Spanish|French|Polish|German|Turkish|Arabic|Italian|Hindi|Portuguese|Chinese".split("|")
TRK = "in transit|processing|pending|label created|out for delivery|dispatched|at the depot|awaiting collection|shipped|on its way|delayed|exception|order received|preparing".split("|")
NUMW = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
AGO = """yesterday|two days ago|three days ago|last week|last month|a week ago|two weeks ago|a fortnight ago|ten days ago|last {day}|on {day}|this morning|last night|
a month ago|5 days ago|3 weeks ago|the other day|on the {n}th|over a week ago|nearly two weeks ago|a few days ago|earlier this week|in {month}|weeks ago|about a week ago""".replace("\n", "").split("|")
DUR = """two weeks|three weeks|a week|ten days|a month|four days|five days|over a week|more than two weeks|8 days|12 days|ages|nearly a month|six weeks|almost two weeks|
several days|forever|a fortnight|half an hour|an hour|{n} days|{n} weeks""".replace("\n", "").split("|")


def plural(w):
    if w in WEARPL or w.endswith("s") and not w.endswith(("ss", "dress")) or w in ("headphones", "perfume", "paint"):
        return w
    if w == "knife":
        return "knives"
    if w.endswith("shelf"):
        return w[:-1].removesuffix("l") + "lves" if False else w[:-1] + "ves"
    if w.endswith(("s", "x", "ch", "sh")):
        return w + "es"
    if w.endswith("y") and w[-2] not in "aeiou":
        return w[:-1] + "ies"
    return w + "s"


def article(w):
    if w in WEARPL or w in ("headphones", "earbuds", "fairy lights"):
        return random_pair(w)
    return ("an " if w[0] in "aeiou" and not w.startswith("uni") else "a ") + w


def random_pair(w):
    return "a pair of " + w


def slot(r, name):
    """One filling of a {name} slot; r is a random.Random."""
    c = r.choice
    def any_item():
        p = r.random()
        if p < 0.52: return c(HOUSE)
        if p < 0.74: return c(ELECTRIC)
        if p < 0.92: return c(CLOTHES)
        return c(WEARPL)
    def coloured(w):
        return (c(COLOURS) + " " + w) if r.random() < 0.12 else w
    if name == "it": return coloured(any_item())
    if name == "its": return plural(coloured(any_item()))
    if name == "ait": return article(coloured(any_item()))
    if name == "gro": return c(GROCERY)
    if name == "clo": return coloured(c(CLOTHES if r.random() < 0.7 else WEARPL))
    if name == "ele": return c(ELECTRIC)
    if name == "aele": return article(c(ELECTRIC))
    if name == "wear": return c(WEARPL + CLOTHES + ["handbag", "backpack", "suitcase", "umbrella", "watch", "wallet"])
    if name == "col": return c(COLOURS)
    if name == "size": return c(SIZES)
    if name == "szr": return c(SZR)
    if name == "day": return c(DAYS)
    if name == "month": return c(MONTHS)
    if name == "city": return c(CITIES)
    if name == "name": return c(NAMES)
    if name == "hol": return c(HOLS)
    if name == "lang": return c(LANGS)
    if name == "trk": return c(TRK)
    if name == "small": return c([str(r.randint(2, 20)), str(r.randint(2, 9)), c(NUMW[2:])])
    if name == "n": return str(r.randint(2, 20))
    if name == "q": return c(["'", '"', ""])
    if name == "order": return c(["order", "order", "parcel", "package", "delivery", "shipment", "purchase", "things", "order", "parcel", any_item(), any_item()])
    if name == "ago": return c(AGO).replace("{day}", c(DAYS)).replace("{month}", c(MONTHS)).replace("{n}", str(r.randint(4, 20)))
    if name == "dur": return c(DUR).replace("{n}", str(r.randint(2, 20)))
    if name == "date": return c([f"{r.randint(1, 28)} {c(MONTHS)}", f"{c(MONTHS)} {r.randint(1, 28)}", f"{r.randint(1, 28)}/{r.randint(1, 12)}", f"the {r.randint(4, 20)}th", f"the {r.randint(4, 20)}th of {c(MONTHS)}"])
    if name == "time": return c([f"{r.randint(1, 11)}{c(['am', 'pm'])}", f"{r.randint(7, 22)}:{c(['00', '15', '30', '45'])}", f"{c(NUMW[1:])} o'clock", f"half past {c(NUMW[1:])}", c(NUMW[3:11]), "noon", f"{r.randint(5, 10)} pm"])
    if name == "no": return c([str(r.randint(10000, 9999999)), "#" + str(r.randint(1000, 999999)), c("ABHKRTXZ") + c("ABHKRTXZ") + str(r.randint(1000, 99999)), f"{r.randint(100, 999)}-{r.randint(1000, 9999)}", str(r.randint(1000, 99999))])
    if name == "money":
        v = c([str(r.randint(3, 400)), f"{r.randint(2, 120)}.{c(['99', '50', '95', '20', '49'])}"])
        return c(["£" + v, "$" + v, "€" + v, v + " euros", v + " pounds", v + " dollars", "£" + v, v + "€"])
    if name == "pct": return c(["10", "15", "20", "25", "30", "50", "5"]) + c(["%", "%", "%", " percent"])
    if name == "code": return c([c(["SAVE", "HELLO", "SPRING", "SUMMER", "WELCOME", "XMAS", "FREESHIP", "VIP", "DEAL", "AUTUMN", "THANKS", "NEW"]) + c(["10", "15", "20", "25", "5", "50", "", "24"]), "".join(c("ABCDEFGHJKMNPQRSTUVWXYZ23456789") for _ in range(r.randint(5, 8)))])
    if name == "addr": return c([f"{r.randint(1, 120)} {c(STREETS)}", f"flat {r.randint(1, 40)}, {r.randint(1, 99)} {c(STREETS)}", f"{r.randint(1, 200)} {c(STREETS)}, {c(CITIES[:34])}"])
    if name == "pc": return c([f"{c('BLMNSW')}{c('ABSEW')}{r.randint(1, 20)} {r.randint(1, 9)}{c('ABDEHJ')}{c('ABDEHJ')}", str(r.randint(10000, 99999))])
    if name == "phone": return c([f"07{r.randint(100000000, 999999999)}", f"0{r.randint(100, 999)} {r.randint(100000, 999999)}", f"555 {r.randint(1000, 9999)}"])
    if name == "email": return c(["anna", "j.brown", "tom82", "mail", "info", "priya.k", "lena", "office", "sam99", "new.me"]) + "@" + c(["example.com", "example.org", "mail.example", "example.net"])
    if name == "gib": return "".join(c("abcdefghijklmnopqrstuvwxyz") for _ in range(r.randint(3, 9)))
    raise KeyError(name)
