#!/usr/bin/env python3
"""A stand-in for a model hub that misbehaves on demand. Standard library only.

usage: server.py PORTFILE [--tls CERT KEY]      writes "PORT OTHERPORT" to PORTFILE, then serves until killed

The hub on PORT:
    /api/models/O/R/revision/REV?blobs=true, /api/models/O/R/tree/REV, /O/R/resolve/REV/FILE (302 to the content on
    OTHERPORT, with X-Repo-Commit, X-Linked-Etag, X-Linked-Size)
    /plain/FILE                 a file without any redirect
    /set?k=v&…                  change the behaviour: see `state`;  /log: what was asked, as JSON;  /reset
The content on OTHERPORT: /content/FILE. A request that carries Authorization there is logged.
A request with an absolute address (as to a proxy) is answered like one to /plain.
"""
import hashlib, json, os, ssl, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


def content(seed, size):
    out, block = bytearray(b"GGUF"), hashlib.sha256(seed.encode()).digest()
    while len(out) < size:
        block = hashlib.sha256(block).digest()
        out += block * 64
    return bytes(out[:size])


FILES = {
    "tiny-model-q4_0.gguf": content("a", 300_000),
    "tiny-model-q8_0.gguf": content("b", 600_000),
    "tiny-model-Q4_K_M.gguf": content("c", 400_000),
    "big-q4_0.gguf": content("d", 24_000_000),
    "set-q8_0-00001-of-00003.gguf": content("e", 200_000),
    "set-q8_0-00002-of-00003.gguf": content("f", 210_000),
    "set-q8_0-00003-of-00003.gguf": content("g", 90_000),
    "mmproj-tiny-f16.gguf": content("h", 1000),
    "tiny.imatrix.gguf": content("i", 1000),
    "page.gguf": b"<html><body>please log in</body></html>" * 20,
}
REPOS = {
    "acme/Tiny-Model-GGUF": ["README.md", "tiny-model-q4_0.gguf", "tiny-model-q8_0.gguf", "tiny-model-Q4_K_M.gguf",
                             "mmproj-tiny-f16.gguf", "tiny.imatrix.gguf", "../../evil-q2_k.gguf"],
    "other/Tiny-Model-GGUF": ["tiny-model-q8_0.gguf"],
    "acme/Big-GGUF": ["big-q4_0.gguf"],
    "acme/Set-GGUF": ["set-q8_0-0000%d-of-00003.gguf" % i for i in (1, 2, 3)],
    "acme/Hole-GGUF": ["set-q8_0-00001-of-00003.gguf", "set-q8_0-00003-of-00003.gguf"],
    "acme/Two-GGUF": ["tiny-model-q8_0.gguf", "set-q8_0-00001-of-00003.gguf"],
    "acme/None": ["README.md"],
    "acme/Gated-GGUF": ["tiny-model-q4_0.gguf"],
}
DEFAULTS = {
    "commit": "1" * 40,
    "ignore_range": 0,   # answer 200 with everything
    "drop_after": 0,     # cut the body after so many bytes …
    "drop_times": 0,     # … so many times
    "stall_s": 0,        # … and before the cut, be silent so long
    "fail_status": 0, "fail_times": 0, "retry_after": "",
    "wrong_digest": 0,   # announce another SHA-256
    "wrong_size": 0,     # add to the announced size (API and headers)
    "wrong_length": 0,   # add to Content-Length of the content
    "endless": 0,        # chunked, never ends
    "chunked": 0,        # no Content-Length
    "rate": 0,           # bytes per second
    "loop": 0,           # redirect in circles
    "status_416": 0,     # refuse ranges
    "no_revision_api": 0,
    "redirect_to": "",   # send content requests there
    "etag": "",          # fixed ETag of the content
    "bad_json": 0,
    "wrong_start": 0,    # 206 that starts elsewhere
}
state, log, lock = dict(DEFAULTS), [], threading.Lock()
ports = [0, 0]
scheme = "http"


def sha(name):
    return "0" * 64 if state["wrong_digest"] else hashlib.sha256(FILES[name]).hexdigest()


def size(name):
    return len(FILES[name]) + int(state["wrong_size"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub = True

    def log_message(self, *args):
        pass

    def note(self):
        with lock:
            log.append({"hub": self.hub, "method": self.command, "path": self.path, "range": self.headers.get("Range"),
                        "if_range": self.headers.get("If-Range"), "auth": self.headers.get("Authorization")})

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def as_json(self, value):
        self.reply(200, json.dumps(value).encode(), [("Content-Type", "application/json")])

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urlsplit(self.path)
        path, query = unquote(url.path), parse_qs(url.query)
        if path == "/set":
            for k, v in query.items():
                state[k] = type(DEFAULTS[k])(v[0])
            return self.reply(200)
        if path == "/reset":
            state.clear()
            state.update(DEFAULTS)
            log.clear()
            return self.reply(200)
        if path == "/log":
            return self.as_json(log)
        self.note()
        with lock:
            fail = int(state["fail_times"])
            if fail > 0:
                state["fail_times"] = fail - 1
        if fail > 0:
            extra = [("Retry-After", state["retry_after"])] if state["retry_after"] else []
            return self.reply(int(state["fail_status"]), b"busy", extra)
        if url.netloc:  # we are somebody's proxy
            return self.send_file(os.path.basename(path))
        if path.startswith("/api/models/"):
            return self.api(path[len("/api/models/"):])
        if path.startswith("/plain/") or path.startswith("/content/"):
            return self.send_file(os.path.basename(path))
        if "/resolve/" in path:
            return self.resolve(path)
        self.reply(404)

    def api(self, rest):
        parts = rest.split("/")
        repo, kind, rev = "/".join(parts[:2]), parts[2] if len(parts) > 2 else "", parts[3] if len(parts) > 3 else ""
        if repo == "acme/Gated-GGUF" and self.headers.get("Authorization") != "Bearer sesame":
            return self.reply(401 if not self.headers.get("Authorization") else 403, b"gated")
        if repo not in REPOS or rev not in ("main", "v1", state["commit"]):
            return self.reply(404)
        if state["bad_json"]:
            return self.reply(200, b'{"siblings": 7')
        if kind == "revision" and not state["no_revision_api"]:
            files = []
            for f in REPOS[repo]:
                x = {"rfilename": f}
                if f in FILES:
                    x.update(size=size(f), lfs={"sha256": sha(f), "size": size(f)})
                files.append(x)
            return self.as_json({"id": repo, "sha": state["commit"], "siblings": files})
        if kind == "tree":
            return self.as_json([{"type": "file", "path": f, "size": size(f), "lfs": {"oid": sha(f), "size": size(f)}}
                                 for f in REPOS[repo] if f in FILES])
        self.reply(404)

    def resolve(self, path):
        repo, rest = path[1:].split("/resolve/", 1)
        rev, name = rest.split("/", 1)
        if state["loop"]:
            return self.reply(302, headers=[("Location", path)])
        if repo not in REPOS or name not in FILES or name not in REPOS[repo] or rev not in ("main", "v1", state["commit"]):
            return self.reply(404)
        where = state["redirect_to"] or "%s://127.0.0.1:%d/content/%s?signature=secret" % (scheme, ports[1], name)
        self.reply(302, headers=[("Location", where), ("X-Repo-Commit", state["commit"]),
                                 ("X-Linked-Etag", '"%s"' % sha(name)), ("X-Linked-Size", str(size(name)))])

    def send_file(self, name):
        if name not in FILES:
            return self.reply(404)
        data, start, status = FILES[name], 0, 200
        etag = state["etag"] or '"%s"' % hashlib.md5(data).hexdigest()
        want = self.headers.get("Range")
        if want and state["status_416"]:
            return self.reply(416, headers=[("Content-Range", "bytes */%d" % len(data))])
        cond = self.headers.get("If-Range")
        if want and not state["ignore_range"] and (cond is None or cond == etag):
            start, status = int(want.split("=")[1].split("-")[0]), 206
            if start >= len(data):
                return self.reply(416, headers=[("Content-Range", "bytes */%d" % len(data))])
        body = data[start:]
        self.send_response(status)
        self.send_header("ETag", etag)
        if status == 206:
            first = start + int(state["wrong_start"])
            self.send_header("Content-Range", "bytes %d-%d/%d" % (first, len(data) - 1, len(data)))
        chunked = state["endless"] or state["chunked"]
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body) + int(state["wrong_length"])))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self.send_body(body, chunked)
        except OSError:
            pass

    def send_body(self, body, chunked):
        with lock:
            drop = int(state["drop_times"]) > 0
            if drop:
                state["drop_times"] = int(state["drop_times"]) - 1
        end = int(state["drop_after"]) if drop else len(body)
        rate = int(state["rate"])
        step = max(1024, rate // 20) if rate else 65536
        at = 0
        while at < end or state["endless"]:
            piece = body[at:min(at + step, end)] if at < end else b"x" * 65536
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            at += len(piece)
            if rate:
                time.sleep(0.05)
        if drop:
            self.wfile.flush()
            time.sleep(int(state["stall_s"]))
            self.close_connection = True
            return
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        if int(state["wrong_length"]):
            self.close_connection = True


class Content(Handler):
    hub = False


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that are killed are part of the tests


def main():
    global scheme
    servers = [Server(("127.0.0.1", 0), h) for h in (Handler, Content)]
    if "--tls" in sys.argv:
        i = sys.argv.index("--tls")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[i + 1], sys.argv[i + 2])
        for s in servers:
            s.socket = context.wrap_socket(s.socket, server_side=True)
        scheme = "https"
    for i, s in enumerate(servers):
        ports[i] = s.server_address[1]
        threading.Thread(target=s.serve_forever, daemon=True).start()
    with open(sys.argv[1] + ".tmp", "w") as f:
        f.write("%d %d\n" % tuple(ports))
    os.rename(sys.argv[1] + ".tmp", sys.argv[1])
    while True:
        time.sleep(3600)


main()
