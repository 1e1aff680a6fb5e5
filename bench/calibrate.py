#!/usr/bin/env python3
"""What calibration promises and what happens, on real data: coverage at target errors of 5 % and 2 %, the realised error
on the test part, calibration error before and after, and how well confidence tells right from wrong and in from out of
scope.

    bench/calibrate.py ENCODER.gguf [DATA…]

Data: ../shared/data beside the repository (README there): banking77, clinc150, hwu64. The head is fitted to the training
part without what is calibrated with; nothing is fitted to or chosen by the test part. CALIBRATE_WORK: a folder in which
fitted heads stay and are used again (minutes each). Writes calibration.csv to BENCH_OUT (bench) and a section of
RESULTS.md there. Exit status: 0; 1 when a promise was broken on a test part or something failed; 2 for wrong usage.
"""
import csv
import hashlib
import json
import os
import sys
import tempfile
import time

import report
import tasks

OOS = "oos"  # clinc150's label of what is out of scope
HEAD = ["data", "target %", "calibrated with", "answered here %", "of test", "wrong among those %", "wrong of all %",
        "ECE before %", "ECE after %", "by chance %", "AUROC error", "AUROC scope", "AUROC novelty"]


def share(text, of):
    """A number in [0, 1) that depends on the text alone."""
    return int(hashlib.sha256((of + text).encode()).hexdigest()[:8], 16) / 2**32


def plain(name):
    """A set that has no validation part: 30 % of its training part are held out to calibrate with."""
    rows = tasks.examples(os.path.join(tasks.DATA, name, "train.jsonl"))
    return {"train": [x for x in rows if share(x[0], name) >= 0.3],
            "validation": [x for x in rows if share(x[0], name) < 0.3],
            "test": tasks.examples(os.path.join(tasks.DATA, name, "test.jsonl"))}


def folds(name, first):
    """A test part that is too small to show an error of calibration of 3 %: what is held out, one half calibrated by the other."""
    data = plain(name)
    half = [[x for x in data["validation"] if (share(x[0], "fold") < 0.5) == k] for k in (True, False)]
    return {"train": data["train"], "validation": half[not first], "test": half[first]}


def clinc(scope):
    """In scope alone; or with what is out of scope, of which the test part has more than the validation part: a
    calibration is for inputs like those it was made from, so inputs in scope are left out until the shares agree."""
    part = {p: tasks.examples(os.path.join(tasks.DATA, "clinc150", p + ".jsonl")) for p in ("train", "val", "test")}
    out = {p: [x for x in rows if x[1] == OOS] for p, rows in part.items()}
    inside = {p: [x for x in rows if x[1] != OOS] for p, rows in part.items()}
    if not scope:
        return {"train": inside["train"], "validation": inside["val"], "test": inside["test"]}
    unknown = out["val"] + out["train"]
    keep = len(unknown) * len(inside["test"]) / len(out["test"])
    known = sorted(inside["val"], key=lambda x: share(x[0], "clinc150"))[:round(keep)]
    return {"train": inside["train"], "validation": known + unknown, "test": part["test"]}


SETS = {"banking77": lambda: plain("banking77"), "hwu64": lambda: plain("hwu64"),
        "hwu64, one half by the other": lambda: folds("hwu64", True), "hwu64, and back": lambda: folds("hwu64", False),
        "clinc150": lambda: clinc(False), "clinc150, out of scope too": lambda: clinc(True)}


def prepare(model, name, data, work):
    """A folder with the task and the model; the head is fitted unless it is there."""
    folder = os.path.join(work, name.split(",")[0])
    os.makedirs(folder, exist_ok=True)
    link, path = os.path.join(folder, "model.gguf"), os.path.join(folder, "task.yaml")
    if not os.path.exists(link):
        os.symlink(os.path.abspath(model), link)
    labels = sorted({label for _, label in data["train"]})
    task = {"name": "task", "kind": "classify", "prompt": "{{input}}", "labels": [{"name": x} for x in labels],
            "metric": "accuracy", "data": {k: k + ".jsonl" for k in data}}
    for part, rows in data.items():
        with open(os.path.join(folder, part + ".jsonl"), "w", encoding="utf-8") as f:
            f.writelines(json.dumps({"input": i, "label": x}) + "\n" for i, x in rows)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(task, f)  # JSON is YAML
    if not os.path.exists(os.path.join(folder, "model.task.fit.json")):
        tasks.run("task", "fit", path, "-m", link)
    return path, link


def percent(x):
    return "-" if x is None else f"{100 * x:.1f}"


def row(name, target, o):
    c = o["check"]
    area = ["-" if c[k] is None else f"{c[k]:.3f}" for k in ("auroc_error", "auroc_out_of_scope", "auroc_novelty")]
    return [name, f"{100 * target:g}", o["n"], percent(c["coverage"]), c["n"], percent(c["error"]),
            percent(c["error_of_all"]), percent(c["ece_before"]), percent(c["ece_after"]), percent(c["ece_by_chance"]),
            *area]


def section(model, rows, broken):
    text = ["## Calibrated answers", "",
            f"croft {report.croft_commit()}, {time.strftime('%Y-%m-%d', time.gmtime())}: `bench/calibrate.py "
            f"{os.path.basename(model)}`. `croft calibrate --confidence 0.95` on examples that neither the head nor the "
            "test part has; a head on an encoder's vectors answers. Of what is answered here, at most the target may be "
            "wrong. ECE in 15 bins, beside what a perfectly calibrated confidence shows in the mean on so few examples; AUROC of the confidence for right and wrong answers in scope and for in and out of "
            "scope, and of novelty alone for the latter.", "",
            "| " + " | ".join(HEAD) + " |", "|---|" + "---:|" * (len(HEAD) - 1),
            *("| " + " | ".join(map(str, r)) + " |" for r in rows), "",
            *(broken or ["The promise was kept on every test part."])]
    return "\n".join(text)


def main():
    names = sys.argv[2:] or list(SETS)
    if len(sys.argv) < 2 or not os.path.isdir(tasks.DATA) or any(n not in SETS for n in names):
        print("calibrate.py: give a model file; the data must lie in ../shared/data", file=sys.stderr)
        sys.exit(2)
    model, rows, broken, failed = sys.argv[1], [], [], False
    with tempfile.TemporaryDirectory() as temporary:
        work = os.environ.get("CALIBRATE_WORK", temporary)
        for name in names:
            try:
                path, link = prepare(model, name, SETS[name](), work)
                for target in (0.05, 0.02):
                    o = tasks.run("calibrate", path, "-m", link, "--target-error", str(target), "--confidence", "0.95",
                                  *(["--out-of-scope", OOS] if "scope" in name else []))
                    rows.append(row(name, target, o))
                    print(*rows[-1], sep="\t", flush=True)
                    if o["check"]["error"] > target:
                        broken.append(f"On {name} {percent(o['check']['error'])} % were wrong, above {100 * target:g} %.")
            except (RuntimeError, OSError, KeyError) as e:
                print(f"{name}: {e}", file=sys.stderr)
                failed = True
    out = os.environ.get("BENCH_OUT", tasks.HERE)
    report.write_section(os.path.join(out, "RESULTS.md"), "calibration", section(model, rows, broken))
    with open(os.path.join(out, "calibration.csv"), "w", newline="", encoding="utf-8") as f:
        csv.writer(f, lineterminator="\n").writerows([HEAD, *rows])
    sys.exit(1 if broken or failed else 0)


if __name__ == "__main__":
    main()
