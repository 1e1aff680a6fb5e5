#!/usr/bin/env python3
"""Decoding beside the memory's bandwidth of the same moment.

Decoding reads all weights for every token, so its limit is the rate at which memory can be read; and on a machine that
others use too that rate changes from minute to minute. So each round reads the bandwidth, decodes, reads it again, and
lets the peer decode; the share is of the mean of the two readings.

    python3 bench/decode.py MODEL.gguf…            environment: CROFT, LLAMA_CPP_BIN, ROUNDS (6), THREADS ("2 1")
                                                   PREFIX: a command that runs the others, as in "chrt -r 1"
Writes a table to standard output and a line for each round to bench/decode.csv."""
import csv
import json
import os
import statistics
import subprocess
import sys

CROFT = os.environ.get("CROFT", "build/croft")
PEER = os.environ.get("LLAMA_CPP_BIN")
ROUNDS = int(os.environ.get("ROUNDS", "6"))
THREADS = os.environ.get("THREADS", "2 1").split()
TOKENS = "32"


def run(*args):
    return json.loads(subprocess.run([*os.environ.get("PREFIX", "").split(), *args], check=True, capture_output=True, text=True).stdout)


def bandwidth(threads):
    m = run(CROFT, "doctor", "--json")["memory"]
    return m["read_1_thread_bytes_per_s" if threads == "1" else "read_all_threads_bytes_per_s"]


def decode(model, threads):
    o = run(CROFT, "bench", model, "-p", "0", "-n", TOKENS, "-r", "1", "-t", threads, "--no-ceilings", "--json")
    return o["decode_tokens_per_s"], o["size_bytes"]


def peer(model, threads):
    if not PEER:
        return None
    best = 0
    for more in ([], ["-fa", "off", "-ctk", "bf16", "-ctv", "bf16"]):
        o = run(os.path.join(PEER, "llama-bench"), "-m", model, "-p", "0", "-n", TOKENS, "-r", "1", "-t", threads, "-o", "json", *more)
        best = max(best, o[0]["avg_ts"])
    return best


def middle(values, form):
    return f"{form % statistics.median(values)} ({form % min(values)} to {form % max(values)})"


def main(models):
    rows = []
    print("| model | threads | tokens/s | bandwidth, GB/s | share of it, % | beside the peer |\n|---|---|---|---|---|---|")
    for model in models:
        name = os.path.basename(model).removesuffix(".gguf")
        for t in THREADS:
            mine = []
            for k in range(ROUNDS):
                before, (rate, size), after, other = bandwidth(t), decode(model, t), bandwidth(t), peer(model, t)
                mean = (before + after) / 2
                mine.append((rate, mean, rate * size / mean, rate / other if other else 0))
                rows.append([name, t, k, f"{rate:.2f}", size, f"{before:.0f}", f"{after:.0f}", f"{other:.2f}" if other else ""])
            rate, mean, share, ratio = zip(*mine)
            print(f"| {name} | {t} | {middle(rate, '%.1f')} | {middle([x / 1e9 for x in mean], '%.1f')} | "
                  f"{middle([100 * x for x in share], '%.0f')} | {middle(ratio, '%.2f') if PEER else '-'} |", flush=True)
    with open(os.path.join(os.path.dirname(__file__), "decode.csv"), "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(["model", "threads", "round", "croft_tokens_per_s", "weight_bytes", "read_before", "read_after", "peer_tokens_per_s"])
        out.writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
