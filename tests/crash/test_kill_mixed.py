"""kill -9 of each role and of all at once in the middle of everything that mail can do: 64 senders, IMAP clients that
append, flag, expunge, copy, move and make, rename and remove mailboxes, while compaction (which takes a snapshot) and
backups run in turn. After each kill all stand still and every account is compared with what must be there (clients.py).

Where everything died the data folder is opened from its index, from a snapshot and from the log alone: all three must be
the same. At the end so must what the clients see after `store rebuild`, and the last backup that was finished must hold a
state that was between its beginning and its end.

ROUNDS=200 makes it long; KILL_SEED repeats the choices (not the moments). A fault's data folder and log are kept in build/test-logs."""
import collections, concurrent.futures, contextlib, copy, json, os, pathlib, random, shutil, subprocess, sys, threading, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import oracle  # noqa: E402
from clients import Client, Sender, Post, Worker, login, read_account  # noqa: E402
from server import PROGRAM, Server  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "20"))
SEED = int(os.environ.get("KILL_SEED", random.randrange(1 << 30)))
BUILD = pathlib.Path(__file__).resolve().parents[2] / "build"
BED, KEEP = BUILD / "tests" / "crash" / "power-bed", BUILD / "test-logs"
SENDERS, PAUSE_S, STILL_S = 64, 0.3, 120
USERS = ("anna", "bert", "cara", "dora")
FIRST_ACCOUNT = 2  # the first one is postmaster's
# "master": the roles end by themselves then; "quiet": all, while nobody does anything.
VICTIMS = ["store"] * 4 + ["user"] * 3 + ["mx"] * 2 + ["all", "all", "master", "quiet"]
START_INDEX, START_SNAPSHOT, START_LOG = 1, 2, 3
START_NAMES = {START_INDEX: "index", START_SNAPSHOT: "snapshot", START_LOG: "log"}
OPTIONS = 'plain_login = "loopback"\nfronts = 2\n'


class Chores(Worker):
    """What an operator does meanwhile: compaction, and backups into two folders in turn."""

    def __init__(self, server, clients, folder, seed):
        super().__init__("chores")
        self.server, self.clients, self.folder, self.rng = server, clients, folder, random.Random(seed)
        self.lock, self.process, self.closed = threading.Lock(), None, False
        self.done, self.backup, self.turn = collections.Counter(), None, 0
        self.held = False  # by a backup: compaction would wait for a minute, unless the store dies

    def step(self):
        time.sleep(self.rng.uniform(0, 0.5))
        if self.backup and not self.held and self.rng.random() < 0.8:
            self.call("store", "compact")
            return
        self.held = True
        to = self.folder / f"backup-{self.turn % 2}"
        begun = [(*c.state(), c.post.accepted(c.user)) for c in self.clients]
        if self.call("backup", str(to)):
            self.turn += 1  # the next one leaves this alone
            self.backup = to, begun, [c.state()[1] for c in self.clients]

    def call(self, *words):
        """Runs a command; whether it came to its end. Killing may make it fail, nothing makes it hang."""
        with self.lock:
            if self.closed:
                return False
            self.process = subprocess.Popen([PROGRAM, "-c", str(self.server.conf), *words], stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, text=True)
        said, _ = self.process.communicate(timeout=STILL_S)
        oracle.must(self.process.returncode in (0, 1, -9), f"{words}: {self.process.returncode}: {said}")
        oracle.must("damage" not in said and "left as they are" not in said, f"{words}: {said}")
        self.done[f"{words[-1] if words[0] == 'store' else words[0]} {'done' if self.process.returncode == 0 else 'failed'}"] += 1
        return self.process.returncode == 0

    def shut(self):
        """No command from now on; the one that runs dies."""
        with self.lock:
            self.closed = True
            if self.process and self.process.poll() is None:
                self.process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)


class Town:
    """A server and all who use it."""

    def __init__(self, server, folder):
        self.server, self.rng, self.post, self.folder = server, random.Random(SEED), Post(), folder
        self.clients = [Client(server, self.post, user, SEED) for user in USERS]
        self.senders = [Sender(server, self.post, USERS, SEED + n, PAUSE_S) for n in range(SENDERS)]
        self.chores = Chores(server, self.clients, folder, SEED)
        self.workers = [*self.senders, *self.clients, self.chores]
        self.before, self.starts, self.victims = {}, collections.Counter(), []
        self.look()
        for w in self.workers:
            w.thread.start()

    def still(self, workers):
        for w in workers:
            w.pause()
        end = time.monotonic() + STILL_S
        for w in workers:
            w.wait_still(end)

    def end(self):
        for w in self.workers:
            w.stopping.set()
            w.run.set()
        self.chores.shut()

    def look(self):
        """Everybody stands still: every account is as it must be, and so is what it uses."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(Client.look_again, self.clients))
        users = {u["address"]: u for u in json.loads(self.server.run("--json", "user", "list"))}
        for c in self.clients:
            used = users[self.server.address(c.user)]
            oracle.must([used["used"], used["messages"]] == c.mail.used(c.user), f"{c.user}: uses {used}, not {c.mail.used(c.user)}")

    def round(self):
        if not self.victims:
            self.victims = self.rng.sample(VICTIMS, len(VICTIMS))
        victim = self.victims.pop()
        for w in self.workers:
            w.run.set()
        time.sleep(self.rng.uniform(0.1, 1.2))
        if victim in ("all", "master"):
            self.kill_all(victim == "all")
        elif victim != "quiet":
            self.server.kill_role(victim, self.rng.choice)
        if victim == "store":
            self.chores.held = False
        time.sleep(self.rng.uniform(0, 0.5))
        self.still([*self.senders, *self.clients])
        self.look()
        if victim == "quiet":
            self.compare_with_clients(self.kill_all())
            self.look()
        if self.chores.fault:
            raise self.chores.fault
        print(victim, "killed;", sum(c.mail.used(c.user)[1] for c in self.clients), "messages", flush=True)

    def kill_all(self, roles=True):
        """Everything dies and is started again; what was in the data folder between."""
        self.chores.shut()
        self.server.kill_all(roles)
        mail = self.compare_starts()
        self.server.start()
        self.chores.held = self.chores.closed = False
        return mail

    def compare_starts(self):
        """The states of a copy of the data folder that its three starts lead to; [Mail, the same three times]."""
        data = self.folder / "copy"
        copy_data(self.server, data)
        done = subprocess.run([str(BED), "starts", str(data)], capture_output=True, text=True, timeout=STILL_S)
        lines = [line.partition(" ")[::2] for line in done.stdout.splitlines()]
        oracle.must(done.returncode == 0 and lines[-1][0] == "end", f"starts: {done.returncode}: {done.stderr[-1500:]}")
        faults = [rest for word, rest in lines if word == "fault"]
        oracle.must(not faults, f"the checker: {'; '.join(faults[:10])}")
        states = [json.loads(rest) for word, rest in lines if word == "state"]
        oracle.must(all(json.loads(rest)["compared"] for word, rest in lines if word == "checked"), "no index was compared")
        kinds = [s["start"] for s in states]
        oracle.must(kinds[0] == START_INDEX and kinds[1] in (START_SNAPSHOT, START_LOG) and kinds[2] == START_LOG, f"starts: {kinds}")
        for s in states:
            oracle.must(not s["damaged_batches"] and not s["damaged_cells"], "a kill is no damage")
        found = [oracle.found(s) for s in states]
        for kind, other in zip(kinds[1:], found[1:]):
            faults = list(found[0].differences(other))
            oracle.must(not faults, f"a start of kind {kind} finds otherwise: {'; '.join(faults[:10])}")
        self.never_back(found[0])
        self.starts.update(START_NAMES[k] for k in kinds)
        return found[0]

    def never_back(self, mail):
        for key, box in mail.boxes.items():
            old = self.before.get(key, box)
            now, was = ((b.uidvalidity, b.uidnext, b.version) for b in (box, old))
            oracle.must(now[0] == was[0], f"mailbox {key}: UIDVALIDITY {now[0]} after {was[0]}")
            oracle.must(now[1] >= was[1] and now[2] >= was[2], f"mailbox {key}: UIDNEXT, version {now[1:]} after {was[1:]}")
            for uid, row in box.rows.items():
                was = old.rows.get(uid, row)
                oracle.must(row[1] <= box.version and (row == was or row[1] > old.version) and row[2:] == was[2:] and
                            (uid in old.rows or uid >= old.uidnext or key not in self.before),
                            f"mailbox {key} UID {uid}: {row} after {was}")
        self.before = {**self.before, **mail.boxes}

    def as_clients_see(self, mail):
        """What the data folder holds, in the clients' terms."""
        seen = oracle.Mail()
        for account, user in enumerate(USERS, FIRST_ACCOUNT):
            tree = mail.trees[account][1]
            seen.trees[user] = (None, {name: mail.boxes[account, mbox].uidvalidity for name, mbox in tree.items()})
            for mbox in tree.values():
                box = mail.boxes[account, mbox]
                rows = {uid: (row[0], None, *row[2:]) for uid, row in box.rows.items()}
                seen.boxes[user, box.uidvalidity] = oracle.Box(box.uidvalidity, None, box.uidnext, rows)
        return seen

    def compare_with_clients(self, mail):
        seen = self.as_clients_see(mail)
        for c in self.clients:
            mine = oracle.Mail()
            mine.trees[c.user] = seen.trees[c.user]
            mine.boxes = {key: box for key, box in seen.boxes.items() if key[0] == c.user}
            faults = list(c.mail.differences(mine))
            oracle.must(not faults, f"the data folder: {'; '.join(faults[:10])}")

    # ---- at the end

    def rebuild(self):
        """Stopped in order, and compacted: the folder holds what the clients saw, and its index made anew the same."""
        self.server.stop()
        self.server.run("store", "compact")
        mail = self.compare_starts()
        self.compare_with_clients(mail)
        self.server.run("store", "rebuild")
        again = self.compare_starts()
        faults = list(mail.differences(again))
        oracle.must(not faults, f"rebuilt: {'; '.join(faults[:10])}")
        oracle.must("in order" in self.server.run("store", "check"), "the store is not in order")
        self.server.start()
        self.look()

    def restore(self):
        """The last backup that was finished."""
        oracle.must(self.chores.backup, "no backup came to its end")
        to, begun, ended = self.chores.backup
        with Server(domain=self.server.domain, options=OPTIONS, users=()) as other:
            other.stop()
            shutil.rmtree(other.dir / "data")
            other.run("restore", str(to))
            oracle.must("in order" in other.run("store", "check"), "what was restored is not in order")
            other.start()
            for c, (mail, least, accepted), most in zip(self.clients, begun, ended):
                imap = login(other, c.user)
                there, _ = read_account(imap, c.user)
                imap.logout()
                done = sum(op["kind"] != "deliver" for op in c.ops[least:most])
                in_backup(mail, c.ops[least:], done + 1, accepted, there)  # one more may have been under way


def copy_data(server, to):
    shutil.rmtree(to, ignore_errors=True)
    to.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-r", "--sparse=always", str(server.dir / "data"), str(to)], check=True)


def in_backup(mail, ops, most, accepted, there):
    """A backup is the state after one of the first `most` operations since it began, mail: the state then. Deliveries come
    beside them, in the order of their UIDs; those that were `accepted` before it began are there."""
    delivered = [op for op in ops if op["kind"] == "deliver"]
    others = [op for op in ops if op["kind"] != "deliver"][:most]
    user = next(iter(there.trees))
    inbox = user, there.trees[user][1]["INBOX"]
    before = mail.boxes[inbox].uidnext
    top = max([uid for uid in there.boxes[inbox].rows if uid >= before], default=before - 1)
    for op in delivered:
        mail.apply(op)
    late = {op["to"][0][3] for op in delivered if op["mark"] not in accepted and op["to"][0][3] > top}
    near = None
    for done in range(len(others) + 1):
        if done:
            mail.apply(others[done - 1])
        now = copy.deepcopy(mail)
        now.boxes[inbox].rows = {uid: row for uid, row in now.boxes[inbox].rows.items() if uid not in late}
        for key, box in there.boxes.items():
            if key in now.boxes and box.uidnext >= now.boxes[key].uidnext - len(late):
                now.boxes[key].uidnext = box.uidnext  # raised, so that none is given twice
        faults = list(now.differences(there))
        if not faults:
            return
        near = min(near or faults, faults, key=len)
    raise oracle.Fault(f"the backup is no state between its beginning and its end: {'; '.join(near[:10])}")


def test_kill_mixed(fresh, tmp_path):
    with fresh(options=OPTIONS, users=USERS) as server:
        town, number = Town(server, tmp_path), 0
        try:
            for number in range(ROUNDS):
                town.round()
            town.still([*town.senders, *town.clients])
            town.chores.shut()
            town.still([town.chores])
            town.look()
            town.rebuild()
            town.restore()
        except BaseException as fault:
            if server.process:
                server.kill_all()
            copy_data(server, KEEP / f"kill-{SEED}" / "data")
            shutil.copy(server.log, KEEP / f"kill-{SEED}")
            raise AssertionError(f"KILL_SEED={SEED} round {number}: {fault!r}") from fault
        finally:
            town.end()
            shutil.rmtree(tmp_path, ignore_errors=True)
        done = sum((c.done for c in town.clients), collections.Counter())
        print(f"seed {SEED}: {dict(done)}, {len(town.post.sent)} sent, {dict(town.chores.done)}, from {dict(town.starts)}")
        assert all(town.starts[kind] for kind in START_NAMES.values()) and all(done[kind] for kind in ("append", "flags", "expunge", "move", "tree", "looks"))
