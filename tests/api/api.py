"""The server as its clients see it. Usage: api.py [NAME…]: all tests, or those named. Needs a built croft ($CROFT).

Parts that need node or openssl say SKIP."""
import base64
import json
import math
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import refusals
from check import ENDLESS, HELP, TMP, Skip, events, fails, hold, node, run, same, tokens, tools_model, true
from server import CROFT, MODEL, ROOT, Server, certificates

shared = None  # one server for the tests that need nothing special


# ---- refusals ----------------------------------------------------------------------------------------------------

def test_refusals():
    bad = []
    for path, body, status, message, param in refusals.CASES:
        got = shared.json(path, body)
        want = (status, message, param)
        have = (got[0], got[1]["error"]["message"], got[1]["error"]["param"])
        if have != want:
            bad.append("%s %.120r\n  got:    %r\n  wanted: %r" % (path, body, have, want))
    true(not bad, "\n".join(bad))


def test_error_shape():
    status, headers, text = shared.ask("/v1/chat/completions", {"model": "x", "messages": []})
    same(status, 404)
    same(json.loads(text), {"error": {"message": "The model 'x' does not exist.", "type": "invalid_request_error",
                                      "param": "model", "code": "model_not_found"}})
    same(headers["Content-Type"], "application/json")
    status, body = shared.json("/v1/chat/completions", {**HELP, "messages": [{"role": "user", "content": "w " * 9999}]})
    same((status, body["error"]["code"]), (400, "context_length_exceeded"))


def test_http_refusals():
    same(shared.ask("/nowhere")[0], 404)
    status, headers, _ = shared.ask("/v1/chat/completions")
    same((status, headers["Allow"]), (405, "POST"))
    status, body = shared.json("/v1/chat/completions", b"{}", headers={"Content-Type": "text/plain"})
    same((status, body["error"]["message"]), (415, "Send the body with 'Content-Type: application/json'."))
    status, body = shared.json("/v1/chat/completions", HELP, headers={"Content-Encoding": "gzip"})
    same((status, body["error"]["message"]), (415, "Send the body as it is, without a Content-Encoding."))
    same(shared.json("/v1/chat/completions", HELP, headers={"Content-Encoding": "identity"})[0], 200)
    status, body = shared.json("/v1/chat/completions", HELP, headers={"X-Croft-Deadline-Ms": "soon"})
    same((status, body["error"]["message"]),
         (400, "The header X-Croft-Deadline-Ms must be a whole number from 1 to 86400000."))
    answer = shared.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n")
    true(answer.startswith(b"HTTP/1.1 413 "), answer)
    same(json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["message"],
         "The body is larger than this server accepts.")
    true(shared.raw(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40000).startswith(b"HTTP/1.1 431 "))
    true(shared.raw(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 "))
    true(shared.raw(b"GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
         .startswith(b"HTTP/1.1 403 "), "another Host than this machine's")


def test_deadline():
    status, body = shared.json("/v1/chat/completions", {**HELP, "max_tokens": 400, "n": 64,
                                                        **ENDLESS},
                               headers={"X-Croft-Deadline-Ms": "15"})
    same((status, body["error"]["code"]), (504, "deadline_exceeded"))


# ---- answers -----------------------------------------------------------------------------------------------------

def test_health_ready_models():
    same(shared.json("/health"), (200, {"status": "ok"}))
    same(shared.json("/ready")[1]["models"], 1)
    status, body = shared.json("/v1/models")
    same([m["id"] for m in body["data"]], ["helpdesk"])
    same(shared.json("/v1/models/helpdesk")[1]["object"], "model")
    same(shared.json("/v1/models/none")[0], 404)
    same(shared.ask("/health", method="HEAD")[2], "")


def test_chat_is_what_croft_run_says():
    said = subprocess.run([CROFT, "run", MODEL, HELP["messages"][0]["content"]], capture_output=True, text=True,
                          check=True, stdin=subprocess.DEVNULL).stdout.strip()
    status, body = shared.json("/v1/chat/completions", HELP)
    same((status, body["choices"][0]["message"]["content"]), (200, said))
    same(body["choices"][0]["finish_reason"], "stop")
    same(body["usage"]["total_tokens"], body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"])
    body = shared.json("/v1/chat/completions", HELP)[1]
    true(body["usage"]["prompt_tokens_details"]["cached_tokens"] > 0, "the second time, the prompt is in the cache")
    body = shared.json("/v1/chat/completions", {**HELP, "max_tokens": 2})[1]
    same((body["choices"][0]["finish_reason"], body["usage"]["completion_tokens"]), ("length", 2))


def test_a_stream_is_the_same_answer():
    whole = shared.json("/v1/chat/completions", {**HELP, "logprobs": True, "top_logprobs": 3})[1]["choices"][0]
    status, headers, text = shared.ask("/v1/chat/completions", {
        **HELP, "logprobs": True, "top_logprobs": 3, "stream": True, "stream_options": {"include_usage": True}})
    true(headers["Content-Type"].startswith("text/event-stream"))
    true(text.endswith("data: [DONE]\n\n"))
    parts = events(text)
    same("".join(p["choices"][0]["delta"].get("content") or "" for p in parts if p["choices"]),
         whole["message"]["content"])
    logprobs = [t for p in parts if p["choices"] and p["choices"][0]["logprobs"]
                for t in p["choices"][0]["logprobs"]["content"]]
    same([t["token"] for t in logprobs], [t["token"] for t in whole["logprobs"]["content"]])
    same(parts[-1]["choices"], [])
    true(parts[-1]["usage"]["completion_tokens"] > 0)
    same(parts[-2]["choices"][0]["finish_reason"], "stop")
    for t in whole["logprobs"]["content"]:
        same(len(t["top_logprobs"]), 3)
        same(bytes(t["bytes"]).decode(), t["token"])
        true(abs(t["top_logprobs"][0]["logprob"] - t["logprob"]) < 1e-4, "greedy takes the most likely")


def test_sampling_options():
    hot = {**HELP, "temperature": 1.5, "seed": 7, "n": 4, "max_tokens": 8}
    one, two = (shared.json("/v1/chat/completions", hot)[1]["choices"] for _ in range(2))
    same([c["message"]["content"] for c in one], [c["message"]["content"] for c in two], "a seed repeats")
    same([c["index"] for c in one], [0, 1, 2, 3])
    first = shared.json("/v1/chat/completions", {**HELP, "logprobs": True, "max_tokens": 1})[1]["choices"][0]
    token = first["logprobs"]["content"][0]["token"]
    other = shared.json("/v1/chat/completions", {**HELP, "max_tokens": 1, "logit_bias": {str(tokens(token)[0]): -100}})[1]
    true(other["choices"][0]["message"]["content"] != token, "a banned token")
    body = shared.json("/v1/chat/completions", {**HELP, "stop": "_"})[1]
    same(body["choices"][0]["message"]["content"], "order")


def test_completions():
    body = shared.json("/v1/completions", {"model": "helpdesk", "prompt": ["where is", "hello"], "n": 2, "max_tokens": 3,
                                           "logprobs": 2})[1]
    same([c["index"] for c in body["choices"]], [0, 1, 2, 3])
    same(body["choices"][0]["text"], body["choices"][1]["text"])
    p = body["choices"][0]["logprobs"]
    same("".join(p["tokens"]), body["choices"][0]["text"])
    same(len(p["top_logprobs"][0]), 2)
    text = shared.ask("/v1/completions", {"model": "helpdesk", "prompt": "where is", "max_tokens": 3, "stream": True})[2]
    same("".join(e["choices"][0]["text"] for e in events(text)), body["choices"][0]["text"])
    ask = {"model": "helpdesk", "prompt": "a", "max_tokens": 3, "logprobs": 2}
    p = shared.json("/v1/completions", ask)[1]["choices"][0]["logprobs"]
    same(p["text_offset"], [sum(map(len, p["tokens"][:i])) for i in range(3)])
    parts = events(shared.ask("/v1/completions", {**ask, "stream": True, "stream_options": {"include_usage": True}})[2])
    told = [e["choices"][0]["logprobs"] for e in parts if e["choices"] and e["choices"][0]["logprobs"]]
    same({k: [x for l in told for x in l[k]] for k in p}, p, "the same, piece by piece")
    same([e["usage"] for e in parts[:-1]], [None] * (len(parts) - 1))
    same((parts[-1]["choices"], parts[-1]["usage"]["completion_tokens"]), ([], 3))


def test_embeddings():
    said = json.loads(subprocess.run([CROFT, "embed", MODEL, "hello", "order", "--json"], capture_output=True, text=True,
                                     check=True).stdout)
    body = shared.json("/v1/embeddings", {"model": "helpdesk", "input": ["hello", "order"]})[1]
    packed = shared.json("/v1/embeddings", {"model": "helpdesk", "input": ["hello", "order"],
                                            "encoding_format": "base64"})[1]
    for i in range(2):
        v = body["data"][i]["embedding"]
        true(abs(math.fsum(x * x for x in v) - 1) < 1e-5, "length 1")
        true(max(abs(a - b) for a, b in zip(v, said[i]["embedding"])) < 1e-5, "as croft embed")
        raw = base64.b64decode(packed["data"][i]["embedding"])
        true(max(abs(a - b) for a, b in zip(struct.unpack("<%df" % len(v), raw), v)) < 1e-6)


def test_responses():
    body = shared.json("/v1/responses", {"model": "helpdesk", "input": "where is my order?"})[1]
    same((body["status"], body["output"][0]["content"][0]["text"]), ("completed", "order_status"))
    text = shared.ask("/v1/responses", {"model": "helpdesk", "input": [{"role": "user", "content": "where is my order?"}],
                                        "stream": True})[2]
    parts = events(text)
    same([p["sequence_number"] for p in parts], list(range(len(parts))))
    same("".join(p["delta"] for p in parts if p["type"] == "response.output_text.delta"), "order_status")
    same(parts[0]["type"], "response.created")
    same(parts[-1]["type"], "response.completed")
    same(re.findall(r"^event: (.*)$", text, re.M), [p["type"] for p in parts])


def test_decisions():
    questions = [
        {"type": "predicate", "name": "refund", "instructions": "Does the customer want a refund?"},
        {"type": "choice", "instructions": "Which intent?",
         "choices": [{"value": v} for v in ["order_status", "order_status_late", "refund_status", "cancel_order", True]]},
        {"type": "score", "name": "mood", "instructions": "How angry?", "levels": [{"label": "calm"}, {"label": "angry"}]}]
    ask = {"model": "helpdesk", "input": "My parcel has not come, I want my money back.", "questions": questions}
    status, body = shared.json("/v1/decisions", ask)
    same(status, 200)
    yes, choice, score = body["answers"]
    same((yes["type"], yes["name"]), ("predicate", "refund"))
    true(0 <= yes["probability"] <= 1)
    same([p["value"] for p in choice["probabilities"]], [c["value"] for c in questions[1]["choices"]])
    p = [x["probability"] for x in choice["probabilities"]]
    true(abs(math.fsum(p) - 1) < 1e-6, "probabilities add up to 1")
    same(choice["choice"], questions[1]["choices"][p.index(max(p))]["value"])
    true(abs(choice["confidence"] - (5 * max(p) - 1) / 4) < 1e-6)
    s = [x["probability"] for x in score["probabilities"]]
    true(abs(score["score"] - s[1]) < 1e-6)
    same(body["usage"]["output_tokens"], 0)
    # questions do not see each other: alone, each has the same answer
    for i, q in enumerate(questions):
        alone = shared.json("/v1/decisions", {**ask, "questions": [q]})[1]["answers"][0]
        for a, b in ((alone, body["answers"][i]),):
            x = [a["probability"]] if "probability" in a else [y["probability"] for y in a["probabilities"]]
            y = [b["probability"]] if "probability" in b else [y["probability"] for y in b["probabilities"]]
            true(max(abs(u - v) for u, v in zip(x, y)) < 2e-2, "question %d alone: %r and %r" % (i, x, y))


def test_a_decision_is_what_the_model_would_write():
    """P(Yes) from the tree against the logits of `croft logits` for the same tokens in one line."""
    q = {"type": "predicate", "instructions": "Is it late?"}
    body = shared.json("/v1/decisions", {"model": "helpdesk", "input": "My <|im_end|> is late.", "questions": [q]})[1]
    ids = (tokens("<|im_start|>user\n", True) + tokens("My <|im_end|> is late.") + tokens("\n\n")
           + tokens("Is it late?\nAnswer with Yes or No.") + tokens("<|im_end|>\n<|im_start|>assistant\n", True))
    same(body["usage"]["input_tokens"], len(ids))
    out = TMP + "/logits"
    subprocess.run([CROFT, "logits", MODEL, "--tokens", ",".join(map(str, ids)), "-o", out], check=True, capture_output=True)
    with open(out, "rb") as f:
        data = f.read()
    last = struct.unpack("<2560f", data[-4 * 2560:])
    yes, no = (last[tokens(t)[0]] for t in ("Yes", "No"))
    true(abs(body["answers"][0]["probability"] - 1 / (1 + math.exp(no - yes))) < 2e-2)


def test_systemone_agrees():
    ask = {"model": "helpdesk", "state": "My parcel is late.", "questions": {
        "late": {"type": "noul", "instructions": "Is it late?"},
        "team": {"type": "choice", "instructions": "Who?", "criteria": {"billing": "money", "shipping": "parcels"}},
        "mood": {"type": "score", "instructions": "How bad?", "criteria": ["fine", "bad", "awful"]}}}
    status, one = shared.json("/v1/systemone", ask)
    same(status, 200)
    two = shared.json("/v1/decisions", {"model": "helpdesk", "input": ask["state"], "questions": [
        {"type": "predicate", "instructions": "Is it late?"},
        {"type": "choice", "instructions": "Who?", "choices": [{"value": "billing", "description": "money"},
                                                              {"value": "shipping", "description": "parcels"}]},
        {"type": "score", "instructions": "How bad?", "levels": [{"label": "fine"}, {"label": "bad"}, {"label": "awful"}]}]})[1]
    true(abs(one["answers"]["late"]["noul"] - two["answers"][0]["probability"]) < 1e-5)
    same(one["answers"]["team"]["choice"], two["answers"][1]["choice"])
    true(abs(one["answers"]["mood"]["score"] - two["answers"][2]["score"]) < 1e-5)
    same(one["answers"]["mood"]["legend"], {"0": "fine", "1": "bad", "2": "awful"})
    same(sorted(one["usage"]), ["input_tokens", "output_tokens"])
    same(shared.json("/v1/systemone", {**ask, "state": {"a": ["<|im_end|>", 1]}})[0], 200)


def test_tasks():
    path = os.path.join(ROOT, "examples/helpdesk/task.yaml")
    with open(os.path.join(ROOT, "examples/helpdesk/test_intents.jsonl")) as f:
        rows = [json.loads(line) for line in f][:60]
    name = re.search(r"^name: *(\S+)", open(path).read(), re.M)[1]
    with Server("helpdesk=" + MODEL, "--task", path) as s:
        same([(t["id"], t["kind"]) for t in s.json("/v1/tasks")[1]["data"]], [(name, "classify")])
        status, body = s.json("/v1/tasks/" + name, {"input": [r["input"] for r in rows]})
        same(status, 200, body)
        for r in body["results"]:
            p = r["probabilities"]
            true(abs(math.fsum(p.values()) - 1) < 1e-6 and max(p, key=p.get) == r["label"])
            true(abs(r["confidence"] - (len(p) * max(p.values()) - 1) / (len(p) - 1)) < 1e-6)
        right = sum(r["label"] == row["label"] for r, row in zip(body["results"], rows))
        true(right >= 0.75 * len(rows), "%d of %d" % (right, len(rows)))
        one = s.json("/v1/tasks/" + name, {"input": rows[0]["input"]})[1]
        same((one["label"], one["task"], one["model"]), (body["results"][0]["label"], name, "helpdesk"))
        true(one["usage"]["cached_tokens"] > 0)
        same(s.ask("/v1/tasks/" + name, {"input": rows[0]["input"]})[1]["X-Croft-Cache"], "hit")
        for bad, status, message in (({}, 400, "Missing required parameter: 'input'."),
                                     ({"input": 3}, 400, "'input' must be a string or an array of 1 to 128 strings."),
                                     ({"input": ["a", 3]}, 400, "'input[1]' must be a string."),
                                     ({"input": "a", "labels": []}, 400, "Unrecognized request argument supplied: 'labels'.")):
            got = s.json("/v1/tasks/" + name, bad)
            same((got[0], got[1]["error"]["message"]), (status, message))
        got = s.json("/v1/tasks/none", {"input": "a"})
        same((got[0], got[1]["error"]["message"]), (404, "The task 'none' does not exist."))
    fails([MODEL, "--task", path, "--task", path], 64, "Two tasks are called")
    fails(["a=" + MODEL, "b=" + MODEL, "--task", path], 64, "Which model answers the task")
    fails([MODEL, "--task", TMP + "/none.yaml"], 66, "none.yaml")


def test_answers_given_before():
    ask = {"model": "helpdesk", "input": "Kept?", "questions": [{"type": "predicate", "instructions": "Is it kept?"}]}
    before = shared.metric("croft_repeated_total")
    first, second = (shared.ask("/v1/decisions", ask) for _ in range(2))
    same((first[0], first[1]["X-Croft-Cache"]), (200, None))
    same((second[0], second[1]["X-Croft-Cache"], second[2]), (200, "hit", first[2]))
    same(shared.metric("croft_repeated_total"), before + 1)
    same(shared.ask("/v1/decisions", {**ask, "input": "Kept!"})[1]["X-Croft-Cache"], None)
    same(shared.ask("/v1/systemone", ask)[0], 400, "another endpoint, another question")
    with Server("helpdesk=" + MODEL, "--answers", "64k") as s:  # few bytes: the oldest go
        for i in range(400):
            same(s.ask("/v1/decisions", {**ask, "input": "Text %d" % (i % 300)})[0], 200)
        same(s.ask("/v1/decisions", {**ask, "input": "Text 99"})[1]["X-Croft-Cache"], "hit")
        same(s.ask("/v1/decisions", {**ask, "input": "Text 100"})[1]["X-Croft-Cache"], None)
    with Server("helpdesk=" + MODEL, "--answers", "0") as s:
        for _ in range(2):
            same(s.ask("/v1/decisions", ask)[1]["X-Croft-Cache"], None)


# ---- structure ---------------------------------------------------------------------------------------------------

ORDER = {"type": "object", "additionalProperties": False, "required": ["id", "kind", "count"], "properties": {
    "id": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"}, "kind": {"enum": ["late", "lost", "broken"]},
    "count": {"type": "integer", "minimum": 1, "maximum": 9}}}


def test_structured_answers():
    def content(**more):
        status, body = shared.json("/v1/chat/completions", {**HELP, "max_tokens": 200, **more})
        same(status, 200, body)
        return body["choices"][0]["message"]["content"]
    v = json.loads(content(response_format={"type": "json_schema", "json_schema": {"name": "o", "schema": ORDER}}))
    same(sorted(v), ["count", "id", "kind"])
    true(re.fullmatch("[A-Z]{2}-[0-9]{4}", v["id"]) and v["kind"] in ORDER["properties"]["kind"]["enum"] and 1 <= v["count"] <= 9)
    true(content(structured_outputs={"choice": ["refund", "exchange"]}) in ("refund", "exchange"))
    true(re.fullmatch("[0-9]{4}", content(structured_outputs={"regex": "[0-9]{4}"})))
    same(content(structured_outputs={"grammar": 'root ::= "yes" | "yes!"'})[:3], "yes")
    text = shared.ask("/v1/chat/completions", {**HELP, "stream": True, "max_tokens": 200, "response_format": {
        "type": "json_schema", "json_schema": {"name": "o", "schema": ORDER}}})[2]
    same(json.loads("".join(e["choices"][0]["delta"].get("content") or "" for e in events(text))), v)


def test_bad_schemas():
    for schema, message in (
            ({"$ref": "#/$defs/nowhere"}, "In the schema at #/$ref: it points to nothing in this schema; only #/… is followed."),
            ({"type": "object", "unevaluatedProperties": False}, "In the schema at #/unevaluatedProperties: this keyword is not supported."),
            ({"type": "sphere"}, "In the schema at #/type: this is not the name of a type."),
            ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"], "additionalProperties": False},
             "No text can match: what must be there excludes itself or never ends.")):
        status, body = shared.json("/v1/chat/completions", {**HELP, "response_format": {
            "type": "json_schema", "json_schema": {"name": "x", "schema": schema}}})
        same(status, 400, body)
        same((body["error"]["message"], body["error"]["param"]), (message, "response_format.json_schema.schema"))
    status, body = shared.json("/v1/chat/completions", {**HELP, "structured_outputs": {"regex": "a("}})
    same((status, body["error"]["param"]), (400, "structured_outputs.regex"))


def test_tools():
    tool = {"type": "function", "function": {"name": "track", "parameters": {
        "type": "object", "properties": {"order": {"enum": ["A1", "B2"]}}, "required": ["order"], "additionalProperties": False}}}
    with Server("helpdesk=" + tools_model()) as s:
        for choice in "required", {"type": "function", "function": {"name": "track"}}:
            status, body = s.json("/v1/chat/completions", {**HELP, "tools": [tool], "tool_choice": choice, "max_tokens": 100})
            same(status, 200, body)
            c = body["choices"][0]
            same((c["finish_reason"], c["message"]["content"]), ("tool_calls", None))
            call = c["message"]["tool_calls"][0]
            same((call["type"], call["function"]["name"]), ("function", "track"))
            true(json.loads(call["function"]["arguments"])["order"] in ("A1", "B2"))
        text = s.ask("/v1/chat/completions", {**HELP, "tools": [tool], "tool_choice": "required", "stream": True})[2]
        deltas = [e["choices"][0]["delta"] for e in events(text)]
        same([d["tool_calls"][0]["index"] for d in deltas if "tool_calls" in d], [0])
        same(s.json("/v1/chat/completions", {**HELP, "tools": [tool]})[0], 200)
        status, body = s.json("/v1/chat/completions", {**HELP, "tools": [tool], "messages": HELP["messages"] + [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "lost"}]})
        same(status, 200, body)


# ---- keys, TLS, life ---------------------------------------------------------------------------------------------

def new_key(name):
    out = subprocess.run([CROFT, "serve", "--new-key", name], capture_output=True, text=True, check=True).stdout
    return out.splitlines()[0], out[out.index("  - name:"):]


def test_keys():
    a, entry_a = new_key("alpha")
    b, entry_b = new_key("beta")
    true(a != b and a.startswith("croft-") and a not in entry_a)
    path = os.path.join(TMP, "keys.yaml")
    with open(path, "w") as f:
        f.write("keys:\n" + entry_a + "    requests_per_minute: 2\n" + entry_b + "    models: [other]\n    tokens_per_day: 5\n")
    with Server("helpdesk=" + MODEL, "other=" + MODEL, "--api-keys", path, "--host", "0.0.0.0") as s:
        s.host, s.url = "127.0.0.1", "http://127.0.0.1:%d" % s.port
        auth = {"Authorization": "Bearer " + a}
        status, body = s.json("/v1/models")
        same((status, body["error"]["code"]), (401, "invalid_api_key"))
        same(s.json("/v1/models", headers={"Authorization": "Bearer croft-x"})[1]["error"]["message"], "The API key is not valid.")
        same(s.json("/health")[0], 200, "needs no key")
        same(s.ask("/metrics")[0], 401)
        same(s.json("/v1/chat/completions", HELP, headers=auth)[0], 200)
        same(s.json("/v1/chat/completions", HELP, headers=auth)[0], 200)
        status, headers, text = s.ask("/v1/chat/completions", HELP, headers=auth)
        same((status, json.loads(text)["error"]["code"]), (429, "rate_limit_exceeded"))
        true(1 <= int(headers["Retry-After"]) <= 31, headers["Retry-After"])
        auth = {"Authorization": "Bearer " + b}
        same([m["id"] for m in s.json("/v1/models", headers=auth)[1]["data"]], ["other"])
        status, body = s.json("/v1/chat/completions", HELP, headers=auth)
        same((status, body["error"]["message"]), (403, "This key may not use the model 'helpdesk'."))
        same(s.json("/v1/chat/completions", {**HELP, "model": "other"}, headers=auth)[0], 200)
        status, headers, text = s.ask("/v1/chat/completions", {**HELP, "model": "other"}, headers=auth)
        same((status, json.loads(text)["error"]["code"]), (429, "insufficient_quota"))
        true(int(headers["Retry-After"]) <= 86401)
        with open(path, "w") as f:  # reload: beta is gone, alpha unlimited
            f.write("keys:\n" + entry_a)
        s.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        same(s.json("/v1/models", headers=auth)[0], 401)
        for _ in range(3):
            same(s.json("/v1/chat/completions", HELP, headers={"Authorization": "Bearer " + a})[0], 200)


def test_keys_take_turns():
    a, entry_a = new_key("many")
    b, entry_b = new_key("one")
    path = os.path.join(TMP, "turns.yaml")
    with open(path, "w") as f:
        f.write("keys:\n" + entry_a + entry_b)
    with Server("helpdesk=" + MODEL, "--api-keys", path, "--parallel", "1", "--queue", "100") as s:
        ended = []

        def flood():
            status, _ = s.json("/v1/chat/completions", {**HELP, **ENDLESS, "n": 60, "max_tokens": 200},
                               headers={"Authorization": "Bearer " + a})
            ended.append(status)
        t = threading.Thread(target=flood)
        t.start()
        waiting = "croft_waiting{model=\"helpdesk\"} 0\n"
        end = time.time() + 20
        while time.time() < end and waiting in s.ask("/metrics", headers={"Authorization": "Bearer " + b})[2]:
            time.sleep(0.02)
        same(s.json("/v1/chat/completions", HELP, headers={"Authorization": "Bearer " + b})[0], 200)
        same(ended, [], "60 sequences of another key do not come first")
        t.join()
        same(ended, [200])


def test_a_full_queue_is_shared():
    """One key fills the queue; another's request finds a place, and one of the first key's is told to come again."""
    a, entry_a = new_key("many")
    b, entry_b = new_key("one")
    path = os.path.join(TMP, "shared.yaml")
    with open(path, "w") as f:
        f.write("keys:\n" + entry_a + entry_b)
    with Server("helpdesk=" + MODEL, "--api-keys", path, "--parallel", "1", "--queue", "4") as s:
        ended = []

        def one(n=1):
            status, headers, text = s.ask("/v1/chat/completions", {**HELP, **ENDLESS, "max_tokens": 400, "n": n},
                                          headers={"Authorization": "Bearer " + a})
            ended.append((status, status == 429 and (json.loads(text)["error"]["code"], int(headers["Retry-After"]) > 0)))
        threads = [threading.Thread(target=one) for _ in range(8)]
        for t in threads:
            t.start()
        end = time.time() + 20
        while time.time() < end and len(ended) < 3:  # five are taken
            time.sleep(0.005)
        status, _, text = s.ask("/v1/chat/completions", HELP, headers={"Authorization": "Bearer " + b})
        same(status, 200, text)
        for t in threads:
            t.join()
        same(sorted(set(ended)), [(200, False), (429, ("queue_full", True))])
        del ended[:]  # and one request with many answers, of which one loses its place, is told as a whole
        t = threading.Thread(target=one, kwargs={"n": 5})
        t.start()
        end = time.time() + 20
        waiting = re.compile('croft_waiting{model="helpdesk"} 4')
        while time.time() < end and not waiting.search(s.ask("/metrics", headers={"Authorization": "Bearer " + b})[2]):
            time.sleep(0.005)
        same(s.ask("/v1/chat/completions", HELP, headers={"Authorization": "Bearer " + b})[0], 200)
        t.join()
        same(ended, [(429, ("queue_full", True))])


def test_starting():
    fails([], 64, "Name at least one model")
    fails([MODEL, "--host", "0.0.0.0"], 77, "can be reached from other machines")
    fails(["a=" + MODEL, "a=" + MODEL], 64, "Two models are called 'a'")
    fails([TMP + "/none.gguf"], 66, "none.gguf")
    fails([MODEL, "--tls-cert", "x"], 64, "both --tls-cert and --tls-key")
    fails([MODEL, "--api-keys", MODEL + "x"], 66, "helpdesk")
    path = os.path.join(TMP, "bad-keys.yaml")
    for text, words in (("keys: []\n", "must hold one list"), ("keys:\n  - name: a\n", "sha256 must be"),
                        ("keys:\n  - name: a\n    sha256: %s\n    rate: 1\n" % ("a" * 64), "unexpected 'rate'"),
                        ("keys:\n  - sha256: %s\n" % ("a" * 64), "the name is missing"),
                        ("keys:\n  - name: a\n    sha256: %s\n    tokens_per_day: 0\n" % ("a" * 64), "whole numbers above 0"),
                        ("keys:\n" + 2 * ("  - name: a\n    sha256: %s\n" % ("a" * 64)), "the name is there twice")):
        with open(path, "w") as f:
            f.write(text)
        fails([MODEL, "--api-keys", path], 65, words)
    path = os.path.join(TMP, "croft.yaml")
    for text, code, words in (("prot: 1\n", 65, "there is no setting 'prot'"), ("port: many\n", 64, "not a valid value of --port"),
                              ("port: [1]\n", 65, "wrong type"), ("- a\n", 65, "names with values"), ("a: [\n", 65, "not YAML")):
        with open(path, "w") as f:
            f.write(text)
        fails([MODEL, "--config", path], code, words)
    with open(path, "w") as f:
        f.write("model: [h=%s]\nparallel: 2\nlog-content: true\nport: 1\n" % MODEL)
    with Server("--config", path, "--port", "0") as s:
        same([m["id"] for m in s.json("/v1/models")[1]["data"]], ["h"])


def make_certificate(name):
    if not shutil.which("openssl"):
        raise Skip("openssl")
    cert, key = TMP + "/%s.pem" % name, TMP + "/%s.key" % name
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


def test_names_of_this_machine():
    """Without keys a server answers to names of this machine, and to the one it was told to listen on."""
    with Server("helpdesk=" + MODEL, "--host", "127.0.0.2") as s:
        same(s.host, "127.0.0.2")
        for host, status in (("127.0.0.2:%d" % s.port, 200), ("localhost", 200), ("127.0.0.3", 403), ("127.0.0.2.example.com", 403),
                             ("example.com", 403)):
            same(s.ask("/health", headers={"Host": host})[0], status, host)


def test_a_longer_context_than_the_model_knows():
    log = os.path.join(TMP, "context.log")
    with Server("helpdesk=" + MODEL, "--ctx", "513", log=log) as s:
        pass
    s.writer.join(10)
    with open(log) as f:
        true("trained with contexts of 512 tokens; with --ctx 513" in f.read())


def test_more_cache_than_memory():
    with open("/proc/meminfo") as f:
        memory = int(re.search(r"MemTotal:\s*(\d+)", f.read())[1]) * 1024
    log = os.path.join(TMP, "memory.log")
    try:
        with Server("helpdesk=" + MODEL, "--cache", str(int(0.98 * memory) // 2048), log=log) as s:  # f16: 2 KiB a token
            same(s.json("/v1/chat/completions", HELP)[0], 200)
        s.writer.join(10)
        with open(log) as f:
            true(re.search(r"the model helpdesk and its cache of \d+ tokens can grow to [\d.]+ GiB, and", f.read()))
    except RuntimeError as e:  # a system that promises no more than it has
        true("Out of memory" in str(e), e)


def test_check():
    """What would keep the server from starting is found without loading a model."""
    task = ROOT + "/examples/helpdesk/task.yaml"
    empty, cut = os.path.join(TMP, "empty.gguf"), os.path.join(TMP, "half.gguf")
    open(empty, "w").close()
    with open(MODEL, "rb") as f, open(cut, "wb") as g:
        g.write(f.read(1 << 20))
    for args, code, words in (([empty], 65, "is empty, so it is not a GGUF model"), ([cut], 65, "The GGUF file is truncated"),
                              ([MODEL, MODEL], 64, "Two models are called 'helpdesk-q8_0'"), ([MODEL + "x"], 66, "No such file"),
                              ([MODEL, "--task", "other=" + task], 64, "Which model answers the task"),
                              (["a=" + MODEL, "b=" + MODEL, "--task", task], 64, "Which model answers the task"),
                              ([MODEL, "--task", task, "--task", task], 64, "Two tasks are called 'helpdesk-intent'")):
        fails(args, code, words)
        fails([*args, "--check"], code, words)
    same(subprocess.run([CROFT, "serve", MODEL, "--check", "--task", "helpdesk-q8_0=" + task], timeout=30).returncode, 0)


def test_names_in_paths():
    """As clients write them: escaped or not. A name with a slash is one of the store's."""
    with Server("a b:Q8_0é=" + MODEL, "--task", ROOT + "/examples/helpdesk/task.yaml") as s:
        for path in "a%20b:Q8_0%C3%A9", "a%20b%3aQ8%5F0%c3%a9":
            same((s.json("/v1/models/" + path)[1]["id"]), "a b:Q8_0é", path)
        for path in "a%2Fb", "a/b":
            same(s.json("/v1/models/" + path)[1]["error"]["message"], "The model 'a/b' does not exist.")
        for path in "a%", "a%2", "a%zz", "a%00", "%FF", "a" * 64:
            status, body = s.json("/v1/models/" + path)
            same((status, body["error"]["message"]), (404, "There is no such path here. docs/SERVE.md lists the endpoints."), path)
        same(s.json("/v1/tasks/helpdesk%2Dintent", {"input": "hi"})[0], 200)


def test_tls_files():
    """What is wrong with a certificate is said at the start and by --check; another one is taken up without a restart."""
    cert, key = make_certificate("first")
    other, other_key = make_certificate("second")
    for files, code, words in (((cert, key + "x"), 66, "No such file"), ((TMP + "/none", key), 66, "No such file"),
                               ((cert, other_key), 65, "The TLS key '%s' cannot be used" % other_key),
                               ((MODEL, key), 65, "The TLS certificate"), ((cert, cert), 65, "The TLS key")):
        fails([MODEL, "--tls-cert", files[0], "--tls-key", files[1]], code, words)
        fails([MODEL, "--check", "--tls-cert", files[0], "--tls-key", files[1]], code, words)
    folder = os.path.join(TMP, "expired")
    os.makedirs(folder, exist_ok=True)
    if certificates(folder):
        old = [folder + "/expired.pem", folder + "/expired.key"]
        fails([MODEL, "--check", "--tls-cert", old[0], "--tls-key", old[1]], 65, "has expired: clients refuse it.")
        log = os.path.join(TMP, "expired.log")
        with Server("helpdesk=" + MODEL, "--tls-cert", old[0], "--tls-key", old[1], log=log) as s:
            pass
        s.writer.join(10)
        with open(log) as f:
            true("has expired: clients refuse it." in f.read(), "it starts, and says so")
    log = os.path.join(TMP, "renewed.log")
    with Server("helpdesk=" + MODEL, "--tls-cert", cert, "--tls-key", key, log=log) as s:
        def works(with_cert):
            try:
                return s.json("/health", context=ssl.create_default_context(cafile=with_cert))[0] == 200
            except OSError:
                return False

        def renew(name, wanted):
            shutil.copy(name, cert)
            said = os.path.getsize(log) if os.path.exists(log) else 0
            s.process.send_signal(signal.SIGHUP)
            end = time.time() + 10
            while time.time() < end and (not works(wanted) or name == MODEL and os.path.getsize(log) <= said):
                time.sleep(0.05)
            true(works(wanted), name)
        first = shutil.copy(cert, TMP + "/kept.pem")
        true(works(first) and not works(other), "the first")
        renew(MODEL, first)  # no certificate at all
        with open(log) as f:
            true("the TLS certificate stays as it was: " in f.read(), "what is wrong is logged")
        shutil.copy(other_key, key)
        renew(other, other)
        true(not works(first), "the second alone")


def test_tls():
    cert, key = make_certificate("cert")
    with Server("helpdesk=" + MODEL, "--tls-cert", cert, "--tls-key", key) as s:
        context = ssl.create_default_context(cafile=cert)
        same(s.json("/health", context=context)[0], 200)
        status, body = s.json("/v1/chat/completions", HELP, context=context)
        same((status, body["choices"][0]["message"]["content"]), (200, "order_status"))
        true(b"HTTP" not in s.raw(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", seconds=3), "plain HTTP is not answered")


def test_a_client_that_leaves_frees_its_place():
    before = shared.metric("croft_requests_total")
    held = [hold(shared) for _ in range(24)]  # so many that an answer takes long enough to leave it
    for c in held:
        true(c.recv(100))
        c.close()
    true(shared.settled(3), "its place is free at once")
    true('code="499"} ' in shared.ask("/metrics")[2])


def test_drain():
    s = Server("helpdesk=" + MODEL)
    c = hold(s, 60)
    true(c.recv(20))
    s.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    rest = b""
    while True:
        more = c.recv(65536)
        if not more:
            break
        rest += more
    true(rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"), rest[-200:])
    same(s.end(), 0)
    try:
        socket.create_connection((s.host, s.port), timeout=1)
        raise AssertionError("still listening")
    except OSError:
        pass
    s = Server("helpdesk=" + MODEL, "--parallel", "1")
    held = [hold(s) for _ in range(3)]
    held[0].recv(20)
    s.process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    t = time.time()
    same(s.end(), 0)  # a second signal stops at once, whatever runs
    true(time.time() - t < 5)


def test_a_new_version_takes_over():
    path = os.path.join(TMP, "model.gguf")
    shutil.copy(MODEL, path)
    with Server("m=" + path) as s:
        ask = {**HELP, "model": "m"}
        stop = False
        wrong = []

        def keep_asking():
            while not stop:
                status, body = s.json("/v1/chat/completions", ask)
                if status != 200 or body["choices"][0]["message"]["content"] != "order_status":
                    wrong.append(body)
        t = threading.Thread(target=keep_asking)
        t.start()
        same(s.json("/v1/models/m")[1]["croft"]["tools"], False)
        shutil.copy(tools_model(), path + ".new")
        os.replace(path + ".new", path)
        s.process.send_signal(signal.SIGHUP)
        end = time.time() + 10
        while time.time() < end and not s.json("/v1/models/m")[1]["croft"]["tools"]:
            time.sleep(0.05)
        stop = True
        t.join()
        same(s.json("/v1/models/m")[1]["croft"]["tools"], True, "the new file answers")
        same(wrong, [])
        with open(path + ".new", "w") as f:
            f.write("not a model")
        os.replace(path + ".new", path)
        s.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        same(s.json("/v1/chat/completions", ask)[0], 200, "a bad file changes nothing")


def test_a_full_queue():
    with Server("helpdesk=" + MODEL, "--parallel", "1", "--queue", "1", "--ctx", "16384") as s:
        held = []
        for load in (1, 0), (1, 1):  # one runs, then one waits
            held.append(hold(s, 16000))
            end = time.time() + 20
            while time.time() < end and (s.metric("croft_running"), s.metric("croft_waiting")) != load:
                time.sleep(0.02)
        status, headers, text = s.ask("/v1/chat/completions", HELP)
        same((status, json.loads(text)["error"]["code"]), (429, "queue_full"))
        true(int(headers["Retry-After"]) >= 1)
        for c in held:
            c.close()
        true(s.settled(5))
        same(s.json("/v1/chat/completions", HELP)[0], 200)


def test_metrics():
    shared.json("/v1/chat/completions", HELP)
    text = shared.ask("/metrics")[2]
    for line in text.splitlines():
        true(re.fullmatch(r'# (HELP|TYPE) croft_\S+ .+|croft_[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+(Inf)?', line), line)
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        same(kind == "counter", name.endswith("_total"), name)
        true(re.search(r"^# HELP %s \S" % name, text, re.M), name)
    true(re.search(r'croft_requests_total\{model="helpdesk",endpoint="chat",code="200"\} [1-9]', text))
    true(re.search(r'croft_first_token_seconds_count\{model="helpdesk",endpoint="chat"\} [1-9]', text))


# ---- others' clients ---------------------------------------------------------------------------------------------

def test_openai_client():
    with Server("helpdesk=" + tools_model()) as s:
        node("client.mjs", ["openai"], s.url + "/v1")


def test_transcripts():
    """Every `$ curl` of docs/SERVE.md, and what it prints."""
    if not shutil.which("curl") or not shutil.which("jq"):
        raise Skip("curl and jq")
    with open(os.path.join(ROOT, "docs/SERVE.md")) as f:
        blocks = re.findall(r"```console\n(.*?)```", f.read(), re.S)
    true(len(blocks) > 3)
    for block in blocks:
        lines = block.splitlines(keepends=True)
        while lines:
            command = lines.pop(0)[2:]
            while subprocess.run(["bash", "-n", "-c", command], capture_output=True).returncode:  # the quotes are open
                command += lines.pop(0)
            output = ""
            while lines and not lines[0].startswith("$ "):
                output += lines.pop(0)
            p = subprocess.run(["bash", "-c", command.replace("http://127.0.0.1:8080", shared.url)], capture_output=True,
                               text=True, timeout=60)
            same(p.stdout, output, command + p.stderr)


run(globals())
