"""A session ends when its password changes, its service is switched off or its account is removed: at its next command, in
IDLE at the next news."""
import imaplib

import pytest

from server import Server


@pytest.fixture
def many():
    with Server(users=("alice", "bob", "carol", "dave")) as running:
        yield running


def passwd(server, user):
    server.run("user", "passwd", server.address(user), "--password-stdin", input="another 8\n")


def switch_off(server, user):
    server.run("user", "set", server.address(user), "--imap", "off")


def remove(server, user):
    server.run("user", "remove", server.address(user))


@pytest.mark.parametrize("user, change", [("alice", passwd), ("bob", switch_off), ("carol", remove)])
def test_next_command(many, user, change):
    imap = many.imap(user)
    assert imap.select("INBOX")[0] == "OK"
    change(many, user)
    with pytest.raises(imaplib.IMAP4.abort):  # imaplib reports BYE so
        status, _ = imap.status("Trash", "(MESSAGES)")
        assert status == "NO"
        imap.noop()


def test_idle(many):
    imap = many.imap("dave")
    imap.select("INBOX")
    imap.send(b"i IDLE\r\n")
    assert imap.readline().startswith(b"+")
    passwd(many, "dave")
    many.deliver("Subject: secret\r\n\r\nnot for the old password\r\n", to=("dave",))
    said = b"".join(iter(imap.readline, b""))
    assert b"EXISTS" not in said and b"i NO [EXPIRED]" in said and b"* BYE" in said


def test_others_go_on(many):
    imap = many.imap("alice")
    passwd(many, "bob")
    assert imap.select("INBOX")[0] == "OK"
