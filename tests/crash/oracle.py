"""oracle — what mail must be there, from what was acknowledged.

A history is a sequence of operations with their acknowledged outcomes (UIDs, modification sequences, names of bodies).
`Mail` is the state that they make, one after the other; `find` says after how many of them a store stands that was found,
or what is wrong with it. So: nothing acknowledged is lost, nothing is there twice, what was not acknowledged is there
wholly or not at all, UIDs and modification sequences grow by one, a UIDVALIDITY is never given twice.

Operations (dictionaries; "kind" tells them apart):
  tree     acc version tree {name: mbox} fresh [[mbox, uidvalidity, version]]: mailboxes made, renamed, removed
  deliver  body octets to [[acc, mbox, status, uid, modseq]]
  append   acc mbox uid modseq flags body octets
  flags    acc mbox set [lo, hi] mode (0 set, 1 add, 2 remove) flags modseq changed
  expunge  acc mbox gone [[lo, hi]] modseq
  copy, move  acc mbox to uid count modseq to_modseq from [[lo, hi]]
  failed   nothing was done

Who is not told modification sequences (a client) leaves them out: None everywhere, in versions too. What else an answer
tells is None where none came: a UID is the next one then, `changed` what it comes to.
"""
import copy


class Fault(AssertionError):
    """The store is not what it must be."""


def must(condition, words):
    if not condition:
        raise Fault(words)


def spread(ranges):
    return [uid for lo, hi in ranges for uid in range(lo, hi + 1)]


def changed(op):
    """Whether an acknowledged operation did anything."""
    if op["kind"] == "deliver":
        return any(to[2] == 0 for to in op["to"])
    return op["kind"] != "failed" and all(op.get(name, 1) for name in ("changed", "gone", "count"))


class Box:
    """A mailbox: rows are {uid: (flags, modseq, octets, body)}."""

    def __init__(self, uidvalidity, version, uidnext=1, rows=None):
        self.uidvalidity, self.version, self.uidnext, self.rows = uidvalidity, version, uidnext, rows or {}

    def step(self, modseq):
        if self.version is None:
            return
        must(modseq == self.version + 1, f"modification sequence {modseq} after {self.version}")
        self.version = modseq

    def add(self, uid, flags, modseq, octets, body):
        uid = self.uidnext if uid is None else uid
        must(uid == self.uidnext, f"UID {uid} where {self.uidnext} was next")
        self.rows[uid] = (flags, modseq, octets, body)
        self.uidnext = uid + 1


class Mail:
    def __init__(self):
        self.trees, self.boxes, self.uidvalidity = {}, {}, {}

    def apply(self, op):
        getattr(self, op["kind"])(op)

    def box(self, op, mbox=None):
        return self.boxes[op["acc"], op["mbox"] if mbox is None else mbox]

    def failed(self, op):
        pass

    def tree(self, op):
        acc, last = op["acc"], self.uidvalidity.get(op["acc"], 0)
        self.trees[acc] = (op["version"], op["tree"])
        for mbox, uidvalidity, version in op["fresh"]:
            must((acc, mbox) not in self.boxes, f"mailbox {mbox} of account {acc} was made twice")
            must(uidvalidity > last, f"UIDVALIDITY {uidvalidity} where {last} was given already")
            self.uidvalidity[acc] = max(uidvalidity, self.uidvalidity.get(acc, 0))
            self.boxes[acc, mbox] = Box(uidvalidity, version)
        named = set(op["tree"].values())
        self.boxes = {key: box for key, box in self.boxes.items() if key[0] != acc or key[1] in named}

    def deliver(self, op):
        for acc, mbox, status, uid, modseq in op["to"]:
            if status == 0:
                box = self.boxes[acc, mbox]
                box.step(modseq)
                box.add(uid, 0, modseq, op["octets"], op["body"])

    def append(self, op):
        box = self.box(op)
        box.step(op["modseq"])
        box.add(op["uid"], op["flags"], op["modseq"], op["octets"], op["body"])

    def flags(self, op):
        box, changed = self.box(op), {}
        for uid in range(op["set"][0], op["set"][1] + 1):
            if uid in box.rows:
                old, _, octets, body = box.rows[uid]
                new = [op["flags"], old | op["flags"], old & ~op["flags"]][op["mode"]]
                if new != old:
                    changed[uid] = (new, op["modseq"], octets, body)
        must(op["changed"] in (len(changed), None), f"{op['changed']} messages changed, not {len(changed)}")
        if changed:
            box.step(op["modseq"])
            box.rows.update(changed)

    def expunge(self, op):
        box = self.box(op)
        for uid in spread(op["gone"]):
            must(uid in box.rows, f"UID {uid} was expunged twice")
            del box.rows[uid]
        if op["gone"]:
            box.step(op["modseq"])

    def copy(self, op):
        source, to, uids = self.box(op), self.box(op, op["to"]), spread(op["from"])
        must(op["count"] in (len(uids), None), f"{op['count']} messages copied, not {len(uids)}")
        if uids and to.version is not None:
            to.step(to.version + 1)
        for i, uid in enumerate(uids):
            flags, _, octets, body = source.rows[uid]
            to.add(None if op["uid"] is None else op["uid"] + i, flags, to.version, octets, body)
        return source, to, uids

    def move(self, op):
        source, to, uids = self.copy(op)
        for uid in uids:
            del source.rows[uid]
        if uids:
            source.step(op["modseq"])
            must(to.version == op["to_modseq"], "the destination's modification sequence")

    # ---- against what was found

    def signature(self):
        return ({acc: tree[0] for acc, tree in self.trees.items()}, {key: box.version for key, box in self.boxes.items()})

    def has_versions(self):
        return all(tree[0] is not None for tree in self.trees.values())

    def differences(self, other):
        """Lines about what `other` (found) has otherwise."""
        for acc in sorted(set(self.trees) | set(other.trees)):
            if self.trees.get(acc) != other.trees.get(acc):
                yield f"account {acc}: tree {other.trees.get(acc)}, not {self.trees.get(acc)}"
        for key in sorted(set(self.boxes) | set(other.boxes)):
            mine, theirs = self.boxes.get(key), other.boxes.get(key)
            if mine is None or theirs is None:
                yield f"mailbox {key}: {'should not be there' if theirs else 'is missing'}"
                continue
            for name in ("uidvalidity", "version", "uidnext"):
                if getattr(mine, name) != getattr(theirs, name):
                    yield f"mailbox {key}: {name} {getattr(theirs, name)}, not {getattr(mine, name)}"
            for uid in sorted(set(mine.rows) | set(theirs.rows)):
                if mine.rows.get(uid) != theirs.rows.get(uid):
                    yield f"mailbox {key} UID {uid}: {theirs.rows.get(uid)}, not {mine.rows.get(uid)}"

    def used(self, acc):
        """[octets, messages] of an account."""
        rows = [row for key, box in self.boxes.items() if key[0] == acc for row in box.rows.values()]
        return [sum(row[2] for row in rows), len(rows)]


def found(state):
    """The Mail that a printed state says, its own sums checked."""
    mail = Mail()
    for acc, account in state["accounts"].items():
        mail.trees[int(acc)] = (account["version"], account["tree"])
    for box in state["boxes"]:
        rows = {row[0]: tuple(row[1:]) for row in box["rows"]}
        name = f"mailbox {box['acc']},{box['mbox']}"
        must(len(rows) == box["messages"] == len(box["rows"]), f"{name}: {len(rows)} messages, not {box['messages']}")
        must(sum(row[2] for row in rows.values()) == box["octets"], f"{name}: octets")
        must(sum(not row[0] & 1 for row in rows.values()) == box["unseen"], f"{name}: unseen")
        mail.boxes[box["acc"], box["mbox"]] = Box(box["uidvalidity"], box["version"], box["uidnext"], rows)
    for acc, account in state["accounts"].items():
        must(account["kept"] == account["sum"] == mail.used(int(acc)), f"account {acc}: quota is not the sum")
    return mail


def find(ops, there, least, most, begin=None):
    """(how many of `ops` the state found holds, the Mail after them): at least `least`, at most `most`, else a Fault.
    Where operations without effect leave it open the largest number counts. begin: the Mail before them."""
    mail = copy.deepcopy(begin) if begin else Mail()
    want, answer, near = there.signature(), None, None
    for done in range(most + 1):
        if done:
            mail.apply(ops[done - 1])
        if done < least:
            continue
        same = mail.signature() == want
        faults = list(mail.differences(there)) if same or near is None else near
        must(not (same and faults and mail.has_versions()), f"after {done} operations: " + "; ".join(faults[:10]))
        if same and not faults:
            answer = done, copy.deepcopy(mail)
        elif near is None:
            near = faults
    must(answer, f"no state between {least} and {most} operations; beside {least}: " + "; ".join((near or [])[:10]))
    return answer
