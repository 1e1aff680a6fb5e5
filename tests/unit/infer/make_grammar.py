#!/usr/bin/env python3
"""Write grammar_re.inc: which texts each expression matches, as Python's re.fullmatch has it (re.ASCII, so that \\d, \\w
and \\s mean what they mean in ECMA-262 for the texts used here). Run in this folder after changing the lists."""
import json, re
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
