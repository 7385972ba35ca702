"""Crowds, lines without end, commands without number, clients that are slow or say nothing: the others do not notice."""
import resource, socket, time

import pytest

from figures import memory
from raw import CROWD, PROTOCOLS, Raw, hello, ready, source, still_talks

HALF = {"smtp": b"MAIL FROM:<a@b.exam", "lmtp": b"MAIL FROM:<a@b.exam", "submission": b"EHLO elsewh", "imap": b"a LOGIN al",
        "pop3": b"USER al"}
FLOOD = {"smtp": b"NOOP x\r\n", "lmtp": b"VRFY x\r\n", "submission": b"EHLO x\r\n", "imap": b"a CAPABILITY\r\n", "pop3": b"CAPA\r\n"}
LOGGED_IN_FLOOD = {"imap": [b'a LIST "" "*"\r\n', b"a FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])\r\n", b"a STATUS INBOX (MESSAGES)\r\n",
                            b"a SEARCH TEXT x\r\n"],
                   "pop3": [b"RETR 1\r\n", b"LIST\r\n", b"TOP 1 1\r\n"]}


def memory_of_all(town):
    return sum(memory(pid) for pid in town.role_pids())


def test_crowd(town):
    """Thousands of connections at once, each greeted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, CROWD + 1000)), hard))
    crowd = [Raw(town, PROTOCOLS[i % len(PROTOCOLS)], source=source(i)) for i in range(CROWD)]
    for raw in crowd:
        assert raw.line()[:1] in b"2+*", raw.service
    for raw in crowd:
        raw.cut() if raw.service == "imap" else raw.close()


def test_more_than_one_address_may_have(town):
    """Who has too many sessions gets no more; it is told or hung up on, and another address is served."""
    crowd = [Raw(town, "pop3", source="127.0.6.6") for _ in range(3010)]
    last = crowd[-1]
    assert not last.rest().startswith(b"+OK")
    with hello(Raw(town, "pop3", source="127.0.6.7")) as other:
        assert still_talks(other)
    for raw in crowd:
        raw.close()


@pytest.mark.parametrize("service", PROTOCOLS)
def test_half_commands_and_silence(town, service):
    silent = [Raw(town, service, source=source(i)) for i in range(150)]
    for raw in silent:
        raw.send(HALF[service])
    time.sleep(1)
    for raw in silent:
        raw.close()


@pytest.mark.parametrize("service", PROTOCOLS)
def test_slow_senders(town, service):
    """An octet now and then; what has been said in the end is understood."""
    slow = [hello(Raw(town, service, source=source(i))) for i in range(40)]
    command = b"t NOOP\r\n" if service == "imap" else b"CAPA\r\n" if service == "pop3" else b"NOOP\r\n"
    for at in range(len(command)):
        for raw in slow:
            raw.send(command[at:at + 1])
        time.sleep(0.1)
    for raw in slow:
        assert raw.answer().startswith((b"t OK", b"+OK", b"250"))
        raw.close()


@pytest.mark.parametrize("service", PROTOCOLS)
@pytest.mark.parametrize("state", ["new", "ready"])
def test_giant_line(town, service, state):
    """32 MB without a line end: refused or hung up on, not kept."""
    raw = ready(town, service) if state == "ready" else hello(Raw(town, service))
    before = memory_of_all(town)
    if all(raw.send_until_refused(b"a" * (1 << 20)) for _ in range(32)) and raw.send_until_refused(b"\r\n"):
        assert raw.line()[:2] in (b"50", b"-E", b"* ")
    assert memory_of_all(town) < before + (16 << 20)
    raw.close()


@pytest.mark.parametrize("service", PROTOCOLS)
def test_pipelined_flood(town, service):
    """Commands without end whose answers nobody reads: at some time the server takes no more, and keeps little."""
    crowd = [hello(Raw(town, service, source=source(i), small=True)) for i in range(20)]
    for raw in crowd:
        raw.sock.settimeout(0.5)
        for _ in range(200):
            if not raw.send_until_refused(FLOOD[service] * 2000):
                break
    for raw in crowd:
        raw.close()


@pytest.mark.parametrize("service,command", [(s, c) for s, commands in LOGGED_IN_FLOOD.items() for c in commands])
def test_pipelined_flood_after_login(town, service, command):
    crowd = [ready(town, service, source=source(i), small=True) for i in range(10)]
    for raw in crowd:
        raw.sock.settimeout(0.5)
        for _ in range(100):
            if not raw.send_until_refused(command * 500):
                break
    for raw in crowd:
        raw.close()


@pytest.mark.parametrize("service", ["smtp", "imap", "pop3"])
def test_pipelined_commands_are_all_answered(town, service):
    """The same flood from a client that reads afterwards: an answer for each, in order."""
    commands = 3000
    with ready(town, service) as raw:
        line = {"smtp": "NOOP", "imap": "n{} NOOP", "pop3": "NOOP"}[service] + "\r\n"
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        raw.send("".join(line.format(i) for i in range(commands)).encode())
        for i in range(commands):
            good = {"smtp": b"250", "imap": b"n%d OK" % i, "pop3": b"+OK"}[service]
            heard = raw.line()
            while heard.startswith(b"* "):
                heard = raw.line()
            assert heard.startswith(good)


def test_slow_readers_of_every_protocol(town):
    """Who asks for much and reads a little at a time gets it all in the end."""
    town.deliver("Subject: large\r\n\r\n" + ("x" * 76 + "\r\n") * 4000, to=("alice",))
    imap, pop3 = ready(town, "imap", small=True), ready(town, "pop3", small=True)
    number = max(int(n) for n in pop3.ask(b"STAT").split()[1:2])
    imap.send(b"t FETCH %d BODY.PEEK[]\r\n" % number)
    pop3.send(b"RETR %d\r\n" % number)
    for _ in range(20):
        for raw in (imap, pop3):
            raw.heard += raw.sock.recv(512)
        time.sleep(0.05)
    assert imap.until(rb"t OK").count(b"x" * 76) == 4000
    assert pop3.until(rb"\.\r\n").count(b"x" * 76) == 4000
    imap.close()
    pop3.close()


def test_comes_and_goes(town):
    """Connections that end as soon as they are made, by FIN and by RST."""
    for i in range(3000):
        raw = Raw(town, PROTOCOLS[i % len(PROTOCOLS)], source=source(i))
        raw.cut() if i % 2 else raw.close()
