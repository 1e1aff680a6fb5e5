#!/usr/bin/env python3
"""A server whose other tier fails in every way, under clients of all kinds: tests/api/chaos_serve.py [SECONDS]

Clients: tasks sure and unsure, many inputs at once, a task with a small budget, chats here and there, streamed and whole,
data that must stay, deadlines, work that may wait, clients that leave. Meanwhile the stand-in (upstream.py, two tiers of
two wires, one over TLS) hangs, lies, flaps, cuts, shows bad certificates, breaks handshakes off, is stopped, is killed and
started again, and the server reads its policy again. In the end: each request got one whole
answer or one error that says why, on time; nothing that must stay is in what the stand-in recorded, and no address that
is to be redacted; the budget held; each answer has one receipt and the log verifies; what was put off was done once;
nothing is stuck, memory has not grown, and the server ends with 0. Exit status: 0 or 1."""
import json
import os
import random
import re
import shutil
import signal
import socket
import sys
import threading
import time

from check import HELP, TMP
from routing import ROWS, TASK, Upstream, calibrated, croft, folder
from server import Server, certificates

SECONDS = float((sys.argv[1:] or ["10"])[0])
MARK, MAIL = "must-stay-here", "jane.doe@example.com"
LIMIT = 0.01  # of the small budget, at 1 a million tokens of the prompt and 2 of the answer
STEPS = [("none", 1), ("cut", 0.4), ("lie", 0.4), ("none", 1), ("hang", 0.2), ("none", 1), ("kill", 1), ("none", 1), ("reset", 0.5), ("429", 0.4),
         ("expired", 0.5), ("none", 1), ("wrong_host", 0.5), ("handshake", 0.5), ("stop", 1), ("none", 1), ("500", 0.4), ("flap", 1), ("none", 1), ("slow", 0.3), ("redirect", 0.3), ("401", 0.2), ("none", 1)]
SETTINGS = """model: [helpdesk={at}/helpdesk.gguf]
task: [{task}, {at}/limited.yaml]
receipts: {at}/receipts
classes: [public, internal]
tiers:
  - {{name: frontier, place: cloud, wire: openai, url: '{sealed}', model: big-1, classes: [public, internal],{ca}
     price: {{input: 1, output: 2}}, max_retries: 1, deadline_s: 1.5}}
  - {{name: second, place: cloud, wire: anthropic, url: 'http://127.0.0.1:{port}/v1', model: big-2, classes: [public, internal],
     price: {{input: 1, output: 2}}, max_retries: 0, deadline_s: 1.5}}
policy: {{default_class: internal, redact: {{cloud: {{email: restore}}}}, budgets: [{{limit: {limit}, per: month, task: limited}}]}}
rules:
  - {{task: helpdesk-intent, check_share: 0.2, max_disagreement: 0.9, defer: true, capture: true}}
"""
stop = threading.Event()
lock = threading.Lock()
count, wrong, receipts, deferred, tiers = {}, [], [], [], {}


def note(what):
    with lock:
        count[what] = count.get(what, 0) + 1


def request(path, body, headers):
    raw = json.dumps(body).encode()
    lines = ["POST %s HTTP/1.1" % path, "Host: localhost", "Content-Type: application/json", "Connection: close",
             "Content-Length: %d" % len(raw)] + ["%s: %s" % x for x in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def unchunk(raw):
    """The body of an answer in chunks, which must end with the bytes."""
    out = b""
    while True:
        size, raw = raw.split(b"\r\n", 1)
        n = int(size, 16)
        if n == 0:
            if raw != b"\r\n":
                raise ValueError("bytes after the last chunk")
            return out
        out, raw = out + raw[:n], raw[n + 2:]


def ask(s, path, body, **headers):
    """(status, headers, body) of a request, if exactly one whole answer came."""
    with socket.create_connection((s.host, s.port), timeout=60) as c:
        c.sendall(request(path, body, {k.replace("_", "-"): v for k, v in headers.items()}))
        raw = b""
        while more := c.recv(65536):
            raw += more
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    h = {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:])}
    if "transfer-encoding" in h:
        body = unchunk(body)
    elif len(body) != int(h["content-length"]):
        raise ValueError("%d bytes instead of %s" % (len(body), h["content-length"]))
    return int(lines[0].split()[1]), h, body.decode()


def whole(what, answer, good):
    """One answer: as it should be, or an error that says why."""
    status, h, text = answer
    v = json.loads(text)
    with lock:
        if "x-croft-receipt" in h:
            receipts.append(h["x-croft-receipt"])
            tiers[h["x-croft-tier"]] = tiers.get(h["x-croft-tier"], 0) + 1
        fine = good(v) if status == 200 else status in (403, 429, 502, 503, 504) and v["error"]["message"]
        if status == 200 and "x-croft-receipt" not in h and "results" not in v:
            fine = False
        if status == 202:
            deferred.append(v["result"])
            fine = v["status"] == "waiting"
        if not fine:
            wrong.append((what, status, h, text[:300]))
    note("%s %d" % (what, status))


def streamed(what, answer):
    status, h, text = answer
    if status != 200:
        return whole(what, answer, lambda v: False)
    done, broken = text.endswith("data: [DONE]\n\n"), "event: error\n" in text
    for line in text.splitlines():
        if line.startswith("data: {"):
            json.loads(line[6:])
    with lock:
        receipts.append(h["x-croft-receipt"])
        tiers[h["x-croft-tier"]] = tiers.get(h["x-croft-tier"], 0) + 1
        if done == broken:
            wrong.append((what, status, text[-300:]))
    note("%s %s" % (what, "whole" if done else "broken"))


# ---- clients -----------------------------------------------------------------------------------------------------------

def label(v):
    return v["label"] in {r["label"] for r in ROWS}


def chat(r, text=None):
    return {**HELP, "max_tokens": 8, "messages": [{"role": "user", "content": text or r.choice(ROWS)["input"]}]}


def task(s, r):
    whole("task", ask(s, "/v1/tasks/helpdesk-intent", {"input": r.choice(ROWS)["input"]}), label)


def unsure(s, r):
    text = "%s %d? %s" % (r.choice(["the moon", "blue", "write to " + MAIL]), r.randrange(99), r.choice(ROWS)["input"][:12])
    whole("unsure", ask(s, "/v1/tasks/helpdesk-intent", {"input": text}), label)


def many(s, r):
    def fine(v):
        receipts.extend(x["croft"]["receipt"] for x in v["results"])  # called with the lock
        return len(v["results"]) == 5 and all(label(x) for x in v["results"])
    whole("many", ask(s, "/v1/tasks/helpdesk-intent", {"input": [x["input"] for x in r.sample(ROWS, 5)]}), fine)


def limited(s, r):
    whole("limited", ask(s, "/v1/tasks/limited", {"input": r.choice(ROWS)["input"]}), label)


def staying(s, r):
    text, more = "%s %s" % (MARK, r.choice(ROWS)["input"]), r.choice([{}, {}, {"X_Croft_Tier": "frontier"}])
    if r.random() < 0.5:
        whole("stays", ask(s, "/v1/tasks/helpdesk-intent", {"input": text}, X_Croft_Class="local-only", **more), label)
    else:
        streamed("stays", ask(s, "/v1/chat/completions", {**chat(r, text), "stream": True}, X_Croft_Class="local-only", **more))


def chats(s, r):
    tier = r.choice([{}, {"X_Croft_Tier": "frontier"}, {"X_Croft_Tier": "second"}])
    text = "is %s mine? %s" % (MAIL, r.choice(ROWS)["input"])
    whole("chat", ask(s, "/v1/chat/completions", chat(r, text), **tier), lambda v: "content" in v["choices"][0]["message"])


def streams(s, r):
    tier = r.choice([{}, {"X_Croft_Tier": "frontier"}, {"X_Croft_Tier": "second"}])
    streamed("stream", ask(s, "/v1/chat/completions", {**chat(r), "stream": True}, **tier))


def hurried(s, r):
    ms, begun = r.choice([1, 20, 200, 1000]), time.time()
    path, body = r.choice([("/v1/tasks/helpdesk-intent", {"input": r.choice(ROWS)["input"]}), ("/v1/chat/completions", chat(r))])
    more = r.choice([{}, {"X_Croft_Tier": "frontier"}])
    whole("hurried", ask(s, path, body, X_Croft_Deadline_Ms=str(ms), **more), lambda v: True)
    if time.time() - begun > ms / 1e3 + 3:
        wrong.append(("hurried", "%.1f s for a deadline of %d ms" % (time.time() - begun, ms)))


def patient(s, r):
    whole("patient", ask(s, "/v1/tasks/helpdesk-intent", {"input": r.choice(ROWS)["input"]}, X_Croft_Urgent="false"), label)
    time.sleep(0.1)


def leaving(s, r):
    path, body = r.choice([("/v1/tasks/helpdesk-intent", {"input": [x["input"] for x in r.sample(ROWS, 3)]}),
                           ("/v1/chat/completions", {**chat(r), "stream": True}), ("/v1/chat/completions", chat(r))])
    with socket.create_connection((s.host, s.port), timeout=60) as c:
        c.sendall(request(path, body, r.choice([{}, {"X-Croft-Tier": "frontier"}])))
        time.sleep(r.random() ** 3)
    note("left")


def client(s, kind, seed):
    r = random.Random(seed)
    while not stop.is_set():
        try:
            kind(s, r)
        except Exception as e:  # a client that dies must be seen
            wrong.append((kind.__name__, repr(e)))
            if len(wrong) > 100:
                return


# ---- the stand-in ------------------------------------------------------------------------------------------------------

def stand_in(at, record, *more):
    return Upstream(*(["--tls", at] if os.path.exists(at + "/good.pem") else []), "--record", record, *more)


def trouble(up, at, record, each):
    """Goes through STEPS; returns the stand-in that is alive at the end. each() is called after each."""
    for step, share in STEPS:
        if step == "kill":
            up.p.kill()
            up.p.wait()
        elif step == "stop":
            up.p.send_signal(signal.SIGSTOP)
        else:
            up.control(fault=step, share=share)
        time.sleep(SECONDS / len(STEPS))
        if step == "kill":
            up = stand_in(at, record, "--port", str(up.port), *(["--tls-port", str(up.sealed)] if up.sealed else []))
        elif step == "stop":
            up.p.send_signal(signal.SIGCONT)
        each()
    return up


# ---- what is left ------------------------------------------------------------------------------------------------------

def examine(at, record):
    """What the books and the stand-in say, as [trouble]."""
    bad = []
    rows = json.loads(croft("receipts", "--receipts", at + "/receipts", "--json", "--limit", "0"))
    croft("audit", "verify", "--receipts", at + "/receipts")
    kept = [x["id"] for x in rows]
    own = [x for x in rows if not x.get("parent")]
    if len(set(kept)) != len(kept) or len(set(receipts)) != len(receipts):
        bad.append("a receipt was given twice")
    if set(receipts) - set(kept):
        bad.append("%d answers have no receipt" % len(set(receipts) - set(kept)))
    if not len(receipts) <= len(own) <= len(receipts) + 3 * count.get("left", 0):
        bad.append("%d receipts for %d answers and %d that left" % (len(own), len(receipts), count.get("left", 0)))
    done = {}
    for x in rows:
        if x.get("parent") and x.get("deferred") and x["status"] == 200:
            done[x["parent"]] = done.get(x["parent"], 0) + 1
    if max(done.values(), default=0) > 1:
        bad.append("work that was put off was done twice")
    spent = sum(float(x.get("cost", 0)) for x in own if x.get("task") == "limited")
    with open(record, encoding="utf-8") as f:
        seen = [json.loads(line) for line in f]
    asked = [x for x in seen if "Classify the limited" in json.dumps(x["body"])]
    real = sum((len(json.dumps(x["body"])) // 4 + 2) * 1e-6 for x in asked if x["fault"] in ("none", "echo"))
    if not 0 < spent <= LIMIT or real > LIMIT * 1.05:
        bad.append("spent %.6f, at the stand-in %.6f, of %.6f" % (spent, real, LIMIT))
    raw = json.dumps(seen)
    if MARK in raw:
        bad.append("what must stay has left")
    if MAIL in raw or "[EMAIL_1]" not in raw:
        bad.append("an address left as it is")
    print("receipts %d, of them %d of answers, %d of checks and work put off (%d done); the stand-in saw %d requests; the small "
          "budget: %.6f of %.6f (%.6f at the stand-in)" % (len(rows), len(receipts), len(rows) - len(own), len(done), len(seen), spent, LIMIT, real))
    return bad


def run(at, record):
    sealed = certificates(at)  # without openssl that tier is plain, and its certificates are never bad
    up, memory = stand_in(at, record), []
    text = SETTINGS.format(at=at, task=TASK, port=up.port, limit=LIMIT, ca=" ca_file: %s/ca.pem," % at if sealed else "",
                                sealed="https://localhost:%d/v1" % up.sealed if sealed else "http://127.0.0.1:%d/v1" % up.port)
    with open(at + "/croft.yaml", "w", encoding="utf-8") as f:
        f.write(text)
    kinds = [task, task, unsure, many, limited, staying, chats, chats, streams, hurried, patient, leaving]
    try:
        with Server("-c", at + "/croft.yaml", "--queue", "64", log=at + "/server.log", level="error") as s:
            threads = [threading.Thread(target=client, args=(s, k, i)) for i, k in enumerate(kinds)]
            for t in threads:
                t.start()
            def each():  # the policy is read again under load, sometimes with another tier than before
                memory.append(s.resident())
                with open(at + "/croft.yaml", "w", encoding="utf-8") as f:
                    f.write(text.replace("max_retries: 0", "max_retries: %d" % (len(memory) % 3 // 2)))
                s.process.send_signal(signal.SIGHUP)
            up = trouble(up, at, record, each)
            stop.set()
            for t in threads:
                t.join(60)
            bad = [] if s.settled(15) else ["a place is stuck"]
            for path in deferred:
                status, v = s.json(path)
                if status != 200 or v["status"] not in ("waiting", "done", "failed"):
                    bad.append("%s: %d %r" % (path, status, v))
            begun = time.time()
            code = s.end()
            if code:
                bad.append("the server ended with %d" % code)
    except Exception:
        with open(at + "/server.log", encoding="utf-8") as f:  # built with ASan, it says why there
            print(f.read()[-8000:])
        raise
    finally:
        stop.set()
        up.p.kill()
    print(", ".join("%s %d" % x for x in sorted(count.items())))
    early, late = memory[len(memory) // 3], memory[-1]
    print("answered by " + ", ".join("%s %d" % x for x in sorted(tiers.items())) + "; memory %.1f MiB early, %.1f MiB late; the end "
          "took %.1f s" % (early / 2**20, late / 2**20, time.time() - begun))
    if late > early * 1.2 + 16 * 2**20 and "asan" not in os.environ.get("CROFT", ""):
        bad.append("memory grows")
    if not tiers.get("frontier") or not tiers.get("second") or not tiers.get("local"):
        bad.append("a tier never answered")
    if wrong:
        bad.append("%d wrong answers, such as %r" % (len(wrong), wrong[:3]))
    return bad


def main():
    at = folder()
    calibrated(at)
    with open(TASK, encoding="utf-8") as f:
        text = re.sub(r"data: .*\n", "", f.read().replace("name: helpdesk-intent", "name: limited").replace("Classify the", "Classify the limited"))
    with open(at + "/limited.yaml", "w", encoding="utf-8") as f:
        f.write(text)
    record = at + "/record.jsonl"
    bad = run(at, record)
    bad += examine(at, record)
    for b in bad:
        print("FAILED: " + b)
    print("%d passed, %d failed, 0 skipped" % (not bad, len(bad)))
    shutil.rmtree(TMP)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
