"""LIST with patterns made to cost: every wildcard may take what another could, and each of many long names nearly matches.

The answers come, and others of the same front get theirs in between.
"""
import select

import pytest

from raw import ready, still_talks

NAMES, PATTERNS = 300, 64
PATTERN = {
    "a percent behind a star": b"*%" + b"a" * 800 + b"b", "percents": b"*%" + b"a%" * 400 + b"b", "stars": b"*a" * 400 + b"b",
    "whole parts": b"*" + b"%a/" * 30 + b"b",
}
TURNS = 20  # that another session must get while the longest of these is worked on


@pytest.fixture(scope="module")
def lister(calm_town):
    """A session whose user has names of nearly 1,000 octets, of which each octet but the last few can be taken by any wildcard."""
    raw = ready(calm_town, "imap")
    for i in range(NAMES):
        name = b"/".join([b"a" * 240] * 3 + [b"a" * 220 + b"%04d" % i])
        raw.send(b't CREATE "%s"\r\n' % name)
        assert raw.answer().startswith(b"t OK")
    yield raw
    raw.close()


def answers_before(raw, other):
    """How many commands of the other session are answered before the first octet for this one is there."""
    n = 0
    while not raw.heard and not select.select([raw.sock], [], [], 0)[0]:
        assert still_talks(other)
        n += 1
    return n


@pytest.mark.parametrize("name", PATTERN)
def test_pattern(calm_town, lister, name):
    others = b" ".join(b'"%s%d"' % (PATTERN[name], i) for i in range(PATTERNS))
    with ready(calm_town, "imap", user="bob") as other:
        for command in (b'LIST "" "%s"' % PATTERN[name], b'LIST "" (%s)' % others, b'LIST (SUBSCRIBED RECURSIVEMATCH) "" (%s)' % others,
                        b'LSUB "" "%s"' % PATTERN[name]):
            lister.send(b"t " + command + b"\r\n")
            n = answers_before(lister, other)
            assert lister.answer() == b"t OK %s completed\r\n" % command[:4]
            if name == "percents" and b"(" in command:
                assert n >= TURNS
        assert b"* LIST" in lister.ask(b'LIST "" "INBOX"')
