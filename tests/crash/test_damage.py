"""One octet on the disk changes: it costs its message and nothing else, in every door of the server and every command.

Each case damages the record of one of alice's messages, in the place where it lies now: a log segment, a bulk segment
(over 1 MiB), a pack after compaction.
"""
import json, mailbox, os, pathlib, poplib, re, shutil, smtplib, sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import records
from server import PASSWORD, Server  # noqa: E402

SIZES = {1: 3000, 2: 5000, 3: 200_000, 4: 1_500_000, 5: 3000, 6: 40_000}  # by UID
SUBJECT = "the subject of letter"


def letter(n, size):
    text = os.urandom(size * 3 // 8).hex()
    lines = "\r\n".join(text[i:i + 76] for i in range(0, len(text), 76))
    return f"From: a@example.test\r\nSubject: {SUBJECT} {n}\r\n\r\neverywhere\r\n{lines}\r\nonly{n}\r\n".encode()


def body_record(server, uid, octets):
    """The record of the body of that many octets, in the newest file that has one."""
    found = [r for f in sorted((server.dir / "data" / "log").glob("*.seg")) for r in records.records(f)
             if r.type == records.BLOB and r.numbers[0] == octets]
    assert found, f"no body of {octets} octets"
    return found[-1]


CASES = {  # name: (UID, compacted before, place in the record as a function of the record)
    "a letter in the log": (2, False, lambda r: records.HEAD + 2500),
    "its last octet": (2, False, lambda r: records.HEAD + r.numbers[0] - 1),
    "its record's header": (2, False, lambda r: 40),
    "its table of checksums": (2, False, lambda r: records.HEAD + r.numbers[0]),
    "the subject of a longer one": (6, False, lambda r: records.HEAD + 40),
    "behind the header of a longer one": (6, False, lambda r: records.HEAD + 30_000),
    "in the third piece": (3, False, lambda r: records.HEAD + 150_000),
    "in the first piece of several": (3, False, lambda r: records.HEAD + 60_000),
    "bulk, first piece": (4, False, lambda r: records.HEAD + 10_000),
    "bulk, far inside": (4, False, lambda r: records.HEAD + 1_000_000),
    "bulk, its record's header": (4, False, lambda r: 16),
    "a letter in a pack": (2, True, lambda r: records.HEAD + 1500),
    "its header in a pack": (2, True, lambda r: 33),
    "a longer one in a pack": (3, True, lambda r: records.HEAD + r.octets - 3000),
    "bulk in a pack": (4, True, lambda r: records.HEAD + r.octets // 2),
}


class Case:
    """A server with letters, one of them damaged; what is asked of it."""

    def __init__(self, server, name):
        self.server = server
        self.uid, compacted, place = CASES[name]
        self.letters = {uid: letter(uid, size) for uid, size in SIZES.items()}
        self.others = {uid: one for uid, one in self.letters.items() if uid != self.uid}
        server.start()
        if compacted:
            self.fill("bob", [letter(0, 3_000_000)])
        self.fill("alice", self.letters.values())
        if compacted:  # a segment without waste stays as it is, and one that is written to
            server.run("user", "remove", server.address("bob"))
            server.stop()
            server.start()
            server.run("store", "compact")
        server.stop()
        record = body_record(server, self.uid, len(self.letters[self.uid]))
        assert (records.kind(record.file) == 3) == compacted
        records.flip(record.file, record.at + place(record))
        server.start()

    def fill(self, user, letters):
        imap = self.server.imap(user)
        for one in letters:
            assert imap.append("INBOX", None, None, one)[0] == "OK"
        imap.logout()

    def fetch(self, imap, what, items):
        """The tagged answer's first word and text, {UID: what came}."""
        kind, data = imap.uid("FETCH", what, items)
        came = data if kind == "OK" else imap.response("FETCH")[1]
        imap.untagged_responses.clear()
        found, uid = {}, None
        for part in came or []:
            if isinstance(part, tuple):
                uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
                found[uid] = part[1]
            elif isinstance(part, bytes) and re.search(rb"UID (\d+)", part):
                found[int(re.search(rb"UID (\d+)", part).group(1))] = part
        return kind, b"" if kind == "OK" else data[0], found

    def look(self, box="INBOX", uids=None):
        """The others come whole by every way, and nothing comes for the damaged one that looks like it."""
        uids = uids or {uid: uid for uid in self.letters}
        bad = uids[self.uid]
        imap = self.server.imap()
        assert imap.select(box, readonly=True)[0] == "OK"
        kind, _, rows = self.fetch(imap, "1:*", "(FLAGS INTERNALDATE RFC822.SIZE)")
        assert kind == "OK" and set(rows) == set(uids.values())
        kind, text, bodies = self.fetch(imap, "1:*", "(BODY.PEEK[])")
        assert kind == "NO" and text.startswith(b"[SERVERBUG]"), (kind, text)
        for uid, one in self.others.items():
            assert bodies[uids[uid]] == one
        assert bodies.get(bad) != self.letters[self.uid]
        kind, text, _ = self.fetch(imap, str(bad), "(BODY.PEEK[])")
        assert kind == "NO" and text.startswith(b"[SERVERBUG]")
        for items in ("(ENVELOPE)", "(BODY.PEEK[HEADER.FIELDS (Subject)])", "(BODY.PEEK[]<0.100>)", "(BODYSTRUCTURE)"):
            kind, text, came = self.fetch(imap, "1:*", items)
            assert kind == "OK" or text.startswith(b"[SERVERBUG]"), (items, kind, text)
            assert {uids[uid] for uid in self.others} <= set(came), items
            if "BODYSTRUCTURE" in items or bad not in came:
                continue
            assert f"{SUBJECT} {self.uid}".encode() in came[bad], (items, came[bad])
        kind, data = imap.uid("SEARCH", "TEXT", "everywhere")
        assert kind == "OK" and {uids[uid] for uid in self.others} <= {int(n) for n in data[0].split()}
        kind, data = imap.uid("SEARCH", "TEXT", "only5")
        assert kind == "OK" and data[0].split() == [str(uids[5]).encode()]
        kind, data = imap.uid("SEARCH", "SUBJECT", f'"{SUBJECT}"')
        assert kind == "OK" and {uids[uid] for uid in self.others} <= {int(n) for n in data[0].split()}
        imap.logout()

    def pop3(self):
        pop = self.server.pop3()
        for uid in self.letters:
            if uid != self.uid:
                assert b"\r\n".join(pop.retr(uid)[1]) + b"\r\n" == self.letters[uid]
                assert f"Subject: {SUBJECT} {uid}".encode() in pop.top(uid, 0)[1]
                continue
            with pytest.raises(poplib.error_proto) as refused:
                pop.retr(uid)
            assert "-ERR [SYS/PERM]" in str(refused.value)
            assert pop.noop().startswith(b"+OK")
        pop.quit()

    def check(self, box="INBOX"):
        done = self.server.run("store", "check", check=False)
        assert done.returncode == 1, done
        assert f"UID {self.uid}" in done.stdout and box in done.stdout and self.server.address() in done.stdout, done
        told = [line for line in done.stdout.splitlines() if re.match(r"[MS](?!14 )\d+ ", line)]
        assert len(told) == 1, done  # and M14 where the start had to pass over it

    def export(self, file):
        done = self.server.run("export", str(file), "--user", self.server.address(), "--mailbox", "INBOX", check=False)
        assert done.returncode == 1, done
        assert f"message {self.uid} of INBOX" in done.stderr, done
        came = [m["Subject"] for m in mailbox.mbox(file)]
        assert came == [f"{SUBJECT} {uid}" for uid in self.others]

    def copy_and_move(self):
        """Rows are copied; the body is not read for that."""
        imap = self.server.imap()
        imap.select("INBOX")
        assert imap.create("Copies")[0] == "OK" and imap.create("Moved")[0] == "OK"
        assert imap.uid("COPY", "1:*", "Copies")[0] == "OK"
        assert imap.uid("MOVE", "1:*", "Moved")[0] == "OK"
        assert imap.uid("SEARCH", "ALL")[1] == [b""]
        imap.logout()
        by_order = dict(zip(self.letters, range(1, len(self.letters) + 1)))
        self.look("Copies", by_order)
        self.look("Moved", by_order)
        imap = self.server.imap()
        imap.select("Moved")
        assert imap.uid("MOVE", "1:*", "INBOX")[0] == "OK"
        assert imap.delete("Copies")[0] == "OK"
        imap.logout()


@pytest.mark.parametrize("name", CASES)
def test_one_octet(fresh, tmp_path, name):
    server = fresh()
    case = Case(server, name)
    case.look()
    case.pop3()
    case.check()
    case.export(tmp_path / "out.mbox")
    server.run("store", "compact", check=False)
    case.look()
    case.check()
    told = server.run("backup", str(tmp_path / "backup"), check=False)
    if name != "bulk, its record's header":  # which looks like a body that is still under way
        assert told.returncode == 1 and "damaged in the store already" in told.stderr
    server.stop()
    shutil.rmtree(server.dir / "data")
    server.run("restore", str(tmp_path / "backup"))
    server.start()
    case.look()
    case.check()
    case.copy_and_move()
    server.stop()


def test_lost_change(fresh):
    """The change that brought a letter is damaged, and the index is to be made anew: that letter is gone, and the
    mailbox is sound without it; no UID is used twice."""
    server = fresh(users=("alice",))
    letters = [letter(n, 3000) for n in range(1, 6)]
    server.start()
    imap = server.imap()
    for one in letters:
        assert imap.append("INBOX", None, None, one)[0] == "OK"
    imap.logout()
    server.stop()
    found = [r for f in sorted((server.dir / "data" / "log").glob("*.seg")) for r in records.records(f)]
    batch = [r for r in found if r.type == records.BLOB][2].lsn
    commit = next(r for r in found if r.type == records.COMMIT and r.lsn == batch)
    assert "in order" in server.run("store", "check")  # of a stopped server: the log, too
    records.flip(commit.file, commit.at + records.HEAD + 20)
    told = server.run("store", "check", check=False)
    assert told.returncode == 1 and re.search(r"(?m)^S\d+ .*\d", told.stdout), told
    for folder in ("index", "snapshot"):
        for file in (server.dir / "data" / folder).iterdir():
            file.unlink()
    server.start()
    server.wait_log("store.damaged")
    imap = server.imap()
    assert imap.select("INBOX")[1] == [b"4"]
    kind, rows = imap.fetch("1:*", "(UID FLAGS)")
    assert kind == "OK" and [re.search(rb"UID (\d+)", row)[1] for row in rows] == [b"1", b"2", b"4", b"5"]
    kind, data = imap.fetch("1:*", "(BODY.PEEK[])")
    assert kind == "OK" and [part[1] for part in data if isinstance(part, tuple)] == letters[:2] + letters[3:]
    assert imap.append("INBOX", None, None, letters[2])[0] == "OK"
    assert int(imap.uid("SEARCH", "ALL")[1][0].split()[-1]) > 65536
    assert imap.status("INBOX", "(MESSAGES UNSEEN)")[1] == [b"INBOX (MESSAGES 5 UNSEEN 5)"]
    imap.logout()
    told = server.run("store", "check", check=False)  # of the running server
    assert told.returncode == 1 and set(re.findall(r"(?m)^([SM]\d+) ", told.stdout)) == {"M14"}, told


@pytest.mark.parametrize("how", ["commit", "header", "away", "lost"])
def test_lost_user(fresh, how):
    """The newest change of the directory, which named carol, is lost together with the index: nobody gets what is hers."""
    server = fresh(users=("alice", "bob", "carol"))
    server.start()
    imap = server.imap("carol")
    assert imap.create("Private")[0] == "OK"
    assert imap.append("Private", None, None, b"Subject: carol's secret\r\n\r\nsecret\r\n")[0] == "OK"
    imap.logout()
    server.stop()
    server.start()  # a segment of its own for what comes now
    imap = server.imap("bob")
    assert imap.append("INBOX", None, None, b"Subject: later\r\n\r\nall is well here\r\n")[0] == "OK"
    imap.logout()
    server.stop()
    found = [r for f in sorted((server.dir / "data" / "log").glob("*.seg")) for r in records.records(f)]
    commit = [r for r in found if r.type == records.COMMIT and r.numbers[0] == 0][-1]
    if how in ("commit", "header"):
        records.flip(commit.file, commit.at + (40 if how == "header" else records.HEAD + 20))
    else:
        pathlib.Path(commit.file).rename(server.folder / "away" if how == "away" else f"{commit.file}.lost")
    for folder in ("index", "snapshot"):
        for file in (server.dir / "data" / folder).iterdir():
            file.unlink()
    server.start()
    server.wait_log("store.damaged")
    server.run("user", "add", server.address("dave"), "--password-stdin", input=PASSWORD + "\n")
    imap = server.imap("dave")
    assert b"Private" not in b"".join(imap.list()[1]) and imap.select("INBOX")[1] == [b"0"]
    imap.logout()
    told = server.run("store", "check", check=False).stdout
    assert "M14" in told and re.search(rf"M12 .*{server.address('carol')}: no user has this account: .*add the user", told)
    server.stop()
    server.start()  # once
    imap = server.imap("bob")
    assert int(re.search(rb"UIDNEXT (\d+)", imap.status("INBOX", "(UIDNEXT)")[1][0])[1]) == 2 + 65536
    imap.logout()


def test_lost_account(fresh):
    """Damage takes carol's account while the directory still names her, together with the index: the list shows the others
    and marks her, her mail waits, and she can be removed and added: with another account, in which nothing is."""
    server = fresh(users=("alice", "carol"))
    server.run("backup", str(server.folder / "b"))  # a new segment, with an image of the directory
    found = [r for f in sorted((server.dir / "data" / "log").glob("*.seg")) for r in records.records(f)]
    (account,) = {u for u in (r.numbers[0] for r in found if r.type == records.COMMIT) if u} - {1, 2}
    for r in found:
        if r.type == records.COMMIT and r.numbers[:2] == (account, 0):
            records.flip(r.file, r.at + records.HEAD + 20)
    for folder in ("index", "snapshot"):
        for file in (server.dir / "data" / folder).iterdir():
            file.unlink()
    server.start()

    def users():
        return {u["address"]: u for u in json.loads(server.run("--json", "user", "list"))}

    assert {name: u["lost"] for name, u in users().items() if not name.startswith("postmaster")} == {
        server.address("alice"): False, server.address("carol"): True}
    assert re.search(rf"(?m)^{server.address('carol')} +lost to damage", server.run("user", "list"))
    told = server.run("store", "check", check=False).stdout
    assert re.search(rf"M1 .*user {server.address('carol')} has no account {account}: remove the user and add it again", told)
    with smtplib.SMTP("127.0.0.1", server.port("smtp")) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.sendmail("s@elsewhere.test", [server.address("carol")], "Subject: x\n\nx\n")
        assert [code for code, _ in refused.value.recipients.values()] == [451]
    server.run("user", "remove", server.address("carol"))
    server.add_user("carol")
    assert not users()[server.address("carol")]["lost"]
    server.deliver("Subject: x\n\nnew\n", to=("carol",))
    imap = server.imap("carol")
    assert imap.select("INBOX")[1] == [b"1"]
    imap.logout()
    told = server.run("store", "check", check=False).stdout
    assert "M1 " not in told and "M12" not in told and "M3" not in told, told


def test_lost_name(fresh):
    """The newest change of alice's tree, which made a mailbox, is lost together with the index: its mail is found among the
    deleted mailboxes, and `mailbox restore` brings it back."""
    server = fresh(users=("alice",))
    server.start()
    imap = server.imap()
    assert imap.create("Private")[0] == "OK"
    one = letter(1, 3000)
    assert imap.append("Private", None, None, one)[0] == "OK"
    imap.logout()
    server.stop()
    found = [r for f in sorted((server.dir / "data" / "log").glob("*.seg")) for r in records.records(f)]
    account = [r for r in found if r.type == records.COMMIT and r.numbers[0]][-1].numbers[0]
    commit = [r for r in found if r.type == records.COMMIT and r.numbers[:2] == (account, 0)][-1]
    records.flip(commit.file, commit.at + records.HEAD + 20)
    for folder in ("index", "snapshot"):
        for file in (server.dir / "data" / folder).iterdir():
            file.unlink()
    server.start()
    server.wait_log(f'store.mailbox.found role=store user="{server.address()}"')
    imap = server.imap()
    assert b"Private" not in b"".join(imap.list()[1])
    told = server.run("store", "check", check=False)
    assert set(re.findall(r"(?m)^([SM]\d+) ", told.stdout)) == {"M14"}, told
    name = re.search(r"(?m)  1  .*(Found-\d+)$", server.run("mailbox", "deleted", server.address()))[1]
    server.run("mailbox", "restore", server.address(), name)
    assert imap.select(name)[1] == [b"1"]
    assert imap.fetch("1", "(BODY.PEEK[])")[1][0][1] == one
    imap.logout()


def test_missing_segment(fresh, tmp_path):
    """A segment of the log is moved away: the start names it, its letters are told as damaged, not as expunged, by every
    way; the letters in the next one come. Brought back all is well."""
    server = fresh(users=("alice",))
    letters = [letter(n, 3000) for n in range(1, 5)]
    for some in (letters[:3], letters[3:]):
        server.start()
        imap = server.imap()
        for one in some:
            assert imap.append("INBOX", None, None, one)[0] == "OK"
        imap.logout()
        server.stop()
    lost = min(r.file for f in (server.dir / "data" / "log").glob("*.seg") for r in records.records(f)
               if r.type == records.BLOB)
    os.rename(lost, tmp_path / "lost")
    server.start()
    server.wait_log(f'store.segment.missing role=store file="{pathlib.Path(lost).name}"')
    imap = server.imap()
    assert imap.select("INBOX")[1] == [b"4"]
    kind, text = imap.uid("FETCH", "1:*", "(BODY.PEEK[])")
    assert kind == "NO" and text[0].startswith(b"[SERVERBUG]"), (kind, text)
    came = [part[1] for part in imap.response("FETCH")[1] if isinstance(part, tuple)]
    assert came == letters[3:]
    kind, text = imap.fetch("1:2", "(BODY.PEEK[])")
    assert kind == "NO" and text[0].startswith(b"[SERVERBUG]") and b"EXPUNGE" not in text[0], (kind, text)
    assert imap.create("Copies")[0] == "OK" and imap.uid("COPY", "1:*", "Copies")[0] == "OK"
    kind, data = imap.uid("SEARCH", "TEXT", "only4")
    assert kind == "OK" and data[0].split() == [b"4"]
    imap.logout()
    server.wait_log("store.body.unread")
    pop = server.pop3()
    with pytest.raises(poplib.error_proto) as refused:
        pop.retr(1)
    assert "-ERR [SYS/PERM]" in str(refused.value)
    assert b"\r\n".join(pop.retr(4)[1]) + b"\r\n" == letters[3]
    pop.quit()
    done = server.run("export", str(tmp_path / "x.mbox"), "--user", server.address(), "--mailbox", "INBOX", check=False)
    assert done.returncode == 1 and "message 1 of INBOX" in done.stderr, done
    server.stop()
    os.rename(tmp_path / "lost", lost)
    server.start()
    imap = server.imap()
    imap.select("INBOX")
    kind, data = imap.uid("FETCH", "1:*", "(BODY.PEEK[])")
    assert kind == "OK" and [part[1] for part in data if isinstance(part, tuple)] == letters
    imap.logout()
