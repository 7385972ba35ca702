"""Every command of every protocol against another user's mailboxes and messages: refused, nothing seen, nothing changed.

The commands come from the command tables in src/proto, so a new one fails here until it has a case. Alice owns, bob asks.
SECRET stands in all that is alice's (subjects, bodies, keywords, a mailbox name) and must never come to bob; KNOWN is the
name of a mailbox of hers that he has guessed. The requests between the processes have their own proof, from their own
table: src/store/foreign_test.c.
"""
import base64, json, re, socket, unicodedata

import pytest

from server import PASSWORD, ROOT, Server

SECRET, KNOWN = "pomegranate4711", "Gärten"
ALICE, BOB, BOB_PASSWORD = "alice@example.test", "bob@example.test", "bob's own 9"
HERS, HIS = 12, 2  # messages in their INBOXes: numbers and UIDs 3 to 12 are hers alone


def mutf7(text):
    """Modified UTF-7 (RFC 3501 §5.1.3) of a name."""
    def run(match):
        return b"&" + base64.b64encode(match.group().encode("utf-16-be")).rstrip(b"=").replace(b"/", b",") + b"-"
    return re.sub(r"[^\x20-\x7e]+", lambda m: run(m).decode(), text.replace("&", "&-")).encode()


def letter(words, marker=""):
    return f"From: {words}@elsewhere.test\r\nSubject: {words} {marker}\r\n\r\nThe body of {words} {marker}.\r\n".encode()


# ---- names that reach for alice's mailboxes where names were paths, keys or patterns

def names():
    k, known = mutf7(KNOWN), KNOWN.encode()
    nfd = unicodedata.normalize("NFD", KNOWN)
    texts = [k, mutf7(nfd), known, nfd.encode(), mutf7(KNOWN.upper()), k + b"/Below"]
    for user in (b"alice", ALICE.encode(), b"1", b"2", b"3"):
        for box in (b"INBOX", k):
            texts += [prefix + user + b"/" + box for prefix in
                      (b"", b"user/", b"Other Users/", b"#user/", b"#user.", b"~", b"~/", b"#shared/", b"../", b"/",
                       b"INBOX/../../", b"./../", b"users/", b"data/")]
            texts += [user + sep + box for sep in (b".", b"\\", b":", b"//", b"!", b"^")]
        texts += [b"user/" + user, b"~" + user, b"#user." + user, b"../" + user]
    texts += [b"/INBOX", b"//INBOX", b"../INBOX", b"INBOX/../INBOX", b"&AEkATgBCAE8AWA-", b"&AC8-INBOX", b"..", b".", b"/",
              b"*", b"%", b"INBOX*", b"Sent%", b"#news", b"", b"&", b"&AC-", b"&2D0-", b"&2D3cAA-", b"\xff\xfe", b"\xc0\xaf" + k,
              b"INBOX\x00" + k, k + b"\x00", b"x" * 2000]
    texts += [str(i).encode() for i in list(range(40)) + [2**32, 2**64 - 1]]  # ids of mailboxes
    return list(dict.fromkeys(texts))


NAMES = names()
PATTERNS = NAMES + [b"*" + k for k in (mutf7(KNOWN), KNOWN.encode(), b"alice*", b"/*", b"%")] + [b"%/%/%", b"*/*", b"user/*", b"~*"]
SETS = ["3", "3:12", "12", "4294967295", "3,5,7:12"]  # hers alone
MIXED = ["1:12", "1:*", "3:*", "2,12"]  # and his


def table(file, prefix):
    """The rows of a command table: {name: the rest of its row}."""
    text = (ROOT / "src/proto" / file).read_text()
    rows = dict(re.findall(r'\{ %s_\w+,\s+SL_INIT\("(\w+)"\),\s+(.*?) \}' % prefix, text))
    assert len(rows) > 10, file
    return rows


IMAP = table("imap_command.c", "IMAP")
POP3 = table("pop3_command.c", "POP3")
SMTP = table("smtp_command.c", "SMTP")


# ---- a client that keeps all it heard

class Talker:
    def __init__(self, server, service):
        raw = socket.create_connection(("localhost", server.port(service)), timeout=30)
        self.sock = server.tls().wrap_socket(raw, server_hostname="localhost") if service.endswith("s") else raw
        self.file = self.sock.makefile("rb")
        self.heard = b""
        self.tags = 0

    def line(self):
        line = self.file.readline()
        assert line, f"the server hung up: {self.heard[-300:]}"
        self.heard += line
        return line

    def close(self):
        self.sock.close()


class Imap(Talker):
    def __init__(self, server, user=None, password=PASSWORD):
        super().__init__(server, "imaps")
        self.line()
        if user:
            assert self.ask(b'LOGIN "%s" "%s"' % (user.encode(), password.encode()))[0] == "OK"

    def ask(self, command):
        """(status of the tagged answer, everything that came) of one command, literals being part of it."""
        self.tags += 1
        tag = b"T%d " % self.tags
        at = len(self.heard)
        self.sock.sendall(tag + command + b"\r\n")
        while True:
            line = self.line()
            size = re.search(rb"\{(\d+)\}\r\n$", line)
            if size:
                self.heard += self.file.read(int(size.group(1)))
            elif line.startswith(b"+"):
                self.sock.sendall(b"*\r\n")
            elif line.startswith(tag):
                return line.split()[1].decode(), self.heard[at:]


def word(name):
    """A name as a quoted string where it can be one, else as a literal."""
    if all(0x20 <= o < 0x7f and o not in b'"\\' for o in name):
        return b'"' + name + b'"'
    return b"{%d+}\r\n" % len(name) + name


# ---- the cases of IMAP: verb -> (what may be answered, commands)

REFUSED, ANY = ("NO", "BAD"), ("OK", "NO", "BAD")
MESSAGE = letter("bob")
LITERAL = b"{%d+}\r\n" % len(MESSAGE) + MESSAGE


def with_names(template, may=REFUSED):
    return [(may, template.replace(b"NAME", word(n))) for n in NAMES]


def numbers(verb, rest):
    """By number: none that bob lacks exists. By UID: those that he lacks are passed over."""
    return [(("OK",) if uid.startswith("UID") else REFUSED, f"{uid} {s}{rest}".encode())
            for uid in (verb, f"UID {verb}") for s in SETS]


READ = " (UID FLAGS ENVELOPE BODY.PEEK[] BODYSTRUCTURE INTERNALDATE)"
CASES = {
    "APPEND": with_names(b"APPEND NAME (\\Deleted) " + LITERAL),
    "COPY": with_names(b"COPY 1 NAME") + with_names(b"UID COPY 1 NAME") + numbers("COPY", " BobsOwn"),
    "MOVE": with_names(b"MOVE 1 NAME") + with_names(b"UID MOVE 1 NAME") + numbers("MOVE", " BobsOwn"),
    "CREATE": with_names(b"CREATE NAME", ANY),
    "DELETE": with_names(b"DELETE NAME"),
    "EXAMINE": with_names(b"EXAMINE NAME"),
    "SELECT": with_names(b"SELECT NAME"),
    "RENAME": with_names(b"RENAME NAME Taken") + with_names(b"RENAME BobsOwn NAME", ANY),
    "STATUS": with_names(b"STATUS NAME (MESSAGES UIDNEXT UNSEEN UIDVALIDITY)"),
    "SUBSCRIBE": with_names(b"SUBSCRIBE NAME", ANY),
    "UNSUBSCRIBE": with_names(b"UNSUBSCRIBE NAME", ANY),
    "LIST": [(ANY, t % word(n)) for n in PATTERNS for t in (b'LIST "" %s', b'LIST %s "*"', b'LIST (SUBSCRIBED) "" %s')],
    "LSUB": [(ANY, t % word(n)) for n in PATTERNS for t in (b'LSUB "" %s', b'LSUB %s "*"')],
    "FETCH": numbers("FETCH", READ) + [(ANY, f"{v} {s}{READ}".encode()) for v in ("FETCH", "UID FETCH") for s in MIXED],
    "STORE": numbers("STORE", " +FLAGS (\\Deleted \\Seen)") + numbers("STORE", " FLAGS ()"),
    "EXPUNGE": [(("OK",), f"UID EXPUNGE {s}".encode()) for s in SETS],
    "SEARCH": [(ANY, f"{v} {k}".encode()) for v in ("SEARCH", "UID SEARCH", "SEARCH RETURN (ALL COUNT)") for k in
               [f"UID {s}" for s in SETS + MIXED] + SETS + MIXED + [f"SUBJECT {SECRET}", f"TEXT {SECRET}", f"KEYWORD {SECRET}", f"BODY {SECRET}"]],
}
# Arguments that name no mailbox and no message; the logins have a test of their own below.
OTHER = {"AUTHENTICATE", "LOGIN", "ENABLE", "ID"}


@pytest.fixture(scope="module")
def town():
    """Alice and bob with mail; alice has a mailbox, keyword, flags and quota of her own."""
    with Server(users=("alice",)) as server:
        server.run("user", "add", BOB, "--password-stdin", input=BOB_PASSWORD + "\n")
        alice, bob = Imap(server, ALICE), Imap(server, BOB, BOB_PASSWORD)
        for box in (mutf7(KNOWN), mutf7(KNOWN) + b"/Below", f"Hidden-{SECRET}".encode()):
            assert alice.ask(b"CREATE " + word(box))[0] == "OK"
            for flags in (b"()", b"(\\Seen \\Flagged %s)" % SECRET.encode()):
                body = letter("alice", SECRET)
                assert alice.ask(b"APPEND %s %s {%d+}\r\n%s" % (word(box), flags, len(body), body))[0] == "OK"
        assert alice.ask(b"SUBSCRIBE " + word(f"Hidden-{SECRET}".encode()))[0] == "OK"
        for i in range(HERS):
            body = letter(f"alice{i}", SECRET)
            assert alice.ask(b"APPEND INBOX {%d+}\r\n%s" % (len(body), body))[0] == "OK"
        for i in range(HIS):
            assert bob.ask(b"APPEND INBOX " + LITERAL)[0] == "OK"
        assert bob.ask(b"CREATE BobsOwn")[0] == "OK"
        alice.close()
        bob.close()
        yield server


def snapshot(server):
    """Everything of alice's: quota, names, subscriptions, and of each mailbox its figures and all its messages."""
    alice = Imap(server, ALICE)
    seen = [next(u for u in json.loads(server.run("user", "list", "--json")) if u["address"] == ALICE)]
    status, heard = alice.ask(b'LIST "" "*"')
    boxes = [line.rpartition(b' "/" ')[2] for line in heard.split(b"\r\n") if line.startswith(b"* LIST")]
    assert len(boxes) >= 9
    seen += [heard.partition(b"\r\nT")[0], alice.ask(b'LSUB "" "*"')[1].partition(b"\r\nT")[0]]
    figures = b"MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT" + (b" HIGHESTMODSEQ" if b"CONDSTORE" in alice.ask(b"CAPABILITY")[1] else b"")
    for box in boxes:
        for command in (b"STATUS " + box + b" (" + figures + b")", b"EXAMINE " + box,
                        b"UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"):
            status, heard = alice.ask(command)
            assert status == "OK", command
            seen.append(re.sub(rb"T\d+ OK.*\r\n$", b"", heard))
    alice.close()
    assert SECRET in repr(seen)
    return seen


def check_unheard(talker):
    assert SECRET.encode() not in talker.heard, talker.heard[max(0, talker.heard.find(SECRET.encode()) - 200):][:400]


def check_nothing_to_find(verb, command, heard):
    if verb == "SEARCH":
        for line in re.findall(rb"\* E?SEARCH ?(.*)\r\n", heard):
            found = [int(n) for n in re.findall(rb"(?<!T)\b\d+\b", line.replace(b'"T', b"T"))]
            assert all(n <= HIS for n in found), (command, line)
    if verb in ("FETCH", "STORE"):
        for number, uid in re.findall(rb"\* (\d+) FETCH \(.*?UID (\d+)", heard):
            assert int(number) <= HIS and int(uid) <= HIS, (command, heard)


def tidy(bob):
    """What bob made of his own while he tried goes away again."""
    for kind, undo in ((b"LSUB", b"UNSUBSCRIBE "), (b"LIST", b"DELETE ")):
        heard = bob.ask(kind + b' "" "*"')[1]
        for line in reversed([l for l in heard.split(b"\r\n") if l.startswith(b"* ")]):
            name = line.rpartition(b' "/" ')[2]
            if b"{" not in name and not re.search(rb'^"?(INBOX|Drafts|Sent|Junk|Trash|Archive)"?$', name):
                bob.ask(undo + name)
    bob.ask(b"CREATE BobsOwn")


def test_every_imap_command_has_a_case():
    arguments = {name for name, row in IMAP.items() if "parse_nothing" not in row}
    missing, left = arguments - set(CASES) - OTHER, (set(CASES) | OTHER) - arguments
    assert not missing and not left, f"without a case: {missing}; no such command any more: {left}"
    for name, row in IMAP.items():
        if "UID" in row.split(","):
            assert any(b"UID " + name.encode() in command for _, command in CASES[name]), f"UID {name}"


@pytest.mark.parametrize("verb,state", [(verb, state) for verb in sorted(CASES) for state in ("authenticated", "selected")
                                        if state == "selected" or "AUTHED" in IMAP.get(verb, "")])
def test_imap(town, verb, state):
    before = snapshot(town)
    alice, bob = Imap(town, ALICE), Imap(town, BOB, BOB_PASSWORD)
    assert alice.ask(b"EXAMINE INBOX")[0] == "OK"
    bad = 0
    for may, command in CASES[verb]:
        if state == "selected" and (verb in ("SELECT", "EXAMINE") or bad % 10 == 0):
            assert bob.ask(b"SELECT INBOX")[0] == "OK"  # also keeps the count of senseless commands down
        status, heard = bob.ask(command)
        assert status in may, (command, heard)
        assert SECRET in command.decode(errors="replace") or SECRET.encode() not in heard, (command, heard)
        check_nothing_to_find(verb, command, heard)
        if verb in ("CREATE", "RENAME", "SUBSCRIBE") and status == "OK":
            tidy(bob)
        bad += 1
        if status == "BAD":
            assert bob.ask(b"NOOP")[0] == "OK"
    check_unheard(bob)
    news = alice.ask(b"NOOP")[1]
    assert news.count(b"\r\n") == 1, news  # her session was told of nothing
    bob.close()
    alice.close()
    assert snapshot(town) == before


def test_bob_has_what_he_had(town):
    """After all that: his two letters, nothing of hers in any of his mailboxes."""
    bob = Imap(town, BOB, BOB_PASSWORD)
    assert re.search(rb"MESSAGES 2\b.*UIDNEXT 3\b", bob.ask(b"STATUS INBOX (MESSAGES UIDNEXT)")[1])
    assert b"MESSAGES 0" in bob.ask(b"STATUS BobsOwn (MESSAGES)")[1]
    heard = bob.ask(b'LIST "" "*"')[1]
    for line in heard.split(b"\r\n"):
        if line.startswith(b"* LIST") and bob.ask(b"EXAMINE " + line.rpartition(b' "/" ')[2])[0] == "OK":
            bob.ask(b"FETCH 1:* (FLAGS BODY.PEEK[])")
    check_unheard(bob)
    bob.close()


# ---- logins: bob's proof serves for bob alone

def plain(authzid, authcid, password):
    return base64.b64encode(b"\0".join(s.encode() for s in (authzid, authcid, password))).decode()


IMPOSTORS = [("", ALICE, BOB_PASSWORD), (ALICE, BOB, BOB_PASSWORD), (ALICE.upper(), BOB, BOB_PASSWORD),
             ("alice", BOB, BOB_PASSWORD), ("", ALICE + "*" + BOB, BOB_PASSWORD), ("", BOB + "*" + ALICE, BOB_PASSWORD),
             ("", ALICE, ""), ("", f"{BOB}/{ALICE}", BOB_PASSWORD)]


@pytest.mark.parametrize("authzid,authcid,password", IMPOSTORS)
def test_logins(town, authzid, authcid, password):
    imap = Imap(town)
    assert imap.ask(f"AUTHENTICATE PLAIN {plain(authzid, authcid, password)}".encode())[0] in REFUSED
    if not authzid:
        assert imap.ask(f'LOGIN "{authcid}" "{password}"'.encode())[0] in REFUSED
    assert imap.ask(b"SELECT INBOX")[0] == "BAD"
    pop = Talker(town, "pop3s")
    pop.line()
    pop.sock.sendall(f"AUTH PLAIN {plain(authzid, authcid, password)}\r\nSTAT\r\n".encode())
    assert pop.line().startswith(b"-ERR") and pop.line().startswith(b"-ERR")
    smtp = Talker(town, "submissions")
    smtp.line()
    smtp.sock.sendall(f"EHLO x\r\nAUTH PLAIN {plain(authzid, authcid, password)}\r\n".encode())
    while not (line := smtp.line()).startswith(b"535"):
        assert line.startswith((b"250", b"501")), line
        if line.startswith(b"501"):
            break
    for talker in (imap, pop, smtp):
        check_unheard(talker)
        talker.close()


# ---- POP3

class Pop3(Talker):
    def __init__(self, server):
        super().__init__(server, "pop3s")
        self.line()
        for command in (f"USER {BOB}", f"PASS {BOB_PASSWORD}"):
            assert self.ask(command).startswith(b"+OK")

    def ask(self, command, many=False):
        self.sock.sendall(command.encode() + b"\r\n")
        line = first = self.line()
        while many and first.startswith(b"+OK") and line != b".\r\n":
            line = self.line()
        return first


POP3_NUMBERS = ["3", "12", "13", "0", "-1", "4294967297", "18446744073709551617", "3 12", "*", "alice", ""]
POP3_CASES = {"DELE": "{}", "LIST": "{}", "RETR": "{}", "TOP": "{} 10", "UIDL": "{}"}
POP3_OTHER = {"APOP", "AUTH", "LANG", "PASS", "USER", "UTF8"}  # name no message


def test_pop3(town):
    arguments = {name for name, row in POP3.items() if "parse_nothing" not in row}
    assert arguments == set(POP3_CASES) | POP3_OTHER, arguments ^ (set(POP3_CASES) | POP3_OTHER)
    before = snapshot(town)
    for verb, template in POP3_CASES.items():
        bob = Pop3(town)
        for number in POP3_NUMBERS:
            if number or verb not in ("LIST", "UIDL"):  # those list all without one
                command = f"{verb} {template.format(number)}".rstrip()
                assert bob.ask(command).startswith(b"-ERR"), command
        for command, rows in (("LIST", HIS), ("UIDL", HIS)):
            at = len(bob.heard)
            assert bob.ask(command, many=True).startswith(b"+OK")
            assert bob.heard[at:].count(b"\r\n") == rows + 2
        assert bob.ask("QUIT").startswith(b"+OK")
        check_unheard(bob)
        bob.close()
    assert snapshot(town) == before


def test_pop3_uidls_are_not_shared(town):
    """The unique ids of alice's messages say nothing to bob, and none of his is one of hers."""
    lists = []
    for user in ("alice", "bob"):
        pop = Talker(town, "pop3s")
        pop.line()
        password = PASSWORD if user == "alice" else BOB_PASSWORD
        pop.sock.sendall(f"USER {user}@example.test\r\nPASS {password}\r\n".encode())
        assert pop.line().startswith(b"+OK") and pop.line().startswith(b"+OK")
        pop.sock.sendall(b"UIDL\r\n")
        ids = set()
        while (line := pop.line()) != b".\r\n":
            ids |= {line.split()[1]} if line[:1].isdigit() else set()
        lists.append(ids)
        pop.close()
    assert len(lists[0]) == HERS and len(lists[1]) == HIS


# ---- SMTP, LMTP, submission: no verb tells about mailboxes

SMTP_ASKS = ["alice", ALICE, f"<{ALICE}>", "postmaster", "*", "%", "user/alice", mutf7(KNOWN).decode(), f"alice/{SECRET[:3]}",
             "nobody@example.test", "nobody"]
SMTP_CASES = {"VRFY", "EXPN", "HELP", "NOOP"}
# These name a sender, a recipient or a client. Delivering to anybody is everybody's right; reading is not offered.
SMTP_OTHER = {"AUTH", "BDAT", "EHLO", "HELO", "LHLO", "MAIL", "RCPT"}


@pytest.mark.parametrize("service", ["smtp", "lmtp", "submissions"])
def test_smtp(town, service):
    arguments = {name for name, row in SMTP.items() if "parse_nothing" not in row}
    assert arguments == SMTP_CASES | SMTP_OTHER, arguments ^ (SMTP_CASES | SMTP_OTHER)
    before = snapshot(town)
    talker = Talker(town, service)

    def ask(command):
        talker.sock.sendall(command.encode() + b"\r\n")
        while (line := talker.line())[3:4] == b"-":
            pass
        return line

    talker.line()
    ask("LHLO x" if service == "lmtp" else "EHLO x")
    if service == "submissions":
        assert ask("AUTH PLAIN " + plain("", BOB, BOB_PASSWORD)).startswith(b"235")
    for verb in sorted(SMTP_CASES):
        answers = {ask(f"{verb} {who}") for who in SMTP_ASKS}
        assert len({a[:3] for a in answers}) == 1, (verb, answers)  # whether there is such a user is not to be seen
        assert not any(b"alice" in a.lower() for a in answers), answers
    check_unheard(talker)
    talker.close()
    assert snapshot(town) == before
