// The AI SDK against the server, through /v1/responses and /v1/chat/completions: text, tools run in two steps, streams,
// objects. It checks the shape of every answer and event. Usage: sdk.mjs http://127.0.0.1:PORT/v1
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { Output, embed, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const sdk = createOpenAI({ baseURL: process.argv[2], apiKey: "none" });
const object = (properties) => jsonSchema({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
const tools = { track: tool({ description: "Track an order", inputSchema: object({ order: { enum: ["A1", "B2"] } }),
                              execute: async ({ order }) => `order ${order} was lost` }) };
const onError = ({ error }) => { throw error; };
for (const model of [sdk.responses("helpdesk"), sdk.chat("helpdesk")]) {
    const ask = { model, prompt: "where is my order?", maxRetries: 0 };
    const { text } = await generateText(ask);
    assert.ok(text.length > 0);
    let streamed = "";
    for await (const part of streamText({ ...ask, onError }).textStream) streamed += part;
    assert.equal(streamed, text);
    const called = await generateText({ ...ask, tools, stopWhen: stepCountIs(2),
                                        prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber ? "none" : "required" }) });
    const result = called.steps[0].toolResults[0];
    assert.ok(["A1", "B2"].includes(result.input.order));
    assert.equal(result.output, `order ${result.input.order} was lost`);
    assert.equal(called.steps.length, 2); // the second one read the result
    const [call] = await streamText({ ...ask, tools, toolChoice: "required", onError }).toolCalls;
    assert.deepEqual([call.toolName, call.input], ["track", result.input]);
    const { output } = await generateText({ ...ask, output: Output.object({ schema: object({ kind: { enum: ["late", "lost"] } }) }) });
    assert.ok(["late", "lost"].includes(output.kind));
}
assert.equal((await embed({ model: sdk.embedding("helpdesk"), value: "hello" })).embedding.length, 256);
console.log("ok");
