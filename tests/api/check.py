"""What the programs of tests share: assertions, skips, a model with tools, and running them.

Each function test_… of a program is one test; it raises when something is wrong."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from server import CROFT, MODEL, Server

TMP = tempfile.mkdtemp(prefix="croft-api-")
HERE = os.path.dirname(os.path.abspath(__file__))
HELP = {"model": "helpdesk", "messages": [{"role": "user", "content": "where is my order?"}]}
ENDLESS = {"logit_bias": {"2559": -100}}  # the end token is banned


class Skip(Exception):
    pass


def same(got, wanted, what=""):
    if got != wanted:
        raise AssertionError("%s\n  got:    %r\n  wanted: %r" % (what, got, wanted))


def true(condition, what=""):
    same(bool(condition), True, what)


def tools_model():
    """The demo model with a template that defines tools."""
    path = os.path.join(TMP, "tools.gguf")
    if not os.path.exists(path):
        subprocess.run([sys.executable, HERE + "/retemplate.py", MODEL, path, HERE + "/tools.jinja"], check=True)
    return path


def tokens(text, special=False):
    out = subprocess.run([CROFT, "tokenize", MODEL, "--text", text] + (["--special"] if special else []), capture_output=True,
                         text=True, check=True).stdout
    return [int(t) for t in out.split()]


def events(text):
    return [json.loads(l[6:]) for l in text.splitlines() if l.startswith("data: {")]


def fails(args, code, words):
    p = subprocess.run([CROFT, "serve", "--port", "0", *args], capture_output=True, text=True, timeout=30,
                       stdin=subprocess.DEVNULL)
    same(p.returncode, code, p.stderr)
    true(words in p.stderr, p.stderr)


def hold(s, tokens=400):
    """A connection with a long answer under way."""
    body = json.dumps({**HELP, "stream": True, "max_tokens": tokens, **ENDLESS}).encode()
    c = socket.create_connection((s.host, s.port))
    c.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
              % len(body) + body)
    return c


def node(program, packages, *args):
    """Run a program of this folder with node; run.sh has installed the packages if it could."""
    modules = os.environ.get("API_NODE_MODULES", "")
    missing = [p for p in packages if not os.path.isdir(os.path.join(modules, p))]
    if not shutil.which("node") or missing:
        raise Skip("node with npm packages: " + ", ".join(packages))
    link = os.path.join(TMP, "node_modules")
    if not os.path.exists(link):
        os.symlink(modules, link)
    shutil.copy(os.path.join(HERE, program), TMP)
    p = subprocess.run(["node", os.path.join(TMP, program), *args], capture_output=True, text=True, timeout=120)
    same(p.returncode, 0, p.stdout + p.stderr)


def run(space):
    """All tests of a program's globals, or those named on the command line; `shared` is set to a server."""
    wanted = sys.argv[1:]
    tests = [(n, f) for n, f in space.items() if n.startswith("test_") and (not wanted or n in wanted)]
    passed = failed = skipped = 0
    shared = space["shared"] = Server("helpdesk=" + MODEL)
    for name, f in tests:
        t = time.time()
        try:
            f()
            passed += 1
            word = "ok"
        except Skip as e:
            skipped += 1
            word = "SKIP: %s" % e
            print("SKIP: %s" % e)
        except Exception:
            failed += 1
            word = "FAILED"
            traceback.print_exc(limit=3, file=sys.stdout)
        print("  %-45s %s (%.1f s)" % (name, word, time.time() - t), flush=True)
    code = shared.end()
    if code:  # it fell, or, built with ASan, it leaked
        print("the server ended with %d\n%s" % (code, shared.process.stderr.read()))
        failed += 1
    shutil.rmtree(TMP)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    sys.exit(failed != 0)
