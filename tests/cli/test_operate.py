"""The contract of the command line and of a running server, line by line: what scripts and operators rely on."""
import base64, fcntl, hashlib, imaplib, json, mailbox, os, pathlib, poplib, re, shutil, signal, smtplib, socket, ssl, subprocess, threading, time

import pytest

from server import PORTS, PROGRAM, Server

MAIL = "Subject: {0}\r\n\r\nbody of {0}\r\n"


def files_of(folder):
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in pathlib.Path(folder).rglob("*") if p.is_file()}


def as_json(server, *words, **options):
    return json.loads(server.run("--json", *words, **options))


@pytest.fixture(params=["running", "stopped"])
def either(request):
    """A server that runs, and one that does not: commands work with both."""
    one = Server()
    if request.param == "running":
        one.start()
    yield one
    if one.process:
        one.stop()
    one.close()


# ---- init and configuration


def test_init_never_overwrites(fresh):
    server = fresh()
    before = files_of(server.dir)
    assert before[server.ca]
    done = server.run("init", str(server.dir), "--domain", "other.test", conf=False, check=False)
    assert done.returncode != 0 and str(server.dir) in done.stderr
    assert files_of(server.dir) == before


def test_port_base(server):
    for name, port in PORTS.items():
        assert server.port(name) == server.base + port
        with socket.create_connection(("127.0.0.1", server.base + port), 10):
            pass


def test_unknown_key_is_guessed(fresh):
    server = fresh()
    lines = [*server.conf.read_text().splitlines(), 'hostnam = "x"']
    server.conf.write_text("\n".join(lines) + "\n")
    done = server.run("config", "check", check=False)
    line = len(lines)
    assert done.returncode != 0 and f"{server.conf}:{line}" in done.stderr and "hostname" in done.stderr
    done = server.run("serve", check=False)
    assert done.returncode != 0 and "hostname" in done.stderr


def test_config_print(fresh):
    server = fresh()
    assert as_json(server, "config", "print")["message_max"] == 50 << 20
    assert "message_max" in server.run("config", "print")
    server.run("config", "check")


WRONG = [[], ["bogus"], ["domian"], ["domain"], ["domain", "bogus"], ["--bogus"], ["domain", "list", "x"], ["user", "add"],
         ["domain", "list", "--bogus"]]


@pytest.mark.parametrize("line", [["--json", *words] for words in [*WRONG, ["-c"]]] + [[*words, "--json"] for words in WRONG])
def test_wrong_command_lines_as_json(line):
    """Whatever is wrong, and wherever --json stands, standard error is one JSON object."""
    done = subprocess.run([PROGRAM, *line], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and not done.stdout
    assert set(json.loads(done.stderr)) == {"error", "code"}


def test_json_between_words(fresh):
    server = fresh()
    assert json.loads(server.run("domain", "--json", "list")) == [{"domain": server.domain}]


# ---- data, with the server and without


def test_domains(either):
    either.run("domain", "add", "second.test")
    either.run("domain", "add", "alias.test", "--alias-of", "second.test")
    listed = json.dumps(as_json(either, "domain", "list"))
    assert "second.test" in listed and "alias.test" in listed
    assert either.run("domain", "add", "second.test", check=False).returncode != 0
    either.run("user", "add", "u@second.test", "--password-stdin", input="pw\n")
    assert either.run("domain", "remove", "second.test", check=False).returncode != 0  # has a user
    either.run("domain", "remove", "alias.test")
    either.run("user", "remove", "u@second.test")
    either.run("domain", "remove", "second.test")
    assert "second.test" not in either.run("domain", "list")


def test_users(either):
    either.run("user", "add", either.address("carol"), "--password-stdin", "--quota", "10M", input="pw\n")
    assert either.run("user", "add", either.address("carol"), "--password-stdin", input="pw\n",
                      check=False).returncode != 0
    assert either.address("carol") in json.dumps(as_json(either, "user", "list"))
    either.run("user", "set", either.address("carol"), "--imap", "off", "--quota", "20M")
    either.run("user", "passwd", either.address("carol"), "--password-stdin", input="other\n")
    either.run("user", "remove", either.address("carol"))
    done = either.run("user", "remove", either.address("carol"), check=False)
    assert done.returncode != 0 and "carol" in done.stderr
    assert either.address("carol") not in either.run("user", "list")


def test_password_of_a_file_with_crlf(server):
    server.run("user", "add", server.address("crlf"), "--password-stdin", input="pass word 7\r\n")
    server.imap("crlf").logout()


def test_aliases(either):
    either.run("alias", "add", either.address("one"), either.address("alice"))
    either.run("alias", "add", either.address("many"), either.address("alice"), either.address("bob"))
    either.run("alias", "add", "@" + either.domain, either.address("bob"))
    listed = json.dumps(as_json(either, "alias", "list"))
    assert all(a in listed for a in (either.address("one"), either.address("many"), "@" + either.domain))
    for name in (either.address("one"), either.address("many"), "@" + either.domain):
        either.run("alias", "remove", name)
    assert either.address("many") not in either.run("alias", "list")


def test_store_commands(either):
    assert either.run("store", "check").strip().endswith("in order.")
    assert as_json(either, "store", "check")
    users = as_json(either, "user", "list")
    stats = as_json(either, "store", "stats")
    assert stats["domains"] == len(as_json(either, "domain", "list")) and stats["users"] == len(users) > 2
    assert stats["messages"] == sum(u["messages"] for u in users)
    assert stats["message_octets"] == sum(u["used"] for u in users)
    assert stats["free_octets"] > 0


def maildir_of(folder):
    """{(octets, flags, date)} of a Maildir."""
    found = set()
    for box in [folder, *folder.glob(".*")]:
        for part in ("cur", "new"):
            for p in (box / part).glob("*") if (box / part).is_dir() else []:
                flags = "".join(sorted(p.name.partition(":2,")[2]))
                found.add((p.read_bytes().replace(b"\r\n", b"\n"), flags, int(p.stat().st_mtime)))
    return found


def test_import_export(either):
    made = either.folder / "from"
    box = mailbox.Maildir(made, create=True)
    for i, flags in enumerate(["", "S", "FS", "RS", "DS", "FRS"]):
        m = mailbox.MaildirMessage(f"Subject: {i}\n\nbody {i}\n")
        m.set_subdir("cur")
        m.set_flags(flags)
        m.set_date(1_000_000_000 + i * 86400)
        box.add(m)
    either.run("import", str(made), "--user", either.address("alice"))
    either.run("export", str(either.folder / "to"), "--user", either.address("alice"))
    inbox = [d for d in [either.folder / "to", either.folder / "to" / "INBOX"] if (d / "cur").is_dir()][0]
    assert maildir_of(inbox) == maildir_of(made) and len(maildir_of(made)) == 6
    either.run("export", str(either.folder / "inbox.mbox"), "--user", either.address("alice"), "--mailbox", "INBOX")
    either.run("import", str(either.folder / "inbox.mbox"), "--user", either.address("bob"), "--mailbox", "Old/2001")
    either.run("export", str(either.folder / "again"), "--user", either.address("bob"), "--mailbox", "Old/2001")
    again = [p.parent for p in (either.folder / "again").rglob("cur") if list(p.iterdir())]
    assert len(again) == 1 and maildir_of(again[0]) == maildir_of(made)
    eml = either.folder / "one.eml"
    eml.write_bytes(b"Subject: eml\r\n\r\nx\r\n")
    either.run("import", str(eml), "--user", either.address("bob"))


@pytest.mark.parametrize("below, want", [(None, "Sent/2019"), ("INBOX", "Sent/2019"), ("Old/Box", "Old/Box/Sent/2019")])
def test_import_folders_of_a_maildir(server, tmp_path, below, want):
    """Nothing of a Maildir is left behind, whichever mailbox it goes to."""
    user = f"folders{(below or 'x')[0].lower()}"
    server.add_user(user)
    for name in ("", ".Sent.2019"):
        mailbox.Maildir(tmp_path / "from" / name, create=True).add(f"Subject: {name}\n\nx\n")
    server.run("import", str(tmp_path / "from"), "--user", server.address(user), *(["--mailbox", below] if below else []))
    client = server.imap(user)
    for name in (below or "INBOX", want):
        assert client.select(f'"{name}"')[1] == [b"1"], name
    client.logout()


def letters_of(server, user, name="INBOX"):
    """{uid order: the octets} of a mailbox."""
    client = server.imap(user)
    assert client.select(f'"{name}"')[0] == "OK", name
    found = client.fetch("1:*", "(BODY.PEEK[])")[1]
    client.logout()
    return [part[1] for part in found if isinstance(part, tuple)]


def test_import_follows_no_link(server, tmp_path):
    """A Maildir may be anybody's: what it links to is somebody else's, and a FIFO would never end."""
    server.add_user("careful")
    alien, made = tmp_path / "alien", tmp_path / "from"
    mailbox.Maildir(alien, create=True).add("Subject: alien\n\nx\n")
    for name in ("", ".ok", ".cut"):
        mailbox.Maildir(made / name, create=True).add(f"Subject: own{name}\n\nx\n")
    secret = tmp_path / "secret"
    secret.write_text("Subject: secret\n\nx\n")
    (made / "cur" / "1:2,S").symlink_to(secret)
    (made / "cur" / "2:2,S").mkdir()
    os.mkfifo(made / "new" / "3")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(made / "new" / "4"))
    (made / ".evil").symlink_to(alien)
    (made / ".cut" / "cur").rmdir()
    (made / ".cut" / "cur").symlink_to(alien / "new")
    mailbox.Maildir(made / ".a..b", create=True)
    mailbox.Maildir(made / ".&bad", create=True)
    (made / "dovecot-keywords").symlink_to(secret)
    done = server.run("--json", "import", str(made), "--user", server.address("careful"), check=False)
    assert done.returncode == 1 and json.loads(done.stdout) == {"messages": 3, "left_out": 8}, done
    for name in ("cur/1:2,S", "cur/2:2,S", "new/3", "new/4", ".evil", ".cut/cur", ".a..b", ".&bad"):
        assert any(line.endswith(f": {made}/{name}") or f" {name} " in line for line in done.stderr.splitlines()), done
    for name, want in (("INBOX", b"own"), ("ok", b"own.ok"), ("cut", b"own.cut")):
        assert letters_of(server, "careful", name) == [b"Subject: " + want + b"\r\n\r\nx\r\n"], name
    client = server.imap("careful")
    assert client.select("evil")[0] == "NO"
    client.logout()


@pytest.mark.parametrize("kind", ["file", "folder", "folder/", "mbox", "fifo"])
def test_import_takes_no_link_by_name(server, tmp_path, kind):
    """Where the operator imports one home after the other, a user may have made a link of what is named."""
    mailbox.Maildir(tmp_path / "folder", create=True).add("Subject: alien\n\nx\n")
    (tmp_path / "file").write_text("Subject: alien\n\nx\n")
    (tmp_path / "mbox").write_text("From a Wed Jan  1 00:00:00 2020\nSubject: alien\n\nx\n")
    link = tmp_path / "link"
    if kind == "fifo":
        os.mkfifo(link)
    else:
        link.symlink_to(tmp_path / kind)
    path = str(link) + "/" * kind.endswith("/")
    done = server.run("import", path, "--user", server.address("alice"), check=False)
    assert done.returncode == 1 and "nothing is in" in done.stderr, done
    assert ("link; name" in done.stderr) == (kind != "fifo"), done


LONG = "/".join(["a" * 100] * 5)
CHOSEN = ["x/y", "x.y", "x./y", ".x", "x.", "x&AC4-y", "~", "\u65b0.\u65e7/\u65b0", LONG + "b", LONG + "c",
          "/".join(["\u65b0" * 80] * 4)]


def coded(name):
    """Modified UTF-7, as IMAP4rev1's clients write it."""
    return re.sub("[^ -~]+|&", lambda m: "&-" if m[0] == "&" else
                  "&" + base64.b64encode(m[0].encode("utf-16be")).decode().rstrip("=").replace("/", ",") + "-", name)


def test_export_whatever_the_names(server, tmp_path):
    """One folder for each mailbox, whatever its user called it; import reads the same names."""
    server.add_user("namer")
    server.add_user("reader")
    client = server.imap("namer")
    letter = b"Subject: s\r\n\r\n%d\r\n"
    for i, name in enumerate(["INBOX", *CHOSEN]):
        client.create(f'"{coded(name)}"')
        done = client.append(f'"{coded(name)}"', "", '"01-Jan-2024 00:00:00 +0000"', letter % i)
        assert done[0] == "OK", (name, done)
    names = client.list()[1]
    client.logout()
    done = server.run("export", str(tmp_path / "out"), "--user", server.address("namer"), check=False)
    assert done.returncode == 0 and f" {len(CHOSEN) + 1} " in f" {done.stdout}", done
    told = done.stderr.splitlines()
    assert all(any(f" {n} " in line for line in told) for n in CHOSEN[-3:]), told
    assert all(pathlib.Path(line.rpartition(" ")[2]).is_dir() for line in told), told
    server.run("import", str(tmp_path / "out"), "--user", server.address("reader"))
    client = server.imap("reader")
    assert sorted(client.list()[1]) == sorted(names)
    client.logout()
    for i, name in enumerate(["INBOX", *CHOSEN]):
        assert letters_of(server, "reader", coded(name)) == [letter % i], name


def add_filled(server, user, *names):
    """A user with a letter in each of these mailboxes."""
    server.add_user(user)
    client = server.imap(user)
    for name in names:
        client.create(name)
        client.append(name, "", None, f"Subject: {name}\r\n\r\nx\r\n".encode())
    client.logout()


def test_export_goes_on(server, tmp_path):
    """What cannot be written costs its mailbox and nothing else, and nothing is overwritten."""
    add_filled(server, "goer", "A", "B", "C")
    out = tmp_path / "out"
    out.mkdir()
    mailbox.Maildir(out / ".B", create=True)
    done = server.run("--json", "export", str(out), "--user", server.address("goer"), check=False)
    assert json.loads(done.stdout) == {"messages": 2, "left_out": 0, "mailboxes_left_out": 1}, done
    assert done.returncode == 1 and "mailbox B was left out: it exists already" in done.stderr, done
    assert sorted(p.parent.parent.name for p in out.glob(".*/cur/*")) == [".A", ".C"]


def test_export_follows_no_link(server, tmp_path):
    """The folder may be anybody's, who can put links there: nothing is written where they point."""
    add_filled(server, "linked", "INBOX", "Sent", "Other")
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.mkdir()
    (out / ".Sent").symlink_to(elsewhere)
    done = server.run("--json", "export", str(out), "--user", server.address("linked"), check=False)
    assert done.returncode == 1 and json.loads(done.stdout)["mailboxes_left_out"] == 1, done
    assert "mailbox Sent was left out" in done.stderr and not list(elsewhere.iterdir()), done
    assert len(list(out.rglob("cur/*"))) == 2
    (tmp_path / "link").symlink_to(elsewhere)
    for path in (tmp_path / "link", f"{tmp_path}/link/"):
        done = server.run("export", str(path), "--user", server.address("linked"), check=False)
        assert done.returncode == 1 and "link; name what it points to" in done.stderr, done
    assert not list(elsewhere.iterdir())


def test_export_folder_that_goes_away(server, tmp_path):
    """What cannot be written is told so, and is not called damaged."""
    server.add_user("goner")
    box = tmp_path / "in.mbox"
    box.write_text("".join(f"From a@b Mon Jan  1 00:00:00 2024\nFrom: a@b.test\nSubject: {n}\n\nx\n\n" for n in range(3000)))
    server.run("import", str(box), "--user", server.address("goner"))
    out = tmp_path / "out"
    started = subprocess.Popen([PROGRAM, "-c", str(server.conf), "export", str(out), "--user", server.address("goner")],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (out / "cur").exists() and started.poll() is None:
        time.sleep(0.001)
    shutil.rmtree(out / "cur", ignore_errors=True)
    while (out / "cur").exists() and started.poll() is None:
        shutil.rmtree(out / "cur", ignore_errors=True)
    told = started.communicate()[1]
    assert started.returncode == 1 and "mailbox INBOX was left out: it does not exist" in told, told
    assert "damaged or gone" not in told, told


@pytest.mark.parametrize("missing", ["new", "cur"])
def test_import_without_empty_folders(server, tmp_path, missing):
    """Copies of a Maildir often lose them."""
    user = f"half{missing}"
    server.add_user(user)
    for name in ("", ".Sub"):
        box = tmp_path / "from" / name
        mailbox.Maildir(box, create=True)
        (box / {"new": "cur", "cur": "new"}[missing] / "1:2,").write_text("Subject: x\n\nx\n")
        (box / missing).rmdir()
        (box / "tmp").rmdir()
    server.run("import", str(tmp_path / "from"), "--user", server.address(user))
    assert len(letters_of(server, user)) == len(letters_of(server, user, "Sub")) == 1


def test_export_to_mbox_is_of_all(server, tmp_path):
    """As its help says, unless one mailbox is named."""
    server.add_user("boxer")
    client = server.imap("boxer")
    for name in ("INBOX", "B", "C/D"):
        client.create(name)
        client.append(name, "", None, f"Subject: {name}\r\n\r\nx\r\n".encode())
    client.logout()
    for words, want in (([], {"INBOX", "B", "C/D"}), (["--mailbox", "B"], {"B"})):
        out = tmp_path / f"{len(want)}.mbox"
        server.run("export", str(out), "--user", server.address("boxer"), *words)
        assert sorted(m["Subject"] for m in mailbox.mbox(out)) == sorted(want)


# ---- the running server


def test_notify(fresh, tmp_path):
    server = fresh()
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(30)
        os.environ["NOTIFY_SOCKET"] = path
        try:
            server.start()
        finally:
            del os.environ["NOTIFY_SOCKET"]
        assert b"READY=1" in s.recv(4096)
        server.stop()
        assert b"STOPPING=1" in s.recv(4096)


def second_certificate(server, name):
    """A self-signed certificate for `name`, as one PEM file."""
    key, pem = server.folder / "key.pem", server.folder / "second.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out",
                    str(pem)], check=True, capture_output=True)
    pem.write_text(pem.read_text() + key.read_text())
    return pem


def names_shown(server, sni):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.port("imaps")), 20) as s:
        with context.wrap_socket(s, server_hostname=sni) as t:
            return ssl.DER_cert_to_PEM_cert(t.getpeercert(True))


def test_reload(fresh):
    """SIGHUP: a certificate more, chosen by name; sessions go on. A broken configuration changes nothing."""
    with fresh() as server:
        imap = server.imap()
        first = names_shown(server, "localhost")
        assert names_shown(server, "second.test") == first
        pem = second_certificate(server, "second.test")
        text = server.conf.read_text()
        server.conf.write_text(text + f'certificates = {{"tls/server.pem", "{pem}"}}\n')
        at = server.log.stat().st_size
        server.process.send_signal(signal.SIGHUP)
        server.wait_log("server.reloaded", at)
        end = time.monotonic() + 20
        while names_shown(server, "second.test") == first and time.monotonic() < end:
            time.sleep(0.05)
        assert names_shown(server, "second.test") in pem.read_text()
        assert names_shown(server, "localhost") == first
        server.conf.write_text(text + "nonsense = 1\n")
        at = server.log.stat().st_size
        server.process.send_signal(signal.SIGHUP)
        server.wait_log("server.reload.failed", at)
        assert names_shown(server, "second.test") in pem.read_text()
        assert imap.select("INBOX")[0] == "OK"


def test_reload_keeps_what_needs_a_restart(fresh):
    """Also for a role that is started again; what needs none counts at once."""
    with fresh(options='fronts = 1') as server:
        text = server.conf.read_text()
        port = server.port("pop3")
        server.conf.write_text(text.replace(f"port_pop3 = {port}", "port_pop3 = 0").replace('"64M"', '"512T"') + 'hostname = "new.test"\n')
        at = server.log.stat().st_size
        server.process.send_signal(signal.SIGHUP)
        server.wait_log('reload.needs-restart options="port_pop3 disk_reserve"', at)
        at = server.log.stat().st_size
        os.kill(server.roles()["store"][0], signal.SIGKILL)
        server.wait_log("role.died", at)
        server.deliver(MAIL.format("still has room"))
        server.pop3().quit()
        with server.smtp() as client:
            assert b"new.test" in client.ehlo()[1]
        at = server.log.stat().st_size
        server.process.send_signal(signal.SIGHUP)
        server.wait_log("needs-restart", at)  # until it is done


@pytest.mark.parametrize("to_all", [None, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_end_in_answers(fresh, to_all):
    """SIGTERM: an answer under way is finished, sessions at rest are told, and the end comes within 10 s.

    The same where every process gets a signal, as Ctrl-C and systemd send it."""
    big = "Subject: big\r\n\r\n" + ("x" * 76 + "\r\n") * 130000
    server = fresh().start()
    server.deliver(big)
    busy, idle, smtp = server.imap(), server.imap("bob"), server.smtp()
    busy.select("INBOX")
    busy.send(b"f FETCH 1 BODY.PEEK[]\r\n")
    first = busy.readline()
    assert b"FETCH" in first
    started = time.monotonic()
    for pid in [p for pids in server.roles().values() for p in pids] if to_all else []:
        os.kill(pid, to_all)
    ending = threading.Thread(target=server.stop)
    ending.start()
    size = int(first[first.index(b"{") + 1:first.index(b"}")])
    assert len(busy.read(size)) == size and busy.readline() == b")\r\n" and busy.readline().startswith(b"f OK")
    assert idle.readline().startswith(b"* BYE")
    assert smtp.getreply()[0] == 421
    ending.join(30)
    assert time.monotonic() - started < 12


@pytest.mark.parametrize("version", [1, 2])
def test_proxy(fresh, version):
    """On each port: with the header the log shows who is behind, without it the session ends."""
    if version == 1:
        header = b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n"
    else:
        header = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("203.0.113.9") + socket.inet_aton("127.0.0.1") +
                  b"\x12\x67\0\x19")
    with fresh(options='proxy_networks = {"127.0.0.0/8"}') as server:
        for name in PORTS:
            at = server.log.stat().st_size
            with socket.create_connection(("127.0.0.1", server.port(name)), 20) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # what comes next is in the same segment
                s.sendall(header)
                if name.endswith("s"):
                    s = server.tls().wrap_socket(s, server_hostname="localhost")
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
                assert s.recv(4096)
                s.close()
            server.wait_log('ip="203.0.113.9"', at)
            with socket.create_connection(("127.0.0.1", server.port(name)), 20) as s:
                s.sendall(b"EHLO no.header.example\r\n")
                try:
                    assert b"250" not in s.recv(4096)
                except ConnectionResetError:
                    pass


def test_proxy_in_pieces(fresh):
    with fresh(options='proxy_networks = {"127.0.0.0/8"}') as server:
        with socket.create_connection(("127.0.0.1", server.port("smtp")), 20) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in b"PROXY TCP4 203.0.113.8 127.0.0.1 4711 25\r\n":
                s.sendall(bytes([octet]))
                time.sleep(0.005)
            assert s.recv(4096).startswith(b"220")
        server.wait_log('ip="203.0.113.8"')


def test_switches(fresh):
    with fresh() as server:
        server.run("user", "set", server.address(), "--imap", "off", "--pop3", "off", "--send", "off")
        with pytest.raises(imaplib.IMAP4.error):
            server.imap()
        with pytest.raises(poplib.error_proto):
            server.pop3()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            server.submit()
        server.run("user", "set", server.address(), "--imap", "on", "--pop3", "on", "--send", "on")
        server.imap(), server.pop3(), server.submit()


@pytest.mark.parametrize("word, code", [("reject", 552), ("defer", 452)])
def test_quota_full(fresh, word, code):
    with fresh(options=f'quota_full = "{word}"') as server:
        server.deliver(MAIL.format("x"))
        server.run("user", "set", server.address(), "--quota", "1")
        with server.smtp() as client:
            client.ehlo()
            client.mail("a@b.example")
            got, text = client.rcpt(server.address())
            assert got == code and (b"5.2.2" if code == 552 else b"4.2.2") in text
            assert client.rcpt(server.address("bob"))[0] == 250


def test_disk_full(fresh):
    with fresh(options='disk_reserve = "512T"') as server:
        with pytest.raises(smtplib.SMTPResponseException) as caught:
            server.deliver(MAIL.format("x"))
        assert caught.value.smtp_code == 452 and b"4.3.1" in caught.value.smtp_error
        with server.imap() as imap:
            assert imap.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")[0] == "NO"


def test_who_gets_what(fresh):
    """Users, tags, aliases, alias domains, the catch-all, postmaster and abuse; unknown and remote recipients."""
    with fresh() as server:
        server.run("domain", "add", "alias.test", "--alias-of", server.domain)
        server.run("domain", "add", "second.test")
        server.run("alias", "add", server.address("both"), server.address("alice"), server.address("bob"))
        server.run("alias", "add", "@second.test", server.address("bob"))
        server.run("postmaster", server.address("alice"))
        server.run("user", "remove", server.address("postmaster"))  # made by init; as a user it would keep its mail
        with server.smtp() as client:
            client.ehlo()
            client.mail("a@b.example")
            for to, why in ((server.address("nobody"), b"5.1.1"), ("x@remote.example", b"5.7.1")):
                code, text = client.rcpt(to)
                assert code == 550 and why in text
            client.rset()
            for to in [server.address(), "alice+tag@" + server.domain, "ALICE@" + server.domain.upper(),
                       "alice@alias.test", server.address("both"), "any.thing@second.test", "postmaster",
                       "postmaster@" + server.domain, "abuse@second.test", "abuse@alias.test", "PostMaster@second.test"]:
                client.sendmail("a@b.example", [to], MAIL.format(to))
        got = {}
        for user in ("alice", "bob"):
            with server.imap(user) as imap:
                imap.select("INBOX")
                _, parts = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
                got[user] = [p[1].decode().split(": ", 1)[1].strip() for p in parts if isinstance(p, tuple)]
        assert len(got["alice"]) == 10 and got["bob"] == [server.address("both"), "any.thing@second.test"]


@pytest.mark.parametrize("mode, inbox, archive", [("keep", 1, 0), ("delete", 0, 0), ("archive", 0, 1)])
def test_pop3_retr(fresh, mode, inbox, archive):
    with fresh() as server:
        server.run("user", "set", server.address(), "--pop3-retr", mode)
        server.deliver(MAIL.format("x"))
        client = server.pop3()
        client.retr(1)
        client.quit()
        with server.imap() as imap:
            assert imap.select("INBOX") == ("OK", [b"%d" % inbox])
            assert imap.select("Archive") == ("OK", [b"%d" % archive])


def test_accepted_mail_names_its_recipients(fresh):
    """Where a letter went can be found by its recipient; the line stays one line."""
    with fresh() as server:
        with server.smtp() as client:
            client.sendmail("a@b.example", [f"alice+{i}@{server.domain}" for i in range(12)], MAIL.format("x"))
            client.sendmail("a@b.example", [server.address("bob")], MAIL.format("y"))
        server.wait_log('rcpt="bob@example.test"')
        many, one = [line for line in server.log_text().splitlines() if " smtp.accept " in line]
        assert many.count(' rcpt="') == 10 and 'rcpt="alice+9@example.test"' in many and many.endswith(" more=2")
        assert " rcpts=12 " in many and one.endswith('rcpt="bob@example.test"')


def test_few_descriptors_are_said_once(fresh):
    with fresh(options="sessions_max = 1000000") as server:
        said = [line for line in server.log_text().splitlines() if " descriptors.few " in line]
        assert len(said) == 1 and "need=1000256" in said[0]
        assert server.log_text().index("descriptors.few") < server.log_text().index("server.ready")


def test_pop3_lock(fresh):
    with fresh(options="pop3_lock = true") as server:
        first = server.pop3()
        with pytest.raises(poplib.error_proto, match="IN-USE"):
            server.pop3()
        first.quit()
        server.pop3().quit()


def test_one_server_a_folder(fresh):
    with fresh() as server:
        done = subprocess.run([PROGRAM, "-c", str(server.conf), "serve"], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and "already" in done.stderr
        assert server.imap().noop()[0] == "OK"


def test_a_start_that_fails_ends_at_once(fresh):
    """Listeners that had not begun when the server was to stop held it for 8 s."""
    server = fresh()
    with open(server.dir / "data" / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for _ in range(3):
            done = server.run("serve", check=False)
            assert done.returncode == 1 and "the store is open in process" in done.stderr, done.stderr
            assert "server.stopped" in done.stderr and "sessions.cut" not in done.stderr, done.stderr
    with server:
        assert server.imap().noop()[0] == "OK"
