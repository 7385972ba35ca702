"""IMAP literals that are announced and do not come, numbers that fit nowhere, thousands of literals, parentheses without end."""
import re, time

import pytest

from raw import Raw, hello, ready, source, still_talks

SIZES = ["5", "4096", "8192", "65536", "1000000", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808",
         "18446744073709551615", "18446744073709551616", "9" * 400, "-1", "+5", "0x5", "", " 5", "5 ", "05", "00000000000000000005"]
COMMANDS = {"new": [b"LOGIN ", b"AUTHENTICATE PLAIN ", b"ID (", b"NOOP ", b""],
            "ready": [b"APPEND INBOX ", b"SELECT ", b"SEARCH SUBJECT ", b"CREATE ", b'LIST "" ', b"FETCH 1 BODY[HEADER.FIELDS ("]}
MANY = 20000
NESTS = {
    "new": {"ID": b"ID " + b"(" * MANY, "LOGIN": b"LOGIN " + b"(" * MANY, "tag": b"(" * 6000, "brackets": b"NOOP " + b"[" * 6000},
    "ready": {
        "SEARCH (": b"SEARCH " + b"(" * MANY, "SEARCH ()": b"SEARCH " + b"(" * MANY + b"ALL" + b")" * MANY,
        "SEARCH NOT": b"SEARCH " + b"NOT " * 15000 + b"ALL", "SEARCH OR": b"SEARCH " + b"OR ALL " * 9000 + b"ALL",
        "SEARCH keys": b"SEARCH " + b"ALL " * 15000 + b"ALL", "SEARCH text": b"SEARCH " + b"TEXT x " * 9000 + b"ALL",
        "FETCH (": b"FETCH 1 " + b"(" * MANY, "FETCH items": b"FETCH 1 (" + b"FLAGS " * 10000 + b"UID)",
        "FETCH sections": b"FETCH 1 (" + b"BODY.PEEK[TEXT] " * 4000 + b"UID)", "FETCH part": b"FETCH 1 BODY[" + b"1." * 30000 + b"1]",
        "FETCH fields": b"FETCH 1 BODY.PEEK[HEADER.FIELDS (" + b"x " * 30000 + b"y)]",
        "STORE flags": b"STORE 1 FLAGS (" + b"(" * MANY, "STORE keywords": b"STORE 1 +FLAGS (" + b" ".join(b"k%d" % i for i in range(5000)) + b")",
        "LIST (": b"LIST " + b"(" * MANY, "LIST patterns": b'LIST "" (' + b"* " * 20000 + b"%)", "LIST stars": b'LIST "" "' + b"*" * 60000 + b'"',
        "LIST %": b'LIST "" "' + b"%*" * 30000 + b'x"', "LIST /": b'LIST "" "' + b"%/" * 30000 + b'"', "ID": b"ID " + b"(" * MANY,
        "STATUS": b"STATUS INBOX (" + b"MESSAGES " * 6000 + b"UIDNEXT)", "set": b"FETCH " + b"1," * 30000 + b"1 UID",
        "set *": b"FETCH " + b"*:1," * 14000 + b"1 UID", "UID set": b"UID SEARCH UID " + b",".join(b"%d:%d" % (i, i + 7) for i in range(1, 9000, 2)),
    },
}


def opened(town, state, **words):
    return ready(town, "imap", **words) if state == "ready" else hello(Raw(town, "imap", **words))


@pytest.mark.parametrize("state", COMMANDS)
@pytest.mark.parametrize("sign", ["", "+", "-"])
@pytest.mark.parametrize("size", SIZES, ids=lambda s: s[:24])
def test_sizes(calm_town, state, sign, size):
    """Each is waited for, refused or hung up on; nobody else waits. What follows a refusal is understood."""
    for command in COMMANDS[state]:
        with opened(calm_town, state) as raw:
            raw.send(b"t " + command + b"{" + size.encode() + sign.encode() + b"}\r\n")
            raw.sock.settimeout(0.05)
            try:
                answered = raw.more()
            except TimeoutError:
                continue  # waits for the literal
            if answered and raw.heard.startswith(b"+ "):
                continue
            if answered and not raw.is_ended() and re.match(rb"t (BAD|NO)", raw.heard) and sign != "+":
                raw.heard = b""
                raw.sock.settimeout(30)
                assert still_talks(raw) or raw.is_ended()


@pytest.mark.parametrize("state,n", [("new", 300), ("ready", 100)])
def test_announced_and_not_sent(town, state, n):
    """Hundreds that announce the largest literals that are taken, send a part and fall silent."""
    crowd = []
    for i in range(n):
        raw = opened(town, state, source=source(i))
        raw.send(b"t APPEND INBOX {40000000+}\r\n" + b"z" * 200000 if state == "ready" else b"t LOGIN {4000+}\r\n" + b"z" * 3999)
        crowd.append(raw)
    time.sleep(1)
    for raw in crowd:
        raw.close()


@pytest.mark.parametrize("state", COMMANDS)
@pytest.mark.parametrize("literal", [b"{0+}\r\n", b"{1+}\r\nx", b"{1+}\r\nx ", b'"" ', b"NIL "], ids=["0+", "1+", "1+ SP", "quoted", "NIL"])
def test_thousands_of_literals(town, state, literal):
    for command in COMMANDS[state]:
        with opened(town, state) as raw:
            if raw.send_until_refused(b"t " + command + literal * MANY + b"\r\n"):
                raw.sock.settimeout(20)
                assert raw.more() or raw.is_ended()


@pytest.mark.parametrize("state,name", [(state, name) for state, nests in NESTS.items() for name in nests])
def test_nests(town, state, name):
    """Answered (with OK, NO or BAD), or hung up on; soon, and then the next command is understood."""
    for _ in range(3):
        with opened(town, state) as raw:
            raw.send_until_refused((b"" if name == "tag" else b"t ") + NESTS[state][name] + b"\r\n")
            raw.sock.settimeout(30)
            try:
                heard = raw.until(rb"(t|\*) (OK|NO|BAD|BYE)")
            except (AssertionError, ConnectionError):
                assert raw.is_ended()
                continue
            if not re.search(rb"(?m)^\* BYE", heard):
                assert still_talks(raw) or raw.is_ended()


def test_synchronising_literals_one_after_another(town):
    """Each is asked for with `+`; a few hundred in one command are nothing special."""
    with ready(town, "imap") as raw:
        raw.send(b"t SEARCH {1}\r\n")
        for _ in range(300):
            assert raw.line().startswith((b"+", b"t BAD"))
            raw.send(b"1 {1}\r\n")
        raw.send(b"1\r\n")
        raw.until(rb"t (OK|NO|BAD)")
        assert still_talks(raw)


@pytest.mark.parametrize("octets", [b"{5", b"{5+}x\r\nabcde", b"{5+}\nabcde", b"{5+}\rabcde", b"~{5+}\r\nabcde", b'"{5+}\r\nabcde', b"{5++}\r\nabcde",
                                    b"{5+-}\r\n", b"{+5}\r\n", b"{{5}}\r\n", b"{5}{5}\r\n", b"~~{5}\r\n", b"{5}\0\r\n", b"{5+}\r\nab\0de"])
def test_what_looks_like_a_literal(calm_town, octets):
    """Almost one: refused, waited for or hung up on."""
    with ready(calm_town, "imap") as raw:
        raw.send_until_refused(b"t SELECT " + octets + b"\r\n")
        raw.sock.settimeout(0.2)
        try:
            raw.more()
        except TimeoutError:
            pass
