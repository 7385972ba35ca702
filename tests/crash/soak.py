#!/usr/bin/python3
"""soak — an hour (SOAK_SECONDS) of mixed mail with a role killed every 20 s; then everything acknowledged is there, nothing twice,
and memory and descriptors are what they were after warming up. Prints figures; ends with 1 where something is wrong.

Senders deliver to alice and to pop; alice's mail is checked and expunged now and then, pop's is fetched and deleted over POP3.
Each of the other users has one IMAP client, which knows what must be in the account (clients.py). All against the server of
tests/server.py."""
import collections, contextlib, imaplib, os, pathlib, poplib, random, re, signal, smtplib, ssl, sys, threading, time, uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import Client, Post  # noqa: E402
from server import Server  # noqa: E402

SECONDS = int(os.environ.get("SOAK_SECONDS", "3600"))
KILL_S = int(os.environ.get("SOAK_KILL_S", "20"))
SAMPLE_S, PAUSE_S = 1, 0.01
PLAIN = 'plain_login = "loopback"'  # clients.py reads much: TLS would be most of the load
CLIENTS, SENDERS = 4, 4
AWAY = (OSError, EOFError, imaplib.IMAP4.abort, poplib.error_proto, smtplib.SMTPException, ssl.SSLError)
MARK = re.compile(rb"X-Mark: (\w+)", re.I)


def letter(mark):
    lines = "line of text\r\n" * random.choice([1, 50, 3000])
    return f"Subject: {mark}\r\nX-Mark: {mark}\r\n\r\n{lines}".encode()


class Soak:
    def __init__(self, server):
        self.server, self.stopping, self.faults = server, threading.Event(), []
        self.done, self.lock = collections.Counter(), threading.Lock()
        self.sent = {"alice": set(), "pop": set()}  # accepted
        self.seen = {"alice": set(), "pop": set()}  # met, and perhaps removed since
        self.gone = {"alice": set(), "pop": set()}  # the removal was answered

    def wrong(self, words):
        with self.lock:
            self.faults.append(words)
        print("WRONG", words, flush=True)
        self.stopping.set()

    def guard(self, work):
        """Runs a thread's work again and again; the server's absence is no fault."""
        while not self.stopping.is_set():
            try:
                work()
            except AWAY:
                time.sleep(0.1)
            except Exception as e:  # a fault of the soak itself must not pass silently
                self.wrong(f"{work.__qualname__}: {e!r}")

    def works(self, client):
        def work():
            client.step()
            time.sleep(PAUSE_S)
        return work

    # ---- deliveries

    def send(self):
        with smtplib.SMTP("127.0.0.1", self.server.port("smtp"), timeout=60) as client:
            while not self.stopping.is_set():
                mark, user = uuid.uuid4().hex, random.choice(["alice", "pop"])
                client.sendmail("sender@elsewhere.test", [self.server.address(user)], letter(mark))
                with self.lock:
                    self.sent[user].add(mark)
                self.done["delivered"] += 1
                time.sleep(PAUSE_S)

    def check(self, user, before, found):
        """What was accepted `before` is found once, or was met before; nothing comes back."""
        lost, back = before - set(found) - self.seen[user], self.gone[user] & set(found)
        twice = len(found) - len(set(found))
        if lost or back or twice:
            self.wrong(f"{user}: of {len(before)} messages {len(lost)} lost, {twice} twice, {len(back)} back again")
        self.seen[user] |= set(found)

    def accepted(self, user):
        with self.lock:
            return set(self.sent[user])

    def check_alice(self):
        """What was accepted before is there once; then it is expunged."""
        before = self.accepted("alice")
        with self.server.imap("alice") as imap:
            imap.select("INBOX")
            found = marks(imap)
            self.check("alice", before, [mark for mark, _ in found.values()])
            if found:
                uids = ",".join(map(str, found))
                if ok(imap.uid("STORE", uids, "+FLAGS.SILENT", "(\\Deleted)")) and ok(imap.uid("EXPUNGE", uids)):
                    self.gone["alice"] |= {mark for mark, _ in found.values()}
        self.done["checked"] += 1
        self.stopping.wait(5)

    def fetch_pop(self):
        before = self.accepted("pop")
        pop = self.server.pop3("pop")
        with contextlib.closing(pop):
            count = pop.stat()[0]
            found = [MARK.search(b"\r\n".join(pop.retr(n + 1)[1])).group(1).decode() for n in range(count)]
            self.check("pop", before, found)
            for n in range(count):
                pop.dele(n + 1)
            pop.quit()
            self.gone["pop"] |= set(found)
        self.done["fetched by POP3"] += count
        self.stopping.wait(2)

    # ---- samples

    def pids(self):
        return {"master": [self.server.process.pid], **self.server.roles()}

    def sample(self):
        """{role: (KiB of its own memory, descriptors)}."""
        out = {}
        for role, pids in self.pids().items():
            memory = files = 0
            for pid in pids:
                with contextlib.suppress(OSError):
                    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                    memory += sum(int(n) for n in re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+)", text, re.M))
                    files += len(os.listdir(f"/proc/{pid}/fd"))
            out[role] = (memory, files)
        return out

    def kill_one(self):
        role, pids = random.choice(list(self.server.roles().items()))
        with contextlib.suppress(ProcessLookupError):
            os.kill(random.choice(pids), signal.SIGKILL)
            self.done[f"{role} killed"] += 1


def ok(answer):
    """Whether a command succeeded, or could not be tried (the store is away); anything else is a fault."""
    status, data = answer
    if status != "OK" and b"UNAVAILABLE" not in b" ".join(d for d in data if isinstance(d, bytes)):
        raise RuntimeError(f"refused: {data}")
    return status == "OK"


def marks(imap):
    """{uid: (mark, flags)} of the mailbox that is selected."""
    status, parts = imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (X-MARK)])")
    if status != "OK":
        raise imaplib.IMAP4.abort("the store is away")
    found = {}
    for part in parts:
        if isinstance(part, tuple):
            uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
            flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).split()) - {b"\\Recent"}
            found[uid] = (MARK.search(part[1]).group(1).decode(), flags)
    return found


def averages(samples):
    """{role: (KiB, descriptors)}: the medians, since a role that was just killed is small."""
    roles = {role for s in samples for role in s}
    return {role: tuple(sorted(s[role][i] for s in samples if role in s)[sum(role in s for s in samples) // 2] for i in (0, 1))
            for role in sorted(roles)}


def is_flat(before, after):
    return all(after[role][0] <= before[role][0] * 1.3 + 32768 and after[role][1] <= before[role][1] + 32 for role in before
               if role in after)


def main():
    users = [f"client{i}" for i in range(CLIENTS)]
    with Server(users=("alice", "pop", *users), options=PLAIN) as server:
        soak = Soak(server)
        clients = [Client(server, Post(), user, random.random()) for user in users]
        work = [soak.send] * SENDERS + [soak.check_alice, soak.fetch_pop] + [soak.works(client) for client in clients]
        threads = [threading.Thread(target=soak.guard, args=(w,)) for w in work]
        for t in threads:
            t.start()
        samples, end, killed = [], time.monotonic() + SECONDS, time.monotonic()
        while time.monotonic() < end and not soak.stopping.wait(SAMPLE_S):
            samples.append(soak.sample())
            if time.monotonic() - killed >= KILL_S:
                killed = time.monotonic()
                soak.kill_one()
        soak.stopping.set()
        for t in threads:
            t.join(120)
        if any(t.is_alive() for t in threads):
            soak.wrong("a client hangs")
        time.sleep(2)
        for last in (soak.check_alice, soak.fetch_pop, *(client.look_again for client in clients)):
            last()
        soak.done["IMAP changes"] = sum(len(client.ops) for client in clients)
        said = server.run("store", "check").strip()
        fifth = max(1, len(samples) // 5)
        before, after = averages(samples[fifth:2 * fifth]), averages(samples[-fifth:])
    print(f"{SECONDS} s: {dict(soak.done)}\n{'role':8} {'KiB warm':>9} {'at end':>9} {'files warm':>11} {'at end':>7}")
    for role in before:
        print(f"{role:8} {before[role][0]:9} {after.get(role, (0, 0))[0]:9} {before[role][1]:11} {after.get(role, (0, 0))[1]:7}")
    print(said.splitlines()[-1])
    faults = soak.faults + ([] if is_flat(before, after) else ["memory or descriptors grew"]) + \
        ([] if said.endswith("in order.") else [said])
    print("\n".join(faults) or "nothing wrong")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
