"""figures — memory and descriptors of roles, and that they come back."""
import os, pathlib, re, time

GRACE_S = 30
MEMORY_MORE = 24 << 20  # octets that a role may have more than before: caches, what malloc keeps
DESCRIPTORS_MORE = 60   # the fleet's own come and go


def memory(pid):
    """Octets of a role's own memory and arena. (Its share of files is the kernel's to give and to take.)"""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return sum(int(re.search(rf"{name}:\s+(\d+) kB", status).group(1)) << 10 for name in ("RssAnon", "RssShmem"))


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:  # roles are not dumpable: only root sees theirs
        return 0


def figures(pids):
    return {pid: (memory(pid), descriptors(pid)) for pid in pids}


def has_returned(before, now):
    return all(now[p][0] <= before[p][0] + MEMORY_MORE and now[p][1] <= before[p][1] + DESCRIPTORS_MORE for p in before)


def check_returned(before):
    end = time.monotonic() + GRACE_S
    while not has_returned(before, now := figures(before)) and time.monotonic() < end:
        time.sleep(0.1)
    assert has_returned(before, now), f"(octets, descriptors) by role: before {before}, after {now}"
