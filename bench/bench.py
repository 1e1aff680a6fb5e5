#!/usr/bin/env python3
"""Croft beside llama.cpp, in one table: `make bench`.

    LLAMA_CPP_BIN=folder make bench [MODELS="1B-Q4_0 mine.gguf ..."]

Peer: llama-bench, llama-batched-bench and llama-completion in the folder LLAMA_CPP_BIN; when that is not set, the npm
package node-llama-cpp if the repository has it (npm install --no-save --no-package-lock node-llama-cpp); it has no
programs, so bench/peer.mjs measures prompts and decoding through its API. Without any peer Croft's own numbers are
written and no ratio is claimed.

Both programs run in turns, A B A B, so that a change of the machine's load or clock meets both: a round is one turn of
everything, and rounds go on until the time is used. The peer first runs with each of its settings; one that is
clearly the slower leaves after that round, and each row of the table counts the faster and names it.

Settings (environment): BENCH_MODELS, the folder of the model files (bench/models.py writes what is missing);
BENCH_MINUTES (14); BENCH_OUT (bench), where RESULTS.md, results.csv and the figures go; CROFT (build/croft).
Exit status: 0; 1 when a run failed (the rest is still written); 2 for wrong usage.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from typing import NamedTuple

import models
import report
from report import Sample

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS = 2
CURVE = range(1, 65)  # tokens in one batch
COMMAND_SECONDS = 150  # for one command: beside other work, threads that wait for each other can be very slow


class Group(NamedTuple):
    """Commands that run next to each other: all of Croft's, then all of the peer's with one setting after the other."""

    croft: list
    peer: list
    settings: list
    models: str = r".*"  # a pattern
    once: bool = False  # in the first round alone


CACHES = ["", "-fa off -ctk bf16 -ctv bf16"]
DECODERS = [
    Group(["bench -p 512 -n 64 -r 1", "bench -p 128 -n 0 -r 1 --no-ceilings"],
          ["llama-bench -p 512,128 -n 64 -r 1"], CACHES),
    Group(["bench -p 0 -n 64 -r 1 -t 1"], ["llama-bench -p 0 -n 64 -r 1 -t 1"], [""]),
    Group([f"bench -p {p} --prefix 300 -n 16 --sequences {s} -r 1 --no-ceilings"
           for p, s in ((8, 4), (20, 8), (32, 16))],
          ["llama-bench -d 300 -p 8,20,32 -n 0 -r 1", "llama-batched-bench -c 1024 -npp 1 -ntg 16 -npl 4,8,16"],
          CACHES),
    Group(["run --raw -n 1 MODEL PROMPT"] * 3,
          ["llama-completion -no-cnv --no-display-prompt --ignore-eos --temp 0 -n 1 -p PROMPT"] * 3,
          ["--no-warmup", "--no-warmup --no-repack"], r"1B-"),
    Group(["bench -p 0 -n 64 -d 8192 -r 2 --no-ceilings"], ["llama-bench -p 0 -n 64 -d 8192 -r 2"], CACHES,
          r"0\.5B-Q4_0", True),
    Group([f"bench -p {n} -n 0 -r 3 --no-ceilings" for n in CURVE], ["llama-bench -p 1-64 -n 0 -r 3"], CACHES,
          r"0\.5B-Q4_0", True),
]
ENCODERS = [
    Group(["bench -p 20 --sequences 32 -r 5"],
          ["llama-batched-bench -c 1024 -b 640 -ub 640 -npp 20 -ntg 0 -npl " + ",".join(["1"] * 9 + ["32"] * 5)],
          ["", "-fa off"]),
]


def row_name(prompt, decode, behind=0, sequences=1, threads=THREADS):
    name = f"prompt {prompt}" if prompt else f"decode {decode}"
    return (name + (f" x {sequences} sequences" if sequences > 1 else "") + (f" behind {behind}" if behind else "")
            + (", 1 thread" if threads == 1 else ""))


def texts_name(tokens, together):
    return f"texts of {tokens} tokens, " + (f"{together} together" if together > 1 else "one by one")


# ---- one command ----------------------------------------------------------------------------------------------------


class Failed(Exception):
    pass


class Ran(NamedTuple):
    text: str
    first_ms: float  # from before the start to the first byte of output
    peak_bytes: int  # resident


def execute(argv):
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        try:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        except OSError as e:
            raise Failed(str(e)) from e
        watch = threading.Timer(COMMAND_SECONDS, child.kill)
        watch.start()
        first = child.stdout.read1(1)
        first_ms = 1e3 * (time.perf_counter() - start)
        text = (first + child.stdout.read()).decode(errors="replace")
        child.stdout.close()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        late = not watch.is_alive()
        watch.cancel()
        if late:
            raise Failed(f"stopped after {COMMAND_SECONDS} s")
        if child.returncode:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            raise Failed(f"status {child.returncode}: " + (lines[-1] if lines else "no message"))
    return Ran(text, first_ms, usage.ru_maxrss * 1024)


# ---- what the programs say: lists of (row, unit, value) -------------------------------------------------------------


def croft_rows(o):
    """Of the JSON of croft bench; docs/BENCH.md has the members."""
    prompt, decode, sequences = o["n_prompt"], o["n_decode"], o["sequences"]
    if o["texts_per_s"]:
        yield texts_name(prompt, 1), "texts/s", o["texts_per_s"]
        if o["batch_texts_per_s"]:
            yield texts_name(prompt, sequences), "texts/s", o["batch_texts_per_s"]
        return
    if prompt:
        yield row_name(prompt, 0, o["prefix"] or o["depth"], 1, o["threads"]), "tokens/s", o["prompt_tokens_per_s"]
    if decode:
        yield row_name(0, decode, o["depth"], sequences, o["threads"]), "tokens/s", o["decode_tokens_per_s"]


def croft_limits(o):
    """(row, units of work, bytes, operations) of a step: what bounds the time that a row takes. A step reads weights
    and cache once; an encoder's weights may stay in the processor's cache, so that only its operations count."""
    ops, n, sequences = o["ops_per_token"], o["n_prompt"], o["sequences"]
    if o["texts_per_s"]:
        yield texts_name(n, 1), 1, 0, n * ops
        yield texts_name(n, sequences), sequences, 0, sequences * n * ops
        return
    if n:
        yield row_name(n, 0, o["prefix"] or o["depth"], 1, o["threads"]), n, o["weight_bytes"], n * ops
    if o["n_decode"]:
        yield (row_name(0, o["n_decode"], o["depth"], sequences, o["threads"]), sequences,
               o["bytes_per_token"] * sequences, sequences * ops)


def llama_bench_rows(text):
    for o in json.loads(text):
        yield row_name(o["n_prompt"], o["n_gen"], o["n_depth"], 1, o["n_threads"]), "tokens/s", o["avg_ts"]


def batched_bench_rows(text):
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        o = json.loads(re.sub(r"-?\bnan\b", "null", line))
        if o["tg"]:
            yield row_name(0, o["tg"], 0, o["pl"], o["n_threads"]), "tokens/s", o["speed_tg"]
        else:
            yield texts_name(o["pp"], o["pl"]), "texts/s", o["speed_pp"] / o["pp"]


START = "start to the first token"
MEMORY = "peak memory"


# ---- the two programs -----------------------------------------------------------------------------------------------


class Croft:
    def __init__(self, path):
        self.path, self.level = path, ""
        self.work, self.memory = {}, {}  # of (model, row); of a model
        self.read, self.peak = {}, {}  # measured, a second: bytes of n threads; operations of (model, n threads)

    def command(self, words, path):
        argv = [self.path] + [{"MODEL": path, "PROMPT": "Once upon a time"}.get(w, w) for w in words.split()]
        argv += [] if "-t" in argv else ["-t", str(THREADS)]
        return argv + [path, "--json"] if words.startswith("bench") else argv

    def run(self, words, model, path):
        ran = execute(self.command(words, path))
        if words.startswith("run"):
            return [(START, "ms", ran.first_ms)]
        o = json.loads(ran.text)
        t = o["threads"]
        for row, *work in croft_limits(o):
            self.work[model, row] = (t, *work)
        self.level = o["level"]
        if o["read_bytes_per_s"]:
            self.read[t] = max(self.read.get(t, 0), o["read_bytes_per_s"])
            self.peak[model, t] = max(self.peak.get((model, t), 0), o["peak_ops_per_s"])
        rows = list(croft_rows(o))
        if "-p 512" in words:
            rows.append((MEMORY, "MiB", o["resident_bytes"] / 2**20))
            self.memory[model] = (o["size_bytes"] + o["session_bytes"]) / 2**20
        return rows

    def limit(self, model, row):
        """The rate that the best measured bandwidth and peak allow, or file and session in MiB; None: not known."""
        if row == MEMORY:
            return self.memory.get(model)
        t, units, n_bytes, ops = self.work.get((model, row), (0, 0, 0, 0))
        if t not in self.read or (model, t) not in self.peak:
            return None
        return units / max(n_bytes / self.read[t], ops / self.peak[model, t])


class Peer:
    """Programs of llama.cpp, or the package: what it lacks, it does not run."""

    def __init__(self, folder):
        self.version, self.name, self.programs = "", "", {}
        if folder:
            for name in ("llama-bench", "llama-batched-bench", "llama-completion"):
                path = os.path.join(folder, name)
                if os.access(path, os.X_OK):
                    self.programs[name] = [path]
            if "llama-bench" not in self.programs:
                usage(f"LLAMA_CPP_BIN={folder} has no program llama-bench")
            self.name = "llama.cpp"
        elif shutil.which("node") and os.path.isdir(os.path.join(HERE, "..", "node_modules", "node-llama-cpp")):
            self.programs["llama-bench"] = ["node", os.path.join(HERE, "peer.mjs")]
            self.name = "node-llama-cpp"

    def can(self, words):
        return words.split()[0] in self.programs

    def run(self, words, setting, path):
        name, *args = words.split()
        args = ["Once upon a time" if w == "PROMPT" else w for w in args] + setting.split()
        args += [] if "-t" in args else ["-t", str(THREADS)]
        args += {"llama-bench": ["-o", "json"], "llama-batched-bench": ["--output-format", "jsonl"]}.get(name, [])
        ran = execute(self.programs[name] + ["-m", path] + args)
        if name == "llama-completion":
            return [(START, "ms", ran.first_ms)]
        if name == "llama-batched-bench":
            return list(batched_bench_rows(ran.text))
        self.version = self.version or json.loads(ran.text)[0]["build_commit"]
        rows = list(llama_bench_rows(ran.text))
        if "-p 512" in words:
            rows.append((MEMORY, "MiB", ran.peak_bytes / 2**20))
        return rows


# ---- the rounds -----------------------------------------------------------------------------------------------------


class Bench:
    def __init__(self, croft, peer, paths, minutes):
        self.croft, self.peer, self.paths = croft, peer, paths
        self.samples, self.failed, self.rounds = [], [], 0
        self.start = time.monotonic()
        self.deadline = self.start + 60 * minutes
        self.settings = {}  # (model, group): those still in the race
        self.took = {}  # (model, group): seconds of its last turn

    def seconds(self):
        return time.monotonic() - self.start

    def keep(self, model, program, setting, run, words):
        """Run, and keep the samples; a failure is noted, and the rest goes on."""
        try:
            rows = run()
        except (Failed, ValueError, KeyError) as e:
            note = f"{program} on {model}, round {self.rounds}: {words} {setting}: {e}"
            self.failed.append(re.sub(r"/\S*/", "", note))
            print(self.failed[-1], file=sys.stderr)
            return
        for row, unit, value in rows:
            self.samples.append(Sample(model, row, unit, program, setting, self.rounds, value))

    def turn(self, model, group):
        path, key = self.paths[model], (model, group.croft[0])
        began = self.seconds()
        for words in group.croft:
            self.keep(model, "croft", "", lambda w=words: self.croft.run(w, model, path), words)
        commands = [w for w in group.peer if self.peer.can(w)]
        for setting in self.settings.get(key, group.settings):
            for words in commands:
                self.keep(model, "peer", setting, lambda w=words, s=setting: self.peer.run(w, s, path), words)
        self.took[key] = self.seconds() - began
        if self.rounds == 1 and commands:
            rows = {s.row for s in self.samples if s.model == model and s.program == "peer"}
            fast = {s for row in rows for s in report.settings_near_best(self.samples, model, row)}
            self.settings[key] = [s for s in group.settings if s in fast]
            self.took[key] *= (1 + len(self.settings[key])) / (1 + len(group.settings))

    def run(self, plan):
        """plan: pairs (model, group)."""
        while True:
            self.rounds += 1
            for model, group in plan:
                if time.monotonic() + self.took.get((model, group.croft[0]), 0) > self.deadline:
                    if self.rounds == 1:
                        self.failed.append(f"no time was left for {model}: {group.croft[0]} and what follows")
                    return
                if self.rounds == 1 or not group.once:
                    print(f"{self.seconds():5.0f} s  round {self.rounds}  {model}: croft {group.croft[0]}", flush=True)
                    self.turn(model, group)
            if all(group.once for _, group in plan):
                return


def is_encoder(croft, path):
    o = json.loads(execute([croft, "show", "--json", path]).text)
    return "bert" in o["architecture"]


def usage(message):
    print("bench: " + message, file=sys.stderr)
    sys.exit(2)


def main():
    env = os.environ.get
    croft = env("CROFT", os.path.join(HERE, "..", "build", "croft"))
    if not os.access(croft, os.X_OK):
        usage(f"there is no program {croft}: run make first, or set CROFT")
    folder = env("BENCH_MODELS") or os.path.join(HERE, "..", "build", "bench-models")
    peer = Peer(env("LLAMA_CPP_BIN"))
    if not peer.programs:
        print("No peer: LLAMA_CPP_BIN is not set and there is no node_modules/node-llama-cpp, so only Croft is "
              "measured and there is NOTHING TO COMPARE WITH.\nSet LLAMA_CPP_BIN to the folder of llama-bench, or "
              "run: npm install --no-save --no-package-lock node-llama-cpp", file=sys.stderr)
    paths, plan = {}, []
    for name in sys.argv[1:] or models.NAMES:
        try:
            path = name if name.endswith(".gguf") else models.ensure(folder, name)
            model = os.path.basename(path)[:-len(".gguf")]
            groups = ENCODERS if is_encoder(croft, path) else DECODERS
        except (OSError, ValueError, Failed) as e:
            usage(str(e))
        paths[model] = path
        plan += [(model, g) for g in groups if re.match(g.models, model)]
    load = os.getloadavg()[0]
    bench = Bench(Croft(croft), peer, paths, float(env("BENCH_MINUTES", "14")))
    bench.run(plan)
    report.write(bench, plan, env("BENCH_OUT", HERE), (load, os.getloadavg()[0]))
    sys.exit(1 if bench.failed else 0)


if __name__ == "__main__":
    main()
