"""gdb-fibers — `fibers` in gdb lists the fibers of a process or a core, each with where it waits.

Use: gdb -p PID -x tools/gdb-fibers.py -ex fibers. Registers are left alone: switch.S keeps the frame pointer (rbp, x29) and
the return address at fixed places above a fiber's sp, and this program is built with frame pointers.
"""
import gdb

SAVED = {"i386:x86-64": (48, 56), "aarch64": (80, 88)}  # from sp: frame pointer, return address
STATES = ["free", "ready", "running", "parked", "ended"]
DEPTH = 20


def word(at):
    return int(gdb.Value(at).cast(gdb.lookup_type("unsigned long").pointer()).dereference())


def frames(sp, end):
    """Return addresses from the innermost on; `end` is the top of the stack."""
    frame, pc = (word(sp + offset) for offset in SAVED[gdb.selected_frame().architecture().name()])
    for _ in range(DEPTH):
        yield pc
        if not sp < frame < end - 16:
            return
        frame, pc = word(frame), word(frame + 8)


def place(pc):
    block, line = gdb.block_for_pc(pc - 1), gdb.find_pc_line(pc - 1)
    while block and not block.function:
        block = block.superblock
    where = f" at {line.symtab.filename}:{line.line}" if line.symtab else ""
    return f"{block.function if block else hex(pc)}{where}"


class Fibers(gdb.Command):
    """List fibers with backtraces; `fibers parked` (ready, running) only those."""

    def __init__(self):
        super().__init__("fibers", gdb.COMMAND_STACK)

    def invoke(self, wanted, _):
        sched = gdb.parse_and_eval("sched")
        if not sched:
            raise gdb.GdbError("no scheduler runs")
        print(f"{sched['live']} fibers, {sched['switches']} switches")
        chunk, size = sched["chunks"], sched["chunks"].dereference()["fibs"].type.range()[1] + 1
        while chunk:
            for i in range(size):
                fib = chunk["fibs"][i]
                state = STATES[int(fib["state"])]
                if state == "free" or wanted and state != wanted:
                    continue
                due = (int(fib["due_ns"]) - int(sched["now_ns"])) / 1e9
                until = f", {due:.1f} s left" if fib["due_ns"] else ""
                print(f"\nfiber {fib.address} sid {fib['cx']['sid']}: {state}{until}, {fib['fn']}({fib['arg']})")
                if state != "running":
                    for depth, pc in enumerate(frames(int(fib["sp"]), int(fib["stack"]["high"]))):
                        print(f"  #{depth} {place(pc)}")
            chunk = chunk["next"]


Fibers()
