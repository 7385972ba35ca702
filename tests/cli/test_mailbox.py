"""A mailbox that was deleted is listed, comes back with its mail, under its own name or another."""
import json, pathlib, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from server import PROGRAM, Server

LETTER = b"Subject: kept\r\n\r\nfor a week\r\n"


def fill(imap, box, n):
    assert imap.create(box)[0] == "OK"
    for _ in range(n):
        assert imap.append(box, None, None, LETTER)[0] == "OK"


def refused(server, *words):
    done = subprocess.run([PROGRAM, "-c", server.dir / "hongyan.conf", *words], capture_output=True, text=True)
    assert done.returncode != 0
    return done.stderr


def test_deleted_and_restored():
    with Server() as server:
        alice, bob = server.address("alice"), server.address("bob")
        imap = server.imap("alice")
        assert "no mailbox" in server.run("mailbox", "deleted", alice)
        for n in (2, 3):  # twice the same name
            fill(imap, "Work", n)
            old = imap.status("Work", "(UIDVALIDITY)")[1]
            assert imap.delete("Work")[0] == "OK"
        listed = json.loads(server.run("--json", "mailbox", "deleted", alice))
        assert [(g["name"], g["messages"]) for g in listed] == [("Work", 2), ("Work", 3)]
        text = server.run("mailbox", "deleted", alice).splitlines()
        assert len(text) == 3 and text[1].endswith("Work") and len(text[0].split("name")[0]) == len(text[1].split("Work")[0])
        assert json.loads(server.run("--json", "mailbox", "deleted", bob)) == []

        assert "no such mailbox" in refused(server, "mailbox", "restore", bob, "Work")
        assert "no such mailbox" in refused(server, "mailbox", "restore", alice, "Play")
        said = server.run("mailbox", "restore", alice, "Work").splitlines()  # the last one
        assert said[0] == f"Work is back: number {listed[1]['number']}, messages: 3." and "last of 2" in said[1], said
        assert imap.select("Work") == ("OK", [b"3"])
        assert imap.fetch("3", "BODY[]")[1][0][1] == LETTER
        assert imap.status("Work", "(UIDVALIDITY)")[1] != old
        first = str(listed[0]["number"])
        assert "--as" in refused(server, "mailbox", "restore", alice, "Work", "--number", first)
        said = server.run("mailbox", "restore", alice, "Work", "--number", first, "--as", "Old/Work")
        assert said == f"Old/Work is back: number {first}, messages: 2.\n"
        assert imap.select('"Old/Work"') == ("OK", [b"2"])
        assert json.loads(server.run("--json", "mailbox", "deleted", alice)) == []
        for words in (["deleted"], ["restore"]):
            told = refused(server, "mailbox", *words, "nobody@" + server.domain, *(["Work"] if words == ["restore"] else []))
            assert "user nobody@" in told and "does not exist" in told
        imap.logout()
        assert server.run("store", "check").strip().endswith("in order.")
        server.stop()  # and without a server
        assert "no mailbox" in server.run("mailbox", "deleted", alice)
