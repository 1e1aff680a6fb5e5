#!/usr/bin/env python3
"""Writes pii.inc: texts with one finding each, and texts with none. Usage: make_pii.py >pii.inc

The values are synthetic: random numbers that python-stdnum calls valid, what faker makes up, and the example numbers of
phonenumbers (pip install python-stdnum faker phonenumbers). The negatives are the same with one digit changed that
python-stdnum then calls invalid, and everyday numbers. Nothing here comes from Croft.
"""
import importlib
import random
import re

import phonenumbers as pn
from faker import Faker

random.seed(11)
Faker.seed(11)
LETTERS = "ABCDEFGHJKLMNPQRSTVWXYZ"


def day(order):
    y, m, d = random.randint(50, 99), random.randint(1, 12), random.randint(1, 28)
    return {"ymd": "%02d%02d%02d" % (y, m, d), "dmy": "%02d%02d%02d" % (d, m, y)}[order]


# module of python-stdnum, how to draw one, the word in front; the check digit is found by trial
IDS = [
    ("us.ssn", lambda r: r("999-99-9999"), ""), ("gb.nhs", lambda r: r("999 999 9999"), "NHS number "),
    ("de.idnr", lambda r: r("99 999 999 999"), ""), ("at.vnr", lambda r: r("9999 ") + day("dmy"), "SVNR "),
    ("ch.ssn", lambda r: r("756.9999.9999.99"), ""), ("fr.nir", lambda r: "1" + day("ymd")[:4] + "75" + r("99999999"), ""),
    ("es.dni", lambda r: r("99999999A"), ""), ("es.nie", lambda r: random.choice("XYZ") + r("9999999A"), ""),
    ("pt.nif", lambda r: "2" + r("99999999"), "NIF "), ("nl.bsn", lambda r: r("999999999"), "BSN: "),
    ("be.nn", lambda r: re.sub(r"(..)(..)(..)", r"\1.\2.\3-", day("ymd")) + r("999.99"), ""),
    ("se.personnummer", lambda r: day("ymd") + r("-9999"), ""), ("no.fodselsnummer", lambda r: day("dmy") + r(" 99999"), ""),
    ("dk.cpr", lambda r: day("dmy") + r("-9999"), ""), ("ee.ik", lambda r: "3" + day("ymd") + r("9999"), "Isikukood "),
    ("fi.hetu", lambda r: day("dmy") + r("-999") + random.choice("0123456789ABCDEFHJKLMNPRSTUVWXY"), ""),
    ("pl.pesel", lambda r: day("ymd") + r("99999"), "PESEL "), ("cz.rc", lambda r: day("ymd") + r("/9999"), ""),
    ("ro.cnp", lambda r: "1" + day("ymd") + r("999999"), "CNP "), ("bg.egn", lambda r: day("ymd") + r("9999"), "EGN "),
    ("gr.amka", lambda r: day("dmy") + r("99999"), "AMKA "), ("hr.oib", lambda r: r("99999999999"), "OIB "),
    ("tr.tckimlik", lambda r: r("99999999999"), "TCKN "), ("il.idnr", lambda r: r("999999999"), "Teudat Zehut "),
    ("za.idnr", lambda r: day("ymd") + r("9999089"), "identity number "), ("br.cpf", lambda r: r("999.999.999-99"), ""),
    ("ar.cuit", lambda r: "20-" + r("99999999-9"), ""), ("cl.rut", lambda r: r("99.999.999-9"), ""),
    ("in_.aadhaar", lambda r: r("9999 9999 9999"), ""), ("th.pin", lambda r: r("9-9999-99999-99-9"), ""),
    ("cn.ric", lambda r: "11010519" + day("ymd") + r("9999"), ""), ("kr.rrn", lambda r: day("ymd") + "-2" + r("999999"), ""),
    ("my.nric", lambda r: day("ymd") + "-14-" + r("9999"), ""), ("id.nik", lambda r: "317101" + day("dmy") + r("9999"), "NIK "),
    ("au.tfn", lambda r: r("999 999 999"), "TFN "), ("ca.sin", lambda r: r("999-999-999"), "SIN "),
    ("nz.ird", lambda r: r("99-999-999"), "IRD "), ("ie.pps", lambda r: r("9999999A"), ""),
    ("it.codicefiscale", lambda r: Faker("it_IT").ssn(), ""), ("mx.curp", lambda r: Faker("es_MX").curp(), ""),
]
NO_CHECK = {"us.ssn", "dk.cpr", "kr.rrn", "my.nric", "id.nik"}  # a changed digit is as good
# look like a Danish or Romanian number, or a telephone's
TAKEN_BY_OTHERS = {"se.personnummer", "fi.hetu", "gb.nhs", "za.idnr", "au.tfn"}


def draw(mask):
    return "".join(random.choice("0123456789") if c == "9" else random.choice(LETTERS) if c == "A" else c for c in mask)


def c_string(s):
    return '"' + "".join(c if 32 <= ord(c) < 127 and c not in '"\\' else "\\%03o" % b for c in s
                         for b in (c.encode() if ord(c) > 126 else [ord(c)])) + '"'


def row(kind, before, value, after=" is it."):
    print("    {%s, %s, %s, %s}," % (kind, c_string(before), c_string(value), c_string(after)))


def ids():
    none = []
    for name, make, word in IDS:
        module, found = importlib.import_module("stdnum." + name), []
        while len(found) < 4:
            v = make(draw)
            if module.is_valid(v):
                found.append(v)
        for v in found:
            row("NATIONAL_ID", word or "Mine: ", v)
            if name in NO_CHECK | TAKEN_BY_OTHERS:
                continue
            i = random.choice([i for i, c in enumerate(v) if c.isdigit()])
            w = v[:i] + str((int(v[i]) + 1) % 10) + v[i + 1:]
            if not module.is_valid(w):
                none.append((word or "Mine: ") + w + " is it.")
    return none


def others():
    fake = Faker()
    for n in (["visa16", "mastercard", "amex", "discover", "visa19"] * 3):
        v = fake.credit_card_number(n)
        row("CARD", "Pay with ", v)
        if len(v) == 16:
            row("CARD", "Pay with ", "-".join(re.findall("....", v)))
    for loc in "de_DE en_GB fr_FR it_IT es_ES nl_NL pl_PL pt_PT fi_FI no_NO tr_TR de_AT de_CH el_GR da_DK ro_RO cs_CZ".split():
        v = Faker(loc).iban()
        row("IBAN", "To ", v)
        row("IBAN", "To ", " ".join(re.findall(".{1,4}", v)), ", please.")
    for _ in range(20):
        row("EMAIL", "Write to ", fake.email(), ".")
        row("IP", "From ", fake.ipv4(), ".")
        row("IP", "From ", fake.ipv6(), ".")
    for region in "US GB DE FR IT ES NL BE CH AT SE NO DK FI PL PT IE CA AU JP KR CN IN BR MX TR ID VN TH ZA EG NG".split():
        for kind in (pn.PhoneNumberType.MOBILE, pn.PhoneNumberType.FIXED_LINE):
            v = pn.example_number_for_type(region, kind)
            row("PHONE", "Call ", pn.format_number(v, pn.PhoneNumberFormat.INTERNATIONAL))
            row("PHONE", "Call ", pn.format_number(v, pn.PhoneNumberFormat.E164))
            row("PHONE", "Tel: ", pn.format_number(v, pn.PhoneNumberFormat.NATIONAL))


EVERYDAY = """Order 4711-0815-2023 was sent on 2023-11-05 at 14:30:00.
The 01.02.2023 meeting moved to 03/04/2024, 12:30.
Invoice 20231105-0001 over 1,234,567.89 and 1 234 567 pieces.
ISBN 978-3-16-148410-0 and ISBN 0-306-40615-2, ISSN 0317-8471.
Version 10.0.19045.3570 of v1.2.3.4, see section 1.2.3.4.
Between 1914-1918 and 2007-2008 there were 12,345,678 people.
Coordinates 52.5200066, 13.4049540 and 3.14159265358979.
Tracking 1Z999AA10123456784 and order number 123456789.
std::vector<int> a; face::add(bad); 12:30:45; http://example.org:8080/a=b
The password is required. Password: required. The token is missing. max_tokens: 4096
UUID 123e4567-e89b-12d3-a456-426614174000 and commit 9fceb02d0ae598e95dc970b74767f19372d61af8.
4111 1111 1111 1112 and 4111111111111112 are no cards; 1234567890123456 neither.
DE89 3704 0044 0532 0130 01 is mistyped.
@home, me @ work, a@b, @-@ and 5 @ 3
It costs 100 000 000 or 0.12345678 or 1e10 or 0x7fffffff or +100 000 000.""".split("\n")


if __name__ == "__main__":
    print("/* Made by make_pii.py: synthetic values, valid by python-stdnum, faker and phonenumbers. */")
    print("static const struct { enum route_pii kind; const char *before, *value, *after; } found[] = {")
    print("#define EMAIL ROUTE_PII_EMAIL\n#define PHONE ROUTE_PII_PHONE\n#define CARD ROUTE_PII_CARD\n#define IBAN ROUTE_PII_IBAN")
    print("#define IP ROUTE_PII_IP\n#define NATIONAL_ID ROUTE_PII_NATIONAL_ID")
    none = ids()
    others()
    print("};\nstatic const char *const nothing[] = {")
    for text in EVERYDAY + none:
        print("    %s," % c_string(text))
    print("};")
