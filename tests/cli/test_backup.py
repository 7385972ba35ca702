"""Backup of a live server, restore into another place, the index made anew: octet for octet."""
import json, os, pathlib, random, re, shutil, subprocess, sys, threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from server import PROGRAM, Server


def letter(n, size=3000):
    return f"From: a@example.test\r\nSubject: letter {n}\r\n\r\n".encode() + os.urandom(size).hex().encode() + b"\r\n"


def fill(server, user, letters, box="INBOX"):
    imap = server.imap(user)
    for one in letters:
        assert imap.append(box, None, None, one)[0] == "OK"
    imap.logout()


def read_all(server, user, box="INBOX"):
    """{UID: (flags, octets)} of a mailbox."""
    imap = server.imap(user)
    assert imap.select(box, readonly=True)[0] == "OK"
    found = {}
    for part in imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1]:
        if isinstance(part, tuple):
            uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
            found[uid] = (sorted(re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).split()), part[1])
    imap.logout()
    return found


def state(server):
    return {(user, box): read_all(server, user, box) for user in ("alice", "bob") for box in ("INBOX", "Archive")}


def move_in(server, backup):
    """The server's data folder makes way for what the backup holds."""
    shutil.rmtree(server.dir / "data")
    return server.run("restore", str(backup))


def without_recent(found):
    return {where: {uid: ([f for f in flags if f != rb"\Recent"], octets) for uid, (flags, octets) in box.items()}
            for where, box in found.items()}


def test_live_backup_and_restore(tmp_path):
    with Server() as server:
        fill(server, "alice", [letter(n) for n in range(30)] + [letter(99, 900_000)])  # over 1 MiB: in bulk
        fill(server, "bob", [letter(n) for n in range(20)], "Archive")
        imap = server.imap("alice")
        imap.select("INBOX")
        imap.store("1:5", "+FLAGS", r"(\Seen keyword)")
        imap.copy("2:4", "Archive")
        imap.logout()
        kept = state(server)
        stop = threading.Event()

        def more():  # goes on meanwhile, and is in the backup or not
            while not stop.is_set():
                server.deliver(letter(7).decode())

        thread = threading.Thread(target=more)
        thread.start()
        try:
            told = json.loads(server.run("--json", "backup", str(tmp_path / "b")))
            assert told["copied_octets"] > 1_000_000
            again = json.loads(server.run("--json", "backup", str(tmp_path / "b")))
            assert again["copied_octets"] < told["copied_octets"] / 3  # only what is new
            server.run("store", "compact")
            server.run("backup", str(tmp_path / "b"))  # segments went, packs came
        finally:
            stop.set()
            thread.join()
        names = {f.name for f in (tmp_path / "b" / "log").iterdir()}
        listed = set(re.findall(r"[0-9a-f]{8}\.seg", (tmp_path / "b" / "manifest").read_text()))
        assert names == listed
        server.stop()
        uidnext = json.loads(server.run("--json", "store", "stats"))["messages"]
        assert "MiB restored" in move_in(server, tmp_path / "b")
        assert "in order" in server.run("store", "check")
        server.start()
        back = without_recent(state(server))
        for where, box in without_recent(kept).items():
            for uid, one in box.items():
                assert back[where][uid] == one
        assert len(back["alice", "INBOX"]) <= uidnext
        # What clients may have seen since the backup is never given to other mail.
        fill(server, "alice", [letter(1)])
        assert max(read_all(server, "alice")) > 65536


def test_damaged_backup_is_refused(tmp_path):
    with Server() as server:
        fill(server, "alice", [letter(n) for n in range(5)])
        server.run("backup", str(tmp_path / "b"))
        server.stop()
        before = server.run("restore", str(tmp_path / "b"), check=False)
        assert before.returncode == 1 and "already holds mail" in before.stderr
        one = random.choice(sorted((tmp_path / "b" / "log").iterdir()))
        octets = bytearray(one.read_bytes())
        octets[len(octets) // 2] ^= 1
        one.write_bytes(octets)
        shutil.rmtree(server.dir / "data")
        done = server.run("restore", str(tmp_path / "b"), check=False)
        assert done.returncode == 1 and one.name in done.stderr
        nothing = server.run("restore", str(tmp_path), check=False)
        assert nothing.returncode == 1 and "no complete backup" in nothing.stderr


def test_manifest_of_somebody_else(tmp_path):
    """Names in a manifest reach no file outside of the folders."""
    with Server() as server:
        server.run("backup", str(tmp_path / "b"))
        server.stop()
        shutil.rmtree(server.dir / "data")
        good = (tmp_path / "b" / "manifest").read_text()
        (tmp_path / "b" / "ab.seg").write_bytes(b"")
        for name in ("../../ab.seg", "../b/ab.segx", "0000001G.seg", "ABCDEF01.seg", "00000001.SEG"):
            (tmp_path / "b" / "manifest").write_text(f"hongyan-backup 1\n{name} 0 1 00000000\nend 1\n")
            done = server.run("restore", str(tmp_path / "b"), check=False)
            assert done.returncode == 1 and "damaged" in done.stderr, name
            assert not (server.dir / "ab.seg").exists()
        (tmp_path / "b" / "manifest").write_text(good)
        assert "MiB restored" in server.run("restore", str(tmp_path / "b"))


def test_rebuild():
    with Server() as server:
        fill(server, "alice", [letter(n) for n in range(10)])
        refused = server.run("store", "rebuild", check=False)
        assert refused.returncode == 1 and "stop it first" in refused.stderr
        kept = read_all(server, "alice")
        server.run("store", "compact")
        server.stop()
        for f in (server.dir / "data" / "index").iterdir():
            f.write_bytes(b"damaged")
        assert "anew" in server.run("store", "rebuild")
        assert "in order" in server.run("store", "check")
        server.start()
        assert {u: o for u, (_, o) in read_all(server, "alice").items()} == {u: o for u, (_, o) in kept.items()}
        assert "store.index.rebuild" not in server.log_text()
        server.stop()
        shutil.rmtree(server.dir / "data" / "index")
        shutil.rmtree(server.dir / "data" / "snapshot", ignore_errors=True)
        server.start()
        assert "store.index.rebuild" in server.log_text()
        assert {u: o for u, (_, o) in read_all(server, "alice").items()} == {u: o for u, (_, o) in kept.items()}
