#!/usr/bin/env python3
"""A stand-in for another tier: speaks OpenAI's and Anthropic's wires, and fails as it is told.

    tests/api/upstream.py [--port N] [--tls FOLDER [--tls-port N]] [--gold FILE.jsonl] [--error-rate F] [--delay S] [--fault NAME]
                          [--record FILE]

It answers every chat with one word: from the gold file ({"text": …, "label": …} a line) when the last user message is
in it, wrong at --error-rate (always on the same messages), otherwise "ok". It listens on 127.0.0.1 and prints
"listening on PORT". While it runs, POST /control {"fault": "hang", "share": 0.5} changes how it fails, {"answer": TEXT}
what it says to all, and GET /control tells what it has seen: {"requests", "answered", "texts": the last 10,000 user messages, "keys": their credentials}.
With --tls it prints "sealed on PORT", too, and speaks TLS there, as `localhost` by certificates in FOLDER (server.py makes them).
With --record each chat is added to FILE, a line {"fault", "body"} each, before it is answered: that outlives the program.

Faults: none, hang (no answer), slow (10 s), garbage (no JSON), html, empty, shape (JSON, but no answer), reset (the
connection breaks before the head), cut (in the middle of the answer or stream), expired and wrong_host (certificates) and
handshake (broken off half-way) on the sealed port, 400, 401, 429 (Retry-After: 1), 500, 503,
529, redirect, flap (two seconds good, two seconds reset), lie (any of the garbage, by chance), echo (the answer is the last user message)."""
import argparse
import asyncio
import hashlib
import json
import logging
import random
import ssl
import time

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--port", type=int, default=0)
p.add_argument("--tls", metavar="FOLDER")
p.add_argument("--tls-port", type=int, default=0)
p.add_argument("--gold")
p.add_argument("--error-rate", type=float, default=0)
p.add_argument("--delay", type=float, default=0)
p.add_argument("--fault", default="none")
p.add_argument("--record", type=lambda path: open(path, "a", encoding="utf-8", buffering=1))
args = p.parse_args()

FAULTS = ("none hang slow garbage html empty shape reset cut 400 401 429 500 503 529 redirect flap lie echo").split()
logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # clients that refuse us are what is asked for
SEALED = ["expired", "wrong_host", "handshake"]
FAULTS += SEALED
if args.fault not in FAULTS:
    p.error(f"no such fault: {args.fault}")
sealed = set()  # connections of the sealed port: what is wrong with TLS is seen at the beginning of one
state = {"fault": args.fault, "share": 1.0, "answer": None}
seen = {"requests": 0, "answered": 0, "texts": [], "keys": []}
gold, labels, identities = {}, [], {}
if args.gold:
    with open(args.gold, encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            gold[row.get("text", row.get("input"))] = row["label"]
    labels = sorted(set(gold.values()))


def last_text(body):
    for m in reversed(body.get("messages", [])):
        if m.get("role") == "user":
            c = m.get("content")
            return c if isinstance(c, str) else "".join(x.get("text", "") for x in c)
    return ""


def word_for(text):
    if state["answer"] is not None:
        return state["answer"]
    if text not in gold:
        return "ok"
    chance = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
    if chance >= args.error_rate:
        return gold[text]
    wrong = [x for x in labels if x != gold[text]] or ["wrong"]
    return wrong[int(chance * 1e6) % len(wrong)]


def head(status, kind, length=None, extra=""):
    size = f"Content-Length: {length}\r\n" if length is not None else "Transfer-Encoding: chunked\r\n"
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nx-request-id: stub\r\n{extra}{size}\r\n".encode()


def whole(status, value, extra=""):
    raw = json.dumps(value).encode() if not isinstance(value, bytes) else value
    return head(status, "application/json", len(raw), extra) + raw


def stream(events):
    """An answer in chunks, an event each."""
    raw = [e.encode() for e in events]
    return head(200, "text/event-stream") + b"".join(b"%x\r\n%s\r\n" % (len(e), e) for e in raw) + b"0\r\n\r\n"


def error(status):
    extra = "Retry-After: 1\r\n" if status == 429 else ""
    return whole(status, {"type": "error", "error": {"type": "stub_error", "message": f"told to say {status}"}}, extra)


def openai(body, word, n_in):
    usage = {"prompt_tokens": n_in, "completion_tokens": 1, "total_tokens": n_in + 1}
    common = {"id": "chatcmpl-stub", "created": int(time.time()), "model": body.get("model")}
    if not body.get("stream"):
        message = {"role": "assistant", "content": word, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return whole(200, {**common, "object": "chat.completion", "choices": [choice], "usage": usage})

    def chunk(delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {**common, "object": "chat.completion.chunk", "choices": [choice]}
    half = len(word) // 2
    events = [chunk({"role": "assistant", "content": ""}), chunk({"content": word[:half]}),
              chunk({"content": word[half:]}), chunk({}, "stop")]
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append({**common, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return stream([f"data: {json.dumps(e)}\n\n" for e in events] + ["data: [DONE]\n\n"])


def anthropic(body, word, n_in):
    message = {"id": "msg_stub", "type": "message", "role": "assistant", "model": body.get("model"), "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": n_in, "output_tokens": 1}}
    if not body.get("stream"):
        return whole(200, {**message, "content": [{"type": "text", "text": word}], "stop_reason": "end_turn"})
    events = [{"type": "message_start", "message": message},
              {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
              {"type": "ping"},
              {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}},
              {"type": "content_block_stop", "index": 0},
              {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
               "usage": {"output_tokens": 1}},
              {"type": "message_stop"}]
    return stream(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)


def fault_now():
    if random.random() >= state["share"]:
        return "none"
    f = state["fault"]
    if f == "flap":
        return "reset" if int(time.monotonic() / 2) % 2 else "none"
    return random.choice(["garbage", "html", "empty", "shape", "cut"]) if f == "lie" else f


def control(method, body):
    if method == "POST":
        wanted = json.loads(body)
        if wanted.get("fault", "none") not in FAULTS:
            return whole(400, {"error": "no such fault"})
        state.update({"fault": wanted.get("fault", "none"), "share": wanted.get("share", 1.0), "answer": wanted.get("answer")})
        for w in sealed:
            w.transport.abort()
    return whole(200, {**seen, **state})


async def chat(writer, path, headers, body):
    """Answers one chat; False closes the connection."""
    request = json.loads(body)
    text = last_text(request)
    seen["requests"] += 1
    seen["texts"] = seen["texts"][-9999:] + [text]
    seen["keys"] = seen["keys"][-9:] + [headers.get("authorization", headers.get("x-api-key", ""))]
    if args.delay:
        await asyncio.sleep(args.delay)
    fault = fault_now()
    fault = "none" if fault in SEALED else fault
    if args.record:
        args.record.write(json.dumps({"fault": fault, "body": request}, ensure_ascii=False) + "\n")
    make = anthropic if path.endswith("/messages") else openai
    word = text if fault == "echo" else word_for(text)
    good = make(request, word, max(1, len(body) // 4))
    if fault == "reset":
        return False
    if fault == "hang":
        await asyncio.sleep(3600)
    if fault == "slow":
        await asyncio.sleep(10)
    if fault == "cut":
        writer.write(good[: good.index(b"\r\n\r\n") + 4 + (len(good) - good.index(b"\r\n\r\n") - 4) // 2])
        return False
    bad = {"garbage": lambda: whole(200, b"\x00\xff this is no JSON {"), "empty": lambda: whole(200, b""),
           "shape": lambda: whole(200, {"hello": "world"}),
           "html": lambda: head(200, "text/html", 13) + b"<html></html>",
           "redirect": lambda: head(307, "text/plain", 0, "Location: http://127.0.0.1:1/\r\n")}
    if fault in bad:
        writer.write(bad[fault]())
    elif fault.isdigit():
        writer.write(error(int(fault)))
    else:
        seen["answered"] += 1
        writer.write(good)
    return True


async def serve(reader, writer):
    try:
        while True:
            raw = await reader.readuntil(b"\r\n\r\n")
            lines = raw.decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ")
            headers = {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:] if ":" in x)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            if path == "/control":
                writer.write(control(method, body))
            elif method == "POST" and path.endswith(("/chat/completions", "/messages")):
                if not await chat(writer, path, headers, body):
                    await writer.drain()
                    break
            else:
                writer.write(whole(404, {"error": {"message": "no such path"}}))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        pass
    finally:
        writer.close()


def identity(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{args.tls}/{name}.pem", f"{args.tls}/{name}.key")
    return context


async def serve_sealed(reader, writer):
    fault = fault_now()
    try:
        if fault == "handshake":
            await reader.readexactly(5)  # a record's head
            writer.write(b"\x16\x03\x03\x40\x00\x02")  # and the head of an answer
            await writer.drain()
            writer.close()
            return
        await writer.start_tls(identities.get(fault, identities["good"]))
        sealed.add(writer)
        await serve(reader, writer)
    except (OSError, asyncio.IncompleteReadError):
        writer.close()
    sealed.discard(writer)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", args.port, limit=1 << 24, backlog=1024)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    if args.tls:
        identities.update({name: identity(name) for name in ("good", "expired", "wrong_host")})
        other = await asyncio.start_server(serve_sealed, "127.0.0.1", args.tls_port, limit=1 << 24, backlog=1024)
        print(f"sealed on {other.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
