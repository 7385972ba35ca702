"""A user with a large INBOX and many POP3 sessions: their lists end at the user's share, and come back to it."""
import pytest

from raw import hello, Raw, ready
from server import PASSWORD

MESSAGES = 1 << 17  # 9 octets each for a session
SESSIONS = 28       # that find room for their list: 32 MiB


def count(imap):
    return int(imap.ask(b"STATUS INBOX (MESSAGES)").partition(b"MESSAGES ")[2].partition(b")")[0])


@pytest.fixture(scope="module")
def full(lively):
    """alice's INBOX, made full before anything is measured."""
    with ready(lively[0], "imap") as imap:
        imap.send(b"t APPEND INBOX {11+}\r\nA: b\r\n\r\nx\r\n\r\n")
        assert b"t OK" in imap.answer()
        while (n := count(imap)) < MESSAGES:
            n = min(n, MESSAGES - n)
            assert b"t OK" in imap.ask(b"SELECT INBOX") and b"t OK" in imap.ask(b"COPY 1:%d INBOX" % n)


def login(town, user):
    """A connection, and what its login was told."""
    raw = hello(Raw(town, "pop3"))
    raw.ask(b"USER " + town.address(user).encode())
    return raw, raw.ask(b"PASS " + PASSWORD.encode())


def test_lists_have_a_share(full, town):
    sessions = [login(town, "alice") for _ in range(SESSIONS)]
    assert all(told.startswith(b"+OK %d messages" % MESSAGES) for _, told in sessions)
    refused, told = login(town, "alice")
    assert told.startswith(b"-ERR [SYS/TEMP] Cannot open the mailbox at the moment")
    bob, told = login(town, "bob")
    assert told.startswith(b"+OK")
    sessions.pop()[0].ask(b"QUIT")
    refused.ask(b"USER " + town.address("alice").encode())
    assert refused.ask(b"PASS " + PASSWORD.encode()).startswith(b"+OK")
    assert refused.ask(b"RETR %d" % MESSAGES).startswith(b"+OK 11 octets")
    for raw in [bob, refused] + [s for s, _ in sessions]:
        raw.close()
    again = [login(town, "alice") for _ in range(SESSIONS)]
    assert all(told.startswith(b"+OK") for _, told in again)
    for raw, _ in again:
        raw.close()
