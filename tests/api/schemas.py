"""Schemas, regular expressions and grammars at random through the running server. Usage: schemas.py [SECONDS] [SEED]

Each request is answered with 200 and a text that keeps to what was asked, or with 400 and a sentence; never with a fault
of the server, and within its time. Schemas are drawn from all keywords, supported or not, and mutated; Python's jsonschema
and re say whether an answer keeps to them."""
import json
import random
import re
import socket
import sys
import time
import warnings
from decimal import Decimal

from server import MODEL, Server

warnings.simplefilter("ignore", FutureWarning)  # Python's plans for [[ in regular expressions
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 10
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
LIMIT_S = 20  # a request's time; far more than any needs
WORDS = ["a", "id", "name", "order", "ü", "x y", '"', "\\", "late", ""]
PATTERNS = ["^[a-z]+$", "[0-9]{2}", "^(a|b)*$", "a.c", "^\\d{3}-\\d{4}$", "(", "a{5,2}", "\\p{Script=Greek}", "^$", "x|^y", "(?=a)b", "[^a]"]
FORMATS = ["date", "time", "date-time", "duration", "uuid", "email", "hostname", "ipv4", "ipv6", "uri", "regex", "planet"]
TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"]
GBNF = ['root ::= "a" b | c\nb ::= [0-9]+\nc ::= "(" root ")"', 'root ::= root "a"', 'root ::= [a-z]{2,4} ("," [a-z]{2})?',
        'root ::= nothing', 'root ::= "x"* "y"', 'root ::= "é" | "日" [^a-z]', "root ::= (\"a\"", 'root ::= ""']


def value(r, depth=0):
    kind = r.randrange(8 if depth < 2 else 6)
    if kind < 6:
        return [None, True, r.randint(-20, 20), r.choice([0.5, -1.25, 1e3, 3.0]), r.choice(WORDS), 7][kind]
    if kind == 6:
        return [value(r, depth + 1) for _ in range(r.randrange(3))]
    return {r.choice(WORDS): value(r, depth + 1) for _ in range(r.randrange(3))}


def bounds(r, low, high, most):
    a, b = sorted((r.randint(0, most), r.randint(0, most)))
    return {k: v for k, v in ((low, a), (high, b)) if r.random() < 0.6}


def schema(r, depth=0):
    if r.random() < 0.05:
        return r.choice([True, False, {}])
    kind = r.choice(TYPES[2 if depth > 3 else 0:] + ["enum", "const", "any", "ref"])
    s = {"type": kind} if kind in TYPES else {}
    inner = lambda: schema(r, depth + 1)
    if kind == "object":
        names = r.sample(WORDS, r.randrange(4))
        s["properties"] = {n: inner() for n in names}
        s["required"] = [n for n in names if r.random() < 0.7]
        s.update({k: v for k, v in (("additionalProperties", r.choice([True, False, inner()])),
                                    ("propertyNames", {"pattern": r.choice(PATTERNS)}), ("patternProperties", {"^x": inner()}))
                  if r.random() < (0.7 if k == "additionalProperties" else 0.1)})
        s.update(bounds(r, "minProperties", "maxProperties", 4) if r.random() < 0.2 else {})
    elif kind == "array":
        s["items"] = inner()
        s.update(bounds(r, "minItems", "maxItems", 4))
        if r.random() < 0.2:
            s["prefixItems"] = [inner() for _ in range(r.randrange(3))]
        if r.random() < 0.1:
            s["uniqueItems"] = True
    elif kind == "string":
        choice = r.randrange(4)
        s.update([bounds(r, "minLength", "maxLength", 12), {"pattern": r.choice(PATTERNS)}, {"format": r.choice(FORMATS)}, {}][choice])
    elif kind in ("number", "integer"):
        low, high = sorted((r.randint(-50, 50), r.randint(-50, 50)))
        s.update({k: v for k, v in ((r.choice(["minimum", "exclusiveMinimum"]), low), (r.choice(["maximum", "exclusiveMaximum"]), high),
                                    ("multipleOf", r.choice([1, 5, 0.1, 0.3]))) if r.random() < 0.5})
    elif kind == "enum":
        s["enum"] = [value(r) for _ in range(r.randint(1, 4))]
    elif kind == "const":
        s["const"] = value(r)
    elif kind == "any":
        s[r.choice(["anyOf", "oneOf", "allOf"])] = [inner() for _ in range(r.randint(1, 3))]
    else:
        s["$ref"] = r.choice(["#", "#/$defs/d", "#/$defs/e", "#/nowhere", "http://x/y"])
    if depth == 0:
        s["$defs"] = {"d": schema(r, 2), "e": {"$ref": r.choice(["#/$defs/e", "#/$defs/d"])}}
    if r.random() < 0.04:
        s[r.choice(["not", "if", "contains", "dependentRequired", "unevaluatedProperties", "$dynamicRef", "colour"])] = inner()
    return s


def mutate(r, v):
    """The same with something wrong in it."""
    if isinstance(v, dict) and v and r.random() < 0.8:
        k = r.choice(list(v))
        return {**v, k: mutate(r, v[k])}
    if isinstance(v, list) and v and r.random() < 0.8:
        i = r.randrange(len(v))
        return v[:i] + [mutate(r, v[i])] + v[i + 1:]
    return r.choice([None, -1, 1e300, 10**17, "", [], {}, [[]], {"$ref": "#"}, {"type": []}, "string", v])


def request(r):
    """(what is asked, check of an answer)"""
    kind = r.random()
    if kind < 0.75:
        s = schema(r)
        if r.random() < 0.3:
            s = mutate(r, s)
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": s}}}, ("schema", s)
    if kind < 0.9:
        p = r.choice(PATTERNS)
        p = "".join(r.choice([c, c, c, c, r.choice("()[]{}|*+?.^$\\a1-")]) for c in p)
        return {"structured_outputs": {"regex": p}}, ("regex", p)
    g = r.choice(GBNF)
    if r.random() < 0.5:
        at = r.randrange(len(g))
        g = g[:at] + r.choice(['"', "::=", "|", "(", "]", "{9}", "\n", ""]) + g[at + r.randrange(2):]
    return {"structured_outputs": {"grammar": g}}, ("gbnf", g)


def complaint(what, text):
    """Why the answer does not keep to what was asked, or None."""
    kind, rule = what
    if kind == "schema":
        v = json.loads(text, parse_float=Decimal)
        if validator is not None:
            try:
                rule = json.loads(json.dumps(rule), parse_float=Decimal)  # 6.3 is a multiple of 0.1
                errors = [e.message for e in validator(rule, format_checker=checker).iter_errors(v)]
            except Exception as e:  # a mutated schema that is none; a pattern that Python's re does not know
                note("not checked: " + type(e).__name__)
                errors = []
            return errors[0] if errors else None
    elif kind == "regex":
        if "[]" in rule or "[^]" in rule or "{," in rule:  # in ECMA-262 no character, any one, and a brace
            return None
        try:
            return None if re.fullmatch(rule, text, re.A) else "no match"
        except re.error:
            note("not checked: re.error")
    return None


counts = {}


def note(what):
    counts[what] = counts.get(what, 0) + 1


def main():
    r = random.Random(SEED)
    bad = []
    end = time.time() + SECONDS
    with Server("helpdesk=" + MODEL) as s:
        while time.time() < end and len(bad) < 5:
            ask, what = request(r)
            body = {"model": "helpdesk", "messages": [{"role": "user", "content": "fill it in"}], "max_tokens": 120,
                    "temperature": r.choice([0, 1.5]), "seed": r.randrange(1000), **ask}
            t = time.time()
            try:
                status, answer = s.json("/v1/chat/completions", body)
            except (OSError, ValueError, socket.timeout) as e:
                bad.append("%r\n  %r" % (ask, e))
                break
            note("status %d" % status)
            why = None
            if status == 200 and answer["choices"][0]["finish_reason"] == "stop":
                why = complaint(what, answer["choices"][0]["message"]["content"])
                note("whole " + what[0])
            elif status == 400 and not answer["error"]["message"].endswith("."):
                why = "no sentence: %r" % answer
            elif status not in (200, 400):
                why = "status %d" % status
            if time.time() - t > LIMIT_S:
                why = "%.1f s" % (time.time() - t)
            if why:
                bad.append("%s\n  %s\n  %s" % (json.dumps(ask, ensure_ascii=False), why, json.dumps(answer, ensure_ascii=False)))
        if s.process.poll() is not None:
            bad.append("the server ended with %d" % s.process.returncode)
        elif s.end():
            bad.append("the server did not end well")
    print(", ".join("%d %s" % (n, k) for k, n in sorted(counts.items())))
    if validator is None:
        print("SKIP: the Python package jsonschema (schema answers are only parsed)")
    for b in bad:
        print("FAILED: " + b)
    print("%d passed, %d failed, %d skipped" % (not bad, len(bad), validator is None))
    sys.exit(bool(bad))


def is_integer(_, v):
    return not isinstance(v, bool) and (isinstance(v, int) or isinstance(v, Decimal) and v == int(v))


try:
    import jsonschema
    base = jsonschema.Draft202012Validator
    validator = jsonschema.validators.extend(base, type_checker=base.TYPE_CHECKER.redefine("integer", is_integer))
    checker = base.FORMAT_CHECKER
except ImportError:
    validator = checker = None
main()
