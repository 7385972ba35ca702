"""Backups that cannot hurt: what a backup holds never gets worse, and a restore is whole, told, or leaves nothing."""
import fcntl, json, os, pathlib, re, shutil, struct, subprocess, sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from server import Server

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


class Town(Server):
    """A store with mail in several segments; no server runs unless a test starts it."""

    def __init__(self, folder, letters=20):
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        self.bring(letters)

    def bring(self, letters, subject="letter"):
        mbox = self.folder / "in.mbox"
        mbox.write_text("".join(f"From a@b Mon Jan  1 00:00:00 2024\nFrom: a@b.test\nSubject: {subject} {n}\n\n{'text ' * 400}\n\n"
                                for n in range(letters)))
        self.run("import", str(mbox), "--user", self.address())

    def letters(self):
        (found,) = [line for line in self.run("user", "list").splitlines() if line.startswith("alice@")]
        return int(re.search(r"(\d+) messages", found).group(1))

    def readable(self):
        """How many letters can be read whole."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        self.run("export", str(out), "--user", self.address(), check=False)
        return sum("Subject: " in f.read_text() for f in out.rglob("*") if f.is_file() and f.parent.name in ("cur", "new"))

    @property
    def segments(self):
        return self.dir / "data" / "log"

    def largest(self):
        """The sealed segment with the letters."""
        return max(self.segments.glob("*.seg"), key=lambda f: f.stat().st_blocks)

    def refused(self, *words):
        done = self.run(*words, check=False)
        assert done.returncode == 1, done
        return done.stderr


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path / "town")
    yield town
    town.close()


def look(folder):
    """{name: octets} of a backup, without what each run writes anew."""
    return {f.name: f.read_bytes() for f in (folder / "log").iterdir()}


def flip(path, at):
    octets = bytearray(path.read_bytes())
    octets[at] ^= 1
    path.write_bytes(octets)


def listed(backup):
    return set(re.findall(r"[0-9a-f]{8}\.seg", (backup / "manifest").read_text()))


def in_a_letter(path):
    return path.read_bytes().index(b"text text") + 100


HURTS = {
    "both headers are zeros": lambda f: f.write_bytes(bytes(8192) + f.read_bytes()[8192:]),
    "one octet is another": lambda f: flip(f, in_a_letter(f)),
    "it is shorter": lambda f: os.truncate(f, f.stat().st_size // 2),
    "it is gone": lambda f: f.unlink(),
}


@pytest.mark.parametrize("hurt", HURTS)
def test_next_backup_keeps_the_good_copy(town, tmp_path, hurt):
    b = tmp_path / "b"
    town.run("backup", str(b))
    town.run("backup", str(b))
    good, victim = look(b), town.largest()
    assert victim.name in good
    town.start()  # the store is open: it does not look at what it has read before
    try:
        HURTS[hurt](victim)
        for _ in range(2):  # each night
            told = town.refused("backup", str(b))
            assert "good and stays there" in told and victim.name in told
            now = look(b)
            assert {name: now.get(name) for name in good} == good
            assert listed(b) == set(now)
    finally:
        town.stop()
    shutil.rmtree(town.dir / "data")
    town.run("restore", str(b))
    assert "in order" in town.run("store", "check")
    assert town.letters() == town.readable() == 20


@pytest.mark.parametrize("first", [True, False])
def test_segment_that_was_set_aside(town, tmp_path, first):
    """A start that could not read a segment has renamed it: the backup keeps its copy, and a restore has all mail.
    Without a copy (not `first`) the rest is backed up."""
    b, victim = tmp_path / "b", town.largest()
    if first:
        town.run("backup", str(b))
        assert victim.name in look(b)
    HURTS["both headers are zeros"](victim)
    town.start()
    try:
        assert pathlib.Path(f"{victim}.lost").exists() and not victim.exists()
        imap = town.imap()
        assert imap.append("INBOX", None, None, b"Subject: later\r\n\r\nlater\r\n")[0] == "OK"
        imap.logout()
        for _ in range(2):
            if first:
                told = town.refused("backup", str(b))
                assert "good and stays there" in told and victim.name in told
            else:
                town.run("backup", str(b))
            assert (victim.name in look(b)) == first
            assert listed(b) == set(look(b))
    finally:
        town.stop()
    shutil.rmtree(town.dir / "data")
    town.run("restore", str(b))
    if first:
        assert "in order" in town.run("store", "check")
        assert town.letters() == 21
    assert town.readable() == (21 if first else 1)


def test_another_store_is_refused(town, tmp_path):
    b, other = tmp_path / "b", Town(tmp_path / "other", 3)
    town.run("backup", str(b))
    before = look(b), (b / "manifest").read_bytes(), (b / "hongyan.conf").read_bytes()
    told = other.refused("backup", str(b))
    assert "another store" in told and "another folder" in told
    assert before == (look(b), (b / "manifest").read_bytes(), (b / "hongyan.conf").read_bytes())
    # An earlier program's list does not say whose it is; the segments do.
    text = (b / "manifest").read_text()
    text = re.sub(r"^hongyan-backup 2\nstore .*\n", "hongyan-backup 1\n", text)
    (b / "manifest").write_text(text)
    assert "another store" in other.refused("backup", str(b))
    assert look(b) == before[0]
    town.run("backup", str(b))
    assert (b / "manifest").read_text().startswith("hongyan-backup 2\nstore ")
    # A list that shares no segment's number with the store.
    (b / "manifest").write_text((b / "manifest").read_text()[:len("hongyan-backup 2\nstore 0123456789abcdef\n")] + "end 0\n")
    shutil.rmtree(b / "log")
    assert "another store" in other.refused("backup", str(b))
    other.close()


@pytest.mark.parametrize("letters", [0, 2])
def test_store_that_was_set_back_is_refused(town, tmp_path, letters):
    """Its numbers of segments are given a second time: what DIR has under them is other mail."""
    old, b = tmp_path / "old", tmp_path / "b"
    subprocess.run(["cp", "-a", town.dir / "data", old], check=True)
    town.bring(5, "later")
    town.run("backup", str(b))
    before = look(b)
    shutil.rmtree(town.dir / "data")
    subprocess.run(["cp", "-a", old, town.dir / "data"], check=True)
    if letters:
        town.bring(letters, "elsewise")
    assert "set back" in town.refused("backup", str(b))
    assert look(b) == before


def test_restored_store_goes_on_in_its_backup(town, tmp_path):
    b = tmp_path / "b"
    town.run("backup", str(b))
    shutil.rmtree(town.dir / "data")
    town.run("restore", str(b))
    town.bring(3)
    town.run("backup", str(b))
    shutil.rmtree(town.dir / "data")
    town.run("restore", str(b))
    assert town.letters() == 23


def test_unreadable_list_is_refused(town, tmp_path):
    b = tmp_path / "b"
    town.run("backup", str(b))
    (b / "manifest").write_text("hongyan-backup 2\n")
    before = look(b)
    assert "cannot be read" in town.refused("backup", str(b))
    assert look(b) == before


def test_own_folders_are_refused(town, tmp_path):
    """By whatever name. Nothing in them changes."""
    data = town.dir / "data"
    (tmp_path / "link").symlink_to(data)
    (tmp_path / "within").symlink_to(town.dir)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "log").symlink_to(town.segments)
    town.run("backup", str(tmp_path / "fine"))
    before = sorted(str(f) for f in town.dir.rglob("*"))
    for folder in (data, town.dir, town.segments, town.dir / "fresh", data / "fresh", tmp_path / "link", tmp_path / "link" / "x",
                   tmp_path / "within" / "run", town.dir.parent, data / ".." / "data", tmp_path / "b"):
        told = town.refused("backup", str(folder))
        assert "part of this installation" in told, folder
    assert sorted(str(f) for f in town.dir.rglob("*")) == before
    other = Town(tmp_path / "other", 1)
    for folder in (other.dir, other.dir / "data"):
        assert "or holds one" in town.refused("backup", str(folder))
    other.close()


@ROOT_ONLY
def test_files_belong_to_whom_the_folder_does(town, tmp_path):
    b = tmp_path / "b"
    b.mkdir()
    os.chown(b, 65534, 65534)
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (b / "log").mkdir()
    os.chown(b / "log", 65534, 65534)
    for name in ("manifest.new", "hongyan.conf.new", "log/00000001.seg.new"):
        (b / name).symlink_to(victim)
    town.run("backup", str(b))
    assert victim.read_text() == "untouched" and victim.stat().st_uid == 0
    for f in b.rglob("*"):
        assert not f.is_symlink() and f.stat().st_uid == 65534, f


@pytest.mark.parametrize("sub", ["", "log"])
@pytest.mark.parametrize("mode", [0o757, 0o775, 0o1777])
def test_folder_that_others_may_write_to_is_refused(town, tmp_path, sub, mode):
    """They could put links there, and read or replace what the backup has."""
    b = tmp_path / "b"
    (b / "log").mkdir(parents=True, mode=0o700)
    os.chmod(b / sub, mode)
    assert "may write" in town.refused("backup", str(b))
    assert [f.name for f in b.rglob("*")] == ["log"]
    os.chmod(b / sub, 0o755)
    town.run("backup", str(b))


@ROOT_ONLY
def test_log_of_another_is_refused(town, tmp_path):
    b = tmp_path / "b"
    (b / "log").mkdir(parents=True)
    os.chown(b / "log", 65534, 65534)
    assert "another's" in town.refused("backup", str(b))
    assert [f.name for f in b.rglob("*")] == ["log"]


def test_links_are_not_followed(town, tmp_path):
    """Wherever a file is written, in the caller's own folder, too; and a list is a file."""
    b, victim = tmp_path / "b", tmp_path / "victim"
    victim.write_text("untouched")
    (b / "log").mkdir(parents=True)
    names = ["manifest.new", "hongyan.conf.new", "hongyan.conf", *(f"log/{n:08x}.seg.new" for n in range(1, 20))]
    for name in names:
        (b / name).symlink_to(victim)
    town.run("backup", str(b))
    assert victim.read_text() == "untouched"
    assert not [f for f in b.rglob("*.seg") if f.is_symlink()]
    manifest = b / "manifest"
    manifest.rename(tmp_path / "elsewhere")
    for make in (lambda: manifest.symlink_to(tmp_path / "elsewhere"), lambda: os.mkfifo(manifest)):
        make()
        town.refused("backup", str(b))
        assert manifest.is_symlink() or manifest.is_fifo()
        manifest.unlink()


def test_files_that_are_none_keep_nobody_waiting(town, tmp_path):
    """Who owns DIR may put a FIFO where a segment is to be, or was."""
    b = tmp_path / "b"
    (b / "log").mkdir(parents=True, mode=0o700)
    for n in range(1, 9):
        os.mkfifo(b / "log" / f"{n:08x}.seg")
    for _ in range(2):
        town.run("backup", str(b))
        assert all((b / "log" / name).is_file() for name in listed(b))
        victim = b / "log" / town_letters(b)
        victim.unlink()
        os.mkfifo(victim)
    shutil.rmtree(town.dir / "data")
    assert "is not there" in town.refused("restore", str(b))
    assert victim.name in town.run("restore", "--damaged", str(b))


def test_second_restore_is_refused(town, tmp_path):
    b = tmp_path / "b"
    town.run("backup", str(b))
    for f in town.segments.glob("*.seg"):
        f.unlink()
    data = os.open(town.dir / "data", os.O_RDONLY)
    fcntl.flock(data, fcntl.LOCK_EX)
    (town.dir / "data" / "restoring").write_text("")  # as the first one has it
    (town.segments / "00000001.seg.new").write_text("half")
    assert "another restore" in town.refused("restore", str(b))
    assert (town.segments / "00000001.seg.new").exists()
    os.close(data)
    town.run("restore", str(b))
    assert town.letters() == 20


def test_damage_is_told_by_each_backup(town, tmp_path):
    b = tmp_path / "b"
    town.run("backup", str(tmp_path / "first"))
    flip(town.largest(), in_a_letter(town.largest()))
    for _ in range(2):
        told = town.refused("backup", str(b))
        assert "damaged in the store already" in told and town.largest().name in told
    victim = town.largest().name
    shutil.rmtree(town.dir / "data")
    told = town.run("restore", str(b))
    assert "MiB restored" in told  # what is in it is what was there
    assert re.search(f"1 segment.s. were damaged in the store already .*: {victim}\n", told)
    assert town.readable() == 19
    shutil.rmtree(town.dir / "data")
    assert json.loads(town.run("--json", "restore", str(b)))["damaged"] == 1
    shutil.rmtree(town.dir / "data")
    assert "damaged" not in town.run("restore", str(tmp_path / "first"))


def test_rot_in_the_backup_is_found_and_mended(town, tmp_path):
    b = tmp_path / "b"
    town.run("backup", str(b))
    good, rotten = look(b), b / "log" / town.largest().name
    for hurt in HURTS.values():
        hurt(rotten)
        town.run("backup", "--verify", str(b))
        now = look(b)
        assert {name: now[name] for name in good} == good
    rotten.write_bytes(bytes(rotten.stat().st_size))  # a header that is none is seen at once
    town.run("backup", str(b))
    assert look(b)[rotten.name] == good[rotten.name]


def compact(town):
    """The pack that the letters are in then."""
    town.start()
    imap = town.imap()
    imap.select("INBOX")
    town.run("store", "compact")
    imap.logout()
    town.stop()
    (pack,) = [f for f in town.segments.glob("*.seg") if f.read_bytes()[16] == 3]
    return pack


def test_segments_stay_until_their_pack_is_whole(town, tmp_path):
    b = tmp_path / "b"
    town.run("backup", str(b))
    before = look(b)
    pack = compact(town)
    gone = set(before) - {f.name for f in town.segments.iterdir()}
    assert gone
    good = pack.read_bytes()
    flip(pack, 8192 + 200)
    assert pack.name in town.refused("backup", str(b))
    assert {name: look(b).get(name) for name in gone} == {name: before[name] for name in gone}
    pack.write_bytes(good)
    town.run("backup", str(b))
    assert not gone & set(look(b))
    assert set(look(b)) == listed(b)


def sections(pack):
    """Where the map's copies stand, and {segment: where its records are} as the map says."""
    octets = pack.read_bytes()
    maps = struct.unpack_from("<QQ", octets, 48)
    count = struct.unpack_from("<Q", octets, maps[0] + 32)[0]
    found = [struct.unpack_from("<I68xQQ", octets, maps[0] + 80 + 88 * i) for i in range(count)]
    return maps, {segment: (begin, end) for segment, begin, end in found}


SPOTS = {
    "a letter": lambda maps, parts, first: [maps[0] - 4000],
    "a record of the last backup's": lambda maps, parts, first: [parts[first][0] + 200],
    "a record that is in no backup": lambda maps, parts, first: [parts[max(parts)][0] + 200],
    "both maps": lambda maps, parts, first: [at + 100 for at in maps],
}


@pytest.mark.parametrize("spot", SPOTS)
def test_pack_that_is_damaged_in_the_store(town, tmp_path, spot):
    """Before its first backup: what the last one had whole is served by a restore of the next, and the one after that."""
    b = tmp_path / "b"
    town.run("backup", str(b))
    first = listed(b)
    pack = compact(town)
    good = pack.read_bytes()
    maps, parts = sections(pack)
    kept = max(int(name[:8], 16) for name in first) in parts and not spot.endswith("no backup")
    for at in SPOTS[spot](maps, parts, max(int(name[:8], 16) for name in first)):
        flip(pack, at)
    for options in ([], [], ["--verify"]):
        told = town.refused("backup", *options, str(b))
        assert ("good and stays there" in told) == kept
        assert (first <= listed(b)) == kept
        assert listed(b) <= set(look(b)) and first <= set(look(b))
        (town.dir / "data").rename(tmp_path / "data")
        town.run("restore", str(b))
        if kept:
            assert town.letters() == town.readable() == 20
        if kept and spot != "both maps":
            assert "in order" in town.run("store", "check")
        shutil.rmtree(town.dir / "data")
        (tmp_path / "data").rename(town.dir / "data")
    if spot != "both maps":  # a start has set that one aside
        pack.write_bytes(good)
        town.run("backup", str(b))
        assert listed(b) == set(look(b)) and not first & listed(b)


def test_refused_restore_leaves_nothing(town, tmp_path):
    b, bad = tmp_path / "b", tmp_path / "bad"
    town.run("backup", str(b))
    for name, hurt in HURTS.items():
        shutil.rmtree(bad, ignore_errors=True)
        shutil.copytree(b, bad)
        hurt(bad / "log" / town_letters(b))
        shutil.rmtree(town.dir / "data")
        told = town.refused("restore", str(bad))
        assert town_letters(b) in told and "restore --damaged" in told and "store check" not in told, name
        assert list(town.segments.iterdir()) == [], name
        town.run("restore", str(b))
        assert town.letters() == 20


def town_letters(backup):
    """The segment with the letters."""
    return max((backup / "log").glob("*.seg"), key=lambda f: f.stat().st_size).name


@pytest.mark.parametrize("hurt, left", [("both headers are zeros", range(0, 1)), ("one octet is another", range(19, 20)),
                                        ("it is shorter", range(5, 16)), ("it is gone", range(0, 1))])
def test_rest_of_a_damaged_backup(town, tmp_path, hurt, left):
    b = tmp_path / "b"
    town.run("user", "passwd", town.address(), "--password-stdin", input="another pass word 7\n")
    town.run("backup", str(b))
    victim = b / "log" / town_letters(b)
    HURTS[hurt](victim)
    shutil.rmtree(town.dir / "data")
    told = town.run("restore", "--damaged", str(b))
    assert victim.name in told and "damaged" in told
    assert town.readable() in left
    town.bring(1, "new")
    assert town.readable() - 1 in left


def test_restore_that_is_killed(town, tmp_path):
    """What it left is no mail to anybody: no store starts with it, and the next restore takes it away."""
    b = tmp_path / "b"
    town.run("backup", str(b))
    shutil.rmtree(town.dir / "data")
    town.segments.mkdir(parents=True)
    for name in sorted(listed(b))[:2]:
        shutil.copy(b / "log" / name, town.segments)
    (town.segments / (town_letters(b) + ".new")).write_bytes(b"half")
    (town.dir / "data" / "restoring").write_text("")
    assert "run it again" in town.refused("user", "list")
    town.run("restore", str(b))
    assert town.letters() == 20
    assert not list(town.segments.glob("*.new")) and not (town.dir / "data" / "restoring").exists()


def documented():
    """The commands that docs/OPERATING.md gives for a restore."""
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "OPERATING.md").read_text()
    block = text[text.index("    mkdir /srv/mail\n"):]
    block = block[:block.index("\n\n")]
    return [re.split(r" {3,}", line.strip())[0] for line in block.splitlines()]


def test_restore_as_documented(town, tmp_path):
    """Word for word, into a new folder, up to a server that serves."""
    b, new = tmp_path / "b", tmp_path / "srv-mail"
    town.run("backup", str(b))
    lines = documented()
    assert [line.split()[-1] for line in lines if "hongyan -c" in line][-1] == "serve" and len(lines) == 6
    for line in lines[:-1]:
        words = [w.replace("/backup/mail", str(b)).replace("/where/keys/are/kept", str(town.dir)).replace("/srv/mail", str(new))
                 for w in line.split()]
        if words[0] == "mkdir":
            new.mkdir()
        elif words[0] == "cp":
            shutil.copytree(words[-2], new / "tls") if words[1] == "-r" else shutil.copy(words[-2], words[-1])
        else:
            town.conf = pathlib.Path(words[2])
            told = town.run(*words[3:])
            assert words[3] != "restore" or "config certificates" in told
    town.start()
    assert town.imap().select("INBOX")[1] == [b"20"]
    town.stop()


def test_certificates_made_again(town, tmp_path):
    b = tmp_path / "b"
    town.run("backup", str(b))
    town.conf = tmp_path / "new" / "hongyan.conf"
    town.conf.parent.mkdir()
    shutil.copy(b / "hongyan.conf", town.conf)
    town.run("restore", str(b))
    tls = town.conf.parent / "tls"
    (tls / "server.pem.new").mkdir(parents=True)  # the way is barred: a try stops halfway, and bars no other
    town.refused("config", "certificates")
    assert not (tls / "ca.pem").exists()
    (tls / "server.pem.new").rmdir()
    town.run("config", "certificates")
    assert "no errors" in town.run("config", "check")
    assert sorted(f.name for f in tls.iterdir()) == ["ca.key", "ca.pem", "server.pem"]
    assert (tls / "server.pem").stat().st_mode & 0o777 == 0o600
    server = (tls / "server.pem").read_text()
    told = town.refused("config", "certificates")
    assert "nothing is overwritten" in told and str(tls / "ca.pem") in told
    (tls / "ca.pem").unlink()
    assert str(tls / "ca.key") in town.refused("config", "certificates")
    (tls / "ca.key").unlink()
    assert str(tls / "server.pem") in town.refused("config", "certificates")
    assert (tls / "server.pem").read_text() == server
    (tls / "server.pem").unlink()
    town.run("config", "certificates")
    town.ca = town.conf.parent / "tls" / "ca.pem"
    town.start()
    assert town.imap().select("INBOX")[1] == [b"20"]
    town.stop()
