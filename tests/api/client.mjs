// The official client against the server: chat, streaming, tools, json_schema, embeddings, responses with tools.
// Usage: client.mjs http://127.0.0.1:PORT/v1
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });
const model = "helpdesk";
const messages = [{ role: "user", content: "where is my order?" }];

const chat = await client.chat.completions.create({ model, messages });
const said = chat.choices[0].message.content;
assert.ok(said.length > 0);
assert.equal(chat.choices[0].finish_reason, "stop");

let streamed = "", usage = null;
for await (const part of await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } })) {
    streamed += part.choices[0]?.delta?.content ?? "";
    usage = part.usage ?? usage;
}
assert.equal(streamed, said);
assert.ok(usage.completion_tokens > 0);

const schema = { type: "object", properties: { kind: { enum: ["late", "lost"] }, n: { type: "integer", minimum: 1, maximum: 3 } },
                 required: ["kind", "n"], additionalProperties: false };
const order = JSON.parse((await client.chat.completions.create({
    model, messages, response_format: { type: "json_schema", json_schema: { name: "order", strict: true, schema } } })).choices[0].message.content);
assert.ok(["late", "lost"].includes(order.kind) && order.n >= 1 && order.n <= 3);

const tools = [{ type: "function", function: { name: "track", description: "Track an order", parameters: {
    type: "object", properties: { order: { enum: ["A1", "B2"] } }, required: ["order"], additionalProperties: false } } }];
const called = (await client.chat.completions.create({ model, messages, tools, tool_choice: "required" })).choices[0];
assert.equal(called.finish_reason, "tool_calls");
assert.equal(called.message.tool_calls[0].function.name, "track");
assert.ok(["A1", "B2"].includes(JSON.parse(called.message.tool_calls[0].function.arguments).order));
const runner = client.chat.completions.stream({ model, messages, tools, tool_choice: "required" });
const final = await runner.finalChatCompletion();
assert.equal(final.choices[0].message.tool_calls[0].function.name, "track");

const vectors = await client.embeddings.create({ model, input: ["hello", "order"] }); // asks for base64, gives numbers
assert.equal(vectors.data.length, 2);
assert.ok(Math.abs(Math.hypot(...vectors.data[0].embedding) - 1) < 1e-4);
const plain = await client.embeddings.create({ model, input: "hello", encoding_format: "float" });
assert.ok(Math.abs(plain.data[0].embedding[0] - vectors.data[0].embedding[0]) < 1e-6);

const response = await client.responses.create({ model, input: "where is my order?" });
assert.equal(response.output_text, said);
let text = "";
for await (const event of await client.responses.create({ model, input: "where is my order?", stream: true }))
    if (event.type === "response.output_text.delta") text += event.delta;
assert.equal(text, said);

const flat = tools.map((t) => ({ type: "function", strict: true, ...t.function }));
const needed = await client.responses.create({ model, input: "where is my order?", tools: flat, tool_choice: "required" });
const call = needed.output[0];
assert.deepEqual([needed.output.length, call.type, call.name], [1, "function_call", "track"]);
assert.ok(["A1", "B2"].includes(JSON.parse(call.arguments).order));
const input = [{ role: "user", content: "where is my order?" }, ...needed.output,
               { type: "function_call_output", call_id: call.call_id, output: "It was lost." }];
assert.equal(typeof (await client.responses.create({ model, input, tools: flat })).output_text, "string");
const events = [];
const stream = client.responses.stream({ model, input: "where is my order?", tools: flat, tool_choice: "required" })
    .on("response.function_call_arguments.delta", (e) => events.push(e.delta));
const ended = await stream.finalResponse(); // the client puts the events together and compares
assert.equal(ended.output[0].arguments, events.join(""));
assert.equal(ended.output[0].arguments, call.arguments);

const completion = await client.completions.create({ model, prompt: "hello", max_tokens: 3 });
assert.equal(completion.usage.completion_tokens, 3);
assert.ok((await client.models.list()).data.some((m) => m.id === model));

await assert.rejects(client.chat.completions.create({ model: "none", messages }), (e) => e.status === 404 && e.code === "model_not_found");
await assert.rejects(client.chat.completions.create({ model, messages, temperature: 9 }), (e) => e.status === 400 && e.param === "temperature");
console.log("ok");
