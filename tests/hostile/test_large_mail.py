"""Messages made to cost: 10,000 parts, a thousand levels, headers of 10 MB, field names that collide, words without end.

Each comes by SMTP and is then asked for in every way; the answers may be NO [LIMIT], but they come and nobody else waits.
There is no case for bombs of compressed octets: no protocol offers compression and nothing that a stranger sends is
inflated (`test_no_decoder_for_strangers` fails when that changes).
"""
import re

import pytest

from raw import hello, Raw, ready

PARTS, DEPTH, OCTETS, FIELDS = 10_000, 1000, 10 << 20, 40_000


def multipart(parts):
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(b"--b\r\n\r\n%d\r\n" % i for i in range(parts)) + b"--b--\r\n"


def nested(depth):
    """A multipart in a multipart; each boundary a beginning of the next, which is the dearest to tell apart."""
    return b"".join(b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' % (b"b" * (1 + i % 60), b"b" * (1 + i % 60))
                    for i in range(depth)) + b"\r\nend\r\n"


def colliding(n):
    """Names that h = h * 33 + c (and * 31) take for one."""
    names = []
    for i in range(n):
        bits = f"{i:016b}"
        pair = (b"Ez", b"FY") if i % 2 else (b"Aa", b"BB")
        names.append(b"".join(pair[int(b)] for b in bits))
    return b"".join(b"X-%s: v\r\n" % name for name in names)


MAILS = {
    "10,000 parts": multipart(PARTS), "100,000 parts": multipart(100_000), "depth 1,000": nested(DEPTH), "depth 20,000": nested(20_000),
    "rfc822 1,000": b"Content-Type: message/rfc822\r\n\r\n" * DEPTH + b"\r\nend\r\n",
    "a field of 10 MB": b"X-Long: " + b"x" * 900 + (b"\r\n " + b"x" * 900) * (OCTETS // 904) + b"\r\n\r\nbody\r\n",
    "a subject of 10 MB": b"Subject: " + b"=?utf-8?q?=C3=A4?=" + b"\r\n =?utf-8?b?w6Q=?= =?x?q?_?=" * (OCTETS // 31) + b"\r\n\r\nbody\r\n",
    "addresses of 10 MB": b"To: a@b.test" + b",\r\n \"x\" <a@b.test>, g: b@c.test;" * (OCTETS // 38) + b"\r\n\r\nbody\r\n",
    "open comments": b"To: " + b"\r\n (((((((((((((((((((((((((((" * (OCTETS // 100) + b"\r\n\r\nbody\r\n",
    "a million fields": b"X: y\r\n" * 1_000_000 + b"\r\nbody\r\n", "colliding names": colliding(FIELDS) + b"\r\nbody\r\n",
    "references": b"References:" + b"\r\n <a@b.test>" * 300_000 + b"\r\nIn-Reply-To: <\r\n\r\nbody\r\n",
    "parameters": b"Content-Type: text/plain" + b"".join(b";\r\n x*%d*=utf-8''%%41" % i for i in range(100_000)) + b"\r\n\r\nbody\r\n",
    "quoted-printable": b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=3Cb=3E=\r\n" * 400_000,
    "base64 of nothing": b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"=\r\n*\r\nA\r\n" * 400_000,
    "html": b"Content-Type: text/html\r\n\r\n" + b"<a <!-- &amp &#x10ffff; <![\r\n" * 200_000,
    "iso-2022": b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + b"\x1b$B\x1b(B\x1b(J\r\n" * 400_000,
    "boundaries without end": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b-\r\n--" * 500_000,
}
ASKS = [b"FETCH * ENVELOPE", b"FETCH * BODYSTRUCTURE", b"FETCH * BODY.PEEK[HEADER.FIELDS (SUBJECT TO X-EZEZEZEZEZEZEZEZEZEZEZEZEZEZEZEZ)]",
        b"FETCH * BODY.PEEK[HEADER.FIELDS.NOT (X)]", b"FETCH * BODY.PEEK[1.1.1.1.1.1.1.1]", b"FETCH * BODY.PEEK[9999]", b"FETCH * BODY.PEEK[1.MIME]",
        b"SEARCH TEXT nowhere", b"SEARCH BODY nowhere", b"SEARCH SUBJECT nowhere", b"SEARCH TO nowhere HEADER x y", b"SEARCH SENTSINCE 1-Jan-2020"]


def answer(raw, command):
    """The tagged line; what came before it is read and let go."""
    raw.send(b"t " + command + b"\r\n")
    tail = raw.heard
    while not (found := re.search(rb"(?:^|\n)(t (?:OK|NO|BAD)[^\n]*)\n$", tail[-4096:])):
        octets = raw.sock.recv(1 << 20)
        assert octets, "the server hung up"
        tail = tail[-4096:] + octets
    raw.heard = b""
    return found.group(1)


@pytest.mark.parametrize("name", MAILS)
def test_mail(town, name):
    raw = hello(Raw(town, "smtp", timeout=60))
    raw.ask(b"MAIL FROM:<a@elsewhere.test>")
    raw.ask(b"RCPT TO:<%s>" % town.address("alice").encode())
    raw.ask(b"DATA")
    raw.send(MAILS[name] + b"\r\n.\r\n")
    taken = raw.answer()
    assert taken[:1] in b"25", taken
    raw.close()
    if taken[:1] == b"5":
        return
    with ready(town, "imap", timeout=60) as imap:
        for command in ASKS:
            line = answer(imap, command)
            assert line.startswith((b"t OK", b"t NO [")), (command, line)
        assert answer(imap, b"STORE 1:* +FLAGS.SILENT (\\Deleted)").startswith(b"t OK")
        assert answer(imap, b"EXPUNGE").startswith(b"t OK")


def test_many_at_once(town):
    """Ten clients ask for the dearest ones together."""
    for name in ("100,000 parts", "addresses of 10 MB", "a million fields"):
        with town.imap() as imap:
            imap.append("INBOX", None, None, MAILS[name])
    crowd = [ready(town, "imap", timeout=60) for _ in range(10)]
    for raw in crowd:
        raw.send(b"t FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY.PEEK[1])\r\n")
    for raw in crowd:
        assert answer(raw, b"NOOP")
        raw.close()


def test_no_decoder_for_strangers(calm_town):
    for service in ("smtp", "submission", "imap", "pop3"):
        with ready(calm_town, service) as raw:
            raw.send({"imap": b"c CAPABILITY\r\n", "pop3": b"CAPA\r\n"}.get(service, b"EHLO x\r\n"))
            heard = raw.until(rb"c OK|\.\r\n|250 ")
            assert not re.search(rb"COMPRESS|DEFLATE|GZIP", heard, re.I), "a decoder: test it with bombs"
