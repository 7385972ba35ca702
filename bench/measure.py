"""measure — CPU time and memory of a server's processes, and one run of the load generator."""
import json, os, pathlib, subprocess, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOAD = str(ROOT / "build" / "bench" / "hongyan-load")
TICK = os.sysconf("SC_CLK_TCK")
SETTLE_S = 0.2  # what a server still does for work that it has acknowledged belongs to that work


class Void(Exception):
    """A figure that must not be used."""


def stat_fields(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(roots):
    """Every process below (and with) the roots."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(stat_fields(entry.name)[1])
            except OSError:
                continue
    found, grown = set(roots), True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found


def cpu_s(roots):
    """User and system time of all processes, those that ended and were reaped included."""
    total = 0
    for pid in tree(roots):
        try:
            total += sum(int(n) for n in stat_fields(pid)[11:15])  # utime stime cutime cstime
        except OSError:
            continue
    return total / TICK


def lacking(roots, library):
    """Names of the processes that have not loaded a library."""
    names = []
    for pid in tree(roots):
        try:
            if library not in pathlib.Path(f"/proc/{pid}/maps").read_text():
                names.append(pathlib.Path(f"/proc/{pid}/comm").read_text().strip())
        except OSError:
            continue
    return names


def pss_bytes(roots):
    total = 0
    for pid in tree(roots):
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total


class Load:
    """A run of hongyan-load, held before and after its work so that the server can be looked at."""

    def __init__(self, work, **options):
        self.words = [LOAD, work, "hold=1", *(f"{name}={value}" for name, value in options.items())]
        self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.expect("ready")

    def expect(self, word):
        line = self.process.stdout.readline().strip()
        if word and line != word:
            self.process.kill()
            raise Void(f"{' '.join(self.words)}: {line} {self.process.communicate()[1][-800:]}")
        return line

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.expect("")
        try:
            result = json.loads(line)
        except ValueError:
            result = {"errors": 1}
        if result["errors"]:
            self.process.kill()
            raise Void(f"{' '.join(self.words)}: {line} {self.process.communicate()[1][-800:]}")
        return result

    def end(self):
        out, err = self.process.communicate("\n")
        if self.process.returncode:
            raise Void(f"{' '.join(self.words)}: {out} {err[-800:]}")


def run(roots, work, **options):
    """One run: what hongyan-load says, and the server's CPU time for each operation in ms."""
    load = Load(work, **options)
    before = cpu_s(roots())
    result = load.go()
    time.sleep(SETTLE_S)
    result["cpu_s"] = cpu_s(roots()) - before
    load.end()
    return result
