"""The time of day is set back by an hour and by ten years, between two runs and while the server runs: nothing is
lost, no UIDVALIDITY is given twice, compaction goes on."""
import imaplib, json, os, pathlib, re, shutil, struct, sys, tempfile, time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from server import ROOT, Server  # noqa: E402

YEAR = 365 * 24 * 3600


def letter(n, size=4000):
    return f"From: a@example.test\r\nSubject: letter {n}\r\n\r\n".encode() + os.urandom(size // 2).hex().encode() + b"\r\n"


class Clock:
    """The page that clock.c looks at."""

    def __init__(self, monkeypatch):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="hongyan-clock-"))  # roles of other users look at it, too
        folder.chmod(0o755)
        self.path = path = folder / "page"
        path.write_bytes(bytes(8))
        path.chmod(0o644)
        monkeypatch.setenv("CLOCK_PAGE", str(path))
        monkeypatch.setenv("LD_PRELOAD", str(ROOT / "build" / "tests" / "crash" / "clock.so"))

    def shift(self, seconds):
        with open(self.path, "r+b") as f:
            f.write(struct.pack("<q", seconds))


    def close(self):
        shutil.rmtree(self.path.parent)


def kill(server):
    """Ends the master, and waits for its roles, which end with it."""
    pids = [pid for role in server.roles().values() for pid in role]
    server.stop(9)
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        time.sleep(0.02)


def fill(server, user, letters, box="INBOX"):
    imap = server.imap(user)
    for one in letters:
        assert imap.append(box, None, None, one)[0] == "OK"
    imap.logout()


def read_all(imap, box="INBOX"):
    """{UID: octets}."""
    assert imap.select(box, readonly=True)[0] == "OK"
    kind, data = imap.uid("FETCH", "1:*", "(BODY.PEEK[])")
    assert kind == "OK"
    return {int(re.search(rb"UID (\d+)", part[0])[1]): part[1] for part in data if isinstance(part, tuple)}


def uidvalidity(imap, box):
    return int(re.search(rb"UIDVALIDITY (\d+)", imap.status(box, "(UIDVALIDITY)")[1][0])[1])


def now_of(server):
    """The time of day for the front of a user: that of a message without a date of its own."""
    fill(server, "bob", [letter(0)], "Drafts")
    imap = server.imap("bob")
    imap.select("Drafts", readonly=True)
    date = imaplib.Internaldate2tuple(imap.fetch("*", "(INTERNALDATE)")[1][0])
    imap.logout()
    return time.mktime(date)


@pytest.mark.parametrize("back", [3600, 10 * YEAR], ids=["an hour", "ten years"])
@pytest.mark.parametrize("running", [True, False], ids=["running", "between runs"])
def test_set_back(fresh, monkeypatch, back, running):
    clock = Clock(monkeypatch)
    server = fresh()
    server.start()
    mine = [letter(n) for n in range(6)]
    fill(server, "alice", mine)
    fill(server, "bob", [letter(n, 300_000) for n in range(5)])
    imap = server.imap()
    imap.create("Old")
    fill(server, "alice", [letter(77)], "Old")
    before = uidvalidity(imap, "Old")
    imap.select("INBOX")
    imap.store("2", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    imap.unselect()
    assert imap.delete("Old")[0] == "OK"
    kept = {n + 1: one for n, one in enumerate(mine) if n != 1}
    if not running:
        imap.logout()
        server.stop()
    clock.shift(-back)
    if not running:
        server.start()
        imap = server.imap()
    assert read_all(imap) == kept
    assert now_of(server) < time.time() - back / 2  # it is what the server goes by
    more = [letter(n) for n in range(100, 103)]
    fill(server, "alice", more)
    kept |= {7 + n: one for n, one in enumerate(more)}
    assert imap.create("Old")[0] == "OK" and uidvalidity(imap, "Old") > before
    imap.logout()
    server.run("user", "remove", server.address("bob"))
    for _ in range(2):
        told = json.loads(server.run("--json", "store", "compact"))
        assert told["damaged"] == 0
    assert "in order" in server.run("store", "check")
    for end in (server.stop, lambda: kill(server)):
        end()
        server.start()
        imap = server.imap()
        assert read_all(imap) == kept
        imap.logout()
        assert "in order" in server.run("store", "check")
    clock.shift(0)  # right again
    fill(server, "alice", [letter(200)])
    assert "in order" in server.run("store", "check")
    clock.close()
