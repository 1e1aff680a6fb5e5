#!/usr/bin/env python3
"""Load on a tier that fails in every way: tests/api/chaos.py BENCH_UPSTREAM [SECONDS] [RATE]

Starts tests/api/upstream.py, sends requests at a fixed rate (build/bench-upstream load), and meanwhile goes through the
faults: hung, slow, lying, flapping, 429, 5xx, cut off, stopped (SIGSTOP), killed and started again. Exit 1 unless every
call ended exactly once and inside its deadline, and some were answered."""
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

bench, seconds, rate = sys.argv[1], float((sys.argv[2:] or ["60"])[0]), (sys.argv[3:] or ["50"])[0]
stub_py = os.path.join(os.path.dirname(os.path.abspath(__file__)), "upstream.py")


def start(port=0):
    p = subprocess.Popen([sys.executable, stub_py, "--port", str(port)], stdout=subprocess.PIPE, text=True)
    return p, int(p.stdout.readline().split()[-1])


def tell(port, fault, share=1.0):
    req = urllib.request.Request(f"http://127.0.0.1:{port}/control", json.dumps({"fault": fault, "share": share}).encode())
    urllib.request.urlopen(req, timeout=10).read()


# (fault, share): mostly a part of the requests, so that the circuit breaker lets the others through; some strike all.
STEPS = [("none", 1), ("429", 0.4), ("hang", 0.1), ("cut", 0.4), ("lie", 0.4), ("500", 0.4), ("reset", 0.4), ("529", 0.4),
         ("none", 1), ("kill", 1), ("none", 1), ("none", 1), ("stop", 1), ("none", 1), ("none", 1), ("flap", 1), ("none", 1),
         ("slow", 0.1), ("redirect", 0.2), ("401", 0.2), ("none", 1)]
fine = True
for wire in ("openai", "anthropic"):
    stub, port = start()
    load = subprocess.Popen([bench, "load", f"http://127.0.0.1:{port}/v1", rate, str(seconds / 2), wire],
                            stdout=subprocess.PIPE, text=True)
    begun = time.monotonic()
    for i, (step, share) in enumerate(STEPS):
        if step == "kill":
            stub.kill()
            stub.wait()
        elif step == "stop":
            stub.send_signal(signal.SIGSTOP)
        else:
            tell(port, step, share)
        time.sleep(max(0, begun + seconds / 2 * (i + 1) / len(STEPS) - time.monotonic()))
        if step == "kill":
            stub, _ = start(port)
        elif step == "stop":
            stub.send_signal(signal.SIGCONT)
    out, _ = load.communicate(timeout=60)
    print(f"{wire}:\n{out}", end="", flush=True)
    stub.kill()
    stub.wait()
    fine = fine and load.returncode == 0 and "answered" in out
print("every call ended once" if fine else "FAILED")
sys.exit(not fine)
