"""selftest — the load generator must refuse what a broken server says: a figure of wrong answers is worth nothing.

A server of a few lines answers from a script; `good` runs end with 0, all others with 1. Less than a second.
"""
import socket, subprocess, threading

from measure import LOAD

SELECT = {"SELECT": "* 2 EXISTS\r\n"}
TWO = "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n"
BODIES = "* 1 FETCH (RFC822.SIZE 5 BODY[] {{5}}\r\na1 OK)\r\n* 2 FETCH (RFC822.SIZE {} BODY[] {{3}}\r\nabc)\r\n"
SMTP = {"greeting": "220 hi", "EHLO": "250-hi\r\n250 PIPELINING", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go",
        ".": "250 ok", "QUIT": "221 bye"}
POP3 = {"greeting": "+OK", "USER": "+OK", "PASS": "+OK", "STAT": "+OK 2 13", "UIDL": "+OK\r\n1 a\r\n2 b\r\n.",
        "RETR": "+OK\r\nabcd\r\n.", "QUIT": "+OK"}

# name, good, work, script: {verb: what is said for it}; "=VERB" is what follows the tag, for IMAP
CASES = [
    ("flags", True, "imap-fetch-flags", {**SELECT, "FETCH": TWO}),
    ("an answer is missing", False, "imap-fetch-flags", {**SELECT, "FETCH": "* 1 FETCH (UID 1)\r\n"}),
    ("NO", False, "imap-fetch-flags", {**SELECT, "FETCH": TWO, "=FETCH": "NO never"}),
    ("bodies, a tag in one", True, "imap-fetch-bodies", {**SELECT, "FETCH": BODIES.format(3)}),
    ("an octet is missing", False, "imap-fetch-bodies", {**SELECT, "FETCH": BODIES.format(4)}),
    ("login refused", False, "imap-login", {**SELECT, "=LOGIN": "NO go"}),
    ("no EXISTS", False, "imap-login", {}),
    ("STORE without an answer", False, "imap-store", SELECT),
    ("mail", True, "smtp", SMTP),
    ("mail refused", False, "smtp", {**SMTP, ".": "451 later"}),
    ("recipient refused", False, "smtp", {**SMTP, "RCPT": "550 nobody"}),
    ("a visit", False, "pop3", POP3),  # 2 × 6 octets are not 13
    ("a good visit", True, "pop3", {**POP3, "STAT": "+OK 2 12"}),
    ("a UID too few", False, "pop3", {**POP3, "STAT": "+OK 2 12", "UIDL": "+OK\r\n1 a\r\n."}),
]


def answer(script, line, imap):
    words = line.split()
    if not imap:
        return script.get(words[0]) if words else None
    return script.get(words[1], "") + f"{words[0]} {script.get('=' + words[1], 'OK')}"


def serve(listener, script, imap):
    connection, _ = listener.accept()
    in_data = False
    with connection, connection.makefile("r", newline="") as wire:
        said = script.get("greeting", "* OK hi")
        while said:
            connection.sendall((said + "\r\n").encode())
            said = None
            for line in wire:
                if in_data and line != ".\r\n":
                    continue
                said = answer(script, line, imap)
                in_data = said == "354 go"
                if said:
                    break


def run():
    """errors: RuntimeError names the case."""
    for name, good, work, script in CASES:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=serve, args=(listener, script, work.startswith("imap")), daemon=True).start()
            done = subprocess.run([LOAD, work, f"port={listener.getsockname()[1]}", "seconds=10"], capture_output=True)
        if (done.returncode == 0) != good:
            raise RuntimeError(f"the load generator, {name}: {done.returncode}: {done.stdout} {done.stderr}")
