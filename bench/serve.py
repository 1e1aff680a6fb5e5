#!/usr/bin/env python3
"""croft serve beside llama-server, in one table: `make bench-serve`.

    LLAMA_CPP_BIN=folder bench/serve.py MODEL.gguf [LABELS.txt]

Both servers run at once on the same file, each on its own port; a workload runs on one after the other, A B A B, while
the other is idle. Peer: llama-server in LLAMA_CPP_BIN, with each of its settings; each row counts its best and names it.

    classify    77 labels behind a fixed prompt, a short input each time. Croft: /v1/tasks, one pass, the whole
                distribution. Peer: /completion with a grammar that admits the labels, its prompt cache on
    choice      one token of at most 26 options. Croft: a task with 26 labels. Peer: one token of /completion
    extract     chat, constrained. Croft: a JSON Schema. Peer: the same as a grammar of its own without white space, which
                is the quicker of its ways
    chat        16 streams at once: tokens per second of all, time to the first token, gaps between tokens; and the same
                while long prompts arrive
    absorb      one stream, alone and while a prompt of 2,000 tokens is taken in
    memory      resident, of each server, after all that; and of the same with 1,000 idle connections

LABELS: one a line (default: 77 made up). Settings (environment): SERVE_MINUTES (12), BENCH_OUT (bench), CROFT, SERVE_ROWS
(a pattern of the rows' names). Exit status: 0; 1 when a workload failed (the rest is still written); 2 for wrong usage.
"""
import asyncio
import json
import os
import random
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import report
from report import Sample

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS = 2
SETTINGS = ["", "-fa off -ctk bf16 -ctv bf16"]
PORT = 18340


def usage(message):
    print("serve.py: " + message, file=sys.stderr)
    sys.exit(2)


# ---- what is asked --------------------------------------------------------------------------------------------------

WORDS = ("card payment transfer refund account limit cash exchange rate top up declined pending reverted wrong amount "
         "extra charge lost stolen arrival delivery tracking activate pin blocked verify identity age country support "
         "currency atm fee balance update statement receipt cancel direct debit beneficiary virtual disposable").split()


def made_up_labels(n):
    rng, found = random.Random(7), []
    while len(found) < n:
        label = "_".join(rng.sample(WORDS, rng.randint(2, 4)))
        if label not in found:
            found.append(label)
    return found


def message(i):
    """A customer's message of some twenty tokens, a different one for each i."""
    rng = random.Random(i)
    return f"Hello, number {i}: my {rng.choice(WORDS)} {rng.choice(WORDS)} has not come, and the {rng.choice(WORDS)} is odd"


SCHEMA = {"type": "object", "additionalProperties": False, "required": ["order", "reason", "urgent"],
          "properties": {"order": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{6}$"},
                         "reason": {"enum": ["late", "broken", "wrong", "other"]},
                         "urgent": {"type": "boolean"}}}


# The same language without white space: the peer's own grammar of the schema admits any amount of it, which random
# weights make use of until their tokens end.
GRAMMAR = """root ::= "{\\"order\\":\\"" letter letter digit digit digit digit digit digit more
letter ::= [A-Z]
digit ::= [0-9]
more ::= "\\",\\"reason\\":" reason ",\\"urgent\\":" ("true" | "false") "}"
reason ::= "\\"late\\"" | "\\"broken\\"" | "\\"wrong\\"" | "\\"other\\""
"""


class Load:
    """What both servers are asked."""

    def __init__(self, labels):
        self.labels = labels
        listed = ", ".join(labels)
        self.system = f"Sort the customer's message into one of these intents and answer with its name alone: {listed}."
        self.letters = [chr(ord("a") + i) for i in range(26)]
        self.choice_system = self.system + " Answer with its letter."

    def chatml(self, system, user):
        return (f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n"
                "<|im_start|>assistant\n")

    def write_tasks(self, folder):
        for name, system, labels in (("intents", self.system, self.labels), ("letters", self.choice_system, self.letters)):
            with open(os.path.join(folder, name + ".yaml"), "w", encoding="utf-8") as f:
                json.dump({"name": name, "kind": "classify", "system": system, "prompt": "{{input}}",
                           "labels": [{"name": x} for x in labels]}, f)  # JSON is YAML
        return [os.path.join(folder, n + ".yaml") for n in ("intents", "letters")]


# ---- a client -------------------------------------------------------------------------------------------------------


class Failed(Exception):
    pass


class Client:
    """One keep-alive connection."""

    def __init__(self, port):
        self.port, self.r, self.w = port, None, None

    async def open(self):
        if not self.w or self.w.is_closing():
            self.r, self.w = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)

    def close(self):
        if self.w:
            self.w.close()
            self.w = None

    async def send(self, path, body):
        await self.open()
        data = json.dumps(body).encode() if body is not None else b""
        head = (f"{'POST' if data else 'GET'} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(data)}\r\n\r\n")
        self.w.write(head.encode() + data)
        lines = (await self.r.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        head = {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:] if ":" in x)}
        return int(lines[0].split()[1]), head

    async def chunks(self, head):
        if "content-length" in head:
            yield await self.r.readexactly(int(head["content-length"]))
            return
        if "chunked" not in head.get("transfer-encoding", ""):
            raise Failed("neither a length nor chunks")
        while n := int(await self.r.readuntil(b"\r\n"), 16):
            yield await self.r.readexactly(n)
            await self.r.readexactly(2)
        await self.r.readexactly(2)

    async def ask(self, path, body):
        status, head = await self.send(path, body)
        data = b"".join([c async for c in self.chunks(head)])
        if status != 200:
            raise Failed(f"{path}: {status} {data[:300].decode(errors='replace')}")
        return json.loads(data) if data else None

    async def stream(self, path, body):
        """Seconds at which each piece came, from the request on."""
        start, times = time.perf_counter(), []
        status, head = await self.send(path, {**body, "stream": True})
        rest = b""
        async for c in self.chunks(head):
            if status != 200:
                raise Failed(f"{path}: {status} {c[:300].decode(errors='replace')}")
            *events, rest = (rest + c).split(b"\n\n")
            for e in events:
                if e.startswith(b"data: {") and (b'"content":"' in e or b'"content": "' in e):
                    times.append(time.perf_counter() - start)
        return times


async def spread_over(n_clients, n_requests, one, port):
    """n_requests calls of one(client, i), n_clients at a time. Seconds of each, and of all."""
    took, numbers = [], iter(range(n_requests))

    async def run():
        client = Client(port)
        for i in numbers:
            start = time.perf_counter()
            await one(client, i)
            took.append(time.perf_counter() - start)
        client.close()

    start = time.perf_counter()
    await asyncio.gather(*(run() for _ in range(n_clients)))
    return took, time.perf_counter() - start


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, int(p * len(values)))]


# ---- the two servers ------------------------------------------------------------------------------------------------


class Server:
    def __init__(self, argv, port, ready):
        self.port = port
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 90
        while True:
            try:
                asyncio.run(Client(port).ask(ready, None))
                return
            except (OSError, Failed, asyncio.IncompleteReadError, ValueError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.log.seek(0)
                    usage(f"{argv[0]} did not start: " + self.log.read().decode(errors="replace")[-600:])
                time.sleep(0.2)

    def resident(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            found = re.search(r"VmRSS:\s+(\d+)", f.read())
        if not found:
            self.log.seek(0)
            raise Failed("the server is gone: " + self.log.read().decode(errors="replace")[-300:])
        return int(found.group(1)) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Croft(Server):
    name, setting = "croft", ""

    constraint = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}}

    def __init__(self, croft, model, tasks, port):
        argv = [croft, "serve", "--port", str(port), "-t", str(THREADS), "--ctx", "4096", "--cache", "16384"]
        for t in tasks:
            argv += ["--task", t]
        super().__init__(argv + ["bench=" + model], port, "/ready")

    async def label(self, load, c, i):
        await c.ask("/v1/tasks/intents", {"input": message(i)})

    async def letter(self, load, c, i):
        await c.ask("/v1/tasks/letters", {"input": message(i)})


class Peer(Server):
    name = "peer"

    constraint = {"grammar": GRAMMAR}

    def __init__(self, program, model, setting, port):
        self.setting = setting
        argv = [program, "-m", model, "-t", str(THREADS), "-tb", str(THREADS), "--port", str(port), "-np", "16", "-c",
                "32768", "--jinja", "--no-webui", *shlex.split(setting)]
        super().__init__(argv, port, "/health")

    async def complete(self, load, c, system, i, more):
        await c.ask("/completion", {"prompt": load.chatml(system, message(i)), "cache_prompt": True, "temperature": 0,
                                    **more})

    async def label(self, load, c, i):
        grammar = "root ::= " + " | ".join(json.dumps(x) for x in load.labels)
        await self.complete(load, c, load.system, i, {"n_predict": 32, "grammar": grammar})

    async def letter(self, load, c, i):
        await self.complete(load, c, load.choice_system, i, {"n_predict": 1})


# ---- workloads: lists of (row, unit, value) -------------------------------------------------------------------------


def decisions(row, ask, clients, n):
    async def run(server, load, base):
        await spread_over(1, 2, lambda c, i: ask(server, load, c, base + 10**6 + i), server.port)  # the prefix
        took, total = await spread_over(clients, n, lambda c, i: ask(server, load, c, base + i), server.port)
        if clients == 1:
            yield row + ", p50", "ms", 1e3 * statistics.median(took)
        yield row + f", {clients} client{'s' if clients > 1 else ''}", "requests/s", n / total
    return run


async def extract(server, load, base):
    async def one(c, i):
        body = {"model": "bench", "temperature": 0, "max_tokens": 160,
                "messages": [{"role": "system", "content": load.system}, {"role": "user", "content": message(base + i)}],
                **server.constraint}
        answer = await c.ask("/v1/chat/completions", body)
        json.loads(answer["choices"][0]["message"]["content"])
    await spread_over(1, 1, one, server.port)
    for clients in (1, 8):
        _, total = await spread_over(clients, 6 * clients, one, server.port)
        yield f"extract, {clients} client{'s' if clients > 1 else ''}", "requests/s", 6 * clients / total


def chat(clients, lengthy):
    async def run(server, load, base):
        tokens, first, gaps, n = 48, [], [], clients

        async def one(c, i):
            body = {"model": "bench", "temperature": 0, "max_tokens": tokens, "ignore_eos": True,
                    "messages": [{"role": "user", "content": message(base + i) + " Tell me all about it."}]}
            times = await c.stream("/v1/chat/completions", body)
            first.append(times[0])
            gaps.extend(b - a for a, b in zip(times, times[1:]))

        async def intrude(c, i):
            words = " ".join(random.Random(base + i).choices(WORDS, k=900))
            await c.ask("/v1/chat/completions", {"model": "bench", "max_tokens": 1, "temperature": 0,
                                                 "messages": [{"role": "user", "content": words}]})

        other = asyncio.ensure_future(spread_over(1, 3, intrude, server.port)) if lengthy else None
        _, total = await spread_over(clients, n, one, server.port)
        if other:
            await other
        what = f"chat, {clients} clients" + (", long prompts arriving" if lengthy else "")
        if not lengthy:
            yield what, "tokens/s", n * tokens / total
            yield what + ": first token, p99", "ms", 1e3 * percentile(first, 0.99)
        yield what + ": between tokens, p99", "ms", 1e3 * percentile(gaps, 0.99)
    return run


async def absorb(server, load, base):
    """A stream, alone and while a prompt of some 2,000 tokens is taken in."""
    lengthy = " ".join(random.Random(base).choices(WORDS, k=1500))

    def body(text, tokens):
        return {"model": "bench", "temperature": 0, "max_tokens": tokens, "ignore_eos": True,
                "messages": [{"role": "user", "content": text}]}

    async def intrude():
        await asyncio.sleep(2)
        start = time.perf_counter()
        await Client(server.port).ask("/v1/chat/completions", body(lengthy, 1))
        return start, time.perf_counter()

    await Client(server.port).stream("/v1/chat/completions", body(message(base), 16))
    other = asyncio.ensure_future(intrude())
    start = time.perf_counter()
    times = await Client(server.port).stream("/v1/chat/completions", body(message(base + 2), 2048))
    begin, end = await other
    for row, part in (("a stream, alone", [t for t in times if t > 0.5 and start + t < begin]),
                      ("a stream while 2,000 tokens come", [t for t in times if begin <= start + t <= end])):
        if len(part) > 1:
            yield row, "tokens/s", (len(part) - 1) / (part[-1] - part[0])
    yield "2,000 tokens beside a stream, first token", "ms", 1e3 * (end - begin)


async def idle(server, load, base):
    yield "resident memory", "MiB", server.resident()
    connections = []
    try:
        for _ in range(1000):
            connections.append(await asyncio.open_connection("127.0.0.1", server.port))
        yield "resident memory with 1,000 idle connections", "MiB", server.resident()
    finally:
        for _, w in connections:
            w.close()


def label(server, load, c, i):
    return server.label(load, c, i)


def letter(server, load, c, i):
    return server.letter(load, c, i)


PLAN = [("classify", decisions("classify 77 labels", label, 1, 16)), ("classify", decisions("classify 77 labels", label, 8, 32)),
        ("choice", decisions("choice of 26", letter, 1, 24)), ("choice", decisions("choice of 26", letter, 8, 48)),
        ("extract", extract), ("chat", chat(16, False)), ("chat", chat(8, True)), ("absorb", absorb), ("memory", idle)]


# ---- the rounds -----------------------------------------------------------------------------------------------------


class NoLimit:
    def limit(self, model, row):
        return None


class Bench:
    def __init__(self):
        self.samples, self.failed, self.rounds, self.croft = [], [], 0, NoLimit()

    def keep(self, model, server, name, workload, load):
        async def collect():
            async for row, unit, value in workload(server, load, 1000 * self.rounds):
                self.samples.append(Sample(model, row, unit, server.name, server.setting, self.rounds, value))
        try:
            asyncio.run(asyncio.wait_for(collect(), 240))
        except (Failed, OSError, ValueError, KeyError, IndexError, asyncio.IncompleteReadError, asyncio.TimeoutError) as e:
            self.failed.append(f"{server.name} {server.setting}, round {self.rounds}: {name}: {type(e).__name__} {e}")
            print(self.failed[-1], file=sys.stderr)


def write(bench, model, folder, minutes, load_average):
    lines = list(report.lines_of(bench, model))
    text = ["# Serving, side by side\n", f"croft {report.croft_commit()} and llama-server, "
            f"{time.strftime('%Y-%m-%d', time.gmtime())}; {bench.rounds} rounds in {minutes:.1f} minutes. "
            f"Model: {model}. Load average at the start and end: {load_average[0]:.2f}, {os.getloadavg()[0]:.2f}\n",
            *report.machine(), "\nWhat is asked, and how: the head of bench/serve.py. Medians of the rounds; spread = "
            "(largest - smallest) / median.\nRatio: the median of the rounds' own, above 1 when Croft is better.\n",
            *report.table(lines, True)]
    if bench.failed:
        text += ["\nWorkloads that failed:\n", *(f"- {x}" for x in bench.failed)]
    text.append("\n![rates](serving.svg)")
    with open(os.path.join(folder, "SERVING.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(text) + "\n")
    with open(os.path.join(folder, "serving.svg"), "w", encoding="utf-8") as f:
        f.write(report.bars("Serving (the longer bar of a pair is the larger value)", {model: lines}, True, report.rate_share))
    with open(os.path.join(folder, "serving.csv"), "w", encoding="utf-8") as f:
        f.write("date," + ",".join(Sample._fields) + "\n")
        day = time.strftime("%Y-%m-%d", time.gmtime())
        f.writelines(f'{day},{s.model},"{s.row}",{s.unit},{s.program},{s.setting},{s.round},{s.value:.6g}\n'
                     for s in bench.samples)
    print("\n".join(report.table(lines, True)))


def main():
    env = os.environ.get
    if len(sys.argv) not in (2, 3):
        usage("give a model file, and perhaps a file of labels")
    folder = env("LLAMA_CPP_BIN")
    program = os.path.join(folder, "llama-server") if folder else None
    if program and not os.access(program, os.X_OK):
        usage(f"LLAMA_CPP_BIN={folder} has no program llama-server")
    labels = made_up_labels(77)
    if len(sys.argv) == 3:
        with open(sys.argv[2], encoding="utf-8") as f:
            labels = [x.strip() for x in f if x.strip()]
    croft = env("CROFT", os.path.join(HERE, "..", "build", "croft"))
    load, bench, model = Load(labels), Bench(), os.path.splitext(os.path.basename(sys.argv[1]))[0]
    plan = [(n, w) for n, w in PLAN if re.search(env("SERVE_ROWS", ""), n)]
    before, start = os.getloadavg(), time.monotonic()
    deadline = start + 60 * float(env("SERVE_MINUTES", "12"))
    servers = []
    with tempfile.TemporaryDirectory() as tasks:
        try:
            servers.append(Croft(croft, sys.argv[1], load.write_tasks(tasks), PORT))
            servers += [Peer(program, sys.argv[1], s, PORT + 1 + i) for i, s in enumerate(SETTINGS if program else [])]
            longest = 0
            while not bench.rounds or (not bench.failed and time.monotonic() + longest < deadline):
                bench.rounds += 1
                began = time.monotonic()
                for name, workload in plan:
                    for server in servers:
                        bench.keep(model, server, name, workload, load)
                    print(f"{time.monotonic() - start:5.0f} s  round {bench.rounds}  {name}", flush=True)
                longest = max(longest, time.monotonic() - began)
        finally:
            for server in servers:
                server.stop()
    write(bench, model, env("BENCH_OUT", HERE), (time.monotonic() - start) / 60, before)
    sys.exit(1 if bench.failed else 0)


if __name__ == "__main__":
    main()
