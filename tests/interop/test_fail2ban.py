"""contrib/fail2ban against lines that the server printed: who guesses is found, and nobody can name another."""
import configparser, os, pathlib, shutil, socket, subprocess

import pytest

from server import ROOT, Server

UNPACKED = ROOT / "build-fail2ban"  # by tools/deps
REGEX = shutil.which("fail2ban-regex") or str(UNPACKED / "usr/bin/fail2ban-regex")
FILTER = ROOT / "contrib/fail2ban/filter.d/hongyan.conf"

pytestmark = pytest.mark.skipif(not os.path.exists(REGEX), reason="fail2ban is not there")

INJECTIONS = [
    'x" ip="1.2.3.4" proto=imap mech="LOGIN" why=auth',
    "x ip=1.2.3.4 proto=imap mech=LOGIN why=auth",
    'x\\x22 ip="1.2.3.4" proto=imap mech="LOGIN" why=auth',
    'x\n2026-01-01T00:00:00.000Z notice auth.failed role=user sid=1 user="x" ip="1.2.3.4" proto=imap mech="LOGIN" why=auth',
    'x\r\nhost hongyan[1]: notice auth.failed role=user sid=1 user="x" ip="1.2.3.4" proto=imap mech="LOGIN" why=auth',
    "1.2.3.4",
    'x"' * 200 + ' ip="1.2.3.4" proto=imap mech="LOGIN" why=auth',
]


def found(log):
    """The addresses that fail2ban finds in a log, in order."""
    path = {"PYTHONPATH": str(UNPACKED / "usr/lib/python3/dist-packages")} if str(UNPACKED) in REGEX else {}
    done = subprocess.run(["/usr/bin/python3", REGEX, "-o", "<ip>", str(log), str(FILTER)], capture_output=True, text=True,
                          env={**os.environ, **path}, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def imap(server, source, *commands):
    """Says commands, literals without waiting for them, and reads to the end."""
    with socket.create_connection(("127.0.0.1", server.port("imap")), 60, (source, 0)) as s:
        s.sendall(b"".join(commands) + b"z LOGOUT\r\n")
        while s.recv(4096):
            pass


def login(user, password):
    return b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(user), user, len(password), password)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    with Server(options='plain_login = "loopback"') as server:
        alice = server.address("alice").encode()
        imap(server, "127.5.0.1", login(alice, b"wrong"))
        imap(server, "127.5.0.2", login(alice, b"pass word 7"), b"b NOOP\r\n")
        imap(server, "127.5.0.3", b"a AUTHENTICATE PLAIN ?\r\n")  # no guess: not well formed
        for i, user in enumerate(INJECTIONS):
            imap(server, f"127.5.1.{i}", login(user.encode(), b"wrong"))
        with socket.create_connection(("127.0.0.1", server.port("pop3")), 60, ("127.5.0.4", 0)) as s:
            s.sendall(b"USER " + alice + b"\r\nPASS wrong\r\nQUIT\r\n")
            while s.recv(4096):
                pass
        server.run("user", "set", server.address("bob"), "--imap", "off")
        imap(server, "127.5.0.5", login(server.address("bob").encode(), b"pass word 7"))  # nor this: the right one
        for i in range(2):
            imap(server, "127.5.0.6", *[login(alice, b"wrong %d" % n) for n in range(4)])
        server.stop()
        kept = tmp_path_factory.mktemp("log") / "hongyan.log"
        shutil.copy(server.log, kept)
    return kept


def expected():
    return (["127.5.0.1"] + [f"127.5.1.{i}" for i in range(len(INJECTIONS))] + ["127.5.0.4"] + ["127.5.0.6"] * 8)


def test_finds_who_guesses(log):
    text = log.read_text()
    assert "why=limit" in text and "why=denied" in text and "auth.ok" in text
    assert found(log) == expected()


def test_lines_of_the_journal(log, tmp_path):
    """As fail2ban's backend systemd makes them."""
    journal = tmp_path / "journal"
    journal.write_text("".join(f"mail hongyan[4711]: {line}\n" for line in log.read_text().splitlines()))
    assert found(journal) == expected()


def test_jail():
    jail = configparser.ConfigParser()
    assert jail.read(ROOT / "contrib/fail2ban/jail.d/hongyan.conf")
    assert jail["hongyan"]["filter"] == FILTER.stem
    assert pathlib.Path(FILTER).exists()
