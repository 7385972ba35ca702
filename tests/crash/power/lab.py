#!/usr/bin/python3
"""lab — cuts the power of a store in the middle of its work, again and again, and looks at what is left.

  lab.py [--cuts N] [--seed S] [--keep FOLDER]   N cuts; on a fault its record and numbers go to FOLDER
  lab.py --replay FOLDER                         that fault once more
  lab.py --control NAME [--cuts N]               how many cuts it takes to notice that something is broken: CONTROLS

One recorded run of power-bed serves CUTS_PER_RUN cuts. After each: `power-bed look` starts the store on what the cut left (as
after a new boot), prints its state, goes on with a few operations and deliveries that were under way, closes, checks,
opens. Every third cut is followed by one into that start itself.
"""
import argparse, copy, dataclasses, json, os, pathlib, random, shutil, subprocess, sys, tempfile, uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import oracle  # noqa: E402
from disk import MARK, FLUSH, Disk, File, Folder, read_trace  # noqa: E402

BUILD = pathlib.Path(os.environ.get("POWER_BUILD", pathlib.Path(__file__).resolve().parents[3] / "build" / "tests" / "crash"))
CUTS_PER_RUN, RAISE_STEP, AGAIN_FROM = 10, 1 << 20, 1000000
LIVES = ["c", "k", "cc", "kc", "ck", "kk", "ckc"]

EMPTY_STORE = "S10 the index names batch 0,"  # what check_log says of a store in which nothing was ever done

# name: (whose flushes are ignored, or None, whether answers count from the flush's beginning)
CONTROLS = {
    "log-flush": (lambda node: isinstance(node, File) and node.kind == 1, False),
    "answer-first": (None, True),
    "bulk-flush": (lambda node: isinstance(node, File) and node.kind == 2, False),
    "folder-flush": (lambda node: isinstance(node, Folder), False),
}


class Run:
    """A recorded run: its events, its operations in their order; for one that began with a cut what came before."""

    def __init__(self, trace, seed, base=None, begin=None, known=(), told=0, raised=False):
        """base: the folder it began with, begin: the Mail there, known: deliveries that were there, told: the raise
        that clients had heard of, raised: and changes that they had heard of were lost since."""
        self.seed, self.base, self.begin, self.told, self.raised = seed, base, begin, told, raised
        self.events = read_trace(trace)
        began, ops, self.opens, self.ends, self.seen = {}, [], [], [], 0
        for at, (kind, _, _, _, octets) in enumerate(self.events):
            word, _, rest = octets.decode().partition(" ") if kind == MARK else ("", "", "")
            if word == "begin":
                began[int(rest)] = at
            elif word == "ack":
                op = json.loads(rest)
                ops.append({**op, "acked": at, "began": began[op["n"]]})
            elif word == "open":
                self.opens.append((at, int(rest)))
            elif word in ("closing", "closed", "killed"):
                self.ends.append((at, word))
            elif word == "seen":
                self.seen = at
        self.ops = sorted((op for op in ops if op["kind"] != "failed" and op["n"] not in known), key=lambda op: op["order"])

    def told_at(self, cut):
        return max([self.told, *(r for at, r in self.opens if at < cut)])

    def clean_at(self, cut):
        """Whether it may be closed in order: that was begun, and it was not opened since."""
        last = max((end for end in self.ends if end[0] < cut), default=(0, ""))
        return last[1] in ("closing", "closed") and all(at < last[0] or at >= cut for at, _ in self.opens)


def environment(work, record=None):
    boot = work / "boot"
    boot.write_text(str(uuid.UUID(int=random.getrandbits(128))) + "\n")
    env = {**os.environ, "LD_PRELOAD": str(BUILD / "power-recorder.so"), "POWER_BOOT": str(boot), "POWER_DELAY_US": "400"}
    if record:
        env |= {"POWER_ROOT": str(record[0]), "POWER_TRACE": str(record[1])}
    return env


def bed(work, words, record=None):
    done = subprocess.run([str(BUILD / "power-bed"), *map(str, words)], env=environment(work, record), capture_output=True,
                          text=True, timeout=300)
    oracle.must(done.returncode == 0, f"power-bed {words[0]} ended with {done.returncode}: {done.stderr[-1500:]}")
    return done.stdout


def record(seed, folder):
    """A fresh run of random mail."""
    data = folder / "data"
    data.mkdir(parents=True)
    rng = random.Random(seed)
    bed(folder, ["load", data, seed, rng.choice([150, 300]), rng.choice([2, 3, 6]), LIVES[seed % len(LIVES)]],
        (data, folder / "trace"))
    run = Run(folder / "trace", seed)
    disk = Disk()
    for at, event in enumerate(run.events):
        disk.take(at, event)
    missed = list(disk.differs(data))
    assert not missed, f"the recorder missed changes: {missed}"
    return run


# ---- one cut

def choose_cut(rng, run, control=None):
    """Anywhere; often right behind an acknowledgement or an orderly end, and in a start."""
    way = rng.random()
    if run.ops and way < 0.4:
        return acked_at(run, rng.choice(run.ops), control) + 1
    if run.ends and way < 0.5:
        return rng.choice(run.ends)[0] + 1
    if run.seen and way < 0.7:
        return rng.randint(1, run.seen)
    return rng.randint(1, len(run.events))


def disk_at(run, cut, control):
    ignore, _ = CONTROLS.get(control, (None, False))
    disk = Disk(run.base, ignore)
    for at in range(cut):
        disk.take(at, run.events[at])
    return disk


def acked_at(run, op, control):
    """Where an operation counts as answered; the control that swaps answer and flush: from the flush's beginning."""
    if not CONTROLS.get(control, (None, False))[1]:
        return op["acked"]
    return max((at for at in range(op["began"], op["acked"]) if run.events[at][0] == FLUSH), default=op["acked"])


def promised(run, cut, log_flushes, control):
    """How many operations of the run must be there after the cut, and how many may."""
    least = most = 0
    for number, op in enumerate(run.ops, 1):
        acked = acked_at(run, op, control)
        if oracle.changed(op) and acked < cut and (not op["lazy"] or any(acked < began for began, _ in log_flushes)):
            least = number
        if op["began"] < cut:
            most = number
    return least, most


def parse(text):
    """What power-bed look printed: states, acknowledgements, faults, whether it came to its end."""
    out = {"state": [], "ack": [], "fault": [], "checked": [], "end": False}
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word in ("state", "ack", "checked"):
            out[word].append(json.loads(rest))
        elif word == "fault":
            out["fault"].append(rest)
        elif word == "end":
            out["end"] = True
    return out


def check_raise(run, cut, now, least, there):
    """What clients were told as modification sequences is never told again for something else. Returns whether changes
    that they know of are lost."""
    told = run.told_at(cut)
    oracle.must(now >= told, f"the raise fell from {told} to {now}")
    if least and not run.clean_at(cut):
        oracle.must(now >= told + RAISE_STEP, f"the raise is {now} after {told}")
    lost = [op["n"] for op in run.ops[there:] if op["acked"] < cut and oracle.changed(op)]
    oracle.must(not lost or now > told, f"changes {lost} are lost and the raise is as it was")
    oracle.must(not run.raised or now > run.told, "changes were lost before and the raise is as it was")
    return bool(lost)


def check_states(states):
    for state in states:
        oracle.must(not state["damaged_batches"] and not state["damaged_cells"], "a power cut is no damage")


def repeated(run, there):
    """Deliveries that are there: asked for again they do nothing."""
    return {op["n"] for op in run.ops[:there] if op["kind"] == "deliver" and oracle.changed(op)}


@dataclasses.dataclass
class Found:
    """What a start after a cut found."""
    there: int
    mail: oracle.Mail
    lost: bool


def judge(run, cut, log_flushes, control, out):
    """Compares what power-bed look printed with what the run was promised."""
    for state in out["state"]:
        oracle.must(not state["damaged_batches"] and not state["damaged_cells"], "a power cut is no damage")
    least, most = promised(run, cut, log_flushes, control)
    there, mail = oracle.find(run.ops, oracle.found(out["state"][0]), least, most, run.begin)
    found = Found(there, copy.deepcopy(mail), check_raise(run, cut, out["state"][0]["raise"], least, there))
    known = repeated(run, there)
    for op in sorted((a for a in out["ack"] if a["kind"] != "failed"), key=lambda a: a["order"]):
        if op["n"] not in known:
            mail.apply(op)
    for state in out["state"][1:]:
        faults = list(mail.differences(oracle.found(state)))
        oracle.must(not faults, "after more work: " + "; ".join(faults[:10]))
    faults = [fault for fault in out["fault"] if mail.trees or not fault.startswith(EMPTY_STORE)]
    oracle.must(not faults, "the checker: " + "; ".join(faults[:10]))
    oracle.must(out["end"] and all(c["compared"] for c in out["checked"]), "the checker did not end")
    return found


def look(run, cut, rng, work, control=None, record_to=None):
    """Cuts, starts, judges. The disk as the cut left it stays in work/base."""
    disk = disk_at(run, cut, control)
    disk.cut(rng, work / "base")
    shutil.copytree(work / "base", work / "image")
    under_way = [op["n"] for op in run.ops if op["kind"] == "deliver" and op["began"] < cut][-3:]
    first = AGAIN_FROM * (2 if run.base else 1) + cut * 10
    words = ["look", work / "image", run.seed, first, 6, *under_way]
    out = parse(bed(work, words, (work / "image", record_to) if record_to else None))
    shutil.rmtree(work / "image")
    return judge(run, cut, disk.log_flushes, control, out)


def one_cut(run, cut, seed, work, control=None, again=False, second_trace=None):
    """One round; again: and a second cut, into the start after the first, whose record is work/trace (or was saved)."""
    rng = random.Random(seed)
    work.mkdir()
    found = look(run, cut, rng, work, control, work / "trace" if again and not second_trace else None)
    if not again:
        return
    second = Run(second_trace or work / "trace", run.seed, work / "base", found.mail, repeated(run, found.there),
                 run.told_at(cut), found.lost)
    cut = choose_cut(rng, second)
    (work / "second").mkdir()
    look(second, cut, rng, work / "second", control)


# ---- many

def rounds(cuts, seed, work, control=None):
    """Yields (run, numbers of the round) for each cut, with a fresh run now and then."""
    run = None
    for number in range(cuts):
        rng = random.Random(seed * 100000 + number)
        if number % CUTS_PER_RUN == 0:
            if run:
                shutil.rmtree(run.folder)
            run_seed = rng.randrange(1 << 30)
            folder = work / f"run-{run_seed}"
            run = record(run_seed, folder)
            run.folder = folder
        yield run, {"run": run.seed, "cut": choose_cut(rng, run, control), "seed": rng.randrange(1 << 62),
                    "again": number % 3 == 2 and not control, "control": control}


def keep_fault(run, numbers, round_work, keep, words):
    keep.mkdir(parents=True, exist_ok=True)
    shutil.copy(run.folder / "trace", keep / "trace")
    if (round_work / "trace").exists():
        shutil.copy(round_work / "trace", keep / "second-trace")
    (keep / "round.json").write_text(json.dumps(numbers))
    (keep / "fault.txt").write_text(words + "\n")


def power_cuts(cuts, seed, keep, control=None):
    """Runs the cuts; returns (cuts made, the fault found or None)."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="hongyan-power-"))
    try:
        for number, (run, numbers) in enumerate(rounds(cuts, seed, work, control), 1):
            at = work / f"cut-{number}"
            try:
                one_cut(run, numbers["cut"], numbers["seed"], at, control, numbers["again"])
            except oracle.Fault as fault:
                if keep:
                    keep_fault(run, numbers, at, keep, str(fault))
                return number, f"seed {seed}, cut {number} {numbers}: {fault}"
            shutil.rmtree(at)
        return cuts, None
    finally:
        shutil.rmtree(work)


def replay(folder):
    """A kept fault once more; raises it."""
    numbers = json.loads((folder / "round.json").read_text())
    work = pathlib.Path(tempfile.mkdtemp(prefix="hongyan-power-"))
    second = folder / "second-trace"
    try:
        run = Run(folder / "trace", numbers["run"])
        one_cut(run, numbers["cut"], numbers["seed"], work / "cut", numbers["control"], numbers["again"],
                second if second.exists() else None)
    finally:
        shutil.rmtree(work)


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--cuts", type=int, default=30)
    words.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    words.add_argument("--keep", type=pathlib.Path)
    words.add_argument("--replay", type=pathlib.Path)
    words.add_argument("--control", choices=CONTROLS)
    asked = words.parse_args()
    if asked.replay:
        replay(asked.replay)
        print("no fault")
        return 0
    made, fault = power_cuts(asked.cuts, asked.seed, asked.keep, asked.control)
    print(f"{made} cuts, seed {asked.seed}: {fault or 'nothing wrong'}")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
