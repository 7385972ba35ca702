"""population — the mailboxes that the works need, alike on every side, made before any clock runs.

Ours are delivered, theirs (which take longer) imported by their own tools from Maildirs of the same numbers and sizes.
"""
import pathlib, random

import measure

# How many users there are of a kind; % is their number. u: mail comes in; a: APPEND; s: STORE; p: POP3; i: idle.
KINDS = {"u%": 10, "a%": 10, "s%": 10, "p%": 10, "i%": 20, "big": 1, "bodies": 1, "copy": 1}
# Messages that each has from the beginning, and their octets.
MAIL = {"s%": (1000, 4096), "p%": (100, 4096), "big": (100_000, 1024), "bodies": (20_000, 10240),
        "copy": (10_000, 1024)}
WORDS = "figures week market of the and harbour goose letter spring north river by seven hundred answer".split()


def users(kinds):
    return [kind.replace("%", str(n)) for kind in kinds for n in range(KINDS[kind])]


def message(number, octets, chance):
    """A message with CRLF line ends of about `octets`."""
    head = (f"From: Wang Fang <wang.fang@elsewhere.test>\r\nTo: Li Lei <li.lei@bench.test>\r\n"
            f"Subject: The figures of week {number}\r\nDate: Mon, 03 Feb 2025 09:30:00 +0800\r\n"
            f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Message-ID: <p{number}@elsewhere.test>\r\n\r\n")
    start = chance.randrange(len(TEXT) // 2)
    return (head + TEXT[start:start + octets - len(head) - 2] + "\r\n").encode()


def make_text():
    chance, lines = random.Random(20250203), []
    for _ in range(4000):
        lines.append(" ".join(chance.choice(WORDS) for _ in range(10)))
    return "\r\n".join(lines)


TEXT = make_text()


def make_maildir(folder, count, octets):
    """A Maildir of `count` messages without flags."""
    chance = random.Random(count)
    for sub in ("cur", "new", "tmp"):
        (folder / sub).mkdir(parents=True)
    for number in range(count):
        size = octets + chance.randrange(-octets // 8, octets // 8)
        (folder / "cur" / f"{1738546200 + number}.M{number}P1.bench:2,").write_bytes(message(number, size, chance))
    return folder


def make_sources(folder, kinds, make):
    """A Maildir (None unless `make`) for each kind of user that has mail: {kind: folder}."""
    return {kind: make_maildir(pathlib.Path(folder) / kind.rstrip("%"), *MAIL[kind]) if make else None
            for kind in MAIL if kind in kinds}


def populate(side, sources, kinds):
    """`side` is running. Every user logs in once, one after the other: Dovecot makes mailboxes then."""
    for kind in kinds:
        load = measure.Load("imap-login", port=side.port("imap"), user=f"{kind}@{side.domain}", users=KINDS[kind],
                            count=KINDS[kind])
        load.go()
        load.end()
    for kind, maildir in sources.items():
        side.fill(kind, users([kind]), maildir, MAIL[kind])
