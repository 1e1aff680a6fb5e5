#!/usr/bin/env python3
"""croft advise at a terminal: a pseudo-terminal types the answers. Usage: advise_session.py "ANSWER,ANSWER,…" [ARGUMENT…];
an empty answer is Enter, "^D" ends the input. Prints what the terminal showed, and ends with the program's exit code."""
import os
import pty
import select
import sys
import time

answers = sys.argv[1].split(",")
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("croft", ["croft", "advise", *sys.argv[2:]])
shown, deadline = b"", time.monotonic() + 60
while time.monotonic() < deadline:
    ready, _, _ = select.select([terminal], [], [], 0.05)
    if ready:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is gone
            break
        if not piece:
            break
        shown += piece
    elif answers and shown.endswith(b"] "):  # a prompt waits
        text = answers.pop(0)
        os.write(terminal, b"\x04" if text == "^D" else text.encode() + b"\n")
        shown += b"\n"
_, status = os.waitpid(pid, 0)
print(shown.decode().replace("\r\n", "\n"))
sys.exit(os.waitstatus_to_exitcode(status))
