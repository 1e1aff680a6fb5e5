// The peer when only the npm package node-llama-cpp is there: prompts and decoding through its API, with the options
// and the JSON of llama-bench that bench.py uses.
//
//   npm install --no-save --no-package-lock node-llama-cpp
//   node bench/peer.mjs -m MODEL [-t 2] [-p 512,128 | -p 1-64] [-n 64] [-d 0] [-r 1] [-fa auto|on|off] [-ctk f16|bf16]
//
// Every test runs once more to warm up. Decoding goes through the package's own loop, sampling (greedy) included.
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const options = { "-t": "2", "-p": "512", "-n": "0", "-d": "0", "-r": "1", "-fa": "auto", "-ctk": "f16" };
for (let i = 2; i + 1 < process.argv.length; i += 2) options[process.argv[i]] = process.argv[i + 1];

const numbers = (list) => list.split(",").flatMap((part) => {
    const [from, to = from] = part.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
});
const threads = Number(options["-t"]), depth = Number(options["-d"]), runs = Number(options["-r"]);
const prompts = numbers(options["-p"]).filter((n) => n > 0), decode = Number(options["-n"]);

const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: threads });
const model = await llama.loadModel({ modelPath: options["-m"] });
const kind = options["-ctk"].toUpperCase();
const context = await model.createContext({
    contextSize: depth + Math.max(...prompts, decode) + 8, batchSize: 512, threads,
    flashAttention: options["-fa"] === "auto" ? "auto" : options["-fa"] === "on",
    experimentalKvCacheKeyType: kind, experimentalKvCacheValueType: kind,
});
const sequence = context.getSequence();
const tokens = (n, from = 0) => Array.from({ length: n }, (_, i) => ((from + i) * 7919 + 123) % 1000);

// Milliseconds of `run` behind `depth` tokens: the median of the runs.
async function measure(run) {
    const ms = [];
    await sequence.clearHistory();
    if (depth) await sequence.evaluateWithoutGeneratingNewTokens(tokens(depth));
    for (let i = 0; i <= runs; i++) {
        await sequence.eraseContextTokenRanges([{ start: depth, end: sequence.nextTokenIndex }]);
        const start = performance.now();
        await run();
        if (i > 0) ms.push(performance.now() - start);
    }
    ms.sort((a, b) => a - b);
    return (ms[Math.floor((runs - 1) / 2)] + ms[Math.floor(runs / 2)]) / 2;
}

async function generate(n) {
    let left = n;
    for await (const _ of sequence.evaluate(tokens(1), { temperature: 0 })) if (--left === 0) break;
}

const results = [];
const note = (n_prompt, n_gen, ms) => results.push({
    build_commit: llama.llamaCppRelease.release, n_prompt, n_gen, n_depth: depth, n_threads: threads,
    avg_ts: 1e3 * (n_prompt + n_gen) / ms,
});
for (const n of prompts)
    note(n, 0, await measure(() => sequence.evaluateWithoutGeneratingNewTokens(tokens(n, depth))));
if (decode) note(0, decode, await measure(() => generate(decode)));
console.log(JSON.stringify(results));
process.exit(0);
