"""The n-th allocation fails in a front, or in the store, of a whole server under mail and IMAP and POP3 commands: no role dies,
nothing hangs, each message is there once or was refused, and the next client is served. FAULT_STRIDE=1 tries every n."""
import contextlib, imaplib, mmap, os, pathlib, poplib, random, shutil, smtplib, ssl, struct, tempfile, uuid

import pytest

from server import Server

BUILD = pathlib.Path(__file__).resolve().parents[3] / "build" / "tests" / "crash"
ALL = os.environ.get("FAULT_STRIDE") == "1"
CASES = {"mx": 30, "user": 40, "store": 10}  # unless all; the store takes long to come again
ALLOC = 1
BIG = "a line of sixty octets or so, again and again and again ...\r\n" * 2000
ERRORS = (OSError, smtplib.SMTPException, imaplib.IMAP4.error, poplib.error_proto, ssl.SSLError, EOFError)


class Page:
    """struct fault_page of faults.h, shared with the role."""

    def __init__(self, path):
        path.write_bytes(bytes(4096))
        path.chmod(0o666)
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 4096)

    def arm(self, n):
        struct.pack_into("<QQQQQ", self.map, 8, n, n, 0, 0, 0)
        struct.pack_into("<II", self.map, 0, ALLOC, 0)

    def disarm(self):
        """(calls, failed, address)."""
        struct.pack_into("<I", self.map, 0, 0)
        return struct.unpack_from("<QQQ", self.map, 24)


class Marks:
    """Messages by their mark: what was answered yes, no, or not at all."""

    def __init__(self):
        self.yes, self.no = set(), set()

    def message(self, text=""):
        self.last = uuid.uuid4().hex
        return f"Subject: {self.last}\r\nX-Mark: {self.last}\r\n\r\n{text}".encode()

    def answered(self, yes):
        (self.yes if yes else self.no).add(self.last)


def send(server, marks, service, text):
    with contextlib.closing(server.smtp(service)) as client:
        try:
            client.sendmail("sender@elsewhere.test", [server.address()], marks.message(text))
            marks.answered(True)
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused):
            marks.answered(False)


def mx_script(server, marks):
    for service, text in (("smtp", "small"), ("smtp", BIG), ("lmtp", "small")):
        send(server, marks, service, text)


def imap_script(server, marks):
    with server.imap() as imap:
        imap.select("INBOX")
        for text in ("small", BIG):
            status, _ = imap.append("INBOX", "(\\Flagged)", None, marks.message(text))
            marks.answered(status == "OK")
        imap.fetch("*", "(UID FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])")
        imap.search(None, "SUBJECT", "nothing", "FLAGGED")
        imap.store("*", "+FLAGS", "(keyword \\Answered)")
        imap.list()
        imap.create("made")
        imap.copy("*", "made")
        imap.delete("made")


def user_script(server, marks):
    imap_script(server, marks)
    pop = server.pop3()
    pop.stat()
    pop.retr(1)
    pop.quit()


SCRIPTS = {"mx": (mx_script,), "user": (user_script,), "store": (mx_script, user_script)}


def run(server, role, marks):
    """The script of a role with errors of the server's taken as answers; what must not be, as a text."""
    for script in SCRIPTS[role]:
        try:
            script(server, marks)
        except TimeoutError as e:
            return f"it hangs: {e!r}"
        except ERRORS:
            pass
    return None


def present(server):
    """Every mark in INBOX, as often as it is there; INBOX is empty afterwards."""
    with server.imap() as imap:
        imap.select("INBOX")
        status, parts = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (X-MARK)])")
        assert status == "OK"
        found = [part[1].decode().split(":")[1].strip() for part in parts if isinstance(part, tuple)]
        imap.store("1:*", "+FLAGS.SILENT", "(\\Deleted)")
        imap.expunge()
    return found


def check(server, role, marks):
    """After a fault: the script works, and what was answered is so."""
    SCRIPTS[role][-1](server, marks)
    found = present(server)
    bad = []
    if len(found) != len(set(found)):
        bad.append("a message is there twice")
    if marks.yes - set(found):
        bad.append(f"{len(marks.yes - set(found))} accepted messages are lost")
    if marks.no & set(found):
        bad.append(f"{len(marks.no & set(found))} refused messages are there")
    return bad


def numbers(role, reached):
    return range(1, reached + 1) if ALL else sorted(random.sample(range(1, reached + 1), min(CASES[role], reached)))


def file_of(maps, address):
    """The file that is mapped where an address lies."""
    for line in maps.splitlines():
        words = line.split()
        first, last = (int(word, 16) for word in words[0].split("-"))
        if first <= address < last:
            return words[-1]
    return ""


def is_decided(role, maps, where):
    """The store ends where libcrypto has no memory for a digest, rather than compare garbage (handle.c, password.c,
    scram.c): what was answered holds all the same."""
    return role == "store" and any("/libcrypto" in file_of(m, where) for m in maps)


def maps_of(pids):
    return [pathlib.Path(f"/proc/{pid}/maps").read_text() for pid in pids]


def sweep(server, page, role):
    pids = server.roles()[role]
    maps = maps_of(pids)
    for _ in range(2):  # the second time all is warm: what is taken once is there
        page.arm(1 << 60)
        assert run(server, role, Marks()) is None
        reached = page.disarm()[0]
    bad = []
    for n in numbers(role, reached):
        marks, at = Marks(), len(server.log_text())
        page.arm(n)
        hangs = run(server, role, marks)
        _, failed, where = page.disarm()
        deaths = [pid for pid in pids if pid not in server.roles().get(role, [])]
        if deaths and not is_decided(role, maps, where):
            bad.append(f"{role} died of allocation {n} at {where:x}: {server.log_text(at)[-300:]}")
        bad += [hangs] if hangs else []
        bad += [f"{role}, allocation {n} at {where:x}: {words}" for words in check(server, role, marks)]
        pids = server.roles()[role]
        maps = maps_of(pids)
    return bad, reached


@pytest.mark.parametrize("role", SCRIPTS)
def test_allocations(role, monkeypatch):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hongyan-fault-"))
    folder.chmod(0o755)  # roles have users of their own
    shutil.copy(BUILD / "faults.so", folder / "faults.so")
    page = Page(folder / "page")
    server = Server()
    try:
        monkeypatch.setenv("LD_PRELOAD", str(folder / "faults.so"))
        monkeypatch.setenv("FAULT_PAGE", str(folder / "page"))
        monkeypatch.setenv("FAULT_ROLE", role)
        with server:
            bad, reached = sweep(server, page, role)
        assert not bad, f"{len(bad)} of {reached}:\n" + "\n".join(bad[:20])
        assert reached > 20, "the script reached next to nothing"
    finally:
        shutil.rmtree(folder)
