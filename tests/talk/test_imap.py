"""Every transcript of tests/talk/imap against the running server, each with a user of its own: %{user}, %{password}; and
what takes several protocols."""
import pathlib, socket, sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import talk  # noqa: E402
from server import PASSWORD, Server  # noqa: E402


@pytest.fixture(scope="module")
def open_server():
    with Server(options='plain_login = "loopback"\nmessage_max = "3M"', users=()) as running:
        yield running


@pytest.mark.parametrize("path", sorted(HERE.glob("imap/*.talk")), ids=lambda p: p.stem)
def test_transcript(open_server, path):
    user = path.stem.replace(".", "-")
    open_server.add_user(user)
    variables = {"user": open_server.address(user), "password": f'"{PASSWORD}"'}
    talk.run(talk.read(path), lambda: socket.create_connection(("127.0.0.1", open_server.port("imap")), 20), variables)


class Line:
    """One connection of a protocol that answers in lines."""
    def __init__(self, server, port):
        self.sock = socket.create_connection(("127.0.0.1", server.port(port)), 20)
        self.file = self.sock.makefile("rb")

    def until(self, start):
        """What comes up to and with the line that begins so."""
        said = b""
        while not (line := self.file.readline()).startswith(start):
            assert line, f"closed before {start!r}: {said!r}"
            said += line
        return said + line

    def do(self, line, start):
        self.sock.sendall(line + b"\r\n")
        return self.until(start)


def test_nul_from_smtp(open_server):
    """RFC 3501 section 9: no CHAR8 is NUL. Mail that came with one is kept, POP3 gives it as it is, IMAP shows 0x80."""
    open_server.add_user("nul")
    user = open_server.address("nul").encode()
    smtp = Line(open_server, "smtp")
    smtp.until(b"220 ")
    smtp.do(b"EHLO old.example", b"250 ")
    smtp.do(b"MAIL FROM:<a@old.example>", b"250 ")
    smtp.do(b"RCPT TO:<" + user + b">", b"250 ")
    smtp.do(b"DATA", b"354 ")
    smtp.do(b"Subject: a\0b\r\n\r\n\0one\0\r\n" + b"large\0\r\n" * 20000 + b".", b"250 ")
    imap = Line(open_server, "imap")
    imap.until(b"* OK")
    imap.do(b"l LOGIN " + user + b' "' + PASSWORD.encode() + b'"', b"l OK")
    imap.do(b"s SELECT INBOX", b"s OK")
    for item in (b"BODY.PEEK[]", b"RFC822", b"BODY[TEXT]<0.100>", b"BODY[1]", b"BODY[HEADER.FIELDS (Subject)]", b"ENVELOPE",
                 b"BODY[HEADER]", b"(BODYSTRUCTURE ENVELOPE)"):
        assert b"\0" not in imap.do(b"f FETCH 1 " + item, b"f OK"), item
    assert imap.do(b"g FETCH 1 BODY[TEXT]<0.5>", b"g OK").startswith(b"* 1 FETCH (BODY[TEXT]<0> {5}\r\n\x80one\x80)")
    pop3 = Line(open_server, "pop3")
    pop3.until(b"+OK")
    pop3.do(b"USER " + user, b"+OK")
    pop3.do(b"PASS " + PASSWORD.encode(), b"+OK")
    assert b"\r\n\r\n\0one\0\r\nlarge\0\r\n" in pop3.do(b"RETR 1", b".")


def test_large_message(open_server):
    """Large messages are looked into by helper threads, inside the sandbox: structure, sections and text are as of small ones."""
    open_server.add_user("large")
    user = open_server.address("large").encode()
    text = "<p>你好</p>\r\n".encode("gb18030") * 100000
    letter = (b"Subject: large\r\nContent-Type: multipart/mixed; boundary=\"-\"\r\n\r\n---\r\n\r\n" + b"----\r\n" * 60000 +
              b"---\r\nContent-Type: text/html; charset=gb18030\r\n\r\n" + text + "再见".encode("gb18030") + b"\r\n-----\r\n")
    imap = Line(open_server, "imap")
    imap.until(b"* OK")
    imap.do(b"l LOGIN " + user + b' "' + PASSWORD.encode() + b'"', b"l OK")
    imap.do(b"a APPEND INBOX {%d+}\r\n" % len(letter) + letter, b"a OK")
    imap.do(b"s SELECT INBOX", b"s OK")
    said = imap.do(b"b FETCH 1 (BODYSTRUCTURE BODY[2])", b"b OK")
    assert b'"charset" "gb18030"' in said and text in said
    find = "再见".encode()
    assert imap.do(b"c SEARCH CHARSET UTF-8 TEXT {%d+}\r\n" % len(find) + find, b"c OK").startswith(b"* SEARCH 1\r\n")
    assert imap.do(b"d SEARCH BODY nowhere", b"d OK").startswith(b"* SEARCH\r\n")
