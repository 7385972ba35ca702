"""Mailbox names that try to be something else: paths, controls, broken or doubled encodings, the same name in another form.

What is refused leaves nothing. What is taken is one mailbox, listed once under one name, which opens it and deletes it.
(Names are modified UTF-7 on the wire: UTF-8 is not offered; the unit tests of mboxname have its cases.)
"""
import base64, re, unicodedata

import pytest

from raw import ready, still_talks


def mutf7(text):
    """Modified UTF-7 (RFC 3501 §5.1.3) of a text, lone surrogates included."""
    def run(match):
        octets = match.group().encode("utf-16-be", "surrogatepass")
        return "&" + base64.b64encode(octets).rstrip(b"=").replace(b"/", b",").decode() + "-"
    return re.sub(r"[^\x20-\x7e]+", run, text.replace("&", "&-")).encode()


def literal(name):
    return b"{%d+}\r\n%s" % (len(name), name)


REFUSED = {  # these never become a mailbox
    "empty": b"", "..": b"..", ".": b".", "/": b"/", "//": b"//", "///": b"///", "a//b": b"a//b", "/a": b"/a", "../x": b"../x",
    "a/../b": b"a/../b", "a/./b": b"a/./b", "a/..": b"a/..", "NUL": b"a\0b", "CR": b"a\rb", "LF": b"a\nb",
    "CRLF": b"a\r\n* BYE smuggled", "TAB": b"a\tb", "ESC": b"a\x1b[2Jb", "DEL": b"a\x7fb", "BS": b"a\x08b",
    "NUL in UTF-7": b"a&AAA-", "LF in UTF-7": b"a&AAo-", "CRLF in UTF-7": b"a&AA0ACg-", "C1 in UTF-7": b"a&AIU-",
    "separator in UTF-7": b"a&AC8-b", ".. in UTF-7": b"&AC4ALg-", "INBOX in UTF-7": b"&AEkATgBCAE8AWA-", "ASCII in UTF-7": b"&AGE-",
    "high surrogate": b"&2D0-", "low surrogate": b"&3AA-", "swapped surrogates": b"&3ADYPQ-", "half a unit": b"&AA-",
    "bits left over": b"&AOT-", "no end": b"a&AOQ", "& alone": b"a&", "&& ": b"a&&b", "doubled": b"&AOQ-&AOQ-", "base64 /": b"&AOT/-",
    "= within": b"&AOQ=-", "line separator": mutf7("a\u2028b"), "8-bit": b"\xe4", "overlong /": b"a\xc0\xafb", "overlong .": b"\xc0\xae\xc0\xae",
    "overlong NUL": b"a\xc0\x80b", "overlong 3": b"\xe0\x80\xaf", "surrogate in UTF-8": b"\xed\xa0\x80", "beyond": b"\xf4\x90\x80\x80",
    "cut": b"a\xe2\x82", "FF": b"\xff", "long": b"x" * 256, "longer": b"x/" * 600 + b"x", "deep": b"/".join([b"d"] * 40),
    "inbox": b"inbox", "iNbOx/": b"iNbOx/",
}
ODD = {  # these may be taken
    "..a": b"..a", "a..": b"a..", "...": b"...", "~": b"~root", "$()": b"$(id)", "backslash": b"..\\x", "%2e": b"%2e%2e", "percent": b"a%b",
    "star": b"*", "quote": b'a"b', "space": b" ", "spaces": b" a ", "&-": b"a&-b", "hash": b"#news.x", "brace": b"{5}", "NIL": b"NIL",
    "rtl": mutf7("a\u202eb"), "zero width": mutf7("INBOX\u200b"), "bom": mutf7("\ufeffa"), "dotless": mutf7("\u0131nbox"),
    "fullwidth INBOX": mutf7("\uff29\uff2e\uff22\uff2f\uff38"), "fullwidth /": mutf7("a\uff0fb"), "division /": mutf7("a\u2215b"),
    "one dot leader": mutf7("\u2024\u2024"), "nonchar": mutf7("a\ufffe"), "emoji": mutf7("\U0001f4ec"), "private": mutf7("\ue000"),
    "tags": mutf7("a\U000e0041"), "many marks": mutf7("a" + "\u0301" * 60), "con": b"CON", "data.mdb": b"data.mdb",
}
SAME = [  # canonically equivalent: one name in several forms
    ("\u00e4", "a\u0308"), ("\u212b", "\u00c5", "A\u030a"), ("\uac00", "\u1100\u1161"), ("\u1e69", "s\u0323\u0307", "s\u0307\u0323"),
    ("\u2126", "\u03a9"), ("\u0344", "\u0308\u0301"), ("\U0001d15e", "\U0001d157\U0001d165"), ("\uf900", "\u8c48"), ("K\u00e4se/\u00fc", "Ka\u0308se/u\u0308"),
]


@pytest.fixture
def imap(calm_town):
    raw = ready(calm_town, "imap", user="bob")
    yield raw
    assert still_talks(raw)
    raw.close()


def listed(raw):
    """The names that LIST gives, as they come on the wire."""
    names = []
    raw.send(b't LIST "" "*"\r\n')
    while (line := raw.line()).startswith(b"* "):
        name = line.partition(b' "/" ')[2][:-2]
        size = re.search(rb"\{(\d+)\}$", name)
        if size:
            while len(raw.heard) < int(size.group(1)):
                assert raw.more()
            name, raw.heard = raw.heard[:int(size.group(1))], raw.heard[int(size.group(1)) + 2:]
        elif name.startswith(b'"'):
            name = re.sub(rb"\\(.)", rb"\1", name[1:name.rindex(b'"')])
        else:
            name = name.partition(b" (")[0]
        names.append(name)
    assert line.startswith(b"t OK")
    return names


def files(town):
    return {p.name for p in town.dir.rglob("*")} - {p.name for p in (town.dir / "data" / "log").iterdir()}


def words(octets):
    """The ways to write a name in a command."""
    return [literal(octets)] + [b'"' + octets + b'"'] * (not any(o in b'\0\r\n"\\' for o in octets))


@pytest.mark.parametrize("name", REFUSED)
def test_refused(imap, name):
    before = listed(imap)
    is_inbox = REFUSED[name].strip(b"/").upper() == b"INBOX"
    for word in words(REFUSED[name]):
        for command in (b"CREATE %s", b"RENAME Sent %s") + (b"SUBSCRIBE %s",) * (not is_inbox):
            heard = imap.ask(command % word)
            assert re.match(rb"t (NO|BAD)", heard), (command, heard)
    assert listed(imap) == before


@pytest.mark.parametrize("name", ODD)
def test_odd(calm_town, imap, name):
    octets = ODD[name]
    before, before_files = listed(imap), files(calm_town)
    heard = imap.ask(b"CREATE " + literal(octets))
    if re.match(rb"t (NO|BAD)", heard):
        assert listed(imap) == before
        return
    new = [n for n in listed(imap) if n not in before]
    assert len(new) == 1, new
    assert re.match(rb"t NO", imap.ask(b"CREATE " + literal(octets))) and files(calm_town) == before_files
    assert imap.ask(b"STATUS %s (MESSAGES)" % literal(new[0])).rpartition(b"\nt ")[2].startswith(b"OK")
    assert imap.ask(b"DELETE " + literal(new[0])).startswith(b"t OK")
    assert listed(imap) == before


@pytest.mark.parametrize("forms", SAME, ids=lambda forms: forms[0].encode("unicode_escape").decode())
def test_forms_of_one_name(imap, forms):
    """Forms that mean the same text are one mailbox: any of them finds what another made."""
    before = listed(imap)
    assert sum(imap.ask(b"CREATE " + literal(mutf7(f))).startswith(b"t OK") for f in forms) == 1
    for form in forms:
        assert imap.ask(b"STATUS %s (MESSAGES)" % literal(mutf7(form))).rpartition(b"\nt ")[2].startswith(b"OK")
        assert imap.ask(b'LIST "" ' + literal(mutf7(form))).count(b"* LIST") == 1
    for form in (forms[-1], forms[-1].partition("/")[0]):
        imap.ask(b"DELETE " + literal(mutf7(form)))
    assert listed(imap) == before
