#!/usr/bin/env python3
"""A second verifier of a receipts' folder, written from docs/RECEIPTS.md alone: chain, numbers, checkpoints, signatures.
Usage: verify_receipts.py FOLDER. Prints the number of receipts and the last hash; exit 1 with a line when something is
wrong. Signatures are checked by the openssl program."""
import hashlib, json, sqlite3, subprocess, sys, tempfile

def fail(text):
    sys.exit(f"verify_receipts: {text}")

def signed(pub, message, signature):
    with tempfile.NamedTemporaryFile() as m, tempfile.NamedTemporaryFile() as s:
        m.write(message), s.write(signature), m.flush(), s.flush()
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", pub, "-rawin", "-in", m.name,
                               "-sigfile", s.name], capture_output=True).returncode == 0

folder = sys.argv[1]
db = sqlite3.connect(f"file:{folder}/receipts.db?mode=ro", uri=True)
(log, first), = db.execute("SELECT id, first FROM log")
checkpoints = []
for n, seq, body, signature in db.execute("SELECT n, seq, body, signature FROM checkpoint ORDER BY n"):
    c = json.loads(body)
    if not signed(f"{folder}/receipts.pub", b"croft-checkpoint-1 " + body.encode(), signature):
        fail(f"checkpoint {n} is not signed")
    if (c["n"], c["seq"], c["log"]) != (n, seq, log) or checkpoints and n != checkpoints[-1]["n"] + 1:
        fail(f"checkpoint {n} is out of place")
    checkpoints.append(c)
hashed = hashlib.sha256(b"croft-receipts-1 " + log.encode()).digest()
if checkpoints:
    if checkpoints[-1]["first"] != first:
        fail("the beginning is not the signed one")
    if first > 1:
        hashed = bytes.fromhex(checkpoints[-1]["base"])
at = {first - 1: hashed}
for place, body, stored in db.execute("SELECT seq, body, hash FROM receipt ORDER BY seq"):
    receipt = json.loads(body)
    hashed = hashlib.sha256(hashed + body.encode()).digest()
    if place != first + len(at) - 1 or receipt["seq"] != place or stored != hashed:
        fail(f"receipt {place} does not follow")
    if json.dumps(receipt, sort_keys=True, separators=(",", ":"), ensure_ascii=False) != body:
        fail(f"receipt {place} is not canonical")
    at[place] = hashed
for c in checkpoints:
    if c["seq"] >= first - 1 and at.get(c["seq"], b"").hex() != c["hash"]:
        fail(f"checkpoint {c['n']} signed another log")
print(len(at) - 1, hashed.hex())
