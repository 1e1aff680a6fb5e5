#!/usr/bin/env python3
"""Classifiers on real data: fits a head (or a prior) for each model and data set, and scores the test part.

    bench/tasks.py MODEL.gguf ...

Data: ../shared/data beside the repository (README there): banking77, clinc150, hwu64, snips, atis, and sib200 in all its
languages. An encoder gets a head from the training part; a model that answers by choice gets one too with --head, and
otherwise a prior from the validation part. Writes TASKS.md and tasks.csv to BENCH_OUT (bench). Exit status: 0; 1 when
something failed (the rest is still written); 2 for wrong usage.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile
import time

import report

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "..", "shared", "data")
CROFT = os.environ.get("CROFT", os.path.join(HERE, "..", "build", "croft"))
VALIDATION = ("val.jsonl", "dev.jsonl", "train.jsonl")  # the last: there is no part of its own


def data_sets():
    for name in ("banking77", "clinc150", "hwu64", "snips", "atis"):
        yield name, os.path.join(DATA, name)
    folder = os.path.join(DATA, "sib200")
    for language in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if os.path.isdir(os.path.join(folder, language)):
            yield "sib200-" + language, os.path.join(folder, language)


def examples(path):
    """[(input, label)]; where the file has an output with slots, its intent is the label."""
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f if line.strip()]
    return [(r["input"], r["label"] if "label" in r else r["output"]["intent"]) for r in rows]


def labels_of(path):
    return {label for _, label in examples(path)}


def run(*argv):
    done = subprocess.run([CROFT, *argv, "--json"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or f"status {done.returncode}").splitlines()[-1])
    return json.loads(done.stdout)


def score(model, name, folder, head):
    """A row of the table. The model is linked into a folder of its own, so that what is fitted for it stays there."""
    with tempfile.TemporaryDirectory() as work:
        link = os.path.join(work, "model.gguf")
        os.symlink(os.path.abspath(model), link)
        validation = next(v for v in VALIDATION if os.path.exists(os.path.join(folder, v)))
        data = {"train": "train.jsonl", "validation": validation, "test": "test.jsonl"}
        labels = sorted(set().union(*(labels_of(os.path.join(folder, v)) for v in set(data.values()))))
        task = {"name": name, "kind": "classify", "system": "Classify the message.", "prompt": "{{input}}",
                "labels": [{"name": x} for x in labels], "metric": "accuracy",
                "data": {k: k + ".jsonl" for k in data}}
        for k, v in data.items():
            with open(os.path.join(work, k + ".jsonl"), "w", encoding="utf-8") as f:
                f.writelines(json.dumps({"input": i, "label": x}) + "\n" for i, x in examples(os.path.join(folder, v)))
        path = os.path.join(work, "task.yaml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(task, f)  # JSON is YAML
        fit = run("task", "fit", path, "-m", link, *(["--head"] if head else []))
        o = run("eval", path, "-m", link)
        accuracy, f1, ms = o["measures"]["accuracy"], o["measures"]["macro_f1"], o["latency_ms"]
        return [os.path.basename(model), name, len(labels), fit["fit"], fit["examples"], round(fit["seconds"], 1), o["n"],
                *(round(100 * accuracy[k], 2) for k in ("value", "lo", "hi")), round(100 * f1["value"], 2),
                round(ms["p50"], 2), round(ms["p99"], 2), round(o["answers_per_s"])]


HEAD = ["model", "data", "labels", "fit", "fitted to", "seconds", "test", "accuracy %", "from", "to", "macro-F1 %", "p50 ms",
        "p99 ms", "answers/s"]


def main():
    models = [a for a in sys.argv[1:] if a != "--head"]
    if not models or not os.path.isdir(DATA):
        print("tasks.py: give a model file; the data must lie in ../shared/data", file=sys.stderr)
        sys.exit(2)
    rows, failed = [], []
    for model in models:
        for name, folder in data_sets():
            try:
                rows.append(score(model, name, folder, "--head" in sys.argv))
                print(*rows[-1], flush=True)
            except (RuntimeError, OSError, StopIteration, KeyError) as e:
                failed.append(f"{os.path.basename(model)} on {name}: {e}")
                print(failed[-1], file=sys.stderr)
    out = os.environ.get("BENCH_OUT", HERE)
    text = ["# Classifiers on real data\n", f"croft {report.croft_commit()}, {time.strftime('%Y-%m-%d', time.gmtime())}: "
            "`bench/tasks.py`. Accuracy on the test part with its 95 % Wilson interval; latency and rate of answers one "
            "after the other.\n", *report.machine(), "", "| " + " | ".join(HEAD) + " |",
            "|---|---|---:|---|" + "---:|" * (len(HEAD) - 4), *("| " + " | ".join(map(str, r)) + " |" for r in rows)]
    text += ["\nFailed:\n", *(f"- {x}" for x in failed)] if failed else []
    with open(os.path.join(out, "TASKS.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(text) + "\n")
    with open(os.path.join(out, "tasks.csv"), "w", newline="", encoding="utf-8") as f:
        csv.writer(f, lineterminator="\n").writerows([HEAD, *rows])
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
