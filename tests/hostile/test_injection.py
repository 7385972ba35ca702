"""Octets that would end a line, a header or a log entry, where an argument is expected; claims about who one is."""
import base64, re

import pytest

from raw import Raw, hello, ready, still_talks

BAD = {"CR": b"\r", "LF": b"\n", "CRLF": b"\r\n", "NUL": b"\0", "LFCR": b"\n\r", "ESC": b"\x1b[2J", "DEL": b"\x7f", "C1": b"\xc2\x85",
       "8-bit": b"\xff", "LS": b"\xe2\x80\xa8"}
FORGED = {"imap": b"* BYE forged", "pop3": b"+OK forged", "smtp": b"250 forged", "log": b"forged.event sid=1"}
COMMANDS = {  # ARG is where the octets go, # their number
    "imap new": [b'LOGIN "ARG" "x"', b'LOGIN "x" "ARG"', b"LOGIN {#+}\r\nARG x", b"LOGIN x {#+}\r\nARG", b"ARG", b"AUTHENTICATE ARG", b"AUTHENTICATE PLAIN ARG",
                 b'ID ("name" "ARG")', b"ID ({#+}\r\nARG NIL)", b'ID ("x-originating-ip" "ARG" "remote-host" "6.6.6.6")'],
    "imap ready": [b'SELECT "ARG"', b"SELECT {#+}\r\nARG", b"CREATE {#+}\r\nARG", b"RENAME Sent {#+}\r\nARG", b"STATUS {#+}\r\nARG (MESSAGES)", b"LIST {#+}\r\nARG *",
                   b'LIST "" {#+}\r\nARG', b"SUBSCRIBE {#+}\r\nARG", b"SEARCH SUBJECT {#+}\r\nARG", b"SEARCH HEADER {#+}\r\nARG x", b"SEARCH CHARSET {#+}\r\nARG ALL",
                   b"FETCH 1 BODY[HEADER.FIELDS ({#+}\r\nARG)]", b"STORE 1 +FLAGS (ARG)", b"COPY 1 {#+}\r\nARG", b"APPEND {#+}\r\nARG {2+}\r\nxx",
                   b'APPEND Sent "ARG" {2+}\r\nxx', b"ENABLE ARG", b"FETCH ARG FLAGS"],
    "pop3 new": [b"USER ARG", b"APOP ARG x", b"AUTH ARG", b"AUTH PLAIN ARG", b"ARG", b"CAPA ARG"],
    "pop3 ready": [b"RETR ARG", b"RETR 1ARG", b"TOP 1 ARG", b"LIST ARG", b"UIDL ARG", b"DELE ARG"],
    "smtp new": [b"EHLO ARG", b"EHLO xARG", b"HELO xARG", b"MAIL FROM:<aARG@b.test>", b"MAIL FROM:<a@b.test> ARG", b"MAIL FROM:<a@b.test> SIZE=1ARG", b"VRFY ARG",
                 b"ARG", b"HELP ARG", b"NOOP ARG", b"AUTH PLAIN ARG"],
    "lmtp new": [b"LHLO xARG", b"MAIL FROM:<aARG@b.test>"],
    "submission new": [b"AUTH PLAIN ARG", b"AUTH ARG", b"EHLO xARG", b"STARTTLS ARG"],
}
CASES = [(where, command, bad) for where, commands in COMMANDS.items() for command in commands for bad in BAD]


def check_log(town, at):
    """Every line is one that the server meant: role, then event, then key=value; nothing raw."""
    for line in town.log.read_bytes()[at:].split(b"\n"):
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line), line
        assert not line.startswith(b"forged"), line


def without_literals(heard):
    """IMAP's answer as lines: an argument may come back as a literal, whose octets are counted."""
    while size := re.search(rb"\{(\d+)\}\r\n", heard):
        heard = heard[:size.start()] + heard[size.end() + int(size.group(1)):]
    return heard


@pytest.mark.parametrize("where,command,bad", CASES)
def test_arguments(calm_town, where, command, bad):
    """The answer has no line that the client wrote, and the next command is understood (or the server has hung up)."""
    service, _, state = where.partition(" ")
    at = calm_town.log.stat().st_size
    forged = FORGED["imap" if service == "imap" else "pop3" if service == "pop3" else "smtp"]
    arguments = (b"x" + BAD[bad] + forged, BAD[bad] + FORGED["log"], BAD[bad])
    for argument in arguments[:1] if command.startswith(b"LOGIN") else arguments:  # a failed login takes its time
        with (ready if state == "ready" else lambda t, s: hello(Raw(t, s)))(calm_town, service) as raw:
            text = command.replace(b"{#+}", b"{%d+}" % len(argument))
            raw.send((b"u " if service == "imap" else b"") + text.replace(b"ARG", argument) + b"\r\n")
            raw.send({"imap": b"*\r\nz NOOP\r\n", "pop3": b"*\r\nCAPA\r\nQUIT\r\n"}.get(service, b"*\r\nQUIT\r\n"))
            if service == "imap":
                raw.send_until_refused(b"y LOGOUT\r\n")
            heard = without_literals(raw.rest()) if service == "imap" else raw.rest()
            assert not any(line.startswith(forged) for line in re.split(rb"\r\n|\n|\r", heard)), heard
            assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", heard), heard
    check_log(calm_town, at)


# ---- claims

CLAIMS = [b"PROXY TCP4 6.6.6.6 127.0.0.1 1000 25\r\n", b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x06\x06\x06\x06\x7f\0\0\x01\0\x01\0\x19"]


@pytest.mark.parametrize("service", ["smtp", "lmtp", "submission", "imap", "pop3"])
@pytest.mark.parametrize("claim", CLAIMS, ids=["v1", "v1 unknown", "v2"])
def test_proxy_of_a_stranger(calm_town, service, claim):
    """A PROXY header from who is not trusted is a senseless command; the address stays what it was."""
    at = calm_town.log.stat().st_size
    with Raw(calm_town, service) as raw:
        raw.line()
        raw.send(claim + b"QUIT\r\n" + b"t LOGOUT\r\n")
        heard = raw.rest()
        assert re.match(rb"(\S+ )?(BAD|-ERR|50\d|\* B)", heard) or not heard, heard
    assert "6.6.6.6" not in re.sub(r'"[^"]*"', "", calm_town.log_text(at))


@pytest.mark.parametrize("service", ["smtp", "lmtp", "submission"])
@pytest.mark.parametrize("claim", [b"XCLIENT ADDR=6.6.6.6 NAME=forged.test LOGIN=alice", b"XFORWARD ADDR=6.6.6.6 NAME=forged.test", b"XCLIENT ADDR=IPV6:::1",
                                   b"MAIL FROM:<a@b.test> AUTH=<alice@example.test>", b"MAIL FROM:<a@b.test> XORIGIP=6.6.6.6"])
def test_claims_of_a_client(calm_town, service, claim):
    """XCLIENT and its like are not known, and nothing of them comes to stand in the trace."""
    with hello(Raw(calm_town, service)) as raw:
        assert not (answer := raw.ask(claim)).startswith((b"220", b"235")), answer
        raw.ask(b"RSET")
        if service == "submission":
            assert raw.ask(b"MAIL FROM:<alice@example.test>")[:1] == b"5"
            return
        assert raw.ask(b"MAIL FROM:<a@elsewhere.test>").startswith(b"250")
        assert raw.ask(b"RCPT TO:<%s>" % calm_town.address("bob").encode()).startswith(b"250")
        assert raw.ask(b"DATA").startswith(b"354")
        assert raw.ask(b"Subject: claims\r\n\r\nx\r\n.").startswith(b"250")
    with calm_town.imap("bob") as imap:
        imap.select("INBOX")
        text = imap.fetch("*", "(BODY.PEEK[])")[1][0][1]
        assert b"6.6.6.6" not in text and b"forged" not in text and b"[127.0.0.1]" in text


@pytest.mark.parametrize("octets", [b"x\r\nX-Forged: yes", b"x\nX-Forged: yes", b"x\rX-Forged: yes", b"x\0X-Forged: yes", b"x) by y with z; (", b"[6.6.6.6]",
                                    b"x\tX-Forged: yes", b"\xff\xfe", b"x" * 500])
def test_trace_of_a_strange_name(calm_town, octets):
    """What a client calls itself cannot add fields to the message, nor a second Received."""
    with Raw(calm_town, "smtp") as raw:
        raw.line()
        raw.send(b"EHLO " + octets + b"\r\nHELO ok\r\nMAIL FROM:<a@elsewhere.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % calm_town.address("bob").encode())
        raw.until(rb"354|503|421")
        raw.send(b"Subject: trace\r\n\r\nx\r\n.\r\nQUIT\r\n")
        raw.rest()
    with calm_town.imap("bob") as imap:
        imap.select("INBOX")
        header = imap.fetch("*", "(BODY.PEEK[HEADER])")[1][0][1]
        assert not re.search(rb"(?mi)^X-Forged", header) and len(re.findall(rb"(?mi)^Received:", header)) == 1


LOGINS = [b"alice@example.test\0", b"alice@example.test\0bob@example.test", b"\0alice@example.test", b"alice@example.test\n", b"alice@example.test@x",
          b"alice@example.test ", b"ali\xc2\xadce@example.test\0", b"alice%example.test", b"alice@EXAMPLE.test\r"]


@pytest.mark.parametrize("name", LOGINS)
def test_logins_with_more_in_them(calm_town, name):
    """Alice's password with a name that is hers only as far as some octet: no login."""
    proof = base64.b64encode(b"\0" + name + b"\0pass word 7")
    with hello(Raw(calm_town, "imap")) as raw:
        assert b"OK" not in raw.ask(b"AUTHENTICATE PLAIN " + proof)
        assert b"BAD" in raw.ask(b"SELECT INBOX")
    with hello(Raw(calm_town, "pop3")) as raw:
        assert raw.ask(b"AUTH PLAIN " + proof).startswith(b"-ERR")
        assert still_talks(raw)
