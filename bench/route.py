#!/usr/bin/env python3
"""What routing adds to an answer.

    bench/route.py [SECONDS]         after `make build/croft build/bench-upstream`; under `chrt -r 1` on a busy machine

local      the same inputs to the same task of `croft serve`, with tiers in its settings and without: answers that the
           calibration lets stand, one after the other, neither server keeping answers
proxied    the same chat put straight to a stub that answers at once (bench-upstream stub) and through Croft with
           X-Croft-Tier: 1,000 requests a second, begun at fixed times on 16 connections
receipts, budgets and redaction are on. Both ways in turns of SECONDS / 20 (default 10 in all for each way), so that a busy
machine is busy for both; the first turn of each is thrown away. Latency from the first byte sent to the last received; the
spread is that of the turns' medians. Processor time is the server's own, of all its threads, per request.

Writes route.csv to BENCH_OUT (bench) and a section of RESULTS.md there. Exit status: 0; 1 when something failed."""
import csv
import glob
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time

import report

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/api"))
from routing import ROWS, TASK, calibrated, folder  # noqa: E402
from server import Server  # noqa: E402

SECONDS = float((sys.argv[1:] or ["10"])[0])
TURNS, RATE, CONNECTIONS = 20, 1000, 16
TIERS = """receipts: {at}/receipts
classes: [public, internal]
tiers:
  - {{name: frontier, place: cloud, wire: openai, url: 'http://127.0.0.1:{port}/v1', model: big-1, classes: [public, internal],
     price: {{input: 1, output: 2}}}}
policy: {{default_class: internal, redact: {{cloud: {{email: restore, card: block}}}}, budgets: [{{limit: 1000, per: day}}]}}
"""
CHAT = {"model": "helpdesk", "messages": [{"role": "user", "content": "Where is my order? I wait for it since Monday."}]}


def post(path, body, **headers):
    raw = json.dumps(body).encode()
    lines = ["POST %s HTTP/1.1" % path, "Host: localhost", "Content-Type: application/json", "Content-Length: %d" % len(raw)]
    return "\r\n".join(lines + ["%s: %s" % (k.replace("_", "-"), v) for k, v in headers.items()]).encode() + b"\r\n\r\n" + raw


def dial(port):
    c = socket.create_connection(("127.0.0.1", port))
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return c


def length(raw):
    """Bytes of the whole answer, or None while its head is not there."""
    end = raw.find(b"\r\n\r\n")
    if end < 0:
        return None
    if not raw.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(raw[:500].decode("latin-1"))
    at = raw.lower().index(b"content-length:", 0, end) + 15
    return end + 4 + int(raw[at:raw.index(b"\r\n", at)])


def one_by_one(port, requests, seconds):
    out, stop, i = [], time.perf_counter() + seconds, 0
    with dial(port) as c:
        while time.perf_counter() < stop:
            begun, raw = time.perf_counter(), b""
            c.sendall(requests[i % len(requests)])
            while (n := length(raw)) is None or len(raw) < n:
                raw += c.recv(65536)
            out.append(time.perf_counter() - begun)
            i += 1
    return out


def paced(port, request, seconds):
    out, free, under_way, sel = [], [dial(port) for _ in range(CONNECTIONS)], {}, selectors.DefaultSelector()
    for c in free:
        sel.register(c, selectors.EVENT_READ)
    begun, sent, n = time.perf_counter(), 0, int(RATE * seconds)
    while len(out) < n:
        now = time.perf_counter()
        while sent < n and free and now >= begun + sent / RATE:
            c = free.pop()
            under_way[c] = [now, b""]
            c.sendall(request)
            sent += 1
        wait = max(0, begun + sent / RATE - time.perf_counter()) if sent < n and free else 1
        for key, _ in sel.select(wait):
            state = under_way[key.fileobj]
            state[1] += key.fileobj.recv(65536)
            if (size := length(state[1])) is not None and len(state[1]) >= size:
                out.append(time.perf_counter() - state[0])
                del under_way[key.fileobj]
                free.append(key.fileobj)
    for c in free:
        c.close()
    return out


def cpu(process):
    """Seconds of all threads of a process, by the scheduler's own count."""
    total = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % process.pid):
        with open(path) as f:
            total += int(f.read().split()[0])
    return total / 1e9


class Way:
    """One of two: what it does for some seconds, and what came of it, turn by turn."""

    def __init__(self, process, go):
        self.process, self.go, self.turns, self.cpu = process, go, [], []

    def turn(self, keep):
        before = cpu(self.process)
        got = self.go(SECONDS / TURNS)
        if keep:
            self.turns.append(got)
            self.cpu.append((cpu(self.process) - before) / len(got))

    def at(self, share):
        every = sorted(x for t in self.turns for x in t)
        return every[min(int(share * len(every)), len(every) - 1)] * 1e6

    def spread(self):
        medians = [statistics.median(t) for t in self.turns]
        return (max(medians) - min(medians)) / statistics.median(medians)


def side_by_side(a, b):
    for i in range(TURNS + 1):
        a.turn(i > 0)
        b.turn(i > 0)


def lines(name, said, a, b):
    for way, x in zip(said, (a, b)):
        yield [name, way, sum(map(len, x.turns)), x.at(0.5), x.at(0.9), x.at(0.99), statistics.median(x.cpu) * 1e6, x.spread()]
    # of turns that followed each other: what the machine did to both falls out
    p50 = statistics.median(statistics.median(y) - statistics.median(x) for x, y in zip(a.turns, b.turns)) * 1e6
    yield [name, "added", "", p50, b.at(0.9) - a.at(0.9), b.at(0.99) - a.at(0.99),
           (statistics.median(b.cpu) - statistics.median(a.cpu)) * 1e6, ""]


def measure(at, stub, port):
    base = "model: [helpdesk=%s/helpdesk.gguf]\ntask: [%s]\nanswers: 0\n" % (at, TASK)
    for name, text in (("plain", base), ("tiers", base + TIERS.format(at=at, port=port))):
        with open("%s/%s.yaml" % (at, name), "w", encoding="utf-8") as f:
            f.write(text)
    with Server("-c", at + "/plain.yaml", "--threads", "1") as plain, Server("-c", at + "/tiers.yaml", "--threads", "1") as tiers:
        texts = [r["input"] for r in ROWS]
        stay = [t for t in texts if tiers.ask("/v1/tasks/helpdesk-intent", {"input": t})[1]["X-Croft-Tier"] == "local"]
        tasks = [post("/v1/tasks/helpdesk-intent", {"input": t}) for t in stay]
        local = [Way(s.process, lambda seconds, s=s: one_by_one(s.port, tasks, seconds)) for s in (plain, tiers)]
        side_by_side(*local)
        chat = post("/v1/chat/completions", CHAT, X_Croft_Tier="frontier")
        proxied = [Way(p, lambda seconds, to=to: paced(to, chat, seconds)) for p, to in ((stub, port), (tiers.process, tiers.port))]
        side_by_side(*proxied)
    return [*lines("local answer", ("without tiers", "with tiers"), *local), *lines("chat, proxied", ("straight", "through Croft"), *proxied)]


def table(rows):
    yield "| | | requests | p50 | p90 | p99 | processor | spread of p50 |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for name, way, n, *times, spread in rows:
        cells = ["%.0f" % x for x in times] + ["%.0f %%" % (100 * spread) if n else ""]
        yield "| %s | %s | %s | %s |" % (name, way, format(n, ",") if n else "", " | ".join(cells))


def main():
    begun, at = os.getloadavg()[0], folder()
    calibrated(at)
    stub = subprocess.Popen([os.path.join(ROOT, "build/bench-upstream"), "stub"], stdout=subprocess.PIPE, text=True)
    try:
        rows = measure(at, stub, int(stub.stdout.readline()))
    finally:
        stub.kill()
        stub.wait()
    text = ["## What routing adds\n",
            "`bench/route.py`: microseconds. Local: the demo model's task, with tiers in the settings and without; proxied: 1,000 chats a",
            "second straight to a stub and through Croft, with receipts, a budget and redaction. In turns on %d cores, generator and stub"
            % os.cpu_count(), "included; load average %.1f at the start, %.1f at the end. *Added*: of the p50, the median of the turns' own" %
            (begun, os.getloadavg()[0]), "differences; *processor*: the server's (the stub's, where it is asked straight), all threads." +
            (" Run under `chrt -r 1`." if os.sched_getscheduler(0) == os.SCHED_RR else "") + "\n", *table(rows)]
    print("\n".join(text))
    out = os.environ.get("BENCH_OUT", os.path.join(ROOT, "bench"))
    with open(os.path.join(out, "route.csv"), "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(["what", "way", "requests", "p50_us", "p90_us", "p99_us", "cpu_us", "spread"])
        w.writerows([x if isinstance(x, (str, int)) else "%.4g" % x for x in row] for row in rows)
    report.write_section(os.path.join(out, "RESULTS.md"), "route", "\n".join(text))


if __name__ == "__main__":
    main()
