#!/usr/bin/env python3
"""What croft serve keeps in memory, term by term: bench/memory.py MODEL.gguf [option of croft serve…]

Asks more and more of a server and prints after each step what is resident (the sum of Rss in /proc/PID/smaps), in MiB:

    weights   the packed weights, one anonymous mapping
    file      pages of the model's file that are mapped now
    cache     keys and values: the slab as far as it was ever used
    rest      scratch, logits, tokenizer, grammars, requests
    program   croft and the libraries it links to
    over      (all - size of the file - cache) / (size of the file + cache): the aim is at most 10 %

Setting (environment): CROFT. Exit status: 0; 2 for wrong usage or a server that does not answer.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import serve

PORT = 18350
CROFT = os.environ.get("CROFT", os.path.join(serve.HERE, "..", "build", "croft"))


def post(path, **body):
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def regions(pid):
    """Start, name, size and resident bytes of each mapping, the last two in MiB; reserved addresses left out."""
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as f:
        for line in f:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+\s*(.*)", line)
            if head:
                start, end, mode, name = int(head[1], 16), int(head[2], 16), head[3], head[4]
            elif line.startswith("Rss:") and mode != "---p":
                yield start, name, (end - start) / 2**20, int(line.split()[1]) / 1024


class Terms:
    """Weights and cache are told by what they are when nothing was asked yet: the largest used, the largest unused."""

    def __init__(self, pid, model):
        self.pid, self.file = pid, os.path.getsize(model) / 2**20
        anonymous = [r for r in regions(pid) if not r[1]]
        self.weights = max(anonymous, key=lambda r: r[3])[0]
        self.cache = max((r for r in anonymous if r[3] < 1), key=lambda r: r[2])[0]

    def row(self, title):
        terms = dict.fromkeys(("weights", "file", "cache", "rest", "program"), 0.0)
        for start, name, _, resident in regions(self.pid):
            which = ("weights" if start == self.weights else "cache" if start == self.cache else
                     "file" if name.endswith(".gguf") else "program" if name.startswith("/") else "rest")
            terms[which] += resident
        total, floor = sum(terms.values()), self.file + terms["cache"]
        print(f"| {title} | " + " | ".join(f"{v:.1f}" for v in terms.values()) +
              f" | {total:.1f} | {100 * (total - floor) / floor:.1f} % |", flush=True)


def ask(load, terms):
    many = ThreadPoolExecutor(16)
    terms.row("started")
    post("/v1/tasks/intents", input="where is it")
    terms.row("a classification")
    list(many.map(lambda i: post("/v1/tasks/intents", input=serve.message(i)), range(32)))
    terms.row("32 more, 16 at a time")

    def chat(i, text=""):
        prompt = load.chatml("Answer the customer." + text, serve.message(i))
        return post("/v1/completions", model="m", prompt=prompt, temperature=0.7, seed=i, max_tokens=16)
    list(many.map(chat, range(32)))
    terms.row("32 texts, 16 at a time")
    form = {"type": "json_schema", "json_schema": {"name": "ticket", "strict": True, "schema": serve.SCHEMA}}
    list(many.map(lambda i: post("/v1/chat/completions", model="m", max_tokens=32, response_format=form, messages=[
        {"role": "user", "content": serve.message(i)}]), range(8)))
    terms.row("8 constrained by a schema")
    chat(0, " ".join(serve.message(i) for i in range(60)))
    terms.row("a long prompt")


def main():
    if len(sys.argv) < 2 or not os.path.isfile(sys.argv[1]):
        serve.usage("bench/memory.py MODEL.gguf [option of croft serve…]")
    model, load = sys.argv[1], serve.Load(serve.made_up_labels(77))
    with tempfile.TemporaryDirectory() as folder:
        argv = [CROFT, "serve", "--port", str(PORT), "--answers", "0", *sys.argv[2:], "--task",
                load.write_tasks(folder)[0], "m=" + model]
        server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ready").read()
                    break
                except OSError:
                    time.sleep(0.1)
            terms = Terms(server.pid, model)
            print(f"{os.path.basename(model)}, {terms.file:.1f} MiB\n")
            print("|  | weights | file | cache | rest | program | all | over |\n|---|" + "---:|" * 7)
            ask(load, terms)
        except OSError as e:
            serve.usage(f"the server does not answer: {e}")
        finally:
            server.terminate()
            server.wait()


main()
