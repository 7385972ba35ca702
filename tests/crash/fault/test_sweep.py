"""The n-th allocation, or the n-th system call, fails, in a store at work: every operation is done or answered with an
error, the store goes on, and the oracle holds. FAULT_STRIDE=1 tries every n."""
import concurrent.futures, errno, json, os, pathlib, random, re, shutil, subprocess, sys, tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import oracle  # noqa: E402

BUILD = pathlib.Path(__file__).resolve().parents[3] / "build" / "tests" / "crash"
STRIDE = int(os.environ.get("FAULT_STRIDE", "17"))
OPS, TOGETHER = 40, 8
# A new segment whose second header cannot be written, nor its file removed, is left behind: start passes over it, and
# check_log says of it:
LEFT_BEHIND = re.compile(r"S1 segment [0-9a-f]{8}: one copy of its header is damaged$")


def cases(text):
    """(n, lines) of each case."""
    n, lines = None, []
    for line in text.splitlines():
        if line.startswith("case "):
            if n is not None:
                yield n, lines
            n, lines = int(line.split()[1]), []
        else:
            lines.append(line)
    yield n, lines


def judge(lines, begin, burst):
    """A Fault where the store did otherwise than it answered."""
    mail = oracle.copy.deepcopy(begin)
    states, delivered = 0, set()
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "ack":
            op = json.loads(rest)
            if op["n"] not in delivered:  # asked for again it is answered, and not done again
                mail.apply(op)
            if op["kind"] == "deliver" and oracle.changed(op):
                delivered.add(op["n"])
        elif word == "state":
            state = json.loads(rest)
            oracle.must(not state["damaged_batches"] and not state["damaged_cells"], "damage")
            faults = list(mail.differences(oracle.found(state)))
            oracle.must(not faults, "; ".join(faults[:5]))
            states += 1
        elif word == "fault" and not (burst > 1 and LEFT_BEHIND.match(rest)):
            raise oracle.Fault(rest)
        elif word == "signal" or (word == "exit" and rest not in ("0", "9")):
            raise oracle.Fault(line)
    oracle.must(states == 2, "it did not come to its end")


def first_mail(text):
    """The accounts, which are made before the first case."""
    mail = oracle.Mail()
    for line in text[:text.index("\ncase ")].splitlines():
        if line.startswith("ack "):
            mail.apply(json.loads(line[4:]))
    return mail


def one_process(kind, error, burst, first, step):
    work = tempfile.mkdtemp(prefix="hongyan-fault-")
    try:
        done = subprocess.run([BUILD / "fault-sweep", work, kind, str(error), str(burst), str(OPS), str(first), str(step)],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done
    finally:
        shutil.rmtree(work)


def sweep(kind, error, burst, stride):
    """The faults of a sweep, and how many cases it had. Most of its time a store waits until it tries its disk again."""
    start, bad, count = 1 + random.randrange(stride), [], 0
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        done = list(pool.map(lambda i: one_process(kind, error, burst, start + i * stride, TOGETHER * stride), range(TOGETHER)))
    for process in done:
        begin = first_mail(process.stdout)
        for n, lines in cases(process.stdout):
            count += 1
            try:
                judge(lines, begin, burst)
            except (oracle.Fault, KeyError) as fault:
                bad.append(f"{kind} {n} ({burst}), {errno.errorcode[error]}: {fault!r} {lines[-2:]} {process.stderr[-500:]}")
    return bad, count


@pytest.mark.parametrize("burst", [1, 6])
@pytest.mark.parametrize("kind, error", [("alloc", errno.ENOMEM), ("call", errno.EIO), ("call", errno.ENOSPC),
                                         ("call", errno.EDQUOT)])
def test_sweep(kind, error, burst):
    bad, count = sweep(kind, error, burst, STRIDE)
    assert not bad, f"{len(bad)} of {count} cases:\n" + "\n".join(bad[:20])
    assert count > 200 / STRIDE, "the script reached next to nothing"
