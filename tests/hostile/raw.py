"""raw — sockets that say exactly the octets that a test means, and logged-in ones of every protocol."""
import os, re, select, socket, struct, time

from server import PASSWORD

PROTOCOLS = ("smtp", "lmtp", "submission", "imap", "pop3")


class Raw:
    def __init__(self, server, service, source=None, timeout=30, small=False):
        self.sock = socket.socket()
        if small:  # a reader that keeps little
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", server.port(service)))
        self.service, self.heard = service, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, octets):
        self.sock.sendall(octets)

    def send_until_refused(self, octets):
        """Sends all, or what the server takes before it hangs up."""
        try:
            self.sock.sendall(octets)
            return True
        except OSError:
            return False

    def more(self):
        """Hears something; False at the end."""
        try:
            octets = self.sock.recv(65536)
        except ConnectionError:
            return False
        self.heard += octets
        return bool(octets)

    def line(self):
        while b"\n" not in self.heard:
            assert self.more(), f"the server hung up: {self.heard!r}"
        line, _, self.heard = self.heard.partition(b"\n")
        return line + b"\n"

    def until(self, pattern):
        """What comes up to a line that begins as `pattern`."""
        lines = [self.line()]
        while not re.match(pattern, lines[-1]):
            lines.append(self.line())
        return b"".join(lines)

    def rest(self):
        """All that comes until the server hangs up."""
        while self.more():
            pass
        return self.heard

    def ask(self, command):
        """A command and its whole answer; IMAP commands get the tag `t`."""
        self.send((b"t " if self.service == "imap" else b"") + command + b"\r\n")
        return self.answer()

    def answer(self):
        if self.service == "imap":
            return self.until(rb"t |\+")
        return self.until(rb"\d{3}[ \r]" if "mtp" in self.service or self.service == "submission" else rb"[-+]")

    def is_ended(self):
        """Whether the server has hung up; what it said is kept."""
        while select.select([self.sock], [], [], 0)[0]:
            if not self.more():
                return True
        return False

    def cut(self):
        """Ends by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def hello(raw):
    """The greeting, and EHLO where there is one."""
    raw.line()
    if raw.service not in ("imap", "pop3"):
        raw.ask(b"LHLO x" if raw.service == "lmtp" else b"EHLO x")
    return raw


def ready(server, service, user="alice", **words):
    """A connection on which commands that do something are taken: logged in (IMAP with INBOX selected), or greeted."""
    raw = hello(Raw(server, service, **words))
    name = server.address(user).encode()
    if service == "imap":
        assert b"t OK" in raw.ask(b'LOGIN %s "%s"' % (name, PASSWORD.encode()))
        assert b"t OK" in raw.ask(b"SELECT INBOX")
    elif service == "pop3":
        assert raw.ask(b"USER " + name).startswith(b"+OK")
        assert raw.ask(b"PASS " + PASSWORD.encode()).startswith(b"+OK")
    return raw


def still_talks(raw):
    """The session is in step: NOOP is answered, next and well. (CAPA for POP3, which has no NOOP before login.)"""
    answer = raw.ask(b"CAPA" if raw.service == "pop3" else b"NOOP")
    if raw.service == "pop3":
        raw.until(rb"\.\r\n")
    return bool(re.match(rb"(?s)(\* [^\n]*\n)*t OK|\+OK|250", answer))


def source(i):
    """One of many addresses of this machine: one address may have only so many sessions."""
    return f"127.0.{8 + i // 250 % 200}.{1 + i % 250}"


def wait_until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


CROWD = int(os.environ.get("CROWD", "2000"))  # 10,000 by hand
