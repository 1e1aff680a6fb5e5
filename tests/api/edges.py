"""The server at its edges: encoders, what no server can take, tools over /v1/responses, tasks read again, decisions asked
by others' clients. Usage: edges.py [NAME…]: all tests, or those named. Needs a built croft ($CROFT)."""
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import encoder
from check import HELP, HERE, TMP, Skip, events, hold, node, run, same, tools_model, true
from server import CROFT, MODEL, ROOT, Server

shared = None


# ---- encoders ----------------------------------------------------------------------------------------------------

WHERE = ["Where is my parcel?", "the parcel was promised for monday", "is my parcel in the harbour office", "where is the letter",
         "my parcel is late", "the postman lost my letter"]
BACK = ["Can I return the blue jacket?", "the sleeves are too long", "i'd like to return it", "it does not fit",
        "the jacket is too long", "can i change the jacket"]


def encoder_model():
    path = os.path.join(TMP, "encoder.gguf")
    if not os.path.exists(path):
        encoder.write(path)
    return path


def encoder_task():
    """A task with its data, and a head fitted to them by `croft task fit`."""
    folder = os.path.join(TMP, "encoder-task")
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/train.jsonl", "w") as f:
        for label, texts in ("parcel", WHERE), ("return", BACK):
            for t in texts:
                f.write(json.dumps({"input": t, "label": label}) + "\n")
    with open(folder + "/task.yaml", "w") as f:
        f.write("name: sort\nkind: classify\nprompt: \"{{input}}\"\nlabels: [{name: parcel}, {name: return}]\n"
                "data: {train: train.jsonl}\nmetric: accuracy\n")
    subprocess.run([CROFT, "task", "fit", folder + "/task.yaml", "-m", encoder_model()], check=True, capture_output=True)
    return folder + "/task.yaml"


def test_embeddings_of_an_encoder():
    said = json.loads(subprocess.run([CROFT, "embed", encoder_model(), *WHERE[:2], "--json"], capture_output=True, text=True,
                                     check=True).stdout)
    with Server("bert=" + encoder_model()) as s:
        body = s.json("/v1/embeddings", {"model": "bert", "input": WHERE[:2]})[1]
        for i in range(2):
            v = body["data"][i]["embedding"]
            same(len(v), encoder.D)
            true(abs(math.fsum(x * x for x in v) - 1) < 1e-5, "length 1")
            true(max(abs(a - b) for a, b in zip(v, said[i]["embedding"])) < 1e-5, "as croft embed")
        alone = s.json("/v1/embeddings", {"model": "bert", "input": WHERE[1]})[1]["data"][0]["embedding"]
        true(max(abs(a - b) for a, b in zip(alone, body["data"][1]["embedding"])) < 1e-5, "alone and beside another")
        true(body["usage"]["prompt_tokens"] > 10)
        for path, ask in (("/v1/chat/completions", {**HELP, "model": "bert"}), ("/v1/completions", {"model": "bert", "prompt": "a"}),
                          ("/v1/responses", {"model": "bert", "input": "a"}),
                          ("/v1/decisions", {"model": "bert", "input": "a", "questions": [
                              {"type": "predicate", "instructions": "Is it?"}]})):
            status, body = s.json(path, ask)
            same((status, body["error"]["message"]), (400, "The model 'bert' is an encoder: it makes embeddings, not text."), path)
        status, body = s.json("/v1/embeddings", {"model": "bert", "input": "parcel " * 100})
        same((status, body["error"]["code"]), (400, "context_length_exceeded"), body)


def test_a_classification_by_an_encoder():
    """Labels and probabilities are softmax(W x + b) of the head in the file and the vectors that /v1/embeddings gives."""
    with Server("bert=" + encoder_model(), "--task", encoder_task()) as s:
        with open(encoder_model()[:-5] + ".sort.fit.json") as f:
            head = json.load(f)
        texts = WHERE + BACK + ["the kettle had boiled"]
        vectors = [d["embedding"] for d in s.json("/v1/embeddings", {"model": "bert", "input": texts})[1]["data"]]
        status, body = s.json("/v1/tasks/sort", {"input": texts})
        same(status, 200, body)
        right = 0
        for i, (r, x) in enumerate(zip(body["results"], vectors)):
            z = [b + math.fsum(w * v for w, v in zip(row, x)) for row, b in zip(head["weight"], head["bias"])]
            p = [math.exp(v - max(z)) for v in z]
            p = dict(zip(head["labels"], (v / sum(p) for v in p)))
            true(all(abs(p[k] - r["probabilities"][k]) < 1e-4 for k in p), "%r %r" % (p, r))
            same(r["label"], max(p, key=p.get))
            right += r["label"] == ("parcel" if i < len(WHERE) else "return")
        true(right >= 11, "%d of the 12 examples it was fitted to" % right)
        same(s.json("/v1/tasks/sort", {"input": texts[0]})[1]["label"], "parcel")
        same(s.json("/v1/tasks/sort", {"input": ""})[0], 200, "an empty text has a vector: [CLS] [SEP]")




# ---- any field with any value --------------------------------------------------------------------------------------

FIELDS = """best_of echo encoding_format dimensions explain frequency_penalty group ignore_eos include input inputs instructions
logit_bias logprobs max_completion_tokens max_output_tokens max_tokens messages metadata min_p model n parallel_tool_calls
presence_penalty prompt questions reasoning repeat_penalty response_format seed stop store stream stream_options
structured_outputs suffix system temperature text tool_choice tools top_k top_logprobs top_p truncation typical_p user""".split()
VALUES = [None, True, -1, 2**63, 1e308, "", "\ud800", "a" * 20000, [], [None], [[]], {}, {"type": "json_schema"},
          {"type": "json_schema", "json_schema": {"schema": 5}}, {"role": "user"}, [{"role": 5, "content": "x"}],
          [{"role": "user", "content": [{"type": "text"}]}], [{"type": "choice", "choices": 5}], [1] * 3000, {"a": {"b": {"c": {}}}}]


def test_any_field_with_any_value():
    asks = {"/v1/chat/completions": HELP, "/v1/completions": {"model": "helpdesk", "prompt": "hi"},
            "/v1/responses": {"model": "helpdesk", "input": "hi"}, "/v1/embeddings": {"model": "helpdesk", "input": "hi"},
            "/v1/decisions": {"model": "helpdesk", "input": "hi", "questions": [{"type": "predicate", "instructions": "?"}]},
            INTENTS: {"input": "hi"}}
    with Server("helpdesk=" + MODEL, "--max-tokens", "4", "--task", INTENTS_TASK) as s:
        for path, body in asks.items():
            for field in FIELDS:
                for value in VALUES:
                    status, text = s.ask(path, {**body, field: value})[::2]
                    true(status < 500, (path, field, value, text))
                    if status != 200:
                        error = json.loads(text)["error"]
                        true(error["message"] and error["type"], (path, field, value, text))
        true(s.settled())

# ---- prefixes that outlive the server ------------------------------------------------------------------------------

INTENTS = "/v1/tasks/helpdesk-intent"
INTENTS_TASK = os.path.join(os.path.dirname(MODEL), "../examples/helpdesk/task.yaml")
SAID = ["where is my parcel, it should have been here on monday", "i want my money back"]


def once(folder, model=MODEL, texts=SAID):
    """A server's life: what each text was answered, [(input tokens, cached ones)], and what the log says."""
    log = os.path.join(TMP, "prefixes.log")
    with Server("--prefixes", folder, "--answers", "0", "--task", INTENTS_TASK, "helpdesk=" + model, log=log, level="info") as s:
        answers = [s.json(INTENTS, {"input": t})[1] for t in texts]
        counted = s.metric("croft_prompt_tokens_total"), s.metric("croft_cached_tokens_total")
    used = [(a["usage"]["input_tokens"], a["usage"]["cached_tokens"]) for a in answers]
    s.writer.join(10)
    same(counted, tuple(sum(x) for x in zip(*used)), "the metrics count what the answers say")
    with open(log) as f:
        return [a["label"] for a in answers], used, f.read()


def test_prefixes_outlive_the_server():
    folder = os.path.join(TMP, "prefixes")
    cold, used, _ = once(folder)
    (_, none), (n, warm) = used
    same(none, 0, "nothing is known at first")
    true(0 < warm < n, "the second text shares the task's beginning")
    again, used, log = once(folder)
    same(again, cold)
    same([cached for _, cached in used], [warm, warm], "after a restart the first text evaluates what is new, alone")
    true("prefixes of %d tokens were read" % warm in log, log)


def test_prefixes_that_are_not_ours():
    folder, file = os.path.join(TMP, "prefixes-bad"), os.path.join(TMP, "prefixes-bad", "helpdesk.prefixes")
    cold, used, _ = once(folder)
    warm = used[1][1]
    with open(file, "rb") as f:
        good = f.read()
    other = os.path.join(TMP, "other.gguf")
    with open(MODEL, "rb") as f, open(other, "wb") as g:
        b = bytearray(f.read())
        b[-3] ^= 1  # a weight
        g.write(b)
    damages = {"its checksum is wrong": good[:-100] + bytes([good[-100] ^ 1]) + good[-99:], "another than it says": good[:-1],
               "no file of prefixes": b"", "made with another": good[:90] + b"00" + good[92:], "another model": None}
    for words, bytes_ in damages.items():
        with open(file, "wb") as f:
            f.write(good if bytes_ is None else bytes_)
        answers, used, log = once(folder, other if bytes_ is None else MODEL)
        true("are not used, the file will be written anew" in log and words in log, (words, log))
        same([cached for _, cached in used], [0, warm], words)
        same(answers == cold or bytes_ is None, True, words)
    # The other model has written its own file by now, which is not the first one's.
    same(once(folder)[1][0][1], 0)
    same(once(folder)[1][0][1], warm)


# ---- tasks read again --------------------------------------------------------------------------------------------

TASK = "name: %s\nkind: classify\nprompt: \"{{input}}\"\nlabels: [%s]\nmetric: accuracy\n"


def write_task(path, name, *labels):
    with open(path + ".new", "w") as f:
        f.write(TASK % (name, ", ".join("{name: %s}" % l for l in labels)))
    os.replace(path + ".new", path)


def test_task_files_are_read_again():
    path = os.path.join(TMP, "again.yaml")
    log = os.path.join(TMP, "again.log")
    write_task(path, "sort", "late", "lost")

    def labels(s, name="sort"):
        return sorted(s.json("/v1/tasks/" + name, {"input": "where is it?"})[1].get("probabilities", {}))

    def wait(s, wanted, name="sort"):
        s.process.send_signal(signal.SIGHUP)
        end = time.time() + 10
        while time.time() < end and labels(s, name) != wanted:
            time.sleep(0.05)
        same(labels(s, name), wanted)
    with Server("helpdesk=" + MODEL, "--task", path, log=log) as s:
        same(labels(s), ["late", "lost"])
        write_task(path, "sort", "late", "lost", "broken")
        wait(s, ["broken", "late", "lost"])
        write_task(path, "renamed", "late", "lost")
        wait(s, ["late", "lost"], "renamed")
        same(s.json("/v1/tasks/sort", {"input": "a"})[0], 404)
        same([t["id"] for t in s.json("/v1/tasks")[1]["data"]], ["renamed"])
        for broken in "name: renamed\nkind: classify\nlabls: []\n", None:  # a file that is wrong, and none at all
            if broken:
                with open(path, "w") as f:
                    f.write(broken)
            else:
                os.remove(path)
            said = os.path.getsize(log) if os.path.exists(log) else 0
            s.process.send_signal(signal.SIGHUP)
            end = time.time() + 10
            while time.time() < end and os.path.getsize(log) <= said:
                time.sleep(0.05)
            with open(log) as f:
                f.seek(said)
                true("the model helpdesk stays as it was: " in f.read(), "what is wrong is logged")
            same(labels(s, "renamed"), ["late", "lost"], "nothing changes")
        write_task(path, "renamed", "late", "lost", "found")
        wait(s, ["found", "late", "lost"], "renamed")


def test_numbers_of_an_extraction():
    """All their digits come back, and no others."""
    path = os.path.join(TMP, "numbers.yaml")
    with open(path, "w") as f:
        f.write('name: numbers\nkind: extract\nprompt: "{{input}}"\nschema: {type: object, required: [price, tax], properties: '
                "{price: {const: 1234567890.25}, tax: {enum: [0.1]}}}\nmetric: exact_match\n")
    with Server("helpdesk=" + MODEL, "--task", path) as s:
        status, _, text = s.ask("/v1/tasks/numbers", {"input": "what does it cost?"})
        same((status, '"output":{"price":1234567890.25,"tax":0.1}' in text), (200, True), text)


# ---- more than there is room for ---------------------------------------------------------------------------------

def test_more_choices_than_places():
    with Server("helpdesk=" + MODEL, "--parallel", "2", "--queue", "3") as s:
        for _ in range(20):  # all that it says it takes, however quickly they come
            status, body = s.json("/v1/chat/completions", {**HELP, "n": 5, "max_tokens": 2})
            same((status, len(body.get("choices", []))), (200, 5), body)
        message = "This request asks for 6 answers at once; this server takes 5 (--parallel and --queue)."
        for path, ask in (("/v1/chat/completions", {**HELP, "n": 6}),
                          ("/v1/completions", {"model": "helpdesk", "prompt": ["a", "b", "c"], "n": 2})):
            status, headers, text = s.ask(path, ask)
            same((status, json.loads(text)["error"]["message"]), (400, message))
            same(headers["Retry-After"], None, "it would not help")
        held = [hold(s, 1500) for _ in range(4)]
        end = time.time() + 10
        while time.time() < end and s.metric("croft_running") + s.metric("croft_waiting") < 4:
            time.sleep(0.02)
        same(s.ask("/v1/chat/completions", {**HELP, "n": 5})[0], 429, "it would fit a moment later")
        for c in held:
            c.close()
        true(s.settled(5))


def test_bodies_that_are_too_large():
    with Server("helpdesk=" + MODEL, "--max-body", "64k") as s:
        message = "The body is larger than this server accepts."
        body = json.dumps({**HELP, "messages": [{"role": "user", "content": "a" * 70000}]}).encode()
        status, answer = s.json("/v1/chat/completions", body)
        same((status, answer["error"]["message"]), (413, message))
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        answer = s.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        true(answer.startswith(b"HTTP/1.1 413 "), answer)
        same(json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["message"], message)
        same(s.json("/v1/chat/completions", HELP)[0], 200)


def test_hostile_bytes():
    """Each gets one answer, 400 or 501, and what stands behind it is no request."""
    behind = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for status, data in (
            (400, head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            (400, head + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n"),
            (501, head + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
            (400, head + b"X: a\r\n b\r\n\r\n"), (400, head + b"X: a\0b\r\n\r\n"), (400, head + b"X\0: a\r\n\r\n"),
            (400, head + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n"),
            (400, head + b"Transfer-Encoding: chunked\r\n\r\n1;\0\r\n{\r\n0\r\n\r\n"),
            (400, head + b"Authorization: a\r\nAuthorization: b\r\nContent-Length: 0\r\n\r\n"),
            (400, b"GET /health\0 HTTP/1.1\r\nHost: localhost\r\n\r\n"), (400, b"\0\0\0\0\r\n\r\n"),
            (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),  # TLS to a server without
            (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")):
        answer = shared.raw(data + behind)
        true(answer.startswith(b"HTTP/1.1 %d " % status) and answer.count(b"Content-Length: ") == 1, "%r\n%r" % (data, answer))
    same(shared.json("/health")[0], 200)


def test_a_model_file_that_is_cut_short():
    """The server cannot go on, and says why."""
    path = os.path.join(TMP, "cut.gguf")
    shutil.copy(MODEL, path)
    log = os.path.join(TMP, "cut.log")
    s = Server("helpdesk=" + path, log=log)
    same(s.json("/v1/chat/completions", HELP)[0], 200)
    os.truncate(path, 4096)
    try:
        s.json("/v1/chat/completions", {**HELP, "messages": [{"role": "user", "content": "what else?"}]})
    except OSError:
        pass
    same(s.process.wait(10), 74)
    s.writer.join(10)
    with open(log) as f:
        same(f.read().splitlines()[-1], "croft: error: '%s' was cut short while it was in use, or its disk failed: the program "
             "cannot go on. Replace a file by renaming a new one over it." % os.path.realpath(path))


def test_a_service():
    """What a service manager is told, and how its journal is written to."""
    path = os.path.join(TMP, "notify")
    log = os.path.join(TMP, "journal.log")
    with open(log, "w") as journal:
        st = os.fstat(journal.fileno())
        for name in path, "\0" + path:  # abstract, too
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(name)
                manager.settimeout(20)
                p = subprocess.Popen([CROFT, "serve", MODEL, "--port", "0", "--ctx", "513"], stderr=journal, env={
                    **os.environ, "NOTIFY_SOCKET": name.replace("\0", "@"), "JOURNAL_STREAM": "%d:%d" % (st.st_dev, st.st_ino)})
                same(manager.recv(100), b"READY=1")
                p.terminate()
                same(manager.recv(100), b"STOPPING=1")
                same(p.wait(20), 0)
    with open(log) as f:
        true(f.read().startswith("<4>croft: warning: the model "), "its level")
    unit = os.path.join(ROOT, "examples/systemd/croft.service")
    if shutil.which("systemd-analyze"):
        said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True).stderr
        true(not [l for l in said.splitlines() if "croft.service" in l and "not executable" not in l], said)


def test_nobody_writes_the_log():
    """Bodies in the log stay on their line, and command no terminal."""
    log = os.path.join(TMP, "content.log")
    with Server("helpdesk=" + MODEL, "--log-content", log=log, level="info") as s:
        body = b'{"model": "helpdesk",\r\ncroft: error: forged\n\x1b[2J\xc2\x9b2J\x7f\0'
        same(s.json("/v1/chat/completions", body)[0], 400)
        time.sleep(0.2)
    with open(log, "rb") as f:
        text = f.read()
    true(b"body: " in text and b"forged" in text, text)
    true(all(line.startswith(b"croft: info: ") for line in text.splitlines()), text)
    true(not any(c in text for c in (b"\r", b"\x1b", b"\x7f", b"\xc2\x9b")), text)


# ---- /v1/responses with tools ------------------------------------------------------------------------------------

TRACK = {"type": "function", "name": "track", "description": "Track an order", "strict": True, "parameters": {
    "type": "object", "properties": {"order": {"enum": ["A1", "B2"]}}, "required": ["order"], "additionalProperties": False}}


def test_tools_of_responses():
    ask = {"model": "helpdesk", "input": "where is my order?", "tools": [TRACK], "max_output_tokens": 100}
    with Server("helpdesk=" + tools_model()) as s:
        for choice in "required", {"type": "function", "name": "track"}:
            status, body = s.json("/v1/responses", {**ask, "tool_choice": choice})
            same((status, body["status"]), (200, "completed"), body)
            same(([t["type"] for t in body["output"]], body["tools"], body["tool_choice"]), (["function_call"], [TRACK], choice))
            call = body["output"][0]
            same((call["name"], call["status"], call["id"][:3], call["call_id"][:5]), ("track", "completed", "fc_", "call_"))
            true(json.loads(call["arguments"])["order"] in ("A1", "B2"))
        chat = s.json("/v1/chat/completions", {**HELP, "tools": [{"type": "function", "function": {
            k: v for k, v in TRACK.items() if k != "type"}}], "tool_choice": "required", "max_tokens": 100})[1]
        same(chat["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], call["arguments"], "one prompt, one answer")
        same(chat["usage"]["prompt_tokens"], body["usage"]["input_tokens"])

        text = s.ask("/v1/responses", {**ask, "tool_choice": "required", "stream": True})[2]
        parts = events(text)
        same([p["type"][len("response."):] for p in parts], [
            "created", "in_progress", "output_item.added", "function_call_arguments.delta", "function_call_arguments.done",
            "output_item.done", "completed"])
        same([p["sequence_number"] for p in parts], list(range(len(parts))))
        same(parts[2]["item"], {**parts[5]["item"], "arguments": "", "status": "in_progress"})
        same((parts[3]["delta"], parts[4]["arguments"], parts[4]["name"]), (call["arguments"], call["arguments"], "track"))
        same(parts[6]["response"]["output"], [parts[5]["item"]])

        conversation = [{"role": "user", "content": "where is my order?"}, call,
                        {"type": "function_call_output", "call_id": call["call_id"], "output": "lost"}]
        status, body = s.json("/v1/responses", {**ask, "input": conversation})
        same((status, [o["type"] for o in body["output"]]), (200, ["message"]), body)
        same(s.json("/v1/chat/completions", {**HELP, "max_tokens": 100, "tools": [{"type": "function", "function": {
            k: v for k, v in TRACK.items() if k != "type"}}], "messages": HELP["messages"] + [
                {"role": "assistant", "content": None, "tool_calls": [{"id": call["call_id"], "type": "function", "function": {
                    "name": "track", "arguments": call["arguments"]}}]},
                {"role": "tool", "tool_call_id": call["call_id"], "content": "lost"}]})[1]["usage"]["prompt_tokens"],
             body["usage"]["input_tokens"], "the same conversation, told to chat")
        same(s.json("/v1/responses", {**ask, "tool_choice": "none"})[1]["output"][0]["type"], "message")
        cut = s.json("/v1/responses", {**ask, "tool_choice": "required", "max_output_tokens": 2})[1]
        same((cut["status"], cut["incomplete_details"]), ("incomplete", {"reason": "max_output_tokens"}))
        for more, message, param in (
                ({"tools": [{"type": "web_search"}]}, "'tools[0].type' must be 'function'.", "tools"),
                ({"tools": [{"type": "function"}]}, "'tools[0].name' must be a string.", "tools"),
                ({"tools": [{**TRACK, "parameters": 3}]}, "'tools[0].parameters' must be a schema.", "tools"),
                ({"tools": [TRACK] * 129}, "'tools' has more than 128 tools.", "tools"),
                ({"tools": [], "tool_choice": "required"}, "'tool_choice' is only allowed when 'tools' are given.", "tool_choice"),
                ({"tool_choice": {"type": "function", "name": "fly"}}, "'tool_choice' names 'fly', which is not among 'tools'.",
                 "tool_choice"),
                ({"tool_choice": {"type": "allowed_tools"}}, "'tool_choice' must be none, auto, required, or name a function.",
                 "tool_choice"),
                ({"tool_choice": "required", "tools": [{**TRACK, "parameters": {"unevaluatedItems": {}}}]},
                 "In the schema at #/properties/arguments/unevaluatedItems: this keyword is not supported.", "tools"),
                ({"input": [{"type": "function_call", "name": "track"}]},
                 "'input[0]' needs 'call_id', 'name' and 'arguments', strings.", "input[0]"),
                ({"input": [{"type": "function_call_output", "call_id": "c"}]},
                 "'input[0]' needs 'call_id', a string, and 'output', a string or text parts.", "input[0]"),
                ({"input": ["a"]}, "'input[0]' must be an object.", "input[0]")):
            status, body = s.json("/v1/responses", {**ask, **more})
            same((status, body["error"]["message"], body["error"]["param"]), (400, message, param))


def test_answers_without_thinking():
    """Where an answer is constrained or asked for at once, the template is told not to let the model think."""
    path, template = os.path.join(TMP, "thinks.gguf"), os.path.join(TMP, "thinks.jinja")
    with open(os.path.join(HERE, "tools.jinja")) as f:
        plain = f.read()
    think = "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% else %}<think>{% endif %}"
    with open(template, "w") as f:
        f.write(plain.replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n" + think + "{% endif %}"))
    subprocess.run([sys.executable, os.path.join(HERE, "retemplate.py"), MODEL, path, template], check=True)
    counts = [shared.json("/v1/completions", {"model": "helpdesk", "prompt": "assistant\n" + t, "max_tokens": 1})[1]["usage"][
        "prompt_tokens"] for t in ("<think>", "<think></think>", "")]
    opened, closed = counts[0] - counts[2], counts[1] - counts[2]
    true(closed > opened > 0)
    schema = {"type": "object", "properties": {"a": {"enum": [1]}}, "required": ["a"], "additionalProperties": False}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    question = {"type": "predicate", "instructions": "Is it?"}
    with Server("plain=" + tools_model(), "thinks=" + path, "--task", "plain=" + INTENTS_TASK) as s, \
            Server("thinks=" + path, "--task", INTENTS_TASK) as other:
        def more(path, body, count="input_tokens", of=None):
            a, b = (x["usage"][count] for x in (s.json(path, {"model": "plain", **body})[1],
                                                (of or s).json(path, {"model": "thinks", **body})[1]))
            return b - a
        chat = {"messages": HELP["messages"], "max_tokens": 40}
        choice = {"structured_outputs": {"choice": ["a", "b"]}}
        for path, body, wanted in (
                ("chat/completions", {}, opened), ("chat/completions", choice, closed),
                ("chat/completions", {**choice, "chat_template_kwargs": {"enable_thinking": True}}, opened),
                ("chat/completions", {"response_format": {"type": "json_object"}}, closed),
                ("chat/completions", {"tools": [tool]}, opened),
                ("chat/completions", {"tools": [tool], "tool_choice": "required"}, closed)):
            same(more("/v1/" + path, {**chat, **body}, "prompt_tokens"), wanted, body)
        ask = {"input": "hi", "max_output_tokens": 40}
        same(more("/v1/responses", ask), opened)
        same(more("/v1/responses", {**ask, "text": {"format": {"type": "json_schema", "name": "x", "schema": schema}}}), closed)
        same(more("/v1/decisions", {"input": "hi", "questions": [question]}), closed)
        same(other.json(INTENTS, {"input": "hi"})[1]["usage"]["input_tokens"] - s.json(INTENTS, {"input": "hi"})[1]["usage"][
            "input_tokens"], closed)


TEMPLATES = os.path.join(ROOT, "../shared/fixtures/chat/chat.json")
FAMILIES = ["Qwen3.5-4B", "Qwen-Qwen2.5-7B-Instruct", "Qwen-Qwen3-0.6B", "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
            "mistralai-Mistral-Nemo-Instruct-2407", "Mistral-Small-3.2-24B-Instruct-2506", "meta-llama-Llama-3.2-3B-Instruct",
            "meta-llama-Llama-3.3-70B-Instruct", "LFM2-8B-A1B", "LFM2.5-Instruct"]


def test_tools_of_every_family():
    """A call, and the conversation with its result, through the families' own templates."""
    if not os.path.exists(TEMPLATES):
        raise Skip("the chat templates of other models")
    with open(TEMPLATES) as f:
        templates = {t["name"]: t["template"] for t in json.load(f)["templates"]}
    function = {k: v for k, v in TRACK.items() if k != "type"}
    other = {"type": "function", "function": {**function, "name": "cancel", "parameters": {"type": "object", "properties": {}}}}
    track = {"type": "function", "function": function}
    for name in FAMILIES:
        path, template = os.path.join(TMP, "family.gguf"), os.path.join(TMP, "family.jinja")
        with open(template, "w") as f:
            f.write(templates[name])
        subprocess.run([sys.executable, os.path.join(HERE, "retemplate.py"), MODEL, path, template], check=True)
        with Server("helpdesk=" + path, "--ctx", "6000") as s:
            for tools, choice in (([track], "required"), ([other, track], {"type": "function", "function": {"name": "track"}}),
                                  ([track, other], "required")):
                status, body = s.json("/v1/chat/completions", {**HELP, "tools": tools, "tool_choice": choice, "max_tokens": 100})
                same((status, body["choices"][0]["finish_reason"] if status == 200 else body), (200, "tool_calls"), name)
                call = body["choices"][0]["message"]["tool_calls"][0]
                true(call["function"]["name"] in ("track", "cancel"), name)
                if call["function"]["name"] == "track":
                    true(json.loads(call["function"]["arguments"])["order"] in ("A1", "B2"), name)
            call = {**call, "function": {"name": "track", "arguments": "{\"order\": \"A1\"}"}}
            said = [*HELP["messages"], {"role": "assistant", "content": None, "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": call["id"], "content": "lost"}]
            asked = [s.json("/v1/chat/completions", {**HELP, "tools": [track], "messages": m, "max_tokens": 3})
                     for m in (said, [said[0], {**said[1], "tool_calls": [{**call, "function": {"name": "track", "arguments":
                               "{\"order\": \"A1 or one that has a longer name\"}"}}]}, said[2]])]
            same([status for status, _ in asked], [200, 200], "%s %s" % (name, asked))
            true(asked[0][1]["usage"]["prompt_tokens"] < asked[1][1]["usage"]["prompt_tokens"], name + ": the model sees its call")


def test_the_ai_sdk():
    with Server("helpdesk=" + tools_model()) as s:
        node("sdk.mjs", ["ai", "@ai-sdk/openai"], s.url + "/v1")


# ---- decisions, asked by others' clients -------------------------------------------------------------------------

def test_decisions_of_npm_clients():
    node("decide.mjs", ["openai", "ai", "@ai-sdk/openai"], shared.url + "/v1")


def test_parts_of_decisions():
    """Parts and messages say the same as one text."""
    def p(**more):
        status, body = shared.json("/v1/decisions", {"model": "helpdesk", **more})
        same(status, 200, body)
        same(body["usage"]["output_tokens"], 0)
        return body["answers"][0]["probability"], body["usage"]["input_tokens"]
    question = {"type": "predicate", "instructions": "Is it late?"}
    one = p(input='My parcel {"late":true}', questions=[question])
    same(p(input=[{"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": "My parcel "}, {"type": "input_json", "data": {"late": True}}]}], questions=[question],
        prompt_cache_key="k"), one)
    same(p(input='My parcel {"late":true}', questions=[{**question, "instructions": [
        {"type": "input_text", "text": "Is it "}, {"type": "input_text", "text": "late?"}]}]), one)
    status, body = shared.json("/v1/decisions", {"model": "helpdesk", "input": "a", "questions": [{**question, "instructions": [
        {"type": "input_image", "image_url": "data:"}]}]})
    same((status, body["error"]["message"]), (
        400, "'questions[0].instructions[0]' is of the type 'input_image'; this model reads text parts only."))


def test_a_client_of_systemone():
    try:
        from system_one import HTTPConfig, SystemOne
    except ImportError as e:
        raise Skip("the Python package system-one[http]") from e
    agent = SystemOne(HTTPConfig(base_url=shared.url, model="helpdesk", _env_file=None))
    answer = agent.ask({"message": "I want my money back.", "n": 2}, {
        "refund": {"type": "noul", "instructions": "Is this about a refund?", "criteria": {"true": "money back"}},
        "team": {"type": "choice", "instructions": "Which team?", "criteria": {"billing": "money", "shipping": "parcels"}},
        "mood": {"type": "score", "instructions": "How upset?", "criteria": ["calm", "annoyed", "furious"]}})
    true(0 <= answer.nouls["refund"].noul <= 1)
    team, mood = answer.choices["team"], answer.scores["mood"]
    same(sorted(team.probabilities), ["billing", "shipping"])
    same(team.choice, max(team.probabilities, key=team.probabilities.get))
    true(abs(sum(team.probabilities.values()) - 1) < 1e-6 and 0 <= mood.score <= 2)
    same(answer.usage.output_tokens, 0)


run(globals())
