"""What clients that others wrote send and expect, beyond the plain case. Usage: clients.py [NAME…]. Needs a built croft
($CROFT). Each test says which client wants it; docs/SERVE.md lists those that were driven."""
import json

from check import HELP, events, hold, run, same, tokens, tools_model, true
from server import Server

shared = None
CHAT, RESPONSES, TEXT = "/v1/chat/completions", "/v1/responses", "/v1/completions"


def function(name, parameters=None):
    return {"type": "function", "function": {"name": name, **({"parameters": parameters} if parameters is not None else {})}}


# ---- tools -------------------------------------------------------------------------------------------------------

# as pydantic writes a model within a model (instructor, pydantic-ai, LangChain): references from the schema's own top
NESTED = {"$defs": {"Item": {"type": "object", "properties": {"kind": {"enum": ["late", "lost"]}, "$ref": {"const": "#"}},
                             "required": ["kind", "$ref"]},
                    "default": {"type": "object", "properties": {"one": {"$ref": "#/$defs/Item"}}, "required": ["one"]}},
          "type": "object", "properties": {"item": {"$ref": "#/$defs/default"}, "same": {"const": {"$ref": "#/$defs/none"}}},
          "required": ["item", "same"]}
ITEM = {"item": {"one": {"$ref": "#"}}, "same": {"$ref": "#/$defs/none"}}


def test_references_in_tools():
    with Server("helpdesk=" + tools_model()) as s:
        for tools in [function("a", NESTED)], [function("b"), function("a", NESTED)]:
            status, body = s.json(CHAT, {**HELP, "tools": tools, "tool_choice": {"type": "function", "function": {"name": "a"}}})
            same(status, 200, body)
            got = json.loads(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])
            true(got["item"]["one"].pop("kind") in ("late", "lost"))
            same(got, ITEM)
        status, body = s.json(CHAT, {**HELP, "tools": [function("a", NESTED), function("b")], "tool_choice": "required"})
        same(status, 200, body)
        same(body["choices"][0]["finish_reason"], "tool_calls")


def test_functions_without_parameters():
    """Frameworks write them in three ways (left out, {}, and an object of no properties); there is one answer."""
    with Server("helpdesk=" + tools_model()) as s:
        for parameters in None, {}, {"type": "object", "properties": {}}:
            for stream in False, True:
                status, _, text = s.ask(CHAT, {**HELP, "tools": [function("ping", parameters)], "tool_choice": "required", "stream": stream})
                same(status, 200, text)
                message = ({k: v for e in events(text) for k, v in e["choices"][0]["delta"].items()} if stream else
                           json.loads(text)["choices"][0]["message"])
                same((message["tool_calls"][0]["function"]["arguments"], message["content"]), ("{}", None))


def test_a_required_call_beside_a_format():
    """instructor's RESPONSES_TOOLS sends both: the format is about text, which a call has none of."""
    schema = {"type": "object", "properties": {"x": {"const": 1}}, "required": ["x"], "additionalProperties": False}
    with Server("helpdesk=" + tools_model()) as s:
        status, body = s.json(RESPONSES, {
            "model": "helpdesk", "input": "hi", "tools": [{"type": "function", "name": "f", "parameters": schema}],
            "tool_choice": {"type": "function", "name": "f"}, "text": {"format": {"type": "json_schema", "name": "g", "schema": {
                "type": "object", "properties": {"y": {"const": 2}}, "required": ["y"], "additionalProperties": False}}}})
        same((status, [(o["type"], json.loads(o["arguments"])) for o in body["output"]]), (200, [("function_call", {"x": 1})]), body)
        status, body = s.json(CHAT, {**HELP, "tools": [function("f", schema)], "tool_choice": "required",
                                     "structured_outputs": {"regex": "a"}})
        same((status, body["error"]["message"]), (400, "A required call and structured_outputs exclude each other."))


# ---- how probable a text is: lm-evaluation-harness and others ----------------------------------------------------

def test_echo():
    ask = {"model": "helpdesk", "prompt": "where is my order? \u00fc\U0001F600", "max_tokens": 3}
    plain = shared.json(TEXT, ask)[1]["choices"][0]
    said = shared.json(TEXT, {**ask, "echo": True})[1]
    same(said["choices"][0]["text"], ask["prompt"] + plain["text"])
    text = shared.ask(TEXT, {**ask, "echo": True, "logprobs": 1, "stream": True})[2]
    same("".join(e["choices"][0]["text"] for e in events(text)), ask["prompt"] + plain["text"])
    whole = shared.json(TEXT, {**ask, "echo": True, "logprobs": 2})[1]
    p = whole["choices"][0]["logprobs"]
    n = whole["usage"]["prompt_tokens"]
    same([len(p[k]) for k in ("tokens", "token_logprobs", "top_logprobs", "text_offset")], [n + 3] * 4)
    same((p["token_logprobs"][0], p["top_logprobs"][0]), (None, None))
    same([len(t) for t in p["top_logprobs"][1:]], [2] * (n + 2))
    streamed = [e["choices"][0]["logprobs"] for e in events(text) if e["choices"][0]["logprobs"]]
    same([t for s in streamed for t in s["tokens"]], p["tokens"])
    same([t for s in streamed for t in s["text_offset"]], p["text_offset"])
    for at, t in zip(p["text_offset"], p["tokens"]):
        if "\ufffd" not in t:  # a part of a character is where the whole will be
            same(whole["choices"][0]["text"][at:at + len(t)], t)
    # as it answers when asked for one token after the other
    ids = tokens(ask["prompt"])
    for i in range(1, n):
        one = shared.json(TEXT, {"model": "helpdesk", "prompt": ids[:i], "max_tokens": 1, "logprobs": 1,
                                 "logit_bias": {str(ids[i]): 100}})[1]["choices"][0]["logprobs"]
        true(abs(one["token_logprobs"][0] - p["token_logprobs"][i]) < 2e-3, (i, one, p["token_logprobs"][i]))
    nothing = shared.json(TEXT, {**ask, "echo": True, "logprobs": 2, "max_tokens": 0})[1]
    same((nothing["choices"][0]["text"], nothing["choices"][0]["finish_reason"], nothing["usage"]["completion_tokens"]),
         (ask["prompt"], "length", 0))
    same(nothing["choices"][0]["logprobs"], {k: v[:n] for k, v in p.items()})
    stopped = shared.json(TEXT, {**ask, "echo": True, "stop": "order"})[1]["choices"][0]["text"]
    true(stopped.startswith(ask["prompt"]), "stop strings do not look at the prompt")


def test_echo_counts_the_end():
    """The last token is left out by who adds up probabilities, so it must be there, also when it ends the answer."""
    prompt = "<|im_start|>user\nwhere is my order?<|im_end|>\n<|im_start|>assistant\norder_status"
    body = shared.json(TEXT, {"model": "helpdesk", "prompt": prompt, "max_tokens": 1, "echo": True, "logprobs": 1})[1]
    same((body["choices"][0]["finish_reason"], body["choices"][0]["logprobs"]["tokens"][-1]), ("stop", "<|im_end|>"))
    same(len(body["choices"][0]["logprobs"]["tokens"]), body["usage"]["prompt_tokens"] + 1)


def test_many_echoes_at_once():
    """Prompts with a beginning in common, while others write: each gets what it gets alone."""
    prompts = ["where is my order " * 10 + w for w in ("now", "then", "please", "today")]
    ask = {"model": "helpdesk", "max_tokens": 1, "echo": True, "logprobs": 1}
    alone = [shared.json(TEXT, {**ask, "prompt": p})[1]["choices"][0]["logprobs"]["token_logprobs"] for p in prompts]
    held = [hold(shared) for _ in range(4)]
    together = [c["logprobs"]["token_logprobs"] for c in shared.json(TEXT, {**ask, "prompt": prompts * 8})[1]["choices"]]
    for c in held:
        c.close()
    for i, got in enumerate(together):
        same(len(got), len(alone[i % 4]))
        true(max(abs(a - b) for a, b in zip(got[1:], alone[i % 4][1:])) < 2e-3)


# ---- what was said before ----------------------------------------------------------------------------------------

def test_answers_sent_back():
    """The openai packages' parse() adds `parsed`, LiteLLM `provider_specific_fields`: people append the message as it is."""
    said = {"role": "assistant", "content": "order_status", "parsed": {"a": 1}, "provider_specific_fields": {"refusal": None},
            "thinking_blocks": [], "annotations": [], "audio": None, "function_call": None, "refusal": None}
    plain = {"role": "assistant", "content": "order_status"}
    refused = {"role": "assistant", "content": None, "refusal": "order_status"}
    parts = {"role": "assistant", "content": [{"type": "refusal", "refusal": "order_status"}]}
    prompts = []
    for message in plain, said, refused, parts:
        status, body = shared.json(CHAT, {**HELP, "messages": HELP["messages"] + [message] + HELP["messages"]})
        same(status, 200, body)
        prompts.append((body["usage"]["prompt_tokens"], body["choices"][0]["message"]["content"]))
    same(prompts, [prompts[0]] * 4)


# ---- /v1/responses -----------------------------------------------------------------------------------------------

def test_log_probabilities_of_responses():
    """The AI SDK asks with include and top_logprobs; the openai packages read them from the parts and the deltas."""
    ask = {"model": "helpdesk", "input": HELP["messages"], "include": ["message.output_text.logprobs"], "top_logprobs": 2}
    chat = shared.json(CHAT, {**HELP, "logprobs": True, "top_logprobs": 2})[1]["choices"][0]["logprobs"]["content"]
    part = shared.json(RESPONSES, ask)[1]["output"][0]["content"][0]
    same([t["token"] for t in part["logprobs"]], [t["token"] for t in chat])
    same([len(t["top_logprobs"]) for t in part["logprobs"]], [2] * len(chat))
    parts = events(shared.ask(RESPONSES, {**ask, "stream": True})[2])
    deltas = [t["token"] for p in parts if p["type"].endswith("output_text.delta") for t in p["logprobs"]]
    same(deltas, [t["token"] for t in chat])
    done = next(p for p in parts if p["type"].endswith("output_text.done"))
    same([t["token"] for t in done["logprobs"]], deltas)
    same([t["token"] for t in parts[-1]["response"]["output"][0]["content"][0]["logprobs"]], deltas)
    same(shared.json(RESPONSES, {"model": "helpdesk", "input": "hi"})[1]["output"][0]["content"][0]["logprobs"], [])
    status, body = shared.json(RESPONSES, {**ask, "include": ["everything"]})
    same((status, body["error"]["message"]), (400, "'include[0]' is nothing that can be included."))


def test_what_agents_ask_of_responses():
    """The Agents SDK, the AI SDK and LiteLLM send these by themselves; they change nothing where nothing reasons."""
    ask = {"model": "helpdesk", "input": "where is my order?"}
    plain = shared.json(RESPONSES, ask)[1]["output"][0]["content"]
    for more in ({"include": ["reasoning.encrypted_content"], "store": False}, {"truncation": "auto"},
                 {"reasoning": {"effort": None, "summary": "auto"}}, {"reasoning": {"effort": "none"}}):
        status, body = shared.json(RESPONSES, {**ask, **more})
        same((status, body["output"][0]["content"]), (200, plain), body)
    same(shared.json(RESPONSES, {**ask, "truncation": "auto"})[1]["truncation"], "auto")
    status, body = shared.json(RESPONSES, {**ask, "input": "where " * 600, "truncation": "auto"})
    same((status, body["error"]["param"], body["error"]["code"]), (400, "truncation", "context_length_exceeded"))
    status, body = shared.json(RESPONSES, {**ask, "reasoning": {"effort": "high"}})
    same((status, body["error"]["param"]), (400, "reasoning.effort"))
    status, body = shared.json(RESPONSES, {**ask, "input": [{"type": "item_reference", "id": "msg_1"}]})
    same((status, body["error"]["message"]), (400, "'input[0]' refers to an item, and nothing is stored here: send the item itself "
                                                   "(clients do with 'store' false)."))


run(globals())
