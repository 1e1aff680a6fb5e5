"""Answers between tiers: the demo model here, a stand-in for another tier beside it (upstream.py). Usage: routing.py
[NAME…]. What left is told by the stand-in, not by Croft."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from check import HELP, TMP, Skip, events, run, same, true
from server import CROFT, GOLD, MODEL, ROOT, Server, Upstream, certificates

shared = None
TASK = os.path.join(ROOT, "examples/helpdesk/task.yaml")
ROWS = [json.loads(x) for x in open(GOLD, encoding="utf-8")]
SURE = "wheres my parcel??? its late"


def folder():
    folder.n = getattr(folder, "n", 0) + 1
    path = os.path.join(TMP, "routing%d" % folder.n)
    os.makedirs(path)
    shutil.copy(MODEL, path + "/helpdesk.gguf")
    return path


def settings(at, up, policy="default_class: internal", rules="", tier="", more="", tiers=None):
    text = """model: [helpdesk=%s/helpdesk.gguf]
task: [%s]
receipts: %s/receipts
classes: [public, internal, patient]
%s
tiers:
%s
policy: {%s}
%s
""" % (at, TASK, at, more, tiers or "  - {name: frontier, place: cloud, wire: openai, url: 'http://127.0.0.1:%d/v1', model: big-1,\n"
       "     classes: [public, internal], price: {input: 1, output: 2}, max_retries: 0, deadline_s: 5 %s}" % (up.port, tier), policy,
       rules)
    with open(at + "/croft.yaml", "w") as f:
        f.write(text)
    return at + "/croft.yaml"


def calibrated(at, target="0.15"):
    subprocess.run([CROFT, "calibrate", TASK, "-m", at + "/helpdesk.gguf", "--target-error", target, "--check", "none"], check=True,
                   capture_output=True)


def ask(s, text, **headers):
    return s.ask("/v1/tasks/helpdesk-intent", {"input": text}, headers={k.replace("_", "-"): v for k, v in headers.items()})


def croft(*args, code=0):
    p = subprocess.run([CROFT, *args], capture_output=True, text=True, timeout=60)
    same(p.returncode, code, p.stdout + p.stderr)
    return p.stdout


def receipts(at, *args):
    return json.loads(croft("receipts", "--receipts", at + "/receipts", "--json", *args))


def receipt_of(at, h):
    """The receipt of an answer; it reaches the disk some milliseconds after the answer."""
    for _ in range(50):
        p = subprocess.run([CROFT, "receipts", "show", h["X-Croft-Receipt"], "--receipts", at + "/receipts", "--json"],
                           capture_output=True, text=True)
        if p.returncode == 0:
            return json.loads(p.stdout)
        time.sleep(0.1)
    raise AssertionError(p.stderr)


# ---- where an answer comes from --------------------------------------------------------------------------------------

def test_without_a_calibration_nothing_is_vouched_for():
    at = folder()
    with Upstream() as up, Server("-c", settings(at, up)) as s:
        status, h, body = ask(s, ROWS[0]["input"])
        same((status, h["X-Croft-Tier"], h["X-Croft-Reason"], h["X-Croft-Model"]), (200, "frontier", "uncalibrated", "big-1"))
        same(json.loads(body)["label"], ROWS[0]["label"])
        true(float(h["X-Croft-Cost"]) > 0)
        same(len(h["X-Croft-Receipt"]), 26)
        same(up.requests(), 1)
    with Upstream() as up, Server("-c", settings(at, up, rules="rules:\n  - {task: helpdesk-intent, uncalibrated_here: true}")) as s:
        _, h, _ = ask(s, SURE)
        same((h["X-Croft-Tier"], h["X-Croft-Reason"], h["X-Croft-Cost"]), ("local", "local", "0"))
        same(up.requests(), 0)


def test_the_confident_stay_and_the_rest_goes():
    at = folder()
    calibrated(at)
    with Upstream() as up, Server("-c", settings(at, up)) as s:
        places, right = {"local": 0, "frontier": 0}, 0
        for row in ROWS[:120]:
            status, h, body = ask(s, row["input"])
            same(status, 200)
            places[h["X-Croft-Tier"]] += 1
            true(h["X-Croft-Reason"] in (("confident",) if h["X-Croft-Tier"] == "local" else ("low_confidence", "out_of_scope")))
            true(("X-Croft-Confidence" in h) == (h["X-Croft-Tier"] == "local"))
            right += json.loads(body)["label"] == row["label"]
            if h["X-Croft-Tier"] == "frontier":
                same(json.loads(body)["label"], row["label"], "the stand-in answers from the gold file")
        true(places["local"] > 20 and places["frontier"] > 10, str(places))
        true(right >= 110, str(right))
        same(up.requests(), places["frontier"], "one request each, and none for what stayed")
        status, h, body = s.ask("/v1/tasks/helpdesk-intent", {"input": [r["input"] for r in ROWS[:30]]})
        got = json.loads(body)["results"]
        same({x["croft"]["tier"] for x in got}, {"local", "frontier"})
        same(len({x["croft"]["receipt"] for x in got}), 30)
    same(len(receipts(at, "--limit", "1000")), 150)
    croft("audit", "verify", "--receipts", at + "/receipts")


def test_what_is_out_of_scope_is_not_answered_here_first():
    """A calibration with vectors, on a task that writes: no token is generated for an input unlike all others, unless the tiers fail."""
    at = folder()
    shutil.copytree(os.path.dirname(TASK), at + "/orders")
    train = at + "/orders/orders_train.jsonl"
    some = open(train, encoding="utf-8").readlines()[:400]
    open(train, "w", encoding="utf-8").writelines(some)
    task = at + "/orders/orders.yaml"
    subprocess.run([CROFT, "calibrate", task, "-m", at + "/helpdesk.gguf", "--target-error", "0.5", "--check", "none", "--vector",
                    "yes"], check=True, capture_output=True)
    strange = "SELECT * FROM users WHERE 1=1; DROP TABLE students;"
    with Upstream() as up:
        conf = settings(at, up)
        text = open(conf).read().replace(TASK, task)
        open(conf, "w").write(text)
        with Server("-c", conf) as s:
            def asked(input):
                before = tokens(s)
                status, h, body = s.ask("/v1/tasks/helpdesk-orders", {"input": input})
                return status, h, body, tokens(s) - before

            def tokens(s):
                m = re.search(r"^croft_answer_tokens_total\S* (\d+)", s.ask("/metrics")[2], re.M)
                return int(m.group(1)) if m else 0

            up.control(answer='{"items": [{"product": "rice", "quantity": 1}], "fulfilment": null, "day": null}')
            status, h, body, generated = asked(strange)
            same((status, h["X-Croft-Tier"], h["X-Croft-Reason"], generated), (200, "frontier", "out_of_scope", 0), body)
            usual = "Hi, can I get two bottles of olive oil and a bag of rice delivered on Friday?"
            status, h, body, generated = asked(usual)
            true(h["X-Croft-Reason"] != "out_of_scope" and generated > 5, str((h["X-Croft-Reason"], generated)))
            up.control(fault="500")
            status, h, body, generated = asked(strange)
            same((status, h["X-Croft-Tier"], h["X-Croft-Degraded"]), (200, "local", "true"), body)
            true(generated > 5 and "items" in json.loads(body)["output"], body)
            status, h, body = s.ask("/v1/tasks/helpdesk-orders", {"input": [strange, usual]})
            same([x["croft"]["tier"] for x in json.loads(body)["results"]], ["local", "local"], body)


def test_chats_stay_unless_asked_for():
    at = folder()
    with Upstream() as up, Server("-c", settings(at, up)) as s:
        _, h, _ = s.ask("/v1/chat/completions", HELP)
        same((h["X-Croft-Tier"], h["X-Croft-Reason"]), ("local", "local"))
        same(up.requests(), 0)
        _, h, body = s.ask("/v1/chat/completions", {**HELP, "user": "somebody", "metadata": {"a": "b"}},
                           headers={"X-Croft-Tier": "frontier"})
        same((h["X-Croft-Tier"], json.loads(body)["choices"][0]["message"]["content"]), ("frontier", "ok"))
        _, h, text = s.ask("/v1/chat/completions", {**HELP, "stream": True}, headers={"X-Croft-Tier": "frontier"})
        same("".join(e["choices"][0]["delta"].get("content", "") for e in events(text)), "ok")
        true(text.endswith("data: [DONE]\n\n"))
        same(s.ask("/v1/chat/completions", HELP, headers={"X-Croft-Tier": "moon"})[0], 400)
        status, h, text = s.ask("/v1/chat/completions", {**HELP, "top_k": 3}, headers={"X-Croft-Tier": "frontier"})
        same(status, 503, "what only Croft has cannot be asked of another: " + text)
        same((h["X-Croft-Tier"], h.get("X-Croft-Model")), ("none", None))
        refused = receipt_of(at, h)
        same([refused.get(x) for x in ("tier", "place", "model", "model_digest", "confidence")], [None] * 5)
        same((refused["reason"], refused["status"]), ("refused", 503))
        same(json.loads(croft("receipts", "--receipts", at + "/receipts", "--sums", "--json"))["unanswered"], 2, "this one and the moon")
        long = {"model": "helpdesk", "messages": [{"role": "user", "content": "parcel " * 2000}]}
        _, h, _ = s.ask("/v1/chat/completions", long)
        same((h["X-Croft-Tier"], h["X-Croft-Reason"]), ("frontier", "too_long"))
        status, _, text = s.ask("/v1/chat/completions", long, headers={"X-Croft-Class": "local-only"})
        same((status, json.loads(text)["error"]["code"]), (400, "context_length_exceeded"))


# ---- the perimeter -----------------------------------------------------------------------------------------------------

def test_local_only_never_leaves():
    at = folder()
    with Upstream() as up, Server("-c", settings(at, up)) as s:
        for body in ({"input": SURE}, {"input": "parcel " * 2000}, {"input": ["x", "y"]}):
            for tier in ({}, {"X-Croft-Tier": "frontier"}, {"X-Croft-Tier": "local"}):
                s.ask("/v1/tasks/helpdesk-intent", body, headers={"X-Croft-Class": "local-only", **tier})
        for word in ("Local-Only", "local-only ", "local-only;", "LOCAL-ONLY", "local_only", "loc\u0430l-only", "patient", "secret"):
            try:
                status, h, _ = s.ask("/v1/tasks/helpdesk-intent", {"input": SURE}, headers={"X-Croft-Class": word})
            except UnicodeEncodeError:
                continue
            true(status in (200, 400), word)
        s.ask("/v1/chat/completions", {**HELP, "stream": True}, headers={"X-Croft-Class": "local-only", "X-Croft-Tier": "frontier"})
        s.raw(b"POST /v1/tasks/helpdesk-intent HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
              b"X-Croft-Class: local-only\r\nX-Croft-Class: public\r\nX-Croft-Tier: frontier\r\nContent-Length: 13\r\n"
              b"Connection: close\r\n\r\n{\"input\":\"a\"}")
        same(up.requests(), 0)
        ask(s, SURE)
        same(up.requests(), 1, "and the way is open for others")
    left = [r for r in receipts(at, "--limit", "1000") if r["class"] == "local-only" and r.get("left")]
    same(left, [])


def test_tasks_and_keys_say_how_sensitive_data_are():
    at = folder()
    task = at + "/ward.yaml"
    with open(TASK) as f:
        text = re.sub(r"name: helpdesk-intent", "name: ward\nsensitivity: patient", f.read())
        text = re.sub(r"data: .*\n", "", text)
    with open(task, "w") as f:
        f.write(text)
    with Upstream() as up, Server("-c", settings(at, up), "--task", task) as s:
        _, h, _ = s.ask("/v1/tasks/ward", {"input": SURE})
        same((h["X-Croft-Tier"], h["X-Croft-Reason"]), ("local", "class"))
        status, _, text = s.ask("/v1/tasks/ward", {"input": SURE}, headers={"X-Croft-Class": "public", "X-Croft-Tier": "frontier"})
        same(status, 403, text)
        same(up.requests(), 0)


def test_what_leaves_is_redacted_and_what_comes_is_restored():
    at = folder()
    policy = "default_class: internal, redact: {cloud: {email: restore, card: block}}, raise: {iban: patient}"
    with Upstream() as up, Server("-c", settings(at, up, policy=policy)) as s:
        up.control(fault="echo")
        text = "write to jane.doe@example.com, again: jane.doe@example.com or bob@example.org"
        body = {"model": "helpdesk", "messages": [{"role": "user", "content": text}]}
        _, h, answer = s.ask("/v1/chat/completions", body, headers={"X-Croft-Tier": "frontier"})
        same(json.loads(answer)["choices"][0]["message"]["content"], text)
        same(up.control()["texts"][-1], "write to [EMAIL_1], again: [EMAIL_1] or [EMAIL_2]")
        _, _, stream = s.ask("/v1/chat/completions", {**body, "stream": True}, headers={"X-Croft-Tier": "frontier"})
        same("".join(e["choices"][0]["delta"].get("content", "") for e in events(stream)), text)
        n = up.requests()
        body["messages"][0]["content"] = "my card is 4111 1111 1111 1111"
        status, h, _ = s.ask("/v1/chat/completions", body, headers={"X-Croft-Tier": "frontier"})
        same(status, 503)
        _, h, _ = ask(s, "refund to GB82 WEST 1234 5698 7654 32 please")
        same((h["X-Croft-Tier"], h["X-Croft-Reason"]), ("local", "class"))
        same(up.requests(), n)
        receipt = receipt_of(at, h)
        same(receipt["class"], "patient")


def test_patterns_of_the_user_are_replaced_or_nothing_is_sent():
    at = folder()
    policy = ("default_class: internal, raise: {national_id: patient}, redact: {cloud: {term: restore, address: block}}, patterns: ["
              "{name: order, regex: 'ORD-[0-9]{8}', whole: true}, {name: badge, regex: 'B[0-9]{5}', kind: national_id},"
              "{name: greedy, regex: '(a+)+b'}, {name: wide, regex: '[A-Z]{1,200}x', kind: address}]")
    with Upstream("--fault", "echo") as up, Server("-c", settings(at, up, policy=policy)) as s:
        def chat(text):
            status, h, body = s.ask("/v1/chat/completions", {**HELP, "messages": [{"role": "user", "content": text}]},
                                    headers={"X-Croft-Tier": "frontier"})
            return status, h, json.loads(body)
        status, h, body = chat("where is ORD-12345678?")
        same((status, body["choices"][0]["message"]["content"]), (200, "where is ORD-12345678?"))
        same(up.control()["texts"], ["where is [TERM_1]?"])
        same(receipt_of(at, h)["redacted"], {"term": 1})
        same(chat("badge B12345")[0], 403, "the class that it raises to does not go there")
        t = time.time()
        same(chat("a" * 3000)[0], 200, "catastrophic for others")
        true(time.time() - t < 5)
        n = up.requests()
        status, h, body = chat("A" * 500000)
        same((status, up.requests()), (503, n), "what could not be searched is not sent: " + str(body))
        status, h, body = s.ask("/v1/tasks/helpdesk-intent", {"input": "A" * 500000})
        same(up.requests(), n)


def test_every_answer_has_a_receipt():
    at = folder()
    with Upstream() as up, Server("-c", settings(at, up)) as s:
        for path, body in (("/v1/embeddings", {"model": "helpdesk", "input": "a"}), ("/v1/completions", {"model": "helpdesk", "prompt": "a"}),
                           ("/v1/responses", {"model": "helpdesk", "input": "hi"}),
                           ("/v1/decisions", {"model": "helpdesk", "input": "hi", "questions": [
                               {"type": "predicate", "name": "a", "instructions": "Is it so?"}]})):
            for _ in range(2):
                status, h, _ = s.ask(path, body)
                same((status, h["X-Croft-Tier"], len(h["X-Croft-Receipt"])), (200, "local", 26), path)
        same(up.requests(), 0)
    same(len(receipts(at, "--limit", "100")), 8)


def test_what_was_escalated_becomes_training_data_without_values():
    at = folder()
    policy = "default_class: internal, redact: {cloud: {email: restore}}"
    rules = "rules:\n  - {task: helpdesk-intent, capture: true}"
    with Upstream() as up, Server("-c", settings(at, up, policy=policy, rules=rules)) as s:
        ask(s, ROWS[0]["input"])
        up.control(fault="echo")  # the answer is no label: not an answer, not captured
        ask(s, "order_status")
        ask(s, "mail jane.doe@example.com about it")
    rows = [json.loads(x) for x in croft("receipts", "export", "--captured", "helpdesk-intent", "--receipts", at + "/receipts").splitlines()]
    same(rows[0], {"input": ROWS[0]["input"], "label": ROWS[0]["label"]})
    true(not any("jane" in json.dumps(r) for r in rows))


# ---- trouble -----------------------------------------------------------------------------------------------------------

def test_trouble_elsewhere_leaves_the_local_answer():
    at = folder()
    with Upstream() as up, Server("-c", settings(at, up)) as s:
        for fault in "500 429 401 garbage html empty shape reset cut redirect".split():
            up.control(fault=fault)
            status, h, body = ask(s, SURE)
            same((status, h["X-Croft-Tier"], h["X-Croft-Degraded"], h["X-Croft-Reason"]), (200, "local", "true", "upstream"), fault)
            true(json.loads(body)["label"] != "", fault)
        up.control(fault="none")
        status, h, _ = ask(s, SURE)
        same((status, h["X-Croft-Tier"]), (200, "local"), "the breaker is open")
        true('croft_tier_state{tier="frontier"} 1' in s.ask("/metrics")[2])
        status, h, text = s.ask("/v1/chat/completions", HELP, headers={"X-Croft-Tier": "frontier"})
        same((status, h["X-Croft-Tier"]), (503, "none"), text)


def test_a_tier_that_cannot_prove_who_it_is_gets_nothing():
    at = folder()
    if not certificates(at):
        raise Skip("openssl")
    tier = ("  - {name: frontier, place: cloud, wire: openai, url: 'https://localhost:%d/v1', model: big-1, ca_file: " + at + "/ca.pem,\n"
            "     classes: [internal], price: {input: 1, output: 2}, max_retries: 0, deadline_s: 5}")
    with Upstream("--tls", at) as up:
        with Server("-c", settings(at, up, tiers=tier % up.sealed)) as s:
            same(ask(s, SURE)[1]["X-Croft-Tier"], "frontier")
            for fault in "expired", "wrong_host", "handshake":
                up.control(fault=fault)
                status, h, _ = ask(s, SURE)
                same((status, h["X-Croft-Tier"], h["X-Croft-Degraded"], h["X-Croft-Reason"]), (200, "local", "true", "upstream"), fault)
                status, h, text = s.ask("/v1/chat/completions", HELP, headers={"X-Croft-Tier": "frontier"})
                true(status in (502, 503) and h["X-Croft-Tier"] == "none" and json.loads(text)["error"]["message"], fault + text)
                same(up.requests(), 1, "nothing was said to a server that is not the tier's")
            true('croft_tier_state{tier="frontier"} 1' in s.ask("/metrics")[2], "it is left alone")
            up.control(fault="none")
            end = time.time() + 15
            while time.time() < end and ask(s, SURE)[1]["X-Croft-Tier"] != "frontier":
                time.sleep(0.2)
            same(ask(s, SURE)[1]["X-Croft-Tier"], "frontier", "and asked again")
        with Server("-c", settings(at, up, tiers=(tier % up.sealed).replace("ca_file: %s/ca.pem," % at, ""))) as s:
            same(ask(s, SURE)[1]["X-Croft-Degraded"], "true", "an authority that nobody named")
        with Server("-c", settings(at, up, tiers=tier % up.port)) as s:
            same(ask(s, SURE)[1]["X-Croft-Degraded"], "true", "no TLS at all")


def test_a_stream_that_breaks_says_so():
    at = folder()
    with Upstream() as up, Server("-c", settings(at, up)) as s:
        up.control(fault="cut")
        status, h, text = s.ask("/v1/chat/completions", {**HELP, "stream": True}, headers={"X-Croft-Tier": "frontier"})
        true((status == 200 and "event: error" in text and "[DONE]" not in text) or status in (502, 503), text)


def test_a_hanging_tier_costs_no_more_than_the_deadline():
    at = folder()
    with Upstream() as up, Server("-c", settings(at, up)) as s:
        up.control(fault="hang")
        t = time.time()
        status, h, _ = ask(s, SURE, X_Croft_Deadline_Ms="1500")
        true(time.time() - t < 8, "took %.1f s" % (time.time() - t))
        same((status, h["X-Croft-Degraded"]), (200, "true"))


def test_the_next_tier_is_asked():
    at = folder()
    with Upstream() as bad, Upstream() as good:
        bad.control(fault="503")
        tiers = "\n".join("  - {name: %s, place: cloud, wire: %s, url: 'http://127.0.0.1:%d/v1', model: m-%s, classes: [internal],\n"
                          "     price: {input: 1, output: 2}, max_retries: 0}" % (n, w, u.port, n)
                          for n, w, u in (("first", "openai", bad), ("second", "anthropic", good)))
        with Server("-c", settings(at, bad, tiers=tiers)) as s:
            status, h, body = ask(s, ROWS[3]["input"])
            same((status, h["X-Croft-Tier"], json.loads(body)["label"]), (200, "second", ROWS[3]["label"]))
            receipt = receipt_of(at, h)
            same([x["tier"] for x in receipt["left"]], ["first", "second"])
            true("upstream" in receipt["steps"])


def test_budgets_are_kept_and_survive():
    at = folder()
    policy = "default_class: internal, budgets: [{limit: 0.002, per: day, task: helpdesk-intent}]"
    with Upstream() as up:
        with Server("-c", settings(at, up, policy=policy)) as s:
            spent = 0.0
            for row in ROWS[:60]:
                _, h, _ = ask(s, row["input"])
                spent += float(h["X-Croft-Cost"])
                if h["X-Croft-Tier"] == "local":
                    same((h["X-Croft-Reason"], h["X-Croft-Degraded"]), ("budget", "true"))
                    break
            same(h["X-Croft-Tier"], "local")
            true(0.001 < spent <= 0.002, str(spent))
        n = up.requests()
        with Server("-c", at + "/croft.yaml") as s:
            same(ask(s, ROWS[70]["input"])[1]["X-Croft-Reason"], "budget")
            same(up.requests(), n)


def test_a_tier_that_disagrees_demotes_the_local_one():
    at = folder()
    calibrated(at)
    rules = "rules:\n  - {task: helpdesk-intent, check_share: 1, max_disagreement: 0.1}"
    with Upstream("--error-rate", "1") as up:
        with Server("-c", settings(at, up, rules=rules)) as s:
            for row in ROWS[:100]:
                _, h, _ = ask(s, row["input"])
                if h["X-Croft-Reason"] == "demoted":
                    break
            same((h["X-Croft-Tier"], h["X-Croft-Reason"]), ("frontier", "demoted"))
            deadline = time.time() + 10
            while "croft_local_trust{task=\"helpdesk-intent\"} 2" not in s.ask("/metrics")[2] and time.time() < deadline:
                for row in ROWS[100:140]:
                    ask(s, row["input"])
            true("croft_local_trust{task=\"helpdesk-intent\"} " in s.ask("/metrics")[2])
        with Server("-c", at + "/croft.yaml") as s:  # a restart does not bring trust back …
            same({ask(s, r["input"])[1]["X-Croft-Tier"] for r in ROWS[:20]}, {"frontier"})
            time.sleep(1.1)
            calibrated(at)
            s.process.send_signal(signal.SIGHUP)
            deadline = time.time() + 10
            while time.time() < deadline:  # … another calibration does
                if ask(s, SURE)[1]["X-Croft-Tier"] == "local":
                    break
                time.sleep(0.1)
            same(ask(s, SURE)[1]["X-Croft-Tier"], "local")
    true(any(r.get("shadow") for r in receipts(at, "--limit", "1000")))


def test_what_speaks_against_the_local_tier_outlives_a_restart():
    """By docs/ROUTING.md: of the bets 1 + 9 f for f = 0.1, 0.3, 0.6 the mean passes 20 at the third answer apart, and 1,000 at
    the fifth."""
    at = folder()
    calibrated(at)
    with Upstream() as up, Server("-c", settings(at, up)) as s:
        sure = sorted(((float(h["X-Croft-Confidence"]), r["input"]) for r in ROWS[:60] for h in (ask(s, r["input"])[1],)
                       if h["X-Croft-Reason"] == "confident"), reverse=True)[:5]
    rules = "rules:\n  - {task: helpdesk-intent, check_share: 1, max_disagreement: 0.1}"
    trust = 'croft_local_trust{task="helpdesk-intent"} %d'

    def checked(s, texts):
        for text in texts:
            same(ask(s, text)[1]["X-Croft-Reason"], "confident")
        end = time.time() + 10
        while s.metric("croft_checks_total") < len(texts) and time.time() < end:
            time.sleep(0.05)
        return s.ask("/metrics")[2]
    with Upstream("--error-rate", "1") as up:
        with Server("-c", settings(at, up, rules=rules)) as s:
            true(trust % 1 in checked(s, [x for _, x in sure[:3]]))
        with Server("-c", at + "/croft.yaml") as s:
            true(trust % 1 in s.ask("/metrics")[2], "it is watched from the start")
            true(trust % 2 in checked(s, [x for _, x in sure[3:]]), "and two more answers are enough")
        with open(at + "/receipts/agreement.json") as f:
            kept = json.load(f)
        same((kept["helpdesk-intent"]["checks"], kept["helpdesk-intent"]["apart"]), (5, 5))
        time.sleep(1.1)
        calibrated(at)
        with Server("-c", at + "/croft.yaml") as s:
            same(ask(s, sure[0][1])[1]["X-Croft-Reason"], "confident", "another calibration begins anew")
        for damage in ('{"helpdesk-intent": 3}', "{", '{"helpdesk-intent": {"checks": 1, "apart": 2, "bets": [1e300, -1, "x"]}}'):
            with open(at + "/receipts/agreement.json", "w") as f:
                f.write(damage)
            with Server("-c", at + "/croft.yaml") as s:
                same(ask(s, sure[0][1])[1]["X-Croft-Reason"], "confident")


def test_work_waits_for_a_tier_and_is_done_once():
    at = folder()
    rules = "rules:\n  - {task: helpdesk-intent, defer: true}"
    with Upstream() as up:
        up.control(fault="reset")
        with Server("-c", settings(at, up, rules=rules)) as s:
            status, h, text = ask(s, ROWS[5]["input"], X_Croft_Urgent="false")
            same((status, h["X-Croft-Reason"]), (202, "offline"), text)
            result = json.loads(text)["result"]
            true(s.json(result)[1]["status"] in ("waiting",))
            same(ask(s, ROWS[5]["input"])[0], 200, "what is urgent gets the local answer")
            same(s.ask("/v1/deferred/01ARZ3NDEKTSV4RRFFQ69G5FAV")[0], 404)
        up.control(fault="none")  # the server ends and begins in between
        before = up.control()["answered"]
        with Server("-c", at + "/croft.yaml") as s:
            deadline = time.time() + 40
            while time.time() < deadline and s.json(result)[1]["status"] != "done":
                time.sleep(0.2)
            got = s.json(result)[1]
            same((got["status"], got["answer"]["label"]), ("done", ROWS[5]["label"]))
            time.sleep(3)
            same(up.control()["answered"], before + 1)
    parent = result.rsplit("/", 1)[1]
    true([r for r in receipts(at, "--limit", "100") if r.get("parent") == parent and r["status"] == 200])


# ---- receipts and settings ---------------------------------------------------------------------------------------------

def test_a_decision_can_be_replayed():
    at = folder()
    with Upstream() as up, Server("-c", settings(at, up)) as s:
        _, h, _ = ask(s, SURE)
    out = json.loads(croft("route", "explain", "--receipts", at + "/receipts", "-c", at + "/croft.yaml", "--receipt", h["X-Croft-Receipt"], "--json"))
    same((out["reason"], out["tiers"], out["local"]), ("uncalibrated", ["frontier"], False))
    out = json.loads(croft("route", "explain", "-c", at + "/croft.yaml", "--class", "local-only", "--health", "heat", "--json"))
    same((out["reason"], out["tiers"], out["local"]), ("local_only", [], True))
    true("nobody" not in croft("route", "explain", "-c", at + "/croft.yaml"))
    croft("route", "explain", "-c", at + "/croft.yaml", "--tier", "moon", code=66)


def reread(s, log, words="was read again"):
    """SIGHUP, and what the log says of it."""
    said = os.path.getsize(log) if os.path.exists(log) else 0
    s.process.send_signal(signal.SIGHUP)
    end = time.time() + 20
    while time.time() < end:
        with open(log) as f:
            f.seek(said)
            text = f.read()
        if words in text:
            return text
        time.sleep(0.05)
    raise AssertionError("the log does not say '%s': %s" % (words, text))


def test_the_policy_is_read_again():
    at = folder()
    log = at + "/log"
    with open(at + "/key", "w") as f:
        f.write("first-key\n")
    os.chmod(at + "/key", 0o600)
    tier = ", key_file: %s/key" % at
    budget = "default_class: internal, budgets: [{limit: 0.003, per: day, task: helpdesk-intent}]"
    with Upstream() as up, Upstream("--delay", "2") as slow, \
            Server("-c", settings(at, up, policy=budget, tier=tier), log=log, level="info") as s:
        same(ask(s, SURE)[1]["X-Croft-Tier"], "frontier")
        # a stricter class: nothing leaves any more
        settings(at, up, policy=budget.replace("internal", "patient"), tier=tier)
        reread(s, log)
        same(ask(s, SURE)[1]["X-Croft-Reason"], "class")
        same(up.requests(), 1)
        # a file that is not sound changes nothing, and is told
        for broken, words in ((settings(at, up, policy="default_clas: internal"), "Did you mean 'default_class'"),
                              (settings(at, up, rules="rules:\n  - {task: other, class: patient}"), "no task 'other'"),
                              (settings(at, up, policy="default_class: internal, names_file: /none, redact: {cloud: {name: mask}}"), "/none")):
            text = reread(s, log, "the policy stays as it was")
            true(words in text and "croft.yaml" in text or "/none" in text, text)
            same(ask(s, SURE)[1]["X-Croft-Reason"], "class")
        # redaction, rules and a key that was changed in its file
        with open(at + "/key", "w") as f:
            f.write("second-key\n")
        settings(at, up, policy=budget + ", redact: {cloud: {email: restore}}", tier=tier)
        reread(s, log)
        ask(s, SURE + " write to jane.roe@example.com")
        seen = up.control()
        true("[EMAIL_1]" in seen["texts"][-1] and "jane" not in seen["texts"][-1], seen["texts"][-1])
        same([k.split()[-1] for k in seen["keys"]], ["first-key", "second-key"])
        # the breaker of a tier that stays as it is stays, too
        up.control(fault="500")
        for _ in range(6):
            ask(s, SURE)
        up.control(fault="none")
        n = up.requests()
        settings(at, up, policy=budget + ", max_waiting: 1000", tier=tier)
        reread(s, log)
        true('croft_tier_state{tier="frontier"} 1' in s.ask("/metrics")[2])
        same(ask(s, SURE)[1]["X-Croft-Tier"], "local")
        same(up.requests(), n)
        # another model is another tier; money that was spent is spent
        settings(at, up, policy=budget, tier=tier.replace("key_file", "max_tokens: 400, key_file"))
        reread(s, log)
        reasons = [ask(s, r["input"])[1]["X-Croft-Reason"] for r in ROWS[:40]]
        true(up.requests() > n and reasons[-1] == "budget", str(reasons))
        # what is under way ends as it began
        settings(at, slow, tiers="  - {name: slow, place: cloud, wire: openai, url: 'http://127.0.0.1:%d/v1', model: big-2,\n"
                 "     classes: [internal], price: {input: 1, output: 2}}" % slow.port)
        reread(s, log)
        got = []
        t = threading.Thread(target=lambda: got.append(ask(s, ROWS[3]["input"])))
        t.start()
        while slow.requests() == 0:
            time.sleep(0.02)
        settings(at, up, policy="default_class: patient")
        reread(s, log)
        same(ask(s, SURE)[1]["X-Croft-Reason"], "class")
        t.join()
        status, h, body = got[0]
        same((status, h["X-Croft-Tier"], h["X-Croft-Model"], json.loads(body)["label"]), (200, "slow", "big-2", ROWS[3]["label"]))
        same(receipt_of(at, h)["class"], "internal")
        # tiers come and go by a restart only
        with open(at + "/croft.yaml", "w") as f:
            f.write("model: [helpdesk=%s/helpdesk.gguf]\n" % at)
        reread(s, log, "that takes a restart")
        same(ask(s, SURE)[1]["X-Croft-Reason"], "class")
    croft("audit", "verify", "--receipts", at + "/receipts")


def test_settings_that_cannot_be_are_refused():
    at = folder()
    with Upstream() as up:
        for change, words in ((("receipts: ", "receipt: "), "no setting"), (("place: cloud", "place: sky"), "device, premises or cloud"),
                              (("input: 1", "input: -1"), "amount of money"),
                              (("127.0.0.1:%d" % up.port, "127.0.0.1:18231"), "this server itself"),
                              (("policy: {", "rules: [{task: helpdesk, class: patient}]\npolicy: {"), "no task 'helpdesk'"),
                              (("policy: {", "rules: [{key: bob, class: patient}]\npolicy: {"), "no API key 'bob'"),
                              (("policy: {", "policy: {min_confidence: 0.9, "), "no calibration"),
                              (("policy: {", "policy: {health: {battery_enter: 50, battery_leave: 10}, "), "A low battery"),
                              (("policy: {", "policy: {redact: {cloud: {term: mask}}, patterns: [{name: o, regex: '(a'}], "), "bad.yaml:9: 'o': At byte 2"),
                              (("policy: {", "policy: {names_file: /none, redact: {cloud: {name: mask}}, "), "/none")):
            with open(settings(at, up)) as f:
                text = f.read()
            true(change[0] in text)
            with open(at + "/bad.yaml", "w") as f:
                f.write(text.replace(*change))
            p = subprocess.run([CROFT, "serve", "--check", "--port", "18231", "-c", at + "/bad.yaml"], capture_output=True, text=True,
                               timeout=60)
            true(p.returncode != 0 and words in p.stderr, "%s: %d %s" % (change, p.returncode, p.stderr))
        p = subprocess.run([CROFT, "serve", "--check", "-c", settings(at, up)], capture_output=True, text=True, timeout=60)
        same(p.returncode, 0, p.stderr)


if __name__ == "__main__":
    run(globals())
