"""Compaction from the command line: room comes back, mail stays, with the server running and stopped."""
import json, os, pathlib, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from server import Server


def log_octets(server):
    return sum(os.stat(f).st_blocks * 512 for f in (server.dir / "data" / "log").glob("*.seg"))


def letter(n):
    body = os.urandom(9000).hex()
    return f"From: a@example.test\r\nSubject: letter {n}\r\n\r\n{body}\r\n".encode()


def fill(server, user, letters):
    imap = server.imap(user)
    for one in letters:
        assert imap.append("INBOX", None, None, one)[0] == "OK"
    imap.logout()


def read_all(server, user):
    imap = server.imap(user)
    imap.select("INBOX", readonly=True)
    data = imap.fetch("1:*", "(BODY.PEEK[])")[1]
    imap.logout()
    return [part[1] for part in data if isinstance(part, tuple)]


def test_running_and_stopped():
    with Server() as server:
        mine = [letter(n) for n in range(40)]
        fill(server, "alice", mine)
        fill(server, "bob", [letter(n) for n in range(200)])
        assert json.loads(server.run("--json", "store", "compact"))["damaged"] == 0
        server.run("user", "remove", f"bob@{server.domain}")
        before = log_octets(server)
        told = json.loads(server.run("--json", "store", "compact"))
        assert told["packs"] >= 1 and told["octets_gone"] - told["octets_new"] > 200 * 9000
        assert before - log_octets(server) > 200 * 9000
        assert read_all(server, "alice") == mine
        assert "in order" in server.run("store", "check")
        server.stop()
        told = json.loads(server.run("--json", "store", "compact"))
        assert told["damaged"] == 0
        assert "in order" in server.run("store", "check")
        server.start()
        assert read_all(server, "alice") == mine
