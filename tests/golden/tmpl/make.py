#!/usr/bin/env python3
"""Write cases.json: small chat templates over every feature, with what Python's Jinja2 3.1 renders.

The environment is the one model libraries use: the immutable sandbox, trim_blocks, lstrip_blocks, loop controls,
tojson without escaping, raise_exception, strftime_now. Run with Jinja2 3.1: python3 make.py > cases.json
`--random N SEED` instead prints N random templates in the same form, to compare Croft against.
"""
import datetime
import json
import random
import sys

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2026, 11, 20, 9, 30, 0)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=["jinja2.ext.loopcontrols"])

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


ENV = environment()
VARS = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Xin chào, 你好 🙂\nnext <b>&'\""},
        {"role": "assistant", "content": None,
         "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"x": 1.5, "y": [1, "a"]}}}]},
        {"role": "tool", "name": "f", "content": "  31 C, humid  "},
        {"role": "user", "content": "Bye"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "items": 3}}}],
    "n": -3, "m": 7, "x": 2.5, "t": True, "f": False, "none_value": None, "s": "Hello World", "e": "",
    "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "mixed": [1, "a", None, 2.0, True, [1], {"k": "v"}],
    "d": {"b": 2, "a": 1, "C": 3, "items": "hidden", "nested": {"k": [10, 20]}},
    "people": [{"name": "Zoë", "age": 30, "city": "Hue"}, {"name": "adam", "age": 25, "city": "hue"},
               {"name": "Bob", "age": 30, "city": "Vinh"}],
    "big": 9007199254740993, "bos_token": "<s>", "eos_token": "</s>",
}


def render(text):
    try:
        return {"output": ENV.from_string(text).render(**json.loads(json.dumps(VARS)))}
    except (jinja2.TemplateSyntaxError, SyntaxError) as e:
        return {"error": "FORMAT", "line": e.lineno if isinstance(e, jinja2.TemplateSyntaxError) else 0}
    except Exception:
        return {"error": "TEMPLATE"}


# One template a line; \n in it is a newline.
ONE_LINE = r"""
{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 3 ** 2 }}
{{ -2 ** 2 }} {{ +5 }} {{ - -5 }} {{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1e3 }} {{ 1.5e-7 }} {{ 2.0 }} {{ 1e16 }} {{ 123456789012345680.0 }}
{{ 0.1 + 0.2 }} {{ 1 / 3 }} {{ 1e22 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }} {{ 100.0 }} {{ 0.0001 }} {{ 0.00001 }}
{{ 7.5 // 2 }} {{ -7.5 // 2 }} {{ 7.5 % -2 }} {{ -0.0 }} {{ 1 == 1.0 }} {{ true + true }} {{ true == 1 }} {{ big }} {{ big + 1 }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 'a' + 1 }}
{{ 'a' * 3 }} {{ 3 * 'ab' }} {{ [1] * 2 }} {{ (1,) * 2 }} {{ 'x' * -1 }}| {{ [1] + [2] }} {{ (1,) + (2,) }}
{{ [1] + (2,) }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 != 2 }} {{ 'a' in 'abc' }} {{ 2 in [1, 2] }} {{ 'a' not in d }} {{ 'z' in d }}
{{ 1 < 'a' }}
{{ 1 in 'abc' }}
{{ 'a' ~ 1 ~ none ~ true ~ 2.5 ~ undefined_name ~ [1] }}
{{ t and f }} {{ t or f }} {{ not t }} {{ e or 'default' }} {{ s and 'yes' }} {{ none_value or 0 or [] or {} }} {{ not e and not f }}
{{ 'yes' if t else 'no' }} {{ 'yes' if f }}| {{ 'a' if f else 'b' if t else 'c' }} {{ ('x' if f) is defined }}
{{ 'a\n\t\\\'"\x41\u00e9\U0001F642\101\q' }} {{ "it's" }} {{ 'say "hi"' }} {{ 'a' 'b' "c" }}
{{ 'é' }} {{ 'naïve 你好 🙂'|length }} {{ '你好'[1] }} {{ '🙂ab'[-2:] }} {{ 'abc'[::-1] }} {{ '你好吗'[::-1] }}
{{ [1, 'a', "it's", 'say "x"', none, true, 1.0, (1,), (), {}, {'a': 'b'}, []] }}
{{ {'a': 1, 2: 'b', none: [], (1, 2): 3, true: 4, 1.5: 5} }}
{{ ['\n', '\t', '\\', '\x00', '\x7f', '\u200b', '\xa0', 'é', '\U0001F642'] }}
{{ undefined_name }}| {{ undefined_name is defined }} {{ [undefined_name] }} {{ undefined_name == other_undefined }} {{ undefined_name|length }}
{{ undefined_name.x }}
{{ undefined_name['x'] }}
{{ undefined_name() }}
{{ undefined_name + 1 }}
{{ undefined_name > 1 }}
{{ d.missing }}| {{ d['missing'] }}| {{ d.missing is undefined }} {{ l[10] }}| {{ l[10] is defined }} {{ s[99] }}|
{{ d.missing.more }}
{{ d.a }} {{ d['b'] }} {{ d.nested.k[1] }} {{ d['items'] }} {{ d.items is callable }} {{ d.nested['k'][-1] }} {{ l.0 }} {{ d.nested.k.1 }}
{{ l[1:] }} {{ l[:-1] }} {{ l[::2] }} {{ l[::-1] }} {{ l[-2:] }} {{ l[5:] }} {{ l[none:2] }} {{ s[1:4] }} {{ s[::-2] }} {{ (1, 2, 3)[1:] }} {{ range(10)[2:8:3] }}
{{ l[::0] }}
{{ l['a'] }}|{{ s.nothing }}|
{% set a = 1 %}{% set b, c = 2, 3 %}{% set (x1, (y1, z1)) = (1, (2, 3)) %}{{ a }}{{ b }}{{ c }}{{ x1 }}{{ y1 }}{{ z1 }}
{% set a, b = [1, 2, 3] %}
{% set a = 1, %}{{ a }}{% set b = 1, 2 %}{{ b }}{% set c = () %}{{ c }}
{% set x %}a{{ m }}b{% endset %}[{{ x }}] {% set y | upper | replace('A', 'z') %}abc{% endset %}{{ y }}
{% set ns = namespace(a=1, b='x') %}{% set ns.a = 5 %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }} {{ ns['a'] }}
{% set ns = namespace({'q': 1}, z=2) %}{{ ns.q }}{{ ns.z }} {{ ns }}
{% set d.a = 5 %}
{% set nothing.a = 5 %}
{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}
{% for i in l %}{{ i }}{% endfor %} {% for i in [] %}x{% else %}empty{% endfor %} {% for i in undefined_name %}x{% else %}none{% endfor %}
{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {{ loop.previtem is defined }}{{ loop.nextitem is defined }};{% endfor %}
{% for i in [1, 1, 2, 2, 1] %}{{ loop.changed(i) }} {{ loop.cycle('a', 'b', 'c') }};{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %} {% for k in d %}{{ k }}{% endfor %} {% for c in 'né' %}<{{ c }}>{% endfor %}
{% for i in l if i > 1 %}{{ i }}{{ loop.index }}{{ loop.length }}{% else %}none{% endfor %} {% for i in l if i > 9 %}x{% else %}none{% endfor %}
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in l %}{% for j in w %}{{ loop.index }}{{ j }}{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}{{ loop.index }};{% endfor %}
{% for x in [[1, [2, [3]]], [4]] recursive %}{{ loop.depth }}:{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}{% endif %}{% endfor %}
{% for x in [1] %}{{ loop(x) }}{% endfor %}
{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }} {% if t %}{% set x = 9 %}{% endif %}{{ x }}
{% for i in l %}{% if loop.first %}{% set q = i %}{% endif %}{{ q }}|{% endfor %}{{ q }}|
{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }}{% endfor %} {% for a, b in ['xy'] %}{{ a }}{{ b }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for i in 5 %}{% endfor %}
{% for i in none %}{% endfor %}
{% macro m(a, b=2, c='x') %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c='y') }} {{ m() }} {{ m(b=1, a=2) }}
{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, k=4) }} {{ m() }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=1) }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }} {{ m.name }} {{ m.arguments }} {{ m.caller }} {{ m.catch_kwargs }}
{% macro outer() %}{{ inner(2) }}{% endmacro %}{% macro inner(x) %}<{{ x }}{{ n }}>{% endmacro %}{{ outer() }}
{% macro fact(n) %}{% if n <= 1 %}1{% else %}{{ n * fact(n - 1)|int }}{% endif %}{% endmacro %}{{ fact(10) }}
{% set y = 5 %}{% macro m() %}{{ y }}{% set y = 6 %}{{ y }}{% endmacro %}{{ m() }}{{ y }}{% set y = 7 %}{{ m() }}
{% macro m() %}{{ caller() }}!{{ caller() }}{% endmacro %}{% call m() %}hi{{ n }}{% endcall %}
{% macro m(l) %}{% for i in l %}{{ caller(i, loop.index) }}{% endfor %}{% endmacro %}{% call(x, y=9) m(l) %}({{ x }},{{ y }}){% endcall %}
{% macro m() %}no caller{% endmacro %}{% call m() %}x{% endcall %}
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{% for i in l %}{% macro m(x) %}{{ i }}{{ x }}{% endmacro %}{{ m('a') }}{% endfor %}
{% filter upper %}abc{{ s }}{% endfilter %} {% filter trim | replace('b', 'X') %}  abc  {% endfilter %}
{% with a = 1, b = m %}{{ a }}{{ b }}{% endwith %}{{ a is defined }} {% with %}{% set z = 1 %}{{ z }}{% endwith %}{{ z is defined }}
{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}
{% if f %}a{% elif e %}b{% elif t %}c{% else %}d{% endif %} {% if not t %}a{% else %}{% if t %}x{% endif %}{% endif %}
{% if 1, %}tuple{% endif %} {% if () %}x{% else %}empty{% endif %}
{% raw %}{{ x }} {% if %} {# c #}{% endraw %}|{%- raw -%}  a  {%- endraw -%}|
{% generation %}{{ s }}{% set inside = 1 %}{% endgeneration %}{{ inside is defined }}
{% block title %}[{{ s }}]{% endblock %} {% block b2 %}x{% endblock b2 %}
{% for i in [1, 2] %}{% generation %}{{ i }}{{ loop.index }}{% endgeneration %}{% endfor %}
{% print 1, 'a' %} {% print s %}
{{ 'a,b,,c'.split(',') }} {{ 'a b  c'.split() }} {{ ' a b '.split(' ') }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a  b c '.split(none, 1) }}
{{ '  x '.strip() }}|{{ '  x '.lstrip() }}|{{ '  x '.rstrip() }}|{{ 'xxaxx'.strip('x') }} {{ 'abcba'.lstrip('ab') }} {{ 'abcba'.rstrip('ab') }} {{ '\u3000x\u00a0'.strip() }}|
{{ s.startswith('He') }} {{ s.endswith(('x', 'ld')) }} {{ s.startswith('ello', 1) }} {{ s.find('o') }} {{ s.rfind('o') }} {{ s.find('zz') }} {{ s.index('W') }} {{ s.count('l') }} {{ s.replace('l', 'L', 2) }} {{ s.replace('', '-') }}
{{ s.index('zz') }}
{{ s.upper() }} {{ s.lower() }} {{ s.title() }} {{ s.swapcase() }} {{ 'hELLO wORLD'.capitalize() }} {{ "they're bill's".title() }} {{ 'straße ŉ ﬁ'.upper() }} {{ 'ΑΣ ΣΑΣ'.lower() }} {{ 'İ'.lower() }}
{{ ', '.join(w) }} {{ '-'.join('abc') }} {{ 'a\nb\r\nc\x0bd'.splitlines() }} {{ 'a\nb'.splitlines(true) }} {{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'abc'.partition('x') }} {{ 'abc'.rpartition('x') }}
{{ '-'.join([1, 2]) }}
{{ 'abc'.center(10, '*') }} {{ 'abc'.ljust(6) }}| {{ 'abc'.rjust(6, '.') }} {{ '42'.zfill(5) }} {{ '-42'.zfill(5) }} {{ 'abcd'.center(7) }}| {{ 'a\tb'.expandtabs(4) }}
{{ 'abc'.isalpha() }} {{ '12'.isdigit() }} {{ '²'.isdigit() }} {{ '½'.isnumeric() }} {{ 'a1'.isalnum() }} {{ ' \t'.isspace() }} {{ 'aB'.islower() }} {{ 'AB1'.isupper() }} {{ 'Ab Cd'.istitle() }} {{ ''.isalpha() }} {{ 'é'.isascii() }} {{ 'a_1'.isidentifier() }} {{ 'a\n'.isprintable() }}
{{ 'prefix_x'.removeprefix('prefix_') }} {{ 'x.txt'.removesuffix('.txt') }} {{ 'abc'.removeprefix('z') }}
{{ '{} {}'.format(1, 'a') }} {{ '{1} {0} {k}'.format('a', 'b', k=3) }} {{ '{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd') }} {{ '{:05.2f} {:,} {:+d} {:x} {:#x} {:b} {:e} {:.1%}'.format(3.14159, 1234567, 5, 255, 255, 5, 12345.678, 0.256) }} {{ '{0.a} {0[b]} {1[0]}'.format(d, l) }} {{ '{!r:>6}'.format('q') }} {{ '{{}}'.format() }} {{ '{:{}}'.format('a', 4) }}|
{{ '{} {1}'.format(1, 2) }}
{{ '%s %d %5.2f %x %r %%' % ('a', 5, 3.14159, 255, 'q') }} {{ '%s' % 'x' }} {{ '%(a)s %(b)05d' % d }} {{ '%-5s|%5s|%+d|%e' % ('a', 'b', 3, 12345.678) }} {{ '%c%c' % ('a', 66) }} {{ '%.3s' % 'abcdef' }} {{ '%*d' % (5, 42) }}
{{ '%d' % 'a' }}
{{ '%s %s' % ('a',) }}
{{ '%s' % (1, 2) }}
{{ d.get('a') }} {{ d.get('zz') }} {{ d.get('zz', 5) }} {{ d.keys() }} {{ d.values() | list }} {{ d.items() | list | length }} {{ d.keys() | list }} {{ {'a': 1}.items() }}
{{ d.pop('a') }}
{{ d.update({'z': 1}) }}
{{ l.append(1) }}
{{ l.append }}|{{ l.append is defined }} {{ d.clear is defined }}
{% set q = l.sort() %}
{{ l.index(2) }} {{ l.count(3) }} {{ (1, 2, 1).count(1) }} {{ d.copy() == d }} {{ s.__class__ }}|{{ d.__len__ }}|
{{ range(5) }} {{ range(5)|list }} {{ range(2, 8, 3)|list }} {{ range(5, 0, -2)|list }} {{ range(3)|length }} {{ 3 in range(5) }} {{ range(3)[1] }} {{ range(0) | list }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ dict(a=1, b=2) }} {{ dict([('x', 1)], y=2) }} {{ dict({'k': 1}) }} {{ dict() }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set c2 = c.reset() %}{{ c.current }} {% set j = joiner('; ') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}
{{ raise_exception('no') }}
{{ strftime_now('%d %B %Y, %H:%M:%S %y %b %a %A %j %p %I %m %%') }}
{{ n|abs }} {{ -2.5|abs }} {{ 'abc'|first }} {{ l|first }} {{ l|last }} {{ []|first }}| {{ d|first }} {{ 'xyz'|last }}
{{ 'hello wORLD'|capitalize }} {{ 'hello-world (foo) [bar]'|title }} {{ s|upper }} {{ s|lower }} {{ 5|upper }} {{ none|upper }} {{ '  x '|trim }}| {{ 'xxaxx'|trim('x') }}
{{ l|length }} {{ l|count }} {{ d|length }} {{ s|length }} {{ '🙂'|length }}
{{ 5|length }}
{{ undefined_name|default('d') }} {{ none_value|default('d') }} {{ none_value|default('d', true) }} {{ ''|d('x', boolean=true) }} {{ undefined_name|d }}| {{ 0|default(5) }}
{{ d|dictsort }} {{ d|dictsort(true) }} {{ {'a': 2, 'b': 1}|dictsort(by='value') }} {{ {'a': 2, 'b': 1}|dictsort(reverse=true) }}
{{ '<a href="x">&\'</a>'|e }} {{ '<'|escape|e }} {{ '<'|safe|e }} {{ '<'|safe|forceescape }} {{ '<b>'|safe + '<i>' }} {{ '<i>' + '<b>'|e }}
{{ '3.7'|float }} {{ 'x'|float }} {{ 'x'|float(1.5) }} {{ '42'|int }} {{ '42.9'|int }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ '0x1f'|int(base=16) }} {{ 3.99|int }} {{ -3.99|int }} {{ true|int }} {{ ' 12 '|int }} {{ '1_000'|int }} {{ none|int }} {{ 'inf'|float }} {{ '1e3'|int }}
{{ '%s-%s'|format('a', 1) }} {{ '%(x)s'|format(x=5) }}
{% for g, items in people|groupby('city') %}{{ g }}:{% for p in items %}{{ p.name }},{% endfor %};{% endfor %} {% for g in people|groupby('age') %}{{ g.grouper }}{{ g.list|length }};{% endfor %} {{ (people|groupby('city', case_sensitive=true))|length }}
{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb\n\nc'|indent(2, true) }}|{{ 'a\n\nb'|indent(2, blank=true) }}|{{ 'a\nb'|indent('>>') }}|{{ 'a\nb\n'|indent(1) }}|{{ ''|indent }}|
{{ w|join }} {{ w|join(', ') }} {{ people|join('; ', attribute='name') }} {{ [1, none, 2.5]|join('-') }} {{ 'abc'|join('.') }}
{{ 'abc'|list }} {{ d|list }} {{ (1, 2)|list }} {{ people|map(attribute='name')|list }} {{ w|map('upper')|list }} {{ people|map(attribute='zz', default='?')|list }} {{ [[1, 2], [3]]|map('join', '+')|list }} {{ people|map(attribute='name')|map('length')|list }}
{{ l|max }} {{ l|min }} {{ w|max }} {{ w|min(case_sensitive=true) }} {{ people|max(attribute='age') }} {{ []|min }}|
{{ l|reject('odd')|list }} {{ l|select('odd')|list }} {{ mixed|select|list }} {{ mixed|reject('none')|list|length }} {{ l|select('gt', 1)|list }} {{ mixed|select('string')|list }} {{ l|select('in', [1, 2])|list }}
{{ people|selectattr('age', 'eq', 30)|map(attribute='name')|join(',') }} {{ people|rejectattr('age', 'lt', 30)|list|length }} {{ messages|selectattr('tool_calls', 'defined')|list|length }} {{ messages|selectattr('content')|list|length }} {{ messages|rejectattr('role', 'equalto', 'user')|map(attribute='role')|list }}
{{ 'aaa'|replace('a', 'b') }} {{ 'aaa'|replace('a', 'b', 2) }} {{ 12321|replace(2, 'x') }} {{ 'abc'|reverse }} {{ l|reverse|list }} {{ l|reverse|first }}
{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 42|round }} {{ 42.55|round(1, 'floor') }} {{ 42.51|round(1, 'ceil') }} {{ 1234|round(-2) }} {{ -2.5|round }} {{ 42|round(method='ceil') }} {{ 1250.0|round(-2) }}
{{ l|sort }} {{ w|sort }} {{ w|sort(case_sensitive=true) }} {{ l|sort(reverse=true) }} {{ people|sort(attribute='age')|map(attribute='name')|list }} {{ people|sort(attribute='age,name')|map(attribute='name')|list }} {{ people|sort(true, attribute='age')|map(attribute='name')|list }} {{ d|sort }}
{{ mixed|sort }}
{{ l|sum }} {{ people|sum(attribute='age') }} {{ l|sum(start=10) }} {{ [1.5, 2]|sum }} {{ []|sum }}
{{ 5|string + '5' }} {{ none|string }} {{ [1]|string }} {{ l|string|length }}
{{ d|tojson }} {{ messages[2]|tojson }} {{ 'a"\\\n\t\u0001é🙂</script>'|tojson }} {{ [1, 2.0, 1e100, true, none]|tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }} {{ (1, 2)|tojson }} {{ []|tojson }} {{ {}|tojson }}
{{ d|tojson(indent=2) }} {{ [1, [2, {}], []]|tojson(indent=1) }} {{ [1]|tojson(indent='--') }} {{ [1]|tojson(indent=0) }}
{{ d|tojson(separators=(',', ':')) }} {{ d|tojson(sort_keys=true) }} {{ 'é🙂'|tojson(ensure_ascii=true) }} {{ d|tojson(indent=2, separators=(' ,', ' : ')) }}
{{ undefined_name|tojson }}
{{ range(3)|tojson }}
{{ 'one two three four five'|truncate(10) }} {{ 'one two three four five'|truncate(10, true) }} {{ 'one two'|truncate(5) }} {{ 'one two three'|truncate(9, false, '…', 0) }} {{ 'short'|truncate }} {{ 'abcdefghijklmnop'|truncate(5) }}
{{ [1, 2, 1, 'a', 'A', 1.0]|unique|list }} {{ people|unique(attribute='age')|map(attribute='name')|list }} {{ ['b', 'B']|unique(case_sensitive=true)|list }}
{{ [[1], [1]]|unique|list }}
{{ 'a b&c/d?é'|urlencode }} {{ {'a b': 'c d', 'e': 1}|urlencode }} {{ [('x', '/')]|urlencode }} {{ 5|urlencode }}
{{ 'Hello big, wide world_1 é'|wordcount }} {{ 'the quick brown fox jumps'|wordwrap(10) }} {{ 'abcdefghijklmn op'|wordwrap(5) }} {{ 'a-b well-known thing'|wordwrap(6) }} {{ 'abcdefgh ij'|wordwrap(5, false) }} {{ 'aa bb\ncc dd'|wordwrap(3, wrapstring='|') }}
{{ range(7)|batch(3)|list }} {{ range(7)|batch(3, 'x')|list }} {{ range(7)|slice(3)|list }} {{ range(7)|slice(3, 'x')|list }}
{{ {'class': 'a b', 'id': none, 'n': 5, 'q': '<'}|xmlattr }} {{ {}|xmlattr }}| {{ {'a': 1}|xmlattr(false) }} {{ '<p>a  <b>c</b></p> &amp; <!-- x -->d'|striptags }} {{ 'x'|center(7) }}|
{{ 1000|filesizeformat }} {{ 1|filesizeformat }} {{ 1500000|filesizeformat }} {{ 1500000|filesizeformat(true) }} {{ 13|filesizeformat }}
{{ d|items|list }} {{ undefined_name|items|list }} {{ 'abc'|attr('upper') is callable }} {{ d|attr('a') }}|
{{ 5|items|list }}
{{ 1 is odd }} {{ 2 is even }} {{ 6 is divisibleby 3 }} {{ 6 is divisibleby(4) }} {{ s is string }} {{ d is mapping }} {{ l is sequence }} {{ l is iterable }} {{ 5 is iterable }} {{ d is sequence }} {{ s is iterable }} {{ undefined_name is iterable }} {{ none_value is none }}
{{ 1 is number }} {{ 1.5 is float }} {{ true is number }} {{ true is integer }} {{ 1 is integer }} {{ t is boolean }} {{ t is true }} {{ f is false }} {{ 1 is true }} {{ 'a' is eq 'a' }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 1 is ge 1 }} {{ 1 is greaterthan 0 }} {{ 1 is equalto 1.0 }}
{{ 'a' is in 'abc' }} {{ 1 is in [1] }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ none is sameas none }} {{ t is sameas true }} {{ 1 is sameas true }} {{ 'upper' is filter }} {{ 'zz' is filter }} {{ 'odd' is test }} {{ range is callable }} {{ s is callable }} {{ '<'|e is escaped }} {{ s is not string }} {{ undefined_name is not defined }}
{{ 'a' is odd }}
{{ s|nofilter }}
{{ s is notest }}
{% if f %}{{ s|nofilter }}{% endif %}ok {% if t or (s is notest) %}yes{% endif %} {{ 'a' if t else s|nofilter }}
{% if t %}{{ s|nofilter }}{% endif %}
{% if f %}{% for i in l %}{{ i|nofilter }}{% endfor %}{% endif %}
{{ s|upper|lower|replace('o', '0')|length }} {{ (s|upper)[0] }} {{ s[0]|lower }} {{ -1|abs }} {{ (1, 2)|sum }} {{ 'a'|upper ~ 'b' }} {{ 1 + l|length }} {{ not s is string }} {{ l|length > 2 }}
{{ m * l|first + 2 }} {{ 'x' in s|lower }} {{ s is string and l is iterable }} {{ 2 in l and 5 not in l }} {{ not 2 in l }} {{ 1 if 2 is odd else 3 }}
{{ messages|map(attribute='content')|select('string')|map('length')|list }} {{ messages[1:]|map(attribute='role')|join('>') }} {{ messages|length }} {{ messages[-1].role }} {{ (messages|last).content }}
{%- for m in messages if m.content is string -%}<{{ m.role }}>{{ m.content|trim }}{%- endfor -%}
{{ [1, 2, 3]|map('string')|join }} {{ ([1]|map('string')) is sequence }} {% set g = l|map('string') %}{{ g|list }}{{ g|list }}
{{ l|map('string')|length }}
{{ w|map('nofilter')|list }}
{{ m.x.y }}
{{ s(1) }}
{{ s.upper(1) }}
{{ s.split(maxsplit=1) }} {{ s.split(sep='o') }} {{ d.get(*['a']) }} {{ dict(**{'q': 1}) }} {{ '%s%s'|format(*['a', 'b']) }}
{{ x|int }} {{ x|round|int }} {{ 10 // 3 }} {{ 10.0 // 3 }} {{ 2 ** 0.5 }} {{ (-8) ** 2 }} {{ 1e400 }} {{ -1e400 }} {{ 0 * -1.0 }}
{{ [1, 2] == [1, 2] }} {{ (1, 2) == [1, 2] }} {{ {'a': 1} == {'a': 1.0} }} {{ 'a' == 1 }} {{ none == none }} {{ none == false }} {{ range(3) == range(0, 3) }} {{ [1, [2]] == [1, [2.0]] }}
{{ true }} {{ false }} {{ none }} {{ True }} {{ False }} {{ None }} {{ [true, none] }}
{{ '' if none_value is none else none_value }}|{{ none_value }}|{{ none_value|string }}|{{ [none_value]|join }}
{{ loop is defined }} {% for i in [1] %}{{ loop is defined }}{% endfor %}
{% include 'x' %}
{% if f %}{% include 'x' %}{% import 'y' as z %}{% endif %}ok
{% extends 'base' %}
{{ ns }}{% set loop = 5 %}{{ loop }}
{% for i in l %}{% set loop = 5 %}{% endfor %}
{% break %}
{% for loop in l %}{% endfor %}
{% if t %}
{% endif %}
{% for i in l %}{{ i }}
{{ 1 + }}
{{ }}
{{ (1 }}
{{ 'abc }}
{{ [1, 2 }}
{{ a b }}
{% unknown %}
{% set 1 = 2 %}
{% set none = 2 %}
{% set a.b.c = 2 %}
{{ f(a=1, a=2) }}
{{ f(a=1, 2) }}
{% macro m(a=1, b) %}{% endmacro %}
{% macro m(a, a) %}{% endmacro %}
{# never closed
{% raw %} never closed
line one\n{{ ok }}\n{% if %}
line one\n\n\n{{ 'x' | }}
{{ 1 ? 2 }}
{{ a is is b }}
{% endif %}
{% if t %}{% endfor %}
{% call 5 %}{% endcall %}
  {% if t %}\n  a\n  {% endif %}\n  b\n{% if t %}\n\nc{% endif %}\n
  {%- if t -%}\n  a\n  {%- endif -%}\n  b\n
  {%+ if t +%}\n  a\n  {%+ endif +%}\n  b\n
a {{- s -}} b {{ s }}\n c {{- '\n' }}\n\n
a\n  {# comment #}\nb {# c #} d\n{#- x -#}\n e
a\n  {{ s }}  \n{% set q = 1 %}   \n{% set r = 2 %}\n\nend\n\n
x{% if t %} {% endif %}y\n\t{% if t %}\tz{% endif %}\t\n
{%- macro m() %}\n  in macro\n{%- endmacro -%}\n[{{ m() }}]\n
{% for i in l -%}\n  {{ i }}\n{%- endfor %}\n.
{% raw %}\n a {{ b }}\n{% endraw %}\nafter\n  {% raw -%}  x  {%- endraw %}\n.
a\r\nb\rc{{ 'x\r\ny'|length }}\r\n
{{ '{{' }} {{ '%}' }} { { } } {{ {'a': {'b': 1}}['a']['b'] }} {{{'a': 1}}} {{ {'x': '}}'}.x }}
{% set x = {'a': [1, {'b': (2, 3)}]} %}{{ x.a[1].b[0] }} {{ x['a'][1]['b'][1] }} {{ x }}
{%if t%}tight{%endif%}{{s}}{{-s-}}{#x#}{%-if t-%}z{%-endif-%}
"""


def cases():
    for line in ONE_LINE.strip("\n").split("\n"):
        text = line
        if line.startswith(("  {", "a ", "a\\", "x{%", "{%- macro", "{% for i in l -", "{% raw %}\\n", "line one")):
            text = line.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t")
        yield text


# ---- random templates ----

ATOMS = ["n", "m", "x", "t", "f", "none", "s", "e", "l", "w", "mixed", "d", "people", "messages", "u", "1", "0", "-2", "2.5",
         "'a'", "'Hello'", "'é🙂 b'", "''", "[]", "{}", "[1, 'b']", "{'k': 1}", "(1, 2)", "true", "range(4)", "s[1:3]",
         "d.a", "d['b']", "d.zz", "messages[0].content", "messages[-1]['role']", "l[0]", "w[-1]", "people[0].name"]
FILTERS = ["upper", "lower", "length", "list", "first", "last", "join(',')", "string", "int", "float", "trim", "default('q')",
           "d('z', true)", "reverse|list", "sort", "unique|list", "title", "capitalize", "tojson", "abs", "round", "sum",
           "replace('a', 'b')", "map('string')|list", "select|list", "items|list", "dictsort", "min", "max", "e",
           "indent(2)", "truncate(5)", "wordcount", "batch(2)|list", "center(9)", "urlencode", "tojson(indent=1)",
           "map(attribute='role')|list", "selectattr('age')|list", "wordwrap(4)", "slice(2)|list", "string|length"]
TESTS = ["defined", "none", "string", "number", "mapping", "sequence", "iterable", "true", "false", "odd", "lower", "integer",
         "boolean", "in l", "eq 1", "float", "undefined", "in s"]
METHODS = [".upper()", ".strip()", ".split()", ".split('l')", ".items()|list", ".get('a')", ".keys()|list", ".title()",
           ".startswith('H')", ".replace('l', '')", "[0]", "[-1]", "[1:]", "[::-1]", ".a", "['b']", ".count('l')", "[:2]",
           ".find('o')", ".splitlines()", ".rsplit('l', 1)", ".capitalize()", ".isdigit()", ".join(w)"]
OPS = ["+", "-", "*", "~", "==", "!=", "<", ">", "and", "or", "in", "not in", "%", "//", "/"]


def expression(rnd, depth=0):
    k = rnd.random()
    if depth > 3 or k < 0.25:
        return rnd.choice(ATOMS)
    sub = lambda: expression(rnd, depth + 1)
    if k < 0.45:
        return f"({sub()})|{rnd.choice(FILTERS)}" if rnd.random() < 0.5 else f"{rnd.choice(ATOMS)}|{rnd.choice(FILTERS)}"
    if k < 0.6:
        return f"{sub()} {rnd.choice(OPS)} {sub()}"
    if k < 0.7:
        return f"({sub()}){rnd.choice(METHODS)}"
    if k < 0.78:
        return f"{rnd.choice(ATOMS)} is {rnd.choice(['', 'not '])}{rnd.choice(TESTS)}"
    if k < 0.84:
        return f"({sub()} if {sub()} else {sub()})"
    if k < 0.9:
        return f"[{sub()}, {sub()}]"
    return rnd.choice([f"not {rnd.choice(ATOMS)}", f"-{rnd.choice(ATOMS)}", f"{{'p': {sub()}}}", f"({sub()}, {sub()})"])


def block(rnd, depth=0):
    out = []
    for _ in range(rnd.randint(1, 3)):
        k = rnd.random()
        dash = lambda: rnd.choice(["", "", "-", "+"])
        end = lambda: rnd.choice(["", "", "-"])
        inner = lambda: block(rnd, depth + 1) if depth < 3 else "."
        ex = expression(rnd, 2)
        if k < 0.3:
            out.append(f"{{{{{end()} {expression(rnd)} {end()}}}}}")
        elif k < 0.4:
            out.append(rnd.choice(["text", " ", "\n", "  \n  ", "\n\n", "x y\n", "\t"]))
        elif k < 0.55:
            out.append(f"{{%{dash()} if {ex} {end()}%}}{inner()}{{%{dash()} else {end()}%}}{inner()}{{%{dash()} endif {end()}%}}")
        elif k < 0.7:
            out.append(f"{{%{dash()} for u in {ex} {end()}%}}{inner()}{{{{ loop.index }}}}{{%{dash()} endfor {end()}%}}")
        elif k < 0.8:
            out.append(f"{{%{dash()} set {rnd.choice('unmx')} = {ex} {end()}%}}")
        elif k < 0.85:
            out.append(f"{{% set u %}}{inner()}{{% endset %}}")
        elif k < 0.9:
            out.append(f"{{% macro k(u, m={ex}) %}}{inner()}{{% endmacro %}}{{{{ k({ex}) }}}}")
        elif k < 0.95:
            out.append(f"{{#{end()} c {end()}#}}")
        else:
            out.append(f"{{% with u = {ex} %}}{inner()}{{% endwith %}}{{% filter upper %}}{inner()}{{% endfilter %}}")
    return "".join(out)


def main():
    if len(sys.argv) > 3:
        rnd = random.Random(int(sys.argv[3]))
        made = [block(rnd) if rnd.random() < 0.5 else f"{{{{ {expression(rnd)} }}}}" for _ in range(int(sys.argv[2]))]
    else:
        made = list(cases())
    rows = [{"template": t, **render(t)} for t in made]
    text = ",\n  ".join(json.dumps(r, ensure_ascii=False) for r in rows)
    print('{"vars": %s,\n "now": 1795167000,\n "cases": [\n  %s\n]}' % (json.dumps(VARS, ensure_ascii=False), text))


if __name__ == "__main__":
    main()
