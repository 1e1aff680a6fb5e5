#!/usr/bin/env python3
"""Write grammar_re.inc: which texts each expression matches, as Python's re.fullmatch has it (re.ASCII, so that \\d, \\w
and \\s mean what they mean in ECMA-262 for the texts used here), and which characters have a property, as its unicodedata has it. Run in this folder after changing the lists."""
import json, re, unicodedata
RES = {
    r"abc": ["abc", "ab", "abcd", ""], r"a|b|cd": ["a", "b", "cd", "c", "ab"], r"a*": ["", "a", "aaaa", "b"],
    r"(ab)+c?": ["ab", "ababc", "c", "aba"], r"[a-c]{2,3}": ["ab", "abc", "a", "abca", "ad"], r"[^a-c]": ["d", "a", "é", "dd"],
    r"\d{3}-\d{4}": ["555-1234", "5555-123", "555-12345"], r"\w+@\w+\.com": ["a_b@c.com", "@c.com", "a@ccom", "a@b.com.com"],
    r"(a|b)*abb": ["abb", "aabb", "babb", "ab", "abba"], r".": ["x", "é", "\U0001F600", "\n", ""], r"a{0}": ["", "a"],
    r"(?:x(?P<n>y)?)*z": ["z", "xz", "xyxz", "y", "xy"], r"[\d.]+": ["1.2", ".", "a", ""], r"\s\S": [" a", "a ", "  ", "\tx"],
    r"a.{2}b": ["axxb", "axb", "aéé" + "b"], r"(a|ab)(c|bcd)(d*)": ["abcd", "acd", "abbcd", "ac", "abcdd"], r"[+\-*/]": ["+", "-", "/", "a"],
    r"[]a]": ["]", "a", "b"] , r"x{2,}": ["x", "xx", "xxxxx"], r"\x41\u0042": ["AB", "ab", "A"], r"[é-ü]+": ["éü", "e", "ö", "z"],
    r"^abc$": ["abc", "abcd"], r"^(a|b)$|^c": ["a", "b", "c", "ab"], r"(^a|b)c": ["ac", "bc", "c"], r"\^\$\.\*": ["^$.*", "a"],
    r"(a{1,2}){2}": ["aa", "aaa", "aaaa", "a", "aaaaa"], r"(|a)b": ["b", "ab", "aab"], r"((a|b)(c|d)){2}": ["acbd", "ac", "acb", "bdbd"],
    r"[\w.-]+": ["a-b.c", "", "a b"], r"a+?b*?": ["a", "aab", "b"], r"{a}": ["{a}", "a"], r"a{,2}": ["a{,2}", "aa"],
    r"[^\W_]+": ["ab1", "a_b", ""], r"(0|[1-9]\d*)(\.\d+)?": ["0", "10", "01", "1.5", "1."],
}
SKIP = {r"[]a]", r"a{,2}", r"a{0}" + "x"}  # Python's own readings of these differ from ECMA-262's
def c(s): return '"' + "".join(ch if 32 <= ord(ch) < 127 and ch not in '"\\?' else "".join("\\%03o" % b for b in ch.encode()) for ch in s) + '"'
with open("grammar_re.inc", "w") as f:
    for r, texts in RES.items():
        if r in SKIP: continue
        for t in texts:
            f.write("{%s, %s, %d},\n" % (c(r), c(t), bool(re.compile(r, re.ASCII).fullmatch(t))))
    # One character or more of each category, all long assigned; \\p{…} and \\P{…} by each of a category's names.
    chars = "aZ\u01c5\u02b0\u05d0\u65e5\u0301\u0903\u20dd7\u0663\u2163\u00bd_-([)]\u00ab\u00bb!\u00a7+\u20ac^\u00a9 \u00a0\u2028\u2029\t\u200d\ue000\u0378\U0001f600\u00df\u042f"
    names = {"Lu": "Uppercase_Letter", "Ll": "Lowercase_Letter", "Lt": "Titlecase_Letter", "Lm": "Modifier_Letter", "Lo": "Other_Letter",
             "Mn": "Nonspacing_Mark", "Mc": "Spacing_Mark", "Me": "Enclosing_Mark", "Nd": "Decimal_Number", "Nl": "Letter_Number",
             "No": "Other_Number", "Pc": "Connector_Punctuation", "Pd": "Dash_Punctuation", "Ps": "Open_Punctuation",
             "Pe": "Close_Punctuation", "Pi": "Initial_Punctuation", "Pf": "Final_Punctuation", "Po": "Other_Punctuation",
             "Sm": "Math_Symbol", "Sc": "Currency_Symbol", "Sk": "Modifier_Symbol", "So": "Other_Symbol", "Zs": "Space_Separator",
             "Zl": "Line_Separator", "Zp": "Paragraph_Separator", "Cc": "Control", "Cf": "Format", "Co": "Private_Use", "Cn": "Unassigned",
             "L": "Letter", "M": "Mark", "N": "Number", "P": "Punctuation", "S": "Symbol", "Z": "Separator", "C": "Other"}
    for short, name in names.items():
        for ch in chars:
            has = unicodedata.category(ch).startswith(short)
            for r, want in ((r"\p{%s}" % short, has), (r"[x\P{gc=%s}]" % name, not has or ch == "x")):
                f.write("{%s, %s, %d},\n" % (c(r), c(ch), want))
    for r, text, want in ((r"\p{Letter}[\p{L}\p{M}'\- ]*", "Ren\u00e9e O'Neill-\u65e5\u672c", 1), (r"\p{L}+", "a1", 0), (r"\p{LC}", "\u05d0", 0), (r"\p{ASCII}+", "aZ~", 1),
                          (r"\p{ASCII}", "\u00e9", 0), (r"\p{Any}", "\u0378", 1), (r"\p{Assigned}", "\u0378", 0), (r"[^\p{Lu}\d]+", "ab_", 1), (r"[^\p{Lu}\d]+", "aB", 0)):
        f.write("{%s, %s, %d},\n" % (c(r), c(text), want))
