#!/usr/bin/env python3
"""A folder of receipts, written from docs/RECEIPTS.md without Croft: 12 receipts, checkpoints at 5, 10 and 12, and a
content store with two captures. Usage: make_receipts.py FOLDER. Signs with the openssl program."""
import hashlib, hmac, json, os, sqlite3, subprocess, sys

folder = sys.argv[1]
os.makedirs(folder, mode=0o700)
at = lambda name: os.path.join(folder, name)
subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", at("receipts.key")], check=True)
os.chmod(at("receipts.key"), 0o600)
subprocess.run(["openssl", "pkey", "-in", at("receipts.key"), "-pubout", "-out", at("receipts.pub")], check=True)
der = subprocess.run(["openssl", "pkey", "-in", at("receipts.key"), "-pubout", "-outform", "DER"], check=True,
                     capture_output=True).stdout
key = hashlib.sha256(der[-32:]).hexdigest()
salt = bytes(range(32))
with open(at("subject.salt"), "wb") as f:
    f.write(salt)
subject = hmac.new(salt, b"erika", "sha256").hexdigest()
log = "00112233445566778899aabbccddeeff"
canonical = lambda o: json.dumps(o, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

db = sqlite3.connect(at("receipts.db"))
db.executescript("""
CREATE TABLE log(id TEXT NOT NULL, format INTEGER NOT NULL, first INTEGER NOT NULL) STRICT;
CREATE TABLE receipt(seq INTEGER PRIMARY KEY, body TEXT NOT NULL, hash BLOB NOT NULL,
  id TEXT AS (body ->> 'id'), time TEXT AS (body ->> 'time'), task TEXT AS (body ->> 'task'),
  tier TEXT AS (body ->> 'tier'), place TEXT AS (body ->> 'place'), reason TEXT AS (body ->> 'reason'),
  key TEXT AS (body ->> 'key'), class TEXT AS (body ->> 'class'), subject TEXT AS (body ->> 'subject'),
  parent TEXT AS (body ->> 'parent'), status INTEGER AS (body ->> 'status'), sent TEXT AS (body ->> 'left')) STRICT;
CREATE UNIQUE INDEX receipt_id ON receipt(id);
CREATE TABLE checkpoint(n INTEGER PRIMARY KEY, seq INTEGER NOT NULL, body TEXT NOT NULL, signature BLOB NOT NULL) STRICT;
""")
db.execute("INSERT INTO log VALUES(?, 1, 1)", [log])
base = chain = hashlib.sha256(b"croft-receipts-1 " + log.encode()).digest()
n = 0
for seq in range(1, 13):
    r = {"answer_tokens": 3, "class": "internal", "endpoint": "/v1/tasks/triage", "id": f"01KAKE{seq:020d}",
         "key": "alice" if seq % 2 else "bob", "latency_ms": 12.5, "model": "helpdesk", "place": "device",
         "prompt_tokens": 20, "reason": "confident", "confidence": 0.97, "seq": seq, "status": 200, "task": "triage",
         "tier": "here", "time": f"2026-11-{seq + 9:02d}T08:00:00.000Z", "request": "=1+1"}
    if seq % 4 == 0:
        r.update(tier="frontier", place="cloud", reason="low_confidence", confidence=0.4, cost="0.042", currency="USD",
                 steps=["low_confidence"], rule="escalate", redacted={"email": 2}, subject=subject,
                 left=[{"bytes": 1000, "host": "api.example.com", "place": "cloud", "sha256": "ab" * 32,
                        "tier": "frontier", "times": 2}])
    if seq == 9:
        r.update(shadow=True, parent=f"01KAKE{8:020d}", reason="check")
    if seq == 11:
        for absent in ("tier", "place", "model", "confidence"):
            del r[absent]
        r.update(status=503, reason="refused")
    if seq >= 11:
        r["lost"] = 2
    body = canonical(r)
    chain = hashlib.sha256(chain + body.encode()).digest()
    db.execute("INSERT INTO receipt(seq, body, hash) VALUES(?, ?, ?)", [seq, body, chain])
    if seq in (5, 10, 12):
        n += 1
        body = canonical({"base": base.hex(), "first": 1, "hash": chain.hex(), "key": key, "log": log, "n": n,
                          "seq": seq, "time": "2026-11-21T12:00:00.000Z", "why": "count"})
        with open(at("message"), "wb") as f:
            f.write(b"croft-checkpoint-1 " + body.encode())
        subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", at("receipts.key"), "-rawin", "-in", at("message"),
                        "-out", at("signature")], check=True)
        with open(at("signature"), "rb") as f:
            db.execute("INSERT INTO checkpoint VALUES(?, ?, ?, ?)", [n, seq, body, f.read()])
db.commit()
os.remove(at("message")), os.remove(at("signature"))

db = sqlite3.connect(at("store.db"))
db.execute("""CREATE TABLE capture(id INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL, input TEXT NOT NULL,
  output TEXT NOT NULL, form INTEGER NOT NULL, subject TEXT, receipt TEXT UNIQUE, time_s INTEGER NOT NULL,
  bytes INTEGER NOT NULL) STRICT""")
db.execute("INSERT INTO capture VALUES(1, 'triage', 'my petunia', 'refund', 1, ?, '01KAKE4', 1795248000, 100)", [subject])
db.execute("INSERT INTO capture VALUES(2, 'triage', 'a geranium', 'order', 1, NULL, '01KAKE8', 1795248000, 100)")
db.commit()
print(chain.hex())
