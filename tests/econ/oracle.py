#!/usr/bin/env python3
"""docs/TCO.md once more, written from that page alone: what `croft tco` must say about a scenario.

    oracle.py FILE…                 the results as JSON
    oracle.py --croft CROFT FILE…   compare with what `CROFT tco FILE --json` says; exit code 1 where they differ

Arithmetic is decimal with 60 digits and nothing is rounded, so agreement to 1e-6 also says that the program's
rounding to a billionth, line by line, does no harm. The simulation uses the same formulas with floats.
Of the program it takes the table of parameters (names, defaults, bounds: data) and nothing else."""
import functools
import json
import math
import pathlib
import random
import re
import subprocess
import sys
from decimal import Decimal, getcontext

import yaml

getcontext().prec = 60
ROOT = pathlib.Path(__file__).resolve().parents[2]
MONTH_SECONDS = 2628000
DECIDER = "jev-latest"  # the decision API of the price table
OPTIONS = ("cloud", "local", "rented", "decision")
INF = float("inf")


# ---- the table of parameters -------------------------------------------------------------------------------------

def read_table():
    text = re.sub(r"/\*.*?\*/", "", (ROOT / "src/econ/api/econ_params.inc").read_text(), flags=re.S)
    row = re.compile(r'PARAM\((\w+), "(\w+)", "(\w+)", (\w+), ([^,]+), ([^,]+), ([^,]+), ([^,]+), ([^,]+), *"')
    table = {}
    for m in row.finditer(re.sub(r"\s+", " ", text)):
        _, section, name, unit, *numbers = m.groups()
        table[f"{section}.{name}"] = (unit, *(Decimal(n) for n in numbers))
    return table


TABLE = read_table()


# ---- formulas -----------------------------------------------------------------------------------------------------

@functools.lru_cache(100000, typed=True)
def power(base, exponent):
    return base ** exponent


class Scenario:
    """Values by dotted name (Decimal, or float while simulating), which of them were given, and switches."""

    def __init__(self, values, given, owned=False, chances=None, seed=1, draws=10000, confidence=0.9):
        self.values, self.given, self.owned = values, given, owned
        self.chances = chances or {}
        self.seed, self.draws, self.confidence = seed, draws, confidence

    def __getitem__(self, name):
        return self.values[name]

    def but(self, **changes):
        """A copy with some values replaced; '__' stands for the dot."""
        s = Scenario({**self.values, **{k.replace("__", "."): v for k, v in changes.items()}}, self.given, self.owned,
                     self.chances, self.seed, self.draws, self.confidence)
        return s

    def first_given(self, *names):
        for name in names:
            if name in self.given:
                return self[name]
        return self[names[-1]]

    # volume and prices

    def number(self, x):
        return type(self["volume.per_month"])(x)

    def factor(self, rate, months):
        return power(1 + rate, self.number(months) / 12)

    def months(self):
        return int(self["horizon.months"])

    def growth(self, m):
        return self.factor(self["volume.growth_per_year"], m - 1)

    def tokens_price(self, price_in, price_cached, price_out):
        kept = self["tokens.cached_share"]
        return (self["tokens.in"] * (1 - kept) * price_in + self["tokens.in"] * kept * price_cached +
                self["tokens.out"] * price_out) / 1000000

    def call(self, section):
        """Price of a call of cloud, escalation or decision, in the first month."""
        if section == "decision":
            price_in = self["decision.price_input"]
            return self.tokens_price(price_in, price_in, self["decision.price_output"])
        if section == "escalation":
            tokens = {f"escalation.price_{x}" for x in ("input", "output", "cached")}
            if "escalation.price_per_answer" in self.given:
                return self["escalation.price_per_answer"]
            if not tokens & self.given:
                return self.call("cloud")
        elif "cloud.price_per_answer" in self.given:
            return self["cloud.price_per_answer"]
        ways = [section] if section == "cloud" else [section, "cloud"]
        price_in = self.first_given(*(f"{w}.price_input" for w in ways))
        price_out = self.first_given(*(f"{w}.price_output" for w in ways))
        cached = [f"{section}.price_cached"] if section + ".price_input" in self.given else \
            [f"{w}.price_cached" for w in ways]
        kept = next((self[c] for c in cached if c in self.given), price_in)
        return self.tokens_price(price_in, kept, price_out)

    # units

    def capacity(self, section):
        """The largest volume of a month (its own, not the mean over the horizon) that one unit serves."""
        return self[section + ".answers_per_second"] * MONTH_SECONDS * self["hardware.max_utilisation"] / \
            self["volume.peak_factor"]

    def top(self):
        """Largest v(m) for a volume of 1 in the first month."""
        return max(self.growth(1), self.growth(self.months()))

    def needed(self, section, volume):
        one = self.capacity(section)
        return 1 if one == 0 else max(1, math.ceil(volume * self.top() / one))

    def units(self, option, volume):
        if option == "rented":
            return self.needed("rented", volume)
        return max(int(self["hardware.units"]), self.needed("hardware", volume))

    # costs: one dictionary of lines a month, [0 … T]

    def costs(self, option, volume=None, units=None):
        volume = self["volume.per_month"] if volume is None else volume
        if option in ("cloud", "decision"):
            return [self.cloud_month(option, m, volume) for m in range(self.months() + 1)]
        units = self.units(option, volume) if units is None else units
        return [self.local_month(option, m, volume, units) for m in range(self.months() + 1)]

    def egress(self, answers, amount):
        if self["cloud.egress_share"] > 0:
            return amount * self["cloud.egress_share"]
        return answers * self["cloud.bytes_per_answer"] / 10**9 * self["cloud.egress_per_gb"]

    def cloud_month(self, option, m, volume):
        if m == 0:
            return {"engineering": self["cloud.engineering"]}
        v = volume * self.growth(m)
        usage = v * self.call(option) * self.factor(self["cloud.price_change_per_year"], m - 1)
        wrong = self.first_given("decision.error_share", "errors.cloud_share") if option == "decision" \
            else self["errors.cloud_share"]
        return {"usage": usage, "egress": self.egress(v, usage), "operations": self["cloud.per_month"],
                "errors": v * wrong * self["errors.cost_per_wrong"]}

    def local_month(self, option, m, volume, units):
        owns = option == "local" and not self.owned
        fleet = (units + self["hardware.spares"]) * self["hardware.price"] if owns else self.number(0)
        if m == 0:
            return {"engineering": self["operations.engineering"], "hardware": fleet}
        v = volume * self.growth(m)
        handed = self["escalation.share"]
        price = self.call("escalation") * self.factor(self["cloud.price_change_per_year"], m - 1)
        on, checks = v * handed, v * (1 - handed) * self["escalation.check_share"]
        lines = {"operations": self["operations.per_month"] + units * self["operations.per_unit_month"],
                 "updates": self["updates.per_year"] / 12 * self["updates.gb"] * units * self["updates.price_per_gb"],
                 "escalation": on * price, "checks": checks * price,
                 "egress": self.egress(on + checks, (on + checks) * price)}
        escalated = self.first_given("errors.escalated_share", "errors.cloud_share")
        lines["errors"] = v * self["errors.cost_per_wrong"] * (
            (1 - handed) * self["errors.local_share"] + handed * escalated)
        if option == "rented":
            lines["rent"] = units * self["rented.price_per_hour"] * 730
            return lines
        life, last, worth = int(self["hardware.life_months"]), self.months(), self["hardware.residual_share"]
        if m == last:
            age = m - (m - 1) // life * life
            lines["residual"] = -fleet * (1 - (1 - worth) * age / life)
        elif m % life == 0:
            lines["hardware"], lines["residual"] = fleet, -fleet * worth
        lines["failures"] = fleet * self["hardware.failures_per_year"] / 12
        busy = self["hardware.busy_watts"] - self["hardware.idle_watts"]
        idle = 0 if self.owned else self["hardware.idle_watts"]
        lines["energy"] = units * (idle + busy * self.utilisation(v, units)) * 73 / 100 * \
            self["energy.cooling_factor"] * self["energy.price_per_kwh"]
        return lines

    def utilisation(self, v, units):
        rate = self["hardware.answers_per_second"]
        return self["hardware.utilisation"] if rate == 0 else min(self.number(1), v / (units * rate * MONTH_SECONDS))

    def discounts(self, discounted):
        rate = self["horizon.discount_rate"] if discounted else self.number(0)
        return [self.factor(rate, -m) for m in range(self.months() + 1)]

    def total(self, option, discounted=False, volume=None, units=None):
        months = self.costs(option, volume, units)
        return sum(d * sum(month.values()) for d, month in zip(self.discounts(discounted), months))

    def home(self):
        """What is compared with the cloud."""
        return "local" if self.there("local") else "rented"

    def saving(self):
        return self.total("cloud", True) - self.total(self.home(), True)

    def answers(self, volume=None):
        volume = self["volume.per_month"] if volume is None else volume
        return sum(volume * self.growth(m) for m in range(1, self.months() + 1))

    # what follows from the costs

    def payback(self):
        gap, gaps = 0, []
        local = self.costs(self.home())
        if "residual" in local[-1]:
            local[-1] = {**local[-1], "residual": 0}
        for c, h in zip(self.costs("cloud"), local):
            gap += sum(c.values()) - sum(h.values())
            gaps.append(gap)
        month = -1
        for m in range(self.months(), -1, -1):
            if gaps[m] < 0:
                break
            month = m
        return month

    def line(self, option, discounted, units=None):
        """Total as A + b·V while the number of units stays the same."""
        zero, one = self.number(0), self.number(1)
        a = self.total(option, discounted, zero, units)
        return a, self.total(option, discounted, one, units) - a

    def tipping(self, discounted):
        a_cloud, b_cloud = self.line("cloud", discounted)
        first = max(1, int(self["hardware.units"]))
        a1, b = self.line("local", discounted, first)
        per_unit = self.line("local", discounted, first + 1)[0] - a1
        gain = b_cloud - b
        if gain <= 0:
            return INF
        root = lambda k: (a1 + (k - first) * per_unit - a_cloud) / gain
        if self["hardware.answers_per_second"] == 0:
            return max(self.number(0), root(first))
        reach = self.capacity("hardware") / self.top()
        # root(k) <= k·reach; the left side grows by per_unit / gain a unit, the right by reach.
        k = first
        if root(k) > k * reach:
            slack = reach - per_unit / gain
            if slack <= 0:
                return INF
            k = first + math.ceil((root(first) - first * reach) / slack)
        return max(self.number(0), root(k))

    def tipping_simple(self):
        units = self.units("local", self["volume.per_month"])
        capex = 0 if self.owned else (units + self["hardware.spares"]) * self["hardware.price"]
        monthly = self["operations.per_month"] + units * self["operations.per_unit_month"]
        price = self.call("cloud")
        months = self.months()
        return INF if price == 0 else (capex + monthly * months + self["operations.engineering"]) / (price * months)

    # options

    def there(self, option):
        if option == "cloud":
            return any(n in self.given for n in ("cloud.price_per_answer", "cloud.price_input", "cloud.price_output"))
        if option == "rented":
            return "rented.price_per_hour" in self.given
        if option == "local":
            return self.owned or "hardware.price" in self.given
        if option == "decision":
            return "decision.price_input" in self.given

    # utilisation

    def sweep(self):
        section = "rented" if self.there("rented") else "hardware"
        rate = self[section + ".answers_per_second"]
        if rate == 0:
            return None
        zero, one = self.number(0), self.number(1)
        s = self.but(volume__peak_factor=one, hardware__max_utilisation=one, hardware__units=zero,
                     volume__growth_per_year=zero)
        full = rate * MONTH_SECONDS
        steps = []
        for percent in (5, 10, 20, 30, 50, 70, 100):
            volume = full * percent / 100
            n = s.answers(volume)
            steps.append({"utilisation": percent / 100, "volume": volume,
                          "units": s.units("local", volume) if s.there("local") else 0,
                          "per_answer": {o: s.total(o, False, volume) / n for o in OPTIONS if s.there(o)}})
        return {"steps": steps, "rented_wins_from": s.crossing("rented", full), "local_wins_from": s.crossing("local", full)}

    def crossing(self, option, full):
        """Least utilisation from which on, up to 100 %, `option` costs no more than its rivals."""
        rivals = [o for o in (OPTIONS if option == "rented" else ("cloud",)) if o != option and self.there(o)]
        if not self.there(option) or not rivals:
            return None
        edges = {self.number(0), full}
        for section in ("hardware", "rented"):
            reach = self.capacity(section) / self.top()
            k = 1
            while 0 < k * reach < full:
                edges.add(k * reach)
                k += 1
        edges = sorted(edges, reverse=True)
        won = INF
        for high, low in zip(edges, edges[1:]):
            a, b = self.line(option, False, self.needed_by(option, high))
            least = low
            for rival in rivals:
                ra, rb = self.line(rival, False, self.needed_by(rival, high))
                if a + b * high > ra + rb * high:
                    return won
                if a + b * low > ra + rb * low:
                    least = max(least, (a - ra) / (rb - b))
            won = least / full
            if least > low:
                return won
        return won

    def needed_by(self, option, volume):
        return self.needed("rented" if option == "rented" else "hardware", volume)


# ---- how sure -----------------------------------------------------------------------------------------------------

def normal_quantile(q):
    low, high = -40.0, 40.0
    for _ in range(200):
        mid = (low + high) / 2
        low, high = (mid, high) if 0.5 * math.erfc(-mid / math.sqrt(2)) < q else (low, mid)
    return (low + high) / 2


def beta_cdf(x, a, b):
    """Regularised incomplete beta function, by its continued fraction (Abramowitz & Stegun 26.5.8), backwards."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    f = 1.0
    for m in range(100, 0, -1):
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))  # d(2m+1)
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))            # d(2m)
        f = 1 + even / (1 + odd / f)
    return front / (1 - (a + b) * x / (a + 1) / f)


def beta_quantile(q, a, b):
    low, high = 0.0, 1.0
    for _ in range(60):
        mid = (low + high) / 2
        low, high = (mid, high) if beta_cdf(mid, a, b) < q else (low, mid)
    return (low + high) / 2


def quantile(chance, q):
    shape, *p = chance
    if shape == "uniform":
        return p[0] + q * (p[1] - p[0])
    if shape == "triangular":
        a, b, c = p
        if c == a:
            return a
        if q < (b - a) / (c - a):
            return a + math.sqrt(q * (b - a) * (c - a))
        return c - math.sqrt((1 - q) * (c - b) * (c - a))
    if shape == "normal":
        return p[0] + p[1] * normal_quantile(q)
    if shape == "beta":
        return beta_quantile(q, p[0] + 0.5, p[1] - p[0] + 0.5)
    raise ValueError(shape)


def bars(s):
    """Of each uncertain value that moves the saving: its 5th and 95th percentile, and the saving there."""
    out, base = {}, s.saving()
    for name, chance in s.chances.items():
        ends = [bounded(name, quantile(chance, q)) for q in (0.05, 0.95)]
        savings = [s.but(**{name.replace(".", "__"): Decimal(repr(x))}).saving() for x in ends]
        if any(x != base for x in savings):
            out[name] = ends + savings
    return out


def bounded(name, x):
    _, _, least, most, _, _ = TABLE[name]
    return min(max(x, float(least)), float(most))


def simulate(s, draws, seed):
    """The saving's distribution by our own generator: mean, standard error, share of draws in which local is cheaper."""
    rng = random.Random(seed)
    f = Scenario({k: float(v) for k, v in s.values.items()}, s.given, s.owned)
    savings = []
    for _ in range(draws):
        drawn = {n: bounded(n, quantile(c, rng.random())) for n, c in s.chances.items()}
        savings.append(f.but(**{n.replace(".", "__"): x for n, x in drawn.items()}).saving())
    savings.sort()
    mean = math.fsum(savings) / draws
    variance = math.fsum((x - mean) ** 2 for x in savings) / (draws - 1)
    return {"mean": mean, "deviation": math.sqrt(variance), "savings": savings}


# ---- the file -----------------------------------------------------------------------------------------------------

# What one of the written unit is in the parameter's own.
UNITS = {
    "ANSWERS": {"answers/month": 1, "/month": 1, "per month": 1, "answers/day": Decimal(365) / 12,
                "/day": Decimal(365) / 12, "answers/year": 1 / Decimal(12)},
    "SHARE": {"%": 1 / Decimal(100)}, "FACTOR": {}, "COUNT": {}, "TOKENS": {"tokens": 1},
    "MONTHS": {"months": 1, "month": 1, "years": 12, "year": 12},
    "MONEY": {"": 1},
    "MONEY_ANSWER": {"/answer": 1, "/query": 1, "/1k answers": 1 / Decimal(1000), "/1M answers": 1 / Decimal(10**6)},
    "MONEY_MTOKENS": {"/Mtok": 1, "/1M tokens": 1, "/1k tokens": 1000, "/token": 10**6},
    "MONEY_MONTH": {"/month": 1, "/year": 1 / Decimal(12)},
    "MONEY_GB": {"/GB": 1, "/TB": 1 / Decimal(1000)}, "MONEY_KWH": {"/kWh": 1, "/MWh": 1 / Decimal(1000)},
    "MONEY_HOUR": {"/hour": 1, "/h": 1, "/month": 1 / Decimal(730)},
    "BYTES": {"bytes": 1, "B": 1, "kB": 1000, "MB": 10**6}, "GIGABYTES": {"GB": 1, "MB": 1 / Decimal(1000), "TB": 1000},
    "RATE": {"answers/s": 1, "/s": 1, "answers/minute": 1 / Decimal(60), "answers/hour": 1 / Decimal(3600)},
    "WATTS": {"W": 1, "kW": 1000},
}


def number(name, text, currency):
    m = re.fullmatch(r"(-?[0-9.]+) ?(.*)", str(text))
    value, unit = Decimal(m[1]), m[2]
    kind = TABLE[name][0]
    if kind.startswith("MONEY") and unit.startswith(currency):
        unit = unit[3:]
        return value * UNITS[kind][unit]
    return value if unit == "" else value * UNITS[kind][unit]


class Exact(yaml.SafeLoader):
    """Numbers stay as written, so that 0.1 is a tenth."""


Exact.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag == "tag:yaml.org,2002:bool"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def listed(model):
    """Prices of the table that ships: input, output, cached."""
    row = re.search(rf'"{re.escape(model)}", ([^)]*)\)', (ROOT / "src/route/prices.inc").read_text())
    return [Decimal(x) for x in row[1].split(", ")[:3]]


def load(path):
    with open(path, encoding="utf-8") as file:
        y = yaml.load(file, Exact)
    currency = y.get("currency", "USD")
    values = {name: row[1] for name, row in TABLE.items()}
    given = set()
    for section, body in y.items():
        for key, text in (body.items() if isinstance(body, dict) and section != "uncertainty" else ()):
            name = f"{section}.{key}"
            if name in TABLE:
                values[name] = number(name, text, currency)
                given.add(name)
    if y.get("kind") not in (None, "classify"):
        given.discard("decision.price_input")
    elif y.get("kind") == "classify" and "tokens.in" in given and (currency == "USD" or "exchange.usd" in given):
        y.setdefault("decision", {}).setdefault("model", DECIDER)
    for section in ("cloud", "escalation", "decision"):
        if "model" in y.get(section, {}):
            rate = values["exchange.usd"] if "exchange.usd" in given else 1
            for name, price in zip(("price_input", "price_output", "price_cached"), listed(y[section]["model"])):
                if f"{section}.{name}" in TABLE and f"{section}.{name}" not in given:
                    values[f"{section}.{name}"] = price * rate
                    given.add(f"{section}.{name}")
    u = y.get("uncertainty", {})
    s = Scenario(values, given, y.get("hardware", {}).get("owned", False),
                 seed=int(u.get("seed", 1)), draws=int(u.get("draws", 10000)), confidence=float(u.get("confidence", 0.9)))
    for name, (unit, _, _, _, low, high) in TABLE.items():
        stated, x = u.get(name), float(values[name])
        if isinstance(stated, dict):
            (shape, numbers), = stated.items()
            spread = [float(n) if shape == "counted" or (shape == "normal" and i) else float(number(name, n, currency))
                      for i, n in enumerate(numbers)]
            s.chances[name] = ("beta" if shape == "counted" else shape, *spread)
        elif stated is None and name in given and high > 0 and x != 0:
            most = float(high) * x
            s.chances[name] = ("triangular", float(low) * x, x, max(x, min(most, 1.0)) if unit == "SHARE" else most)
    return s


def results(s):
    """In the shape of `croft tco --json`; null where a volume or utilisation is infinite."""
    out = {"months": s.months(), "answers": s.answers(), "options": {o: option(s, o) for o in OPTIONS if s.there(o)},
           "utilisation": s.sweep()}
    if s.there("cloud"):
        home = s.home()
        gap = s.total("cloud") - s.total(home)
        month = s.payback()
        out["saving"] = {"of": home, "total": gap, "share": gap / s.total("cloud"), "npv": s.saving(),
                         "payback_month": None if month < 0 else month}
        if home == "local":
            out["saving"].update(tipping_volume=s.tipping(False), tipping_volume_discounted=s.tipping(True),
                                 tipping_volume_published=s.tipping_simple())
        out["tornado"] = bars(s)
    return finite(out)


def option(s, o):
    months = s.costs(o)

    def lines(first, last):
        sums = {}
        for month in months[first:last + 1]:
            for name, x in month.items():
                sums[name] = sums.get(name, 0) + x
        return {name: x for name, x in sums.items() if x != 0}

    years = [(0, 0)] + [(m, min(m + 11, s.months())) for m in range(1, s.months() + 1, 12)]
    total = s.total(o)
    return {"total": total, "npv": s.total(o, True), "per_answer": total / s.answers(), "lines": lines(0, s.months()),
            "units": s.units(o, s["volume.per_month"]) if o in ("local", "rented") else 0,
            "years": [{"year": y, "total": sum(lines(*span).values()), "lines": lines(*span)}
                      for y, span in enumerate(years)],
            "months": [sum(m.values()) for m in months]}


def finite(x):
    if isinstance(x, dict):
        return {k: finite(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [finite(v) for v in x]
    if isinstance(x, Decimal):
        return float(x)
    return None if isinstance(x, float) and math.isinf(x) else x


# ---- comparing ----------------------------------------------------------------------------------------------------

def differences(ours, theirs, path=""):
    """Where the program's report departs from ours by more than 1e-6. What it has beyond ours is not looked at, but
    for lines: one that we do not have must not be there."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            yield path, "an object", theirs
            return
        extra = set(theirs) - set(ours) if path.endswith((".lines", ".options", ".per_answer")) else ()
        yield from ((f"{path}.{k}", "nothing", theirs[k]) for k in sorted(extra))
        for k, v in ours.items():
            yield from differences(v, theirs.get(k), f"{path}.{k}")
    elif isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            yield path, f"{len(ours)} entries", theirs
            return
        for i, (a, b) in enumerate(zip(ours, theirs)):
            yield from differences(a, b, f"{path}[{i}]")
    elif isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        if abs(ours - theirs) > 1e-6 * max(abs(ours), abs(theirs)) + 1e-9:
            yield path, ours, theirs
    elif ours != theirs:
        yield path, ours, theirs


def chance_differences(s, interval, draws=1500):
    """Mean and percentiles of the program's draws against those of our own, within five standard errors of both."""
    ours = simulate(s, draws, seed=20)
    both = math.sqrt(1 / draws + 1 / interval["draws"])
    if abs(ours["mean"] - interval["mean"]) > 5 * ours["deviation"] * both:
        yield ".interval.mean", ours["mean"], interval["mean"]
    for name, q in (("low", (1 - s.confidence) / 2), ("median", 0.5), ("high", (1 + s.confidence) / 2)):
        below = sum(x < interval[name] for x in ours["savings"]) / draws
        if abs(below - q) > 5 * math.sqrt(q * (1 - q)) * both:
            yield f".interval.{name} (share of our draws below it)", q, below


def check(croft, path):
    draws = "draws" in yaml.safe_load(open(path, encoding="utf-8")).get("uncertainty", {})
    run = subprocess.run([croft, "tco", path, "--json"] + ([] if draws else ["--draws", "0"]), capture_output=True,
                         text=True, check=False)
    if run.returncode:
        return [("", "exit code 0", f"{run.returncode}: {run.stderr.strip()}")]
    report, s = json.loads(run.stdout), load(path)
    report["tornado"] = {b["name"]: [b["low"], b["high"], b["saving_low"], b["saving_high"]] for b in report["tornado"]}
    ours = results(s)
    found = list(differences(ours, report))
    found += [(f".tornado.{n}", "no bar", "a bar") for n in set(report["tornado"]) - set(ours.get("tornado", {}))]
    if draws:
        found += chance_differences(s, report["interval"])
    return found


def main(args):
    if args[:1] != ["--croft"]:
        for path in args:
            json.dump(results(load(path)), sys.stdout, indent=1)
            print()
        return 0
    failed = 0
    for path in args[2:]:
        found = check(args[1], path)
        failed += bool(found)
        for where, ours, theirs in found[:10]:
            print(f"{path}{where}: expected {ours}, got {theirs}")
    print(f"{len(args) - 2 - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
