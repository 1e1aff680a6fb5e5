"""A croft server for a test, requests to it, and a stand-in for another tier."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CROFT = os.path.abspath(os.environ.get("CROFT", os.path.join(ROOT, "build/croft")))
MODEL = os.path.join(ROOT, "models/helpdesk-q8_0.gguf")
GOLD = os.path.join(ROOT, "examples/helpdesk/test_intents.jsonl")


class Server:
    """`croft serve` on a free port; use as a context. log: a file for what it says at `level`."""

    def __init__(self, *args, log=None, level="warn"):
        self.process = subprocess.Popen([CROFT, "serve", "--port", "0", *args], stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "CROFT_LOG": level if log else "error"})
        said, found = [], None
        while not found:
            said.append(self.process.stderr.readline())
            if not said[-1]:
                raise RuntimeError("the server did not start: " + "".join(said))
            found = re.search(r"at (https?)://(.*):(\d+)/v1", said[-1])
        if log:
            self.writer = threading.Thread(target=self.copy, args=(log, said), daemon=True)
            self.writer.start()
        self.scheme, self.host, self.port = found[1], found[2], int(found[3])
        self.url = "%s://%s:%d" % (self.scheme, self.host, self.port)

    def copy(self, path, said):
        with open(path, "w") as f:
            f.writelines(said[:-1])  # before the line with the address
            for line in self.process.stderr:
                f.write(line)
                f.flush()

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        code = self.end()
        if code and not failed:  # built with ASan, also a leak
            raise RuntimeError("the server ended with %d" % code)

    def end(self, how=signal.SIGTERM, seconds=20):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(seconds)

    def ask(self, path, body=None, headers=None, method=None, context=None):
        """(status, headers, text) of a request; body: None, bytes, or a value sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        h = {"Content-Type": "application/json"} if data is not None else {}
        h.update(headers or {})
        q = urllib.request.Request(self.url + path, data=data, headers=h, method=method)
        try:
            with urllib.request.urlopen(q, timeout=60, context=context) as r:
                return r.status, r.headers, r.read().decode()
        except urllib.error.HTTPError as r:
            return r.code, r.headers, r.read().decode()

    def json(self, path, body=None, **more):
        status, _, text = self.ask(path, body, **more)
        return status, json.loads(text)

    def raw(self, data, until_close=True, seconds=10):
        """Send bytes, return all that comes back."""
        with socket.create_connection((self.host, self.port), timeout=seconds) as s:
            s.sendall(data)
            out = b""
            while True:
                try:
                    more = s.recv(65536)
                except (ConnectionResetError, socket.timeout):
                    break
                if not more:
                    break
                out += more
            return out

    def metric(self, name):
        """The sum of a metric's series."""
        text = self.ask("/metrics")[2]
        return sum(float(l.rsplit(" ", 1)[1]) for l in text.splitlines() if re.match(re.escape(name) + r"[ {]", l))

    def resident(self):
        """Bytes of memory."""
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(re.search(r"VmRSS:\s*(\d+)", f.read())[1]) * 1024

    def settled(self, seconds=10):
        """Nothing runs, waits or is in flight (but the question itself) within so many seconds."""
        end = time.time() + seconds
        while time.time() < end:
            if self.metric("croft_running") + self.metric("croft_waiting") == 0 and \
                    self.metric("croft_requests_in_flight") <= 1:
                return True
            time.sleep(0.05)
        return False


def certificates(folder):
    """For a stand-in's --tls: an authority (ca.pem) and what it vouches for. False without an openssl that can."""
    def openssl(*args):
        return subprocess.run(["openssl", *args], cwd=folder, capture_output=True).returncode == 0
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    fine = bool(shutil.which("openssl")) and openssl("req", "-x509", *new, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    for name, host, days in ("good", "localhost", "2"), ("expired", "localhost", "-1"), ("wrong_host", "elsewhere.example", "2"):
        fine = fine and openssl("req", *new, "-subj", "/CN=" + host, "-addext", "subjectAltName=DNS:" + host, "-keyout", name + ".key",
                                "-out", name + ".csr")
        fine = fine and openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days,
                                "-copy_extensions", "copy", "-out", name + ".pem")
    return fine and not openssl("x509", "-in", "expired.pem", "-noout", "-checkend", "0")


class Upstream:
    """The stand-in of upstream.py, on a port of its own; it knows the labels of the help desk's test set."""

    def __init__(self, *args):
        self.p = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests/api/upstream.py"), "--port", "0", "--gold", GOLD,
                                   *args], stdout=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().split()[-1])
        self.sealed = int(self.p.stdout.readline().split()[-1]) if "--tls" in args else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.kill()
        self.p.wait()

    def control(self, **body):
        q = urllib.request.Request("http://127.0.0.1:%d/control" % self.port, data=json.dumps(body).encode() if body else None)
        with urllib.request.urlopen(q, timeout=10) as r:
            return json.loads(r.read())

    def requests(self):
        return self.control()["requests"]
