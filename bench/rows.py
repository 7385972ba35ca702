"""rows — what is measured: each name of the table, the work behind it, and its figure.

A row's `figure` makes one number of what hongyan-load said. `better` is "more" or "less". `quick` divides the work.
"""
import time
from dataclasses import dataclass, field

import measure
from measure import Void


@dataclass
class Row:
    name: str
    unit: str
    work: str = ""
    service: str = ""
    options: dict = field(default_factory=dict)
    figure: str = "per_second"
    better: str = "more"
    formats: tuple = ("mdbox", "maildir")
    check: bool = False  # ask by IMAP when all can be read
    kind: str = "load"   # or: cold, idle, flush, growth
    user: str = "u%"
    per: str = "done"    # what CPU time is divided by


ROWS = [
    Row("smtp_in_4k", "1/s", "smtp", "smtp", dict(count=3000, sessions=10, users=10, size=4096), check=True),
    Row("smtp_in_50k", "1/s", "smtp", "smtp", dict(count=2000, sessions=10, users=10, size=51200), check=True),
    Row("lmtp_4k", "1/s", "lmtp", "lmtp", dict(count=5000, sessions=10, users=10, size=4096), check=True),
    Row("imap_login_select", "1/s", "imap-login", "imap", dict(count=5000, sessions=10, users=10), user="s%",
        formats=("mdbox",)),
    Row("imap_login_tls", "1/s", "imap-login", "imaps", dict(count=2000, sessions=10, users=10, tls=1, select=0),
        user="s%", formats=("mdbox",)),
    Row("imap_append_4k_1", "1/s", "imap-append", "imap", dict(count=4000, sessions=1, size=4096), user="a%"),
    Row("imap_append_4k_10", "1/s", "imap-append", "imap", dict(count=8000, sessions=10, users=10, size=4096),
        user="a%"),
    Row("idle_plain_bytes", "bytes", "idle", "imap", kind="idle", better="less", formats=("mdbox",),
        user="i%"),
    Row("idle_tls_bytes", "bytes", "idle", "imaps", dict(tls=1), kind="idle", better="less", formats=("mdbox",),
        user="i%"),
    Row("imap_select_100k_cold", "ms", "imap-select", "imap", dict(count=1), "p50_ms", "less", kind="cold",
        user="big"),
    Row("imap_select_100k_hot", "ms", "imap-select", "imap", dict(count=2000), "p50_ms", "less", user="big"),
    Row("imap_fetch_flags_100k", "ms", "imap-fetch-flags", "imap", dict(count=20), "p50_ms", "less", user="big"),
    Row("imap_fetch_bodies", "MB/s", "imap-fetch-bodies", "imap", dict(count=4), "mb_per_second", user="bodies",
        per="megabytes"),
    Row("imap_store_1", "1/s", "imap-store", "imap", dict(count=10000), user="s%"),
    Row("imap_store_10", "1/s", "imap-store", "imap", dict(count=20000, sessions=10, users=10), user="s%"),
    Row("imap_store_all", "ms", "imap-store", "imap", dict(count=20, all=1), "p50_ms", "less", user="big"),
    Row("imap_copy_10k", "ms", "imap-copy", "imap", dict(count=5), "p50_ms", "less", user="copy"),
    Row("imap_move_10k", "ms", "imap-move", "imap", dict(count=6), "p50_ms", "less", user="copy"),
    Row("pop3_100", "1/s", "pop3", "pop3", dict(count=1000, sessions=10, users=10), user="p%"),
    Row("pop3_100_tls", "1/s", "pop3", "pop3s", dict(count=500, sessions=10, users=10, tls=1), user="p%"),
    Row("flush_2ms", "1/s", "smtp", "smtp", dict(count=3000, sessions=64, users=10, size=4096), check=True,
        kind="flush"),
    Row("growth_delivery_1e4", "ms", kind="growth", better="less"),
    Row("growth_delivery_1e6", "ms", kind="growth", better="less"),
    Row("growth_start_ms", "ms", kind="growth", better="less"),
    Row("growth_bytes_per_message", "bytes", kind="growth", better="less"),
]

QUICK_DIVIDES = {"smtp_in_4k": 3, "smtp_in_50k": 4, "lmtp_4k": 2, "imap_login_select": 3, "imap_login_tls": 4,
                 "imap_append_4k_1": 4, "imap_append_4k_10": 3, "imap_store_1": 4, "imap_store_10": 4,
                 "imap_store_all": 5, "pop3_100": 4,
                 "pop3_100_tls": 5, "flush_2ms": 5}
IDLE_SESSIONS, IDLE_SESSIONS_QUICK = 5000, 1000
IDLE_USERS, IDLE_SOURCES = 20, 50
COLD_STARTS = 5
SLEEP_S = 5  # until Dovecot's sessions hibernate
STEADY_S, STEADY_WAIT_S = 3, 120  # memory is read when it has not moved for so long


def options_of(row, side, quick):
    options = dict(row.options)
    if quick:
        options["count"] = options.get("count", 0) // QUICK_DIVIDES.get(row.name, 1)
    options.update(port=side.port(row.service), user=f"{row.user}@{side.domain}")
    if row.check:
        options["check_port"] = side.port("imap")
    return options


def run_load(row, side, quick):
    result = measure.run(lambda: side.roots((row.service,)), row.work, **options_of(row, side, quick))
    result["megabytes"] = result["octets"] / 1e6
    result["mb_per_second"] = result["megabytes"] / result["seconds"]
    return result[row.figure], result["cpu_s"] * 1e3 / result[row.per]


def run_cold(row, side, quick):
    figures = []
    for _ in range(COLD_STARTS):
        side.stop()
        side.start()
        figures.append(run_load(row, side, quick)[0])
    return sorted(figures)[len(figures) // 2], None


def steady_pss(roots):
    """Memory when it no longer moves: sessions hibernate, prestarted processes appear."""
    last, since, end = measure.pss_bytes(roots), time.monotonic(), time.monotonic() + STEADY_WAIT_S
    while time.monotonic() < min(since + STEADY_S, end):
        time.sleep(0.5)
        now = measure.pss_bytes(roots)
        if abs(now - last) > last * 0.002:
            last, since = now, time.monotonic()
    return last


def run_idle(row, side, quick):
    """PSS of all processes with the sessions, less that of the same server without, for each session."""
    sessions = IDLE_SESSIONS_QUICK if quick else IDLE_SESSIONS
    side.stop()
    side.start(idle=True)
    one = measure.Load("imap-login", port=side.port(row.service), user=f"{row.user}@{side.domain}", users=IDLE_USERS,
                       count=IDLE_USERS, **row.options)  # what is loaded once is no session's
    one.go()
    one.end()
    before = steady_pss(side.roots())
    load = measure.Load(row.work, port=side.port(row.service), user=f"{row.user}@{side.domain}", users=IDLE_USERS,
                        count=0, sessions=sessions, sources=IDLE_SOURCES, **row.options)
    time.sleep(SLEEP_S)
    figure = (steady_pss(side.roots()) - before) / sessions
    load.go()
    load.end()
    side.stop()
    side.start()
    return figure, None


RUN = {"load": run_load, "flush": run_load, "cold": run_cold, "idle": run_idle}


def measure_row(row, side, quick):
    """(figure, CPU ms for each operation or None). errors: Void."""
    figure, cpu = RUN[row.kind](row, side, quick)
    if figure <= 0:
        raise Void(f"{row.name}: {figure} is no figure")
    return figure, cpu
