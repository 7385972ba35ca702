"""clients — mail clients that know what must be there: senders, and one IMAP client for each account.

A client notes what it does as operations of oracle.py. One whose answer did not come may have happened or not: the next
look at the account settles which, a moment later: what a front had asked for when it died is done all the same if the
store has it. A mailbox's number is its UIDVALIDITY. Nobody else changes the account, but for mail
that is delivered to INBOX: each message of that must be one that was sent, is there once, and comes with the next UID.
"""
import collections, contextlib, copy, hashlib, imaplib, random, re, smtplib, ssl, threading, time, uuid

import oracle
from server import PASSWORD

AWAY = (OSError, EOFError, imaplib.IMAP4.abort, smtplib.SMTPException, ssl.SSLError)
SETTLE_S = 1
BACK_S = 60  # without service that long is a fault
FLAGS = {rb"\Seen": 1, rb"\Answered": 2, rb"\Flagged": 4, rb"\Deleted": 8, rb"\Draft": 16}
WORDS = {bit: word.decode() for word, bit in FLAGS.items()}
DELETED = 8
MARK = b"X-Mark: "


class Away(Exception):
    """The store was away: the command has no answer."""


def name_of(body):
    return hashlib.sha256(body).hexdigest()[:16]


def letter(rng, sizes):
    """(mark, octets) of a new message."""
    mark = uuid.UUID(int=rng.getrandbits(128)).hex
    line = (mark * 2 + "\r\n").encode()
    return mark, MARK + mark.encode() + b"\r\nSubject: letter\r\n\r\n" + line * (rng.choice(sizes) // len(line) + 1)


class Post:
    """What was sent to whom: {mark: (users, name of the body behind what the server puts in front)}."""

    def __init__(self):
        self.lock, self.sent, self.acknowledged = threading.Lock(), {}, collections.defaultdict(set)

    def send(self, mark, users, body):
        with self.lock:
            self.sent[mark] = (users, name_of(body))

    def accept(self, mark):
        with self.lock:
            for user in self.sent[mark][0]:
                self.acknowledged[user].add(mark)

    def accepted(self, user):
        with self.lock:
            return set(self.acknowledged[user])


class Worker:
    """A thread that works until told to stop, and stands still when told to pause."""

    def __init__(self, name):
        self.name, self.run, self.stopping, self.still = name, threading.Event(), threading.Event(), threading.Event()
        self.fault = None
        self.thread = threading.Thread(target=self.live, name=name, daemon=True)

    def live(self):
        try:
            while not self.stopping.is_set():
                if self.run.is_set():
                    self.step()
                else:
                    self.still.set()
                    self.run.wait(0.05)
        except Exception as fault:  # also of the test itself: it is told where the rounds are made
            self.fault = fault
        finally:
            self.still.set()
            self.end()

    def pause(self):
        self.run.clear()
        if self.thread.is_alive():
            self.still.clear()  # it says so again once it stands still

    def wait_still(self, until):
        """Until it stands still; its fault, where it has one, is raised."""
        while not self.still.wait(0.2) and self.thread.is_alive():
            oracle.must(time.monotonic() < until, f"{self.name} hangs")
        if self.fault:
            raise self.fault

    def end(self):
        pass


class Sender(Worker):
    """Delivers by SMTP, to one account or several at once."""
    SIZES = [60] * 20 + [5000] * 8 + [200_000, 1_300_000]

    def __init__(self, server, post, users, seed, pause_s):
        super().__init__(f"sender {seed}")
        self.server, self.post, self.users, self.pause_s = server, post, users, pause_s
        self.rng, self.client = random.Random(seed), None

    def step(self):
        mark, body = letter(self.rng, self.SIZES)
        to = self.rng.sample(self.users, self.rng.choice([1, 1, 1, 2, len(self.users)]))
        try:
            if not self.client:
                self.client = smtplib.SMTP("127.0.0.1", self.server.port("smtp"), timeout=BACK_S)
            self.post.send(mark, to, body)
            refused = self.client.sendmail("sender@elsewhere.test", [self.server.address(user) for user in to], body)
            oracle.must(not refused, f"refused: {refused}")
            self.post.accept(mark)
            time.sleep(self.rng.uniform(0, 2 * self.pause_s))
        except AWAY:
            self.end()
            time.sleep(0.05)

    def end(self):
        if self.client:
            with contextlib.suppress(*AWAY):
                self.client.close()
        self.client = None


def ok(answer):
    status, data = answer
    text = b" ".join(d for d in data if isinstance(d, bytes))
    if status == "OK":
        return text
    if b"UNAVAILABLE" in text:
        raise Away(text)
    raise oracle.Fault(f"refused: {data}")


def login(server, user):
    """A connection that is logged in, once there is service."""
    end = time.monotonic() + BACK_S
    while True:
        try:
            imap = imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=BACK_S)
            try:
                imap.login(server.address(user), PASSWORD)
                return imap
            except BaseException:
                imap.shutdown()
                raise
        except (*AWAY, imaplib.IMAP4.error) as e:
            if isinstance(e, imaplib.IMAP4.error) and not isinstance(e, imaplib.IMAP4.abort) and "UNAVAILABLE" not in str(e):
                raise
            oracle.must(time.monotonic() < end, f"{user}: no service within {BACK_S} s: {e!r}")
            time.sleep(0.05)


def read_box(imap, name, mail, user):
    """Adds a mailbox as it is found to `mail`; {uid: body} of what it holds."""
    ok(imap.select(f'"{name}"', readonly=True))
    validity, uidnext = (int(imap.response(word)[1][0]) for word in ("UIDVALIDITY", "UIDNEXT"))
    status, parts = imap.uid("FETCH", "1:*", "(FLAGS RFC822.SIZE BODY.PEEK[])")
    ok((status, [part for part in parts if isinstance(part, bytes) and part != b")"]))
    box, bodies = oracle.Box(validity, None, uidnext), {}
    for part in parts:
        if isinstance(part, tuple):
            uid, size = (int(re.search(word + rb" (\d+)", part[0]).group(1)) for word in (b"UID", b"RFC822.SIZE"))
            flags = re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).split()
            oracle.must(uid not in box.rows, f"{user} {name}: UID {uid} is told twice")
            oracle.must(size == len(part[1]), f"{user} {name} UID {uid}: {size} octets told, {len(part[1])} sent")
            box.rows[uid] = (sum(FLAGS.get(f, 0) for f in flags), None, size, name_of(part[1]))
            bodies[uid] = part[1]
    oracle.must(all(uid < uidnext for uid in box.rows), f"{user} {name}: a UID that is not below UIDNEXT")
    oracle.must((user, validity) not in mail.boxes, f"{user} {name}: UIDVALIDITY {validity} is another mailbox's too")
    mail.boxes[user, validity] = box
    mail.trees[user][1][name] = validity
    return bodies


def read_account(imap, user):
    """(the Mail that an account shows, {uid: body} of its INBOX)."""
    mail, inbox = oracle.Mail(), {}
    mail.trees[user] = (None, {})
    status, lines = imap.list()
    ok((status, [line for line in lines if isinstance(line, bytes)]))
    for line in lines:
        if line and rb"\NonExistent" not in line:
            name = re.search(rb'"?([^" ]+)"?$', line).group(1).decode()
            bodies = read_box(imap, name, mail, user)
            inbox = bodies if name == "INBOX" else inbox
    return mail, inbox


class Client(Worker):
    """The only client of an account."""
    SIZES = [60] * 20 + [9000] * 6 + [150_000, 1_200_000]
    BOXES, FULL, LARGE_MAX = 5, 24, 6

    def __init__(self, server, post, user, seed):
        super().__init__(user)
        self.server, self.post, self.user, self.rng = server, post, user, random.Random(f"{user} {seed}")
        self.imap, self.mail, self.ops = None, None, []
        self.pending, self.answered = None, False  # an operation under way; whether its answer came
        self.seen = set()  # marks that were in INBOX
        self.done, self.lock = collections.Counter(), threading.Lock()

    def state(self):
        """(the Mail as it is now, after how many operations). Any thread."""
        with self.lock:
            return copy.deepcopy(self.mail), len(self.ops)

    # ---- what is there

    def look(self):
        """Reads the account and compares it with what must be there; what was pending is settled."""
        accepted = self.post.accepted(self.user)
        there, inbox = read_account(self.imap, self.user)
        if self.mail is None:
            self.begin(there)
        delivered = list(self.deliveries(there, inbox))
        ops = delivered + ([self.filled(self.pending, there)] if self.pending else [])
        least = len(ops) if self.answered else len(delivered)
        done, mail = oracle.find(ops, there, least, len(ops), self.mail)
        with self.lock:
            self.mail = mail
            self.ops += ops[:done]
        self.pending, self.answered = None, False
        lost = accepted - self.seen
        oracle.must(not lost, f"{self.user}: {len(lost)} of {len(accepted)} acknowledged messages are lost: {sorted(lost)[:5]}")
        self.done["looks"] += 1

    def begin(self, there):
        """What the server made by itself."""
        oracle.must(not any(box.rows for box in there.boxes.values()), "a new account that has mail")
        self.mail = copy.deepcopy(there)
        self.mail.uidvalidity[self.user] = max(self.tree(there).values())
        for box in self.mail.boxes.values():
            box.uidnext = 1

    def deliveries(self, there, inbox):
        """What came to INBOX since the last look, as operations."""
        number = self.tree()["INBOX"]
        for uid in sorted(uid for uid in inbox if uid >= self.mail.boxes[self.user, number].uidnext):
            body = inbox[uid]
            own = body[body.find(MARK):]
            mark = own[len(MARK):own.find(b"\r\n")].decode(errors="replace")
            users, name = self.post.sent.get(mark, ((), ""))
            oracle.must(self.user in users, f"{self.user}: a message that nobody sent: {body[:200]}")
            oracle.must(name_of(own) == name, f"{self.user}: message {mark} is not as it was sent")
            oracle.must(mark not in self.seen, f"{self.user}: message {mark} came twice")
            self.seen.add(mark)
            yield {"kind": "deliver", "to": [[self.user, number, 0, uid, None]], "octets": len(body), "body": name_of(body),
                   "mark": mark}

    def filled(self, op, there):
        """A new mailbox's UIDVALIDITY, where no answer said it."""
        if op["kind"] != "tree" or None not in op["tree"].values():
            return op
        new = self.tree(there).get(op["new"], 1 << 32)
        return {**op, "tree": {name: n or new for name, n in op["tree"].items()}, "fresh": [[new, new, None]]}

    def tree(self, mail=None):
        return (mail or self.mail).trees[self.user][1]

    def box(self, name):
        return self.mail.boxes[self.user, self.tree()[name]]

    # ---- the thread

    def step(self):
        try:
            if not self.imap:
                self.imap = login(self.server, self.user)
                self.look()
            op = self.rng.choice(OPS)(self)
            if op:
                self.done[op["kind"]] += 1
        except (*AWAY, Away):
            self.end()
            time.sleep(SETTLE_S if self.pending else 0)

    def look_again(self):
        """Looks on a new connection, trying until there is service. For others, while the thread stands still."""
        for _ in range(100):
            try:
                self.end()
                self.imap = login(self.server, self.user)
                self.look()
                return
            except (*AWAY, Away):
                time.sleep(0.1)
        raise oracle.Fault(f"{self.user}: no look in 100 tries")

    def end(self):
        if self.imap:
            with contextlib.suppress(*AWAY, imaplib.IMAP4.error):
                self.imap.shutdown()
        self.imap = None

    def begins(self, op):
        self.pending, self.answered = op, False
        return op

    def ends(self, **told):
        """The answer came."""
        op, self.pending = {**self.pending, **told}, None
        with self.lock:
            self.mail.apply(op)
            self.ops.append(op)
        return op

    def select(self, name):
        ok(self.imap.select(f'"{name}"'))

    def some(self, name):
        """A range of UIDs that are there, or None."""
        uids = sorted(self.box(name).rows)
        if not uids:
            return None
        at = self.rng.randrange(len(uids))
        most = 40 if name == "INBOX" else 6
        return uids[at], uids[min(len(uids) - 1, at + self.rng.randrange(most))]

    def any(self):
        return self.rng.choice(["INBOX", *self.tree()])

    def base(self, name, **op):
        return self.begins({"acc": self.user, "mbox": self.tree()[name], "modseq": None, **op})

    def is_full(self, name):
        large = sum(row[2] > 1_000_000 for box in self.mail.boxes.values() for row in box.rows.values())
        return len(self.box(name).rows) >= self.FULL or large >= self.LARGE_MAX

    # each: does one thing and returns its operation, or None where there is nothing to do

    def append(self):
        name = self.any()
        if name == "INBOX" or self.is_full(name):
            return None
        flags = self.rng.randrange(8)
        _, body = letter(self.rng, self.SIZES)
        self.base(name, kind="append", uid=None, flags=flags, octets=len(body), body=name_of(body))
        answer = ok(self.imap.append(f'"{name}"', f"({words(flags)})", None, body))
        validity, uid = map(int, re.search(rb"APPENDUID (\d+) (\d+)", answer).groups())
        oracle.must(validity == self.tree()[name], f"{self.user} {name}: APPENDUID of UIDVALIDITY {validity}")
        return self.ends(uid=uid)

    def flag(self, mode=None, flags=None, name=None, some=None):
        name = name or self.any()
        some = some or self.some(name)
        if not some:
            return None
        self.select(name)
        mode = self.rng.randrange(3) if mode is None else mode
        flags = flags or self.rng.randrange(1, 32)
        self.base(name, kind="flags", set=some, mode=mode, flags=flags, changed=None)
        ok(self.imap.uid("STORE", f"{some[0]}:{some[1]}", ("", "+", "-")[mode] + "FLAGS.SILENT", f"({words(flags)})"))
        return self.ends()

    def expunge(self):
        """What has \\Deleted in a range; often all of it."""
        name = self.any()
        some = self.some(name)
        if not some:
            return None
        if self.rng.random() < 0.7:
            self.flag(1, DELETED, name, some)
        self.select(name)
        gone = [uid for uid, row in self.box(name).rows.items() if some[0] <= uid <= some[1] and row[0] & DELETED]
        self.base(name, kind="expunge", gone=[[uid, uid] for uid in gone])
        ok(self.imap.uid("EXPUNGE", f"{some[0]}:{some[1]}"))
        return self.ends()

    def carry(self, kind, name):
        to, some = self.rng.choice(list(self.tree())), self.some(name)
        if not some or to == "INBOX" or self.is_full(to) or kind == "move" and to == name:
            return None
        uids = [uid for uid in sorted(self.box(name).rows) if some[0] <= uid <= some[1]]
        self.select(name)
        self.imap.response("COPYUID")
        self.base(name, kind=kind, to=self.tree()[to], uid=None, count=None, to_modseq=None, **{"from": [[u, u] for u in uids]})
        text = ok(self.imap.uid(kind.upper(), f"{some[0]}:{some[1]}", f'"{to}"'))
        text += b"".join(b"COPYUID " + told for told in self.imap.response("COPYUID")[1] if told)
        validity, first, last = re.search(rb"COPYUID (\d+) [\d:,]+ (\d+)(?::(\d+))?", text).groups()
        count = int(last or first) - int(first) + 1
        oracle.must(int(validity) == self.tree()[to], f"{self.user} {to}: COPYUID of UIDVALIDITY {validity}")
        return self.ends(uid=int(first), count=count)

    def copy(self):
        return self.carry("copy", self.any())

    def move(self):
        return self.carry("move", self.any())

    def drain(self):
        """INBOX does not grow without end."""
        uids = sorted(self.box("INBOX").rows)
        if len(uids) < 30:
            return None
        some = (uids[0], uids[-5])
        self.flag(1, DELETED, "INBOX", some)
        self.base("INBOX", kind="expunge", gone=[[uid, uid] for uid in uids[:-4]])
        ok(self.imap.uid("EXPUNGE", f"{some[0]}:{some[1]}"))
        return self.ends()

    def look_on(self):
        """News: what was delivered meanwhile."""
        self.look()

    def own(self):
        return [name for name in self.tree() if name.startswith("box")]

    def free_name(self):
        """A name that is free, at the top or below a mailbox of ours."""
        above = self.rng.choice(["", *(f"{name}/" for name in self.own() if "/" not in name)])
        name = f"{above}box-{self.rng.randrange(6)}"
        return None if name in self.tree() else name

    def change_tree(self, tree, command, new=None):
        self.begins({"kind": "tree", "acc": self.user, "version": None, "tree": tree, "fresh": [], "new": new})
        ok(command())
        self.answered = True

    def create(self):
        name = self.free_name()
        if not name or len(self.own()) >= self.BOXES:
            return None
        self.change_tree({**self.tree(), name: None}, lambda: self.imap.create(f'"{name}"'), name)
        text = ok(self.imap.status(f'"{name}"', "(UIDVALIDITY)"))
        new = int(re.search(rb"UIDVALIDITY (\d+)", text).group(1))
        return self.ends(tree={**self.tree(), name: new}, fresh=[[new, new, None]])

    def rename(self):
        """A mailbox and what is below it."""
        new = self.free_name()
        if not new or not self.own():
            return None
        old = self.rng.choice(self.own())
        if f"{new}/".startswith(f"{old}/") or "/" in new and any(name.startswith(f"{old}/") for name in self.own()):
            return None
        tree = {new + name[len(old):] if f"{name}/".startswith(f"{old}/") else name: n for name, n in self.tree().items()}
        if len(tree) != len(self.tree()):
            return None
        self.change_tree(tree, lambda: self.imap.rename(f'"{old}"', f'"{new}"'))
        return self.ends()

    def delete(self):
        leaves = [name for name in self.own() if not any(other.startswith(f"{name}/") for other in self.own())]
        if not leaves or self.rng.random() < 0.5:
            return None
        name = self.rng.choice(leaves)
        tree = {n: number for n, number in self.tree().items() if n != name}
        self.change_tree(tree, lambda: self.imap.delete(f'"{name}"'))
        return self.ends()


def words(flags):
    return " ".join(word for bit, word in WORDS.items() if flags & bit)


OPS = [Client.append] * 6 + [Client.flag] * 4 + [Client.expunge] * 3 + [Client.copy] * 2 + [Client.move] * 4 + \
    [Client.create] * 2 + [Client.rename, Client.delete, Client.drain] + [Client.look_on]
