"""kill -9 of the store and of a front in the middle of 64 parallel deliveries: nothing acknowledged is lost, nothing
appears twice, UIDs never go back. ROUNDS=200 makes it long."""
import os, random, re, signal, smtplib, threading, time, uuid

ROUNDS = int(os.environ.get("ROUNDS", "20"))
SENDERS = 64


class Load:
    """Senders that deliver until told to stop, noting what was acknowledged."""

    def __init__(self, server):
        self.server, self.acknowledged, self.lock = server, set(), threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.send) for _ in range(SENDERS)]
        for t in self.threads:
            t.start()

    def send(self):
        while not self.stopping.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.server.port("smtp"), timeout=20) as client:
                    while not self.stopping.is_set():
                        mark = uuid.uuid4().hex
                        client.sendmail("sender@elsewhere.test", [self.server.address()],
                                        f"Subject: {mark}\r\nX-Mark: {mark}\r\n\r\nbody\r\n")
                        with self.lock:
                            self.acknowledged.add(mark)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.01)

    def end(self):
        self.stopping.set()
        for t in self.threads:
            t.join(60)
        assert not any(t.is_alive() for t in self.threads), "a sender hangs"


def marks_by_uid(server):
    with server.imap() as imap:
        imap.select("INBOX", readonly=True)
        status, parts = imap.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (X-MARK)])")
        assert status == "OK"
    found = []
    for part in parts:
        if isinstance(part, tuple):
            uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
            found.append((uid, re.search(rb"X-Mark: (\w+)", part[1], re.I).group(1).decode()))
    return found


def check(server, acknowledged, before):
    found = marks_by_uid(server)
    marks = [mark for _, mark in found]
    assert len(marks) == len(set(marks)), "a message appears twice"
    assert acknowledged <= set(marks), f"{len(acknowledged - set(marks))} acknowledged messages are lost"
    uids = dict(found)
    assert [u for u, _ in found] == sorted(uids), "UIDs out of order"
    for uid, mark in before.items():
        assert uids.get(uid) == mark, "a UID changed its message"
    return uids


def kill_rounds(server, role, rounds):
    load = Load(server)
    before = {}
    try:
        for _ in range(rounds):
            time.sleep(random.uniform(0.05, 0.4))
            server.kill_role(role)
            time.sleep(0.3)
            before = check(server, set(load.acknowledged), before)
    finally:
        load.end()
    assert len(load.acknowledged) > rounds, "the load did nothing"
    check(server, load.acknowledged, before)
    assert server.run("store", "check").strip().endswith("in order.")


def test_kill_store(fresh):
    with fresh() as server:
        kill_rounds(server, "store", ROUNDS)


def test_kill_front(fresh):
    with fresh() as server:
        kill_rounds(server, "mx", ROUNDS)


def test_kill_everything(fresh):
    """The whole server dies; the next one finds everything that was acknowledged."""
    server = fresh()
    before = {}
    acknowledged = set()
    for _ in range(max(3, ROUNDS // 5)):
        server.start()
        load = Load(server)
        time.sleep(random.uniform(0.3, 0.8))
        server.kill_all()
        load.end()
        acknowledged |= load.acknowledged
        server.start()
        before = check(server, acknowledged, before)
        server.stop()
    assert acknowledged


def test_store_away_is_answered(fresh):
    """While the store restarts clients get an answer, not a dropped connection."""
    with fresh() as server:
        imap = server.imap()
        imap.select("INBOX")
        pids = server.roles()["store"]
        for _ in range(5):
            os.kill(server.roles().get("store", pids)[0], signal.SIGKILL)
            status, _ = imap.noop()
            assert status in ("OK", "NO")
            time.sleep(0.5)
        assert imap.noop()[0] == "OK"
        assert imap.fetch("1:*", "FLAGS")[0] in ("OK", "BAD")
        imap.logout()
