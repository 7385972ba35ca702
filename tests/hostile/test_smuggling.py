"""SMTP smuggling: whatever stands between two messages, one transaction in is one message stored, and no envelope is forged.

Each case sends one message to alice whose text has a false end of data and behind it the commands that would deliver to
bob. Alice must get exactly that one message (or it is refused and nobody gets any), bob nothing.
"""
import re, time

import pytest

from conftest import Town
from raw import Raw, hello

MARK = b"smuggled"
ENDS = {  # what other servers have taken for the end of the data
    "LF . LF": b"\n.\n", "LF . CRLF": b"\n.\r\n", "CRLF . LF": b"\r\n.\n", "CR . CR": b"\r.\r", "CR . CRLF": b"\r.\r\n",
    "CRLF . CR": b"\r\n.\r", "CR . LF": b"\r.\n", "LF . CR": b"\n.\r", "LF . LF CRLF": b"\n.\n\r\n",
    "CR CRLF . CRLF": b"\r\r\n.\r\r\n", "CRLF . CR CRLF": b"\r\n.\r\r\n", "LF CR . LF CR": b"\n\r.\n\r",
    "CRLF NUL . CRLF": b"\r\n\0.\r\n", "CRLF . NUL CRLF": b"\r\n.\0\r\n", "CRLF . CR NUL LF": b"\r\n.\r\0\n",
    "CR NUL LF . CRLF": b"\r\0\n.\r\n", "CRLF SP . CRLF": b"\r\n .\r\n", "CRLF . SP CRLF": b"\r\n. \r\n", "CRLF .. CRLF": b"\r\n..\r\n",
    "NEL . NEL": b"\xc2\x85.\xc2\x85", "LS . LS": b"\xe2\x80\xa8.\xe2\x80\xa8", "VT . VT": b"\x0b.\x0b", "FF . FF": b"\x0c.\x0c",
    "CRLF fullwidth . CRLF": b"\r\n\xef\xbc\x8e\r\n", "8th bit": b"\x8d\x8a\xae\x8d\x8a", "CRLF . EOF CRLF": b"\r\n.\x1a\r\n",
    "CRLF . BS CRLF": b"\r\n.\x08\r\n", "CRLF . DEL CRLF": b"\r\n.\x7f\r\n", "CRLF . TAB CRLF": b"\r\n.\t\r\n",
}
TRUE_END = b"\r\n.\r\n"
SERVICES = ["smtp", "lmtp"]


def commands(town):
    return (b"MAIL FROM:<evil@elsewhere.test>\r\nRCPT TO:<%s>\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled" % town.address("bob").encode())


def begin(town, service):
    raw = hello(Raw(town, service))
    assert raw.ask(b"MAIL FROM:<sender@elsewhere.test>").startswith(b"250")
    assert raw.ask(b"RCPT TO:<%s>" % town.address("alice").encode()).startswith(b"250")
    return raw


def count(town, user):
    with town.imap(user) as imap:
        return int(imap.select("INBOX", readonly=True)[1][0])


def counts(town):
    return count(town, "alice"), count(town, "bob")


def text_of_last(town):
    with town.imap("alice") as imap:
        imap.select("INBOX", readonly=True)
        return imap.fetch("*", "(BODY.PEEK[])")[1][0][1]


def finish(raw):
    """QUIT; the codes of all replies that came."""
    raw.send_until_refused(b"QUIT\r\n")
    return re.findall(rb"^(\d{3})[ \r]", raw.rest(), re.M)


def check_one(town, before, codes, may_refuse):
    alice, bob = counts(town)
    assert bob == before[1], f"bob got mail; replies {codes}"
    if alice == before[0]:
        assert may_refuse and any(code[:1] in b"45" for code in codes), codes
        return
    assert alice == before[0] + 1, f"{alice - before[0]} messages; replies {codes}"
    text = text_of_last(town)
    assert MARK in text and not re.search(rb"(?<!\r)\n|\r(?!\n)", text), "the message is not whole, or not in lines"
    assert codes.count(b"250") == 1, codes  # DATA's; the smuggled commands got no reply


@pytest.fixture(scope="module", params=["fix", "reject"])
def post(request):
    with Town(f'bare_newline = "{request.param}"\n') as town:
        yield town


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("end", ENDS)
def test_false_ends(post, service, end):
    before = counts(post)
    raw = begin(post, service)
    assert raw.ask(b"DATA").startswith(b"354")
    raw.send(b"Subject: one\r\n\r\nfirst" + ENDS[end] + commands(post) + TRUE_END)
    check_one(post, before, finish(raw), may_refuse=True)


@pytest.mark.parametrize("service", SERVICES)
def test_the_true_end_ends(post, service):
    """The other way round: with CRLF.CRLF the commands behind are commands, so the tests above can fail."""
    before = counts(post)
    raw = begin(post, service)
    raw.ask(b"DATA")
    raw.send(b"Subject: one\r\n\r\nfirst" + TRUE_END + commands(post) + TRUE_END)
    finish(raw)
    assert counts(post) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("end", ["CRLF .. CRLF", "LF . LF", "CRLF . CR CRLF", "LF . CRLF", "CRLF . LF"])
def test_false_ends_over_packets(post, end):
    """The same split at every octet."""
    false = ENDS[end]
    for at in range(len(false) + 1):
        before = counts(post)
        raw = begin(post, "smtp")
        raw.ask(b"DATA")
        raw.send(b"Subject: one\r\n\r\nfirst" + false[:at])
        time.sleep(0.03)
        raw.send(false[at:] + commands(post))
        time.sleep(0.03)
        raw.send(TRUE_END)
        check_one(post, before, finish(raw), may_refuse=True)


def test_the_true_end_over_packets(post):
    for at in range(1, len(TRUE_END)):
        before = counts(post)
        raw = begin(post, "smtp")
        raw.ask(b"DATA")
        raw.send(b"Subject: one\r\n\r\nfirst smuggled" + TRUE_END[:at])
        time.sleep(0.03)
        raw.send(TRUE_END[at:])
        check_one(post, before, finish(raw), may_refuse=False)


def test_false_ends_at_buffer_edges(post):
    """A false end that lies over the end of each of the server's buffers."""
    for edge in (4096, 8192, 16384, 32768, 65536):
        for back in range(6):
            before = counts(post)
            raw = begin(post, "smtp")
            raw.ask(b"DATA")
            head = b"Subject: one\r\n\r\n"
            body = (b"y" * 76 + b"\r\n") * (edge // 78 + 1)
            raw.send(head + body[:edge - len(head) - back] + b"\r\n.\r\r\n" + commands(post) + TRUE_END)
            check_one(post, before, finish(raw), may_refuse=True)


BDATS = {
    "a true end within": (b"BDAT %d LAST\r\n%s", TRUE_END), "a bare end within": (b"BDAT %d LAST\r\n%s", b"\n.\n"),
    "lower case": (b"bdat %d last\r\n%s", TRUE_END),
}


@pytest.mark.parametrize("case", BDATS)
def test_bdat(post, case):
    """BDAT counts octets: nothing in them ends anything."""
    template, end = BDATS[case]
    before = counts(post)
    raw = begin(post, "smtp")
    text = b"Subject: one\r\n\r\nfirst" + end + commands(post) + TRUE_END
    raw.send(template % (len(text), text))
    check_one(post, before, finish(raw), may_refuse=True)


def test_bdat_cut_anywhere(post):
    """Chunks that end in the middle of what looks like an end."""
    text = b"Subject: one\r\n\r\nfirst" + TRUE_END + commands(post)
    at = text.index(TRUE_END)
    for cut in range(at, at + len(TRUE_END) + 1):
        before = counts(post)
        raw = begin(post, "smtp")
        raw.send(b"BDAT %d\r\n" % cut + text[:cut])
        assert raw.answer().startswith(b"250")
        raw.send(b"BDAT %d LAST\r\n" % (len(text) - cut) + text[cut:])
        check_one(post, before, finish(raw), may_refuse=False)


def test_data_between_bdats(post):
    """DATA in the middle of BDAT (and the other way round) is refused; nothing of it is delivered."""
    before = counts(post)
    raw = begin(post, "smtp")
    raw.send(b"BDAT 5\r\nfirst")
    assert raw.answer().startswith(b"250")
    assert raw.ask(b"DATA").startswith(b"503")
    for command in (b"MAIL FROM:<evil@elsewhere.test>", b"RCPT TO:<%s>" % post.address("bob").encode()):
        assert raw.ask(command).startswith((b"503", b"5"))
    assert raw.ask(b"RSET").startswith(b"250")
    finish(raw)
    assert counts(post) == before


@pytest.mark.parametrize("size", ["-1", "+5", "0x5", "5 5 LAST", "18446744073709551616", "99999999999999999999999", "5LAST", "", " LAST",
                                  "4294967301 LAST", "5\t LAST", "5 LASTING", "5\0 LAST"])
def test_bdat_with_a_false_size(post, size):
    """A size that is none delivers nothing, whatever the server makes of the octets behind."""
    before = counts(post)
    raw = begin(post, "smtp")
    raw.send_until_refused(b"BDAT " + size.encode() + b"\r\nfirst\r\n")
    raw.sock.shutdown(1)
    raw.rest()
    assert counts(post) == before


def test_pop3_ends_once(post):
    """What is stored with dots at the beginnings of its lines ends where it ends when it is retrieved."""
    raw = begin(post, "smtp")
    raw.ask(b"DATA")
    raw.send(b"Subject: dots\r\n\r\n..\r\n...\r\n..smuggled" + TRUE_END)
    assert b"250" in finish(raw)
    pop3 = post.pop3("alice")
    number = pop3.stat()[0]
    lines = pop3.retr(number)[1]
    assert lines[-3:] == [b".", b"..", b".smuggled"]
    assert pop3.noop().startswith(b"+OK")
    pop3.quit()
