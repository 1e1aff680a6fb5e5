"""A server under load from clients of all kinds. Usage: load.py [SECONDS] (default 8; the long run takes 120).

Clients: good ones, streams, streams that are left, slow readers, decisions, embeddings, broken bodies, half requests, idle
connections. In the end: every good answer was the one given before, nothing runs or waits, memory has not grown, and the
server ends with 0 (built with ASan that includes its leak check). Then 1,000 idle and 64 streaming connections at once."""
import json
import random
import resource
import socket
import sys
import threading
import time

from server import MODEL, Server

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 8
TEXTS = ["where is my order?", "I want a refund", "cancel it please", "my parcel is broken", "talk to a human"]
ENDLESS = {"logit_bias": {"2559": -100}}
stop = threading.Event()
count = {}
wrong = []
lock = threading.Lock()


def note(what, n=1):
    with lock:
        count[what] = count.get(what, 0) + n


def chat(text, **more):
    return {"model": "helpdesk", "messages": [{"role": "user", "content": text}], **more}


def post(path, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (path.encode(), len(data))) + data


def dial(s):
    c = socket.create_connection((s.host, s.port), timeout=30)
    return c


def good(s, r, expected):
    text = r.choice(TEXTS)
    status, body = s.json("/v1/chat/completions", chat(text))
    if status == 429:
        note("429")
        time.sleep(0.05)
    elif status != 200 or body["choices"][0]["message"]["content"] != expected[text]:
        wrong.append((status, text, body))
    note("chats")


def streamed(s, r, expected):
    text = r.choice(TEXTS)
    status, _, body = s.ask("/v1/chat/completions", chat(text, stream=True))
    said = "".join(json.loads(l[6:])["choices"][0]["delta"].get("content") or "" for l in body.splitlines()
                   if l.startswith("data: {"))
    if status == 200 and said != expected[text]:
        wrong.append((status, text, said))
    note("streams")


def leaving(s, r, expected):
    with dial(s) as c:
        c.sendall(post("/v1/chat/completions", chat(r.choice(TEXTS), stream=r.random() < 0.7, **ENDLESS)))
        if r.random() < 0.7:
            c.recv(200)
        time.sleep(r.random() * 0.02)
    note("left")


def slow(s, r, expected):
    with dial(s) as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        c.sendall(post("/v1/chat/completions", chat("hi", stream=True, n=4, logprobs=True, top_logprobs=20, **ENDLESS)))
        for _ in range(r.randint(1, 20)):
            if not c.recv(100):
                break
            time.sleep(0.02)
    note("slow readers")


def broken(s, r, expected):
    body = json.dumps(chat(r.choice(TEXTS))).encode()
    at = r.randrange(len(body))
    body = body[:at] + bytes([r.randrange(256) for _ in range(r.randrange(4))]) + body[at + r.randrange(3):]
    status, _, text = s.ask(r.choice(["/v1/chat/completions", "/v1/decisions", "/v1/responses"]), body)
    if status >= 500:
        wrong.append((status, body, text))
    note("broken bodies")


def half(s, r, expected):
    with dial(s) as c:
        whole = post("/v1/chat/completions", chat("hi"))
        c.sendall(whole[:r.randrange(1, len(whole))])
        time.sleep(r.random() * 0.05)
    with dial(s) as c:
        c.sendall(bytes(r.randrange(256) for _ in range(200)) + b"\r\n\r\n")
        c.recv(100)
    note("half requests")


def others(s, r, expected):
    one = s.json("/v1/decisions", {"model": "helpdesk", "input": r.choice(TEXTS), "questions": [
        {"type": "predicate", "instructions": "Is it about money?"},
        {"type": "choice", "instructions": "Which?", "choices": [{"value": "a"}, {"value": "b"}]}]})
    two = s.json("/v1/embeddings", {"model": "helpdesk", "input": TEXTS})
    for status, body in (one, two):
        if status not in (200, 429):
            wrong.append((status, body))
    note("decisions and embeddings", 2)


def client(s, kind, seed, expected):
    r = random.Random(seed)
    while not stop.is_set():
        try:
            kind(s, r, expected)
        except (ConnectionError, socket.timeout) as e:
            if kind in (good, streamed, others, broken):
                wrong.append((kind.__name__, repr(e)))
        except Exception as e:  # a client that dies must be seen
            wrong.append((kind.__name__, repr(e)))


def load(s):
    expected = {t: s.json("/v1/chat/completions", chat(t))[1]["choices"][0]["message"]["content"] for t in TEXTS}
    kinds = [good, good, good, streamed, streamed, leaving, leaving, slow, broken, half, others]
    threads = [threading.Thread(target=client, args=(s, k, i, expected)) for i, k in enumerate(kinds)]
    for t in threads:
        t.start()
    time.sleep(min(3, SECONDS / 3))
    early = s.resident()
    time.sleep(SECONDS - min(3, SECONDS / 3))
    late = s.resident()
    stop.set()
    for t in threads:
        t.join()
    settled = s.settled(10)
    after = {t: s.json("/v1/chat/completions", chat(t))[1]["choices"][0]["message"]["content"] for t in TEXTS}
    print(", ".join("%d %s" % (n, k) for k, n in sorted(count.items())))
    print("memory %.1f MiB early, %.1f MiB late" % (early / 2**20, late / 2**20))
    bad = ["%d wrong answers, such as %r" % (len(wrong), wrong[0])] if wrong else []
    if not settled:
        bad.append("a place is stuck")
    if after != expected:
        bad.append("other answers than before")
    if late > early * 1.2 + 8 * 2**20:
        bad.append("memory grows")
    return bad


def connections(s, n_idle=1000, n_streams=64):
    """Idle and streaming connections at once: all are served, memory is printed."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    before = s.resident()
    idle = []
    for _ in range(n_idle):
        c = dial(s)
        c.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        idle.append(c)
    for c in idle:
        if b"200 OK" not in c.recv(1000):
            return ["an idle connection was refused"]
    with_idle = s.resident()
    streams = []
    for i in range(n_streams):
        c = dial(s)
        c.sendall(post("/v1/chat/completions", chat(TEXTS[i % 5], stream=True, max_tokens=150, **ENDLESS)))
        streams.append(c)
    peak, ended = 0, 0
    for c in streams:
        text = b""
        while b"data: [DONE]" not in text:
            more = c.recv(65536)
            if not more:
                break
            text += more
        peak = max(peak, s.resident())
        ended += b"data: [DONE]" in text
    for c in idle:
        c.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    alive = sum(b"200 OK" in c.recv(1000) for c in idle)
    for c in idle + streams:
        c.close()
    print("memory: %.1f MiB; with %d idle connections %.1f MiB; and %d streams, at most %.1f MiB"
          % (before / 2**20, n_idle, with_idle / 2**20, n_streams, peak / 2**20))
    return [] if (ended, alive) == (n_streams, n_idle) else ["%d streams ended, %d idle connections live" % (ended, alive)]


def main():
    with Server("helpdesk=" + MODEL, "--max-output", "64k", "--queue", "256") as s:
        bad = load(s) + connections(s)
        code = s.end(seconds=60)
        if code:
            bad.append("the server ended with %d" % code)
    for b in bad:
        print("FAILED: " + b)
    print("%d passed, %d failed, 0 skipped" % (not bad, len(bad)))
    sys.exit(bool(bad))


main()
