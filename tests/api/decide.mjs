// Decisions asked by clients that others wrote: the openai package, and experimental_decide of the AI SDK, which checks
// each answer (complete distributions that add up to 1, the likeliest option chosen, the score their mean).
// Usage: decide.mjs http://127.0.0.1:PORT/v1
import assert from "node:assert/strict";
import OpenAI from "openai";
import { createOpenAI } from "@ai-sdk/openai";
import { experimental_decide as decide } from "ai";

const baseURL = process.argv[2], model = "helpdesk";
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const decision = await client.decisions.create({
    model, input: "My parcel has not arrived, I want my money back.",
    questions: [{ type: "predicate", name: "refund", instructions: "Is this about a refund?" },
                { type: "choice", instructions: "Which?", choices: [{ value: "late", description: "not there yet" }, { value: true }] },
                { type: "score", name: "mood", instructions: "How upset?", levels: [{ label: "calm" }, { label: "furious" }] }] });
const [yes, which, mood] = decision.answers;
assert.deepEqual([yes.type, yes.name, which.type, which.name, mood.type], ["predicate", "refund", "choice", null, "score"]);
assert.deepEqual(which.probabilities.map((p) => p.value), ["late", true]);
assert.deepEqual(mood.probabilities.map((p) => p.label), ["calm", "furious"]);
assert.equal(decision.usage.output_tokens, 0);
assert.equal(decision.usage.total_tokens, decision.usage.input_tokens);
await assert.rejects(client.decisions.create({ model, input: "x", questions: [] }), (e) => e.status === 400 && e.param === "questions");

const sdk = createOpenAI({ baseURL, apiKey: "none" });
const questions = {
    refund: { type: "boolean", instructions: "Is this about a refund?", criteria: { true: "money back", false: null } },
    intent: { type: "choice", instructions: "Which intent?", criteria: { order_status: "where a parcel is", refund_status: "money back", other: null } },
    mood: { type: "score", instructions: "How upset is the customer?", criteria: ["calm", "annoyed", "furious"] } };
for (const state of ["I want my money back.", { message: "I want my money back.", channel: "mail" },
                     [{ type: "text", text: "From a customer:" }, { type: "json", value: [{ message: "I want my money back." }] }]]) {
    const { answers, usage } = await decide({ model: sdk.decisionModel(model), state, questions, maxRetries: 0 });
    assert.ok(answers.refund.probability >= 0 && answers.refund.probability <= 1);
    assert.ok(Object.keys(questions.intent.criteria).includes(answers.intent.choice));
    assert.ok(answers.mood.score >= 0 && answers.mood.score <= 2);
    assert.ok(usage.inputTokens > 20 && usage.outputTokens === 0);
}
console.log("ok");
