"""Everything at once on one server: hongyan-load's works side by side, while an operator compacts, backs up, reloads.

The generator checks each answer; here it matters that none is wrong. It is also what ThreadSanitizer watches
(tools/test tsan). TIMES=10 makes it long.
"""
import os, pathlib, signal, subprocess

import pytest

from server import PASSWORD, PROGRAM, Server

LOAD = pathlib.Path(PROGRAM).parent / "bench" / "hongyan-load"
TIMES = int(os.environ.get("TIMES", "1"))
# user, work, service, what differs from the presets
WORKS = [
    ("in", "smtp", "smtp", dict(count=60, sessions=4)),
    ("in", "lmtp", "lmtp", dict(count=60, sessions=2, size=60000)),
    ("in", "imap-login", "imaps", dict(count=20, sessions=2, tls=1)),
    ("flags", "imap-store", "imap", dict(count=200, sessions=2)),
    ("flags", "imap-fetch-bodies", "imap", dict(count=20)),
    ("append", "imap-append", "imap", dict(count=80, sessions=4)),
    ("move", "imap-move", "imap", dict(count=20)),
    ("copy", "imap-copy", "imap", dict(count=20)),
    ("visit", "pop3", "pop3", dict(count=10)),
]
OPERATOR = [("store", "compact"), ("store", "check"), ("backup",), ("stats",), ("store", "check"),
            ("user", "add", "late@example.test", "--password-stdin")]


def command(server, user, work, service, options):
    options = {"user": server.address(user), "password": PASSWORD, "port": server.port(service), **options}
    return [str(LOAD), work, *(f"{name}={value}" for name, value in options.items())]


@pytest.fixture
def town():
    users = sorted({user for user, *_ in WORKS})
    with Server(users=users, options='plain_login = "loopback"') as server:
        for user in users:
            for other in [server.imap(user)]:
                other.create("Other")
                other.logout()
            done = subprocess.run(command(server, user, "imap-append", "imap", dict(count=20)), capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
        yield server


@pytest.mark.skipif(not LOAD.exists(), reason="ninja -C build bench/hongyan-load")
def test_all_at_once(town, tmp_path):
    for turn in range(TIMES):
        running = [subprocess.Popen(command(town, *work), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                   for work in WORKS]
        for words in OPERATOR:
            if words[0] == "backup":
                words = (*words, str(tmp_path / "backup"))
            town.run(*words, input=PASSWORD + "\n", check=words[0] != "user" or turn == 0)
            town.process.send_signal(signal.SIGHUP)
        for work, one in zip(WORKS, running):
            out, _ = one.communicate(timeout=600)
            assert one.returncode == 0, f"{work}: {out}"
    assert town.run("store", "check").strip().endswith("in order.")
    assert town.stop() == 0
