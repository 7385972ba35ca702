"""What an administrator does on the first day, and the mistakes that are made then: each costs nothing but a message."""
import fcntl, json, os, pty, shutil, signal, subprocess, termios, time

import pytest

from server import PROGRAM, Server

LETTER = "From: a@example.test\r\nSubject: letter {}\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def place():
    """An installation whose server does not run."""
    server = Server(users=("alice",))
    yield server
    server.close()


def messages(place, mailbox, folder):
    place.run("export", str(folder), "--user", "alice@example.test", "--mailbox", mailbox)
    return len(list(folder.glob("**/cur/*")))


def test_import_of_many_files(place, tmp_path):
    """A shell makes hundreds of words of `*.eml`: every one counts."""
    files = [tmp_path / f"{i}.eml" for i in range(200)]
    for i, file in enumerate(files):
        file.write_text(LETTER.format(i))
    said = place.run("import", *map(str, files), "--user", "alice@example.test", "--mailbox", "Many")
    assert said.startswith("200 "), said
    assert messages(place, "Many", tmp_path / "out") == 200


def test_what_is_no_mail_is_refused(place, tmp_path):
    """And the mailbox that was named is not made."""
    folder, picture, users = tmp_path / "folder", tmp_path / "picture", tmp_path / "passwd"
    folder.mkdir()
    picture.write_bytes(bytes(range(256)) * 9)
    users.write_text("root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/false\n")
    for path, why in ((folder, "is no Maildir"), (tmp_path / "nowhere", "No such file")):
        failed = place.run("import", str(path), "--user", "alice@example.test", "--mailbox", "Not made", check=False)
        assert failed.returncode == 1 and why in failed.stderr, failed
    failed = place.run("export", str(tmp_path / "x"), "--user", "alice@example.test", "--mailbox", "Not made", check=False)
    assert "does not exist" in failed.stderr
    for path in (picture, users):
        failed = place.run("import", str(path), "--user", "alice@example.test", check=False)
        assert failed.returncode == 1 and "neither a message nor an mbox" in failed.stderr, failed


def test_export_overwrites_nothing(place, tmp_path):
    out = str(tmp_path / "out.mbox")
    assert place.run("export", out, "--user", "alice@example.test", "--mailbox", "Wrong", check=False).returncode == 1
    place.run("export", out, "--user", "alice@example.test", "--mailbox", "INBOX")  # the name is still free
    again = place.run("export", out, "--user", "alice@example.test", "--mailbox", "INBOX", check=False)
    assert again.returncode == 1 and "nothing is overwritten" in again.stderr, again


def test_init_makes_nothing_of_wrong_words(place, tmp_path):
    """So that the same line, mended, works."""
    new = tmp_path / "new"
    for wrong in (("--domain", "two words"), ("--domain", "example.test", "--postmaster", "me@elsewhere.test"),
                  ("--domain", "example.test", "--hostname", 'a"b')):
        failed = place.run("init", str(new), *wrong, conf=False, check=False)
        assert failed.returncode == 2 and not new.exists(), failed
    place.run("init", str(new), "--domain", "example.test", "--postmaster", "Me@EXAMPLE.test", conf=False)
    assert "me@example.test" in place.run("-c", str(new / "hongyan.conf"), "postmaster", conf=False).lower()


def expired_certificate(tmp_path):
    """(certificate, key) files."""
    key, crt, ca = tmp_path / "key.pem", tmp_path / "crt.pem", tmp_path / "ca.cnf"
    for name in ("index", "serial"):
        (tmp_path / name).write_text("01\n" if name == "serial" else "")
    ca.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={tmp_path}/index\nserial={tmp_path}/serial\nnew_certs_dir={tmp_path}\n"
                  "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    for words in (f"req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} -subj /CN=x -out {crt}.csr",
                  f"ca -batch -selfsign -keyfile {key} -in {crt}.csr -out {crt} -notext -config {ca} "
                  "-startdate 20200101000000Z -enddate 20210101000000Z"):
        subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    return crt, key


def test_expired_certificate_is_found(place, tmp_path):
    """The server would take it, and every client refuse it."""
    crt, key = expired_certificate(tmp_path)
    conf = tmp_path / "c.conf"
    conf.write_text(f'certificates = {{"{crt} {key}"}}\n')
    failed = place.run("-c", str(conf), "config", "check", conf=False, check=False)
    assert failed.returncode == 1 and "has expired (2021-01-01T00:00:00Z)" in failed.stderr, failed


def test_expired_certificate_is_logged(tmp_path):
    """At the start and at each reload: mail goes on, but somebody should know."""
    crt, key = expired_certificate(tmp_path)
    server = Server(users=())
    text = server.conf.read_text().replace("tls/server.pem", f"{crt} {key}")
    server.conf.write_text(text)
    with server:
        said = f'certificate.expired file="{crt} {key}" since=2021-01-01T00:00:00Z'
        server.wait_log(said)
        at = server.log.stat().st_size
        server.process.send_signal(signal.SIGHUP)
        server.wait_log(said, at)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take what is another's")
@pytest.mark.parametrize("owner", [12345, 0])
def test_root_takes_nothing_away(tmp_path, owner):
    """Root's commands, and root's `serve`, leave an ordinary user's installation his; what is root's, only `serve` gives away."""
    (tmp_path / "his").mkdir()
    server = Server(tmp_path / "his", users=("alice",))
    for path in [server.folder, *server.folder.rglob("*")]:
        os.chown(path, owner, owner)
    owners = lambda: {p.stat().st_uid for p in (server.dir / "data").rglob("*")} | {(server.dir / "data").stat().st_uid}
    (server.dir / "secret").unlink()
    server.run("store", "check")
    server.run("user", "add", "more@example.test", "--no-password")
    assert owners() == {owner} and (server.dir / "secret").stat().st_uid == owner
    server.start()
    server.deliver(LETTER.format(1))
    server.stop()
    assert (owners() == {owner}) == (owner != 0)
    shutil.rmtree(server.folder)


def test_nobody_can_log_in_is_said():
    """Serving port 25 alone may be wanted: it is a warning."""
    server = Server(users=())
    server.conf.write_text(server.conf.read_text().replace('{"tls/server.pem"}', "{}"))
    done = server.run("config", "check", check=False)
    assert done.returncode == 0 and "nobody can log in" in done.stderr, done
    with server:
        assert "login.impossible" in server.log_text()
        server.deliver(LETTER.format(1), to=("postmaster",))


def test_postmaster_in_the_way(place):
    """Who takes the mail of the user that init made is told that it does not come."""
    said = place.run("postmaster", "alice@example.test")
    assert "hongyan user remove postmaster@example.test" in said and "abuse@" not in said, said
    assert json.loads(place.run("--json", "postmaster")) == {"postmaster": "alice@example.test"}
    place.run("user", "remove", "postmaster@example.test")
    assert place.run("postmaster").count("\n") == 1


def test_one_message_is_singular(place, tmp_path):
    (tmp_path / "one.eml").write_text(LETTER.format(1))
    assert place.run("import", str(tmp_path / "one.eml"), "--user", "alice@example.test") == "1 message is in.\n"


@pytest.fixture
def small(tmp_path):
    """A server whose users have little room, and a maker of mbox files."""
    server = Server(options='message_max = "64K"', users=("alice",))

    def mbox(*octets):
        path = tmp_path / "some.mbox"
        path.write_text("".join(f"From a Wed Jan  1 00:00:00 2020\nSubject: {i}\n\n{'x' * 70}\n" + ("y" * 99 + "\n") * (n // 100)
                                + "\n" for i, n in enumerate(octets)))
        return str(path)

    yield server, mbox
    server.close()


def test_too_large_to_be_imported(small):
    """It is left out, said with its place, and costs nothing but itself."""
    server, mbox = small
    args = ("import", mbox(10, 70000, 10), "--user", "alice@example.test")
    failed = server.run(*args, check=False)
    assert failed.returncode == 1 and "2 messages are in" in failed.stdout, failed
    assert "message 2 was left out" in failed.stderr and "message_max allows 65536" in failed.stderr, failed
    assert json.loads(server.run("--json", *args, check=False).stdout) == {"messages": 2, "left_out": 1}


def test_import_goes_on(small):
    """One that was stopped says how to go on, and nothing is there twice then."""
    server, mbox = small
    path = mbox(*[60000] * 5)
    server.run("user", "set", "alice@example.test", "--quota", "200K")
    failed = server.run("import", path, "--user", "alice@example.test", check=False)
    assert failed.returncode == 1 and "stopped after 3 messages" in failed.stderr, failed
    assert "--skip 3" in failed.stderr and "over its quota" in failed.stderr, failed
    server.run("user", "set", "alice@example.test", "--quota", "0")
    assert "2 messages are in" in server.run("import", path, "--user", "alice@example.test", "--skip", "3")
    server.run("export", str(server.folder / "out.mbox"), "--user", "alice@example.test")
    assert (server.folder / "out.mbox").read_text().count("\nSubject: ") == 5


def test_json_of_init(tmp_path):
    folder = tmp_path / 'a "b'
    said = subprocess.run([PROGRAM, "--json", "init", str(folder), "--domain", "example.test"], capture_output=True, text=True)
    assert json.loads(said.stdout)["conf"] == f"{folder}/hongyan.conf"


def test_store_that_another_command_holds(place):
    with open(place.dir / "data/lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        failed = place.run("user", "list", check=False)
        served = place.run("serve", check=False)
    assert failed.returncode == 1 and "open in another process" in failed.stderr, failed
    assert served.returncode == 1 and "end that first" in served.stderr, served


def test_end_at_the_password_prompt(place):
    """The terminal echoes again."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([PROGRAM, "-c", str(place.conf), "user", "passwd", "alice@example.test"], stdin=theirs, stderr=theirs)
    said, end = b"", time.monotonic() + 60
    while b"Password" not in said and time.monotonic() < end:
        said += os.read(ours, 100)
    echo = lambda: bool(termios.tcgetattr(theirs)[3] & termios.ECHO)
    while echo() and time.monotonic() < end:
        time.sleep(0.01)
    assert not echo()
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == -signal.SIGINT and echo()
    os.close(ours), os.close(theirs)
