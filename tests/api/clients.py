"""What clients that others wrote send and expect, beyond the plain case. Usage: clients.py [NAME…]. Needs a built croft
($CROFT). Each test says which client wants it; docs/SERVE.md lists those that were driven."""
import json

from check import HELP, events, run, same, tools_model, true
from server import Server

shared = None
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


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


run(globals())
