"""Requests that must be refused: each with its exact status, message and field. The expected values are written by hand;
docs/SERVE.md states the rules they follow."""
CHAT, TEXT, EMBED = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
RESPONSES, DECISIONS, SYSTEMONE = "/v1/responses", "/v1/decisions", "/v1/systemone"
USER = [{"role": "user", "content": "hi"}]


def chat(**more):
    return {"model": "helpdesk", "messages": USER, **more}


def decisions(*questions, **more):
    return {"model": "helpdesk", "input": "x", "questions": list(questions), **more}


YES = {"type": "predicate", "instructions": "Is it?"}

# (path, body, status, message, param)
CASES = [
    # not JSON, or not an object
    (CHAT, b"", 400, "The body is not valid JSON: line 1, column 0, where it ends too early.", None),
    (CHAT, b'{"model": "helpdesk",', 400, "The body is not valid JSON: line 1, column 21, where it ends too early.", None),
    (CHAT, b'{"a": 1,\n "b" 2}', 400, "The body is not valid JSON: line 2, column 6.", None),
    (CHAT, b'{"model": "\xff"}', 400, "The body is not valid JSON: line 1, column 11 is not UTF-8.", None),
    (CHAT, b'{"temperature": NaN}', 400, "The body is not valid JSON: line 1, column 19.", None),
    (CHAT, b'{"model": "a", "model": "b"}', 400, "The body is not valid JSON: line 1, column 22 repeats a key.", None),
    (CHAT, b"[" * 100000, 400, "The body is not valid JSON: line 1, column 2049 is nested too deeply.", None),
    (CHAT, b'{"seed": 99999999999999999999}', 400,
     "The body is not valid JSON: line 1, column 29 has a number out of range.", None),
    (CHAT, b"[]", 400, "The body must be a JSON object.", None),
    (CHAT, b"null", 400, "The body must be a JSON object.", None),
    # models
    (CHAT, {"messages": USER}, 400, "Missing required parameter: 'model'.", "model"),
    (CHAT, {"model": 3, "messages": USER}, 400, "'model' must be a string.", "model"),
    (CHAT, {"model": "gpt-9", "messages": USER}, 404, "The model 'gpt-9' does not exist.", "model"),
    # messages
    (CHAT, {"model": "helpdesk"}, 400, "Missing required parameter: 'messages'.", "messages"),
    (CHAT, chat(messages="hi"), 400, "'messages' must be an array.", "messages"),
    (CHAT, chat(messages=[]), 400, "'messages' must not be empty.", "messages"),
    (CHAT, chat(messages=["hi"]), 400, "'messages[0]' must be an object.", "messages"),
    (CHAT, chat(messages=[{"content": "hi"}]), 400, "Missing required parameter: 'messages[0].role'.", "messages[0].role"),
    (CHAT, chat(messages=[{"role": "boss", "content": "hi"}]), 400,
     "'messages[0].role' must be one of system, developer, user, assistant, tool.", "messages[0]."),
    (CHAT, chat(messages=[{"role": "user"}]), 400, "Missing required parameter: 'messages[0].content'.", "messages[0].content"),
    (CHAT, chat(messages=[{"role": "user", "content": 7}]), 400,
     "'messages[0].content' must be a string or an array of text parts.", "messages[0].content"),
    (CHAT, chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]), 400,
     "'messages[0].content[0]' is of the type 'image_url'; this model reads text parts only.", "messages[0].content"),
    (CHAT, chat(messages=[{"role": "user", "content": "hi", "colour": 1}]), 400,
     "Unrecognized request argument supplied: 'messages[0].colour'.", "messages[0].colour"),
    (CHAT, chat(messages=[{"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}]), 400,
     "'messages[0].tool_calls[0]' must be a function call with a name and arguments.", "messages[0].tool_calls"),
    # numbers
    (CHAT, chat(temperature="hot"), 400, "'temperature' must be a number.", "temperature"),
    (CHAT, chat(temperature=-1), 400, "'temperature' must be a number from 0 to 2.", "temperature"),
    (CHAT, chat(temperature=1e300), 400, "'temperature' must be a number from 0 to 2.", "temperature"),
    (CHAT, chat(top_p=1.5), 400, "'top_p' must be a number from 0 to 1.", "top_p"),
    (CHAT, chat(max_tokens=-5), 400, "'max_tokens' must be an integer from 1 to 16777216.", "max_tokens"),
    (CHAT, chat(max_tokens=1.5), 400, "'max_tokens' must be an integer.", "max_tokens"),
    (CHAT, chat(max_completion_tokens=0), 400, "'max_completion_tokens' must be an integer from 1 to 16777216.",
     "max_completion_tokens"),
    (CHAT, chat(n=0), 400, "'n' must be an integer from 1 to 128.", "n"),
    (CHAT, chat(n=129), 400, "'n' must be an integer from 1 to 128.", "n"),
    (CHAT, chat(stream="yes"), 400, "'stream' must be true or false.", "stream"),
    (CHAT, chat(stream_options={}), 400, "'stream_options' is only allowed when 'stream' is true.", "stream_options"),
    (CHAT, chat(top_logprobs=2), 400, "'top_logprobs' is only allowed when 'logprobs' is true.", "top_logprobs"),
    (CHAT, chat(logprobs=True, top_logprobs=21), 400, "'top_logprobs' must be an integer from 0 to 20.", "top_logprobs"),
    (CHAT, chat(stop=7), 400, "'stop' must be a string or an array of strings.", "stop"),
    (CHAT, chat(stop=["a"] * 17), 400, "'stop' has more than 16 strings.", "stop"),
    (CHAT, chat(stop=[""]), 400, "Each string of 'stop' must have 1 to 250 bytes.", "stop"),
    (CHAT, chat(logit_bias={"x": 1}), 400, "'logit_bias' names 'x', which is no token id below 2560.", "logit_bias"),
    (CHAT, chat(logit_bias={"2560": 1}), 400, "'logit_bias' names '2560', which is no token id below 2560.", "logit_bias"),
    (CHAT, chat(logit_bias={"1": 101}), 400, "The values of 'logit_bias' must be numbers from -100 to 100.", "logit_bias"),
    # fields that would change the answer, and fields that nobody knows
    (CHAT, chat(functions=[]), 400, "'functions' is not supported here.", "functions"),
    (CHAT, chat(prediction={}), 400, "'prediction' is not supported here.", "prediction"),
    (CHAT, chat(modalities=["audio"]), 400, '\'modalities\' is not supported here except as ["text"].', "modalities"),
    (CHAT, chat(reasoning_effort="high"), 400, "'reasoning_effort' is not supported here except as \"none\".",
     "reasoning_effort"),
    (CHAT, chat(temprature=1), 400, "Unrecognized request argument supplied: 'temprature'.", "temprature"),
    (CHAT, chat(response_format={"type": "xml"}), 400,
     "'response_format.type' must be one of text, json_object, json_schema.", "response_format.type"),
    (CHAT, chat(response_format={"type": "json_schema", "json_schema": {"name": "x"}}), 400,
     "'response_format.json_schema.schema' must be a schema (an object).", "response_format.json_schema.schema"),
    (CHAT, chat(structured_outputs={"choice": [], "regex": "a"}), 400,
     "An answer can be constrained in one way at a time.", "structured_outputs"),
    (CHAT, chat(structured_outputs={"choice": [1]}), 400,
     "'structured_outputs.choice' must be an array of strings.", "structured_outputs"),
    (CHAT, chat(tool_choice="required"), 400, "'tool_choice' is only allowed when 'tools' are given.", "tool_choice"),
    (CHAT, chat(tool_choice="maybe"), 400, "'tool_choice' must be none, auto, required, or name a function.", "tool_choice"),
    (CHAT, chat(tools=[{"type": "function", "function": {"name": "f"}}]), 400,
     "The chat template of 'helpdesk' defines no tools.", "tools"),
    (CHAT, chat(tools=[{"type": "retrieval"}]), 400, "'tools[0].type' must be 'function'.", "tools"),
    # too long
    (CHAT, chat(messages=[{"role": "user", "content": "word " * 5000}]), 400,
     "The prompt has more than the 512 tokens that the context of 'helpdesk' holds here. Shorten it.", None),
    # completions
    (TEXT, {"model": "helpdesk"}, 400, "Missing required parameter: 'prompt'.", "prompt"),
    (TEXT, {"model": "helpdesk", "prompt": ""}, 400, "'prompt' must not be empty.", "prompt"),
    (TEXT, {"model": "helpdesk", "prompt": 7}, 400, "'prompt' must be a string or token ids.", "prompt"),
    (TEXT, {"model": "helpdesk", "prompt": [-1]}, 400, "'prompt' holds something that is no token id below 2560.", "prompt"),
    (TEXT, {"model": "helpdesk", "prompt": "a", "echo": True}, 400, "'echo' is not supported here except as false.", "echo"),
    (TEXT, {"model": "helpdesk", "prompt": "a", "best_of": 3}, 400,
     "'best_of' is not supported here except as the value of 'n'.", "best_of"),
    # embeddings
    (EMBED, {"model": "helpdesk"}, 400, "Missing required parameter: 'input'.", "input"),
    (EMBED, {"model": "helpdesk", "input": []}, 400, "'input' must be a string or token ids.", "input"),
    (EMBED, {"model": "helpdesk", "input": ["a"] * 2049}, 400, "'input' has more than 2048 texts.", "input"),
    (EMBED, {"model": "helpdesk", "input": "a", "dimensions": 7}, 400,
     "'dimensions' is not supported here except as 256.", "dimensions"),
    (EMBED, {"model": "helpdesk", "input": "a", "encoding_format": "hex"}, 400,
     "'encoding_format' must be one of float, base64.", "encoding_format"),
    # responses
    (RESPONSES, {"model": "helpdesk"}, 400, "Missing required parameter: 'input'.", "input"),
    (RESPONSES, {"model": "helpdesk", "input": "x", "previous_response_id": "resp_1"}, 400,
     "'previous_response_id' is not supported here.", "previous_response_id"),
    (RESPONSES, {"model": "helpdesk", "input": [{"type": "function_call_output"}]}, 400,
     "'input[0]' is of the type 'function_call_output'; only messages are read.", "input"),
    # decisions
    (DECISIONS, {"model": "helpdesk", "questions": [YES]}, 400, "Missing required parameter: 'input'.", "input"),
    (DECISIONS, {"model": "helpdesk", "input": "x"}, 400, "Missing required parameter: 'questions'.", "questions"),
    (DECISIONS, decisions(), 400, "'questions' must not be empty.", "questions"),
    (DECISIONS, decisions(*[YES] * 10000), 400, "'questions' has more than 2000 questions.", "questions"),
    (DECISIONS, decisions({"type": "essay", "instructions": "x"}), 400,
     "'questions[0].type' must be one of predicate, choice, score.", "questions[0]"),
    (DECISIONS, decisions({"type": "predicate"}), 400, "'questions[0]' needs 'instructions', a string.", "questions[0]"),
    (DECISIONS, decisions({"type": "choice", "instructions": "x", "choices": [{"value": "a"}]}), 400,
     "'questions[0].choices' must be an array of 2 to 255.", "questions[0]"),
    (DECISIONS, decisions({"type": "choice", "instructions": "x", "choices": [{"value": "a"}, {"value": "a"}]}), 400,
     "'questions[0].choices[1].value' is there twice.", "questions[0]"),
    (DECISIONS, decisions({"type": "score", "instructions": "x", "levels": [{"label": "a"}] * 11}), 400,
     "'questions[0].levels' must be an array of 2 to 10.", "questions[0]"),
    (DECISIONS, decisions(YES, stream=True), 400, "Unrecognized request argument supplied: 'stream'.", "stream"),
    (SYSTEMONE, {"model": "helpdesk", "questions": {"a": {"type": "noul", "instructions": "x"}}}, 400,
     "Missing required parameter: 'state'.", "state"),
    (SYSTEMONE, {"model": "helpdesk", "state": 5, "questions": {"a": {"type": "noul", "instructions": "x"}}}, 400,
     "'state' must be a string, an object or an array.", "state"),
    (SYSTEMONE, {"model": "helpdesk", "state": "s", "questions": {"a": {"type": "choice", "instructions": "x"}}}, 400,
     "'questions.a' needs 'criteria', an object of 1 to 255 options.", "questions.a"),
]
