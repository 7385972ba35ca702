"""Real mail programs from Debian's packages, each making a round trip through a running server."""
import email, os, pathlib, re, shutil, subprocess, time, uuid

import pytest

from server import PASSWORD


def program(name):
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed")


def run(*command, input=None, env=None, cwd=None, ok=(0,)):
    done = subprocess.run([str(c) for c in command], input=input, capture_output=True, text=True, timeout=90, cwd=cwd,
                          env={**os.environ, **(env or {})})
    assert done.returncode in ok, f"{command}\n{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def token():
    return uuid.uuid4().hex


def wait_in(folder, text, seconds=20):
    """Waits until some file below `folder` holds `text`; returns that file's octets."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in pathlib.Path(folder).rglob("*"):
            if path.is_file() and text.encode() in path.read_bytes():
                return path.read_bytes()
        time.sleep(0.1)
    raise AssertionError(f"no {text} below {folder}")


def letter(mark, **headers):
    lines = {"From": "Sender <sender@elsewhere.test>", "To": "alice@example.test", "Subject": f"letter {mark}", **headers}
    return "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + f"\r\nbody {mark}\r\n.dot\r\n"


@program("swaks")
def test_swaks_smtp_starttls(server):
    mark = token()
    out = run("swaks", "--server", "127.0.0.1", "--port", server.port("smtp"), "--tls", "--to", server.address(),
              "--from", "sender@elsewhere.test", "--header", f"Subject: {mark}", "--body", mark)
    assert "TLS started" in out and " 250 2." in out
    with server.imap() as imap:
        imap.select("INBOX")
        assert imap.search(None, "SUBJECT", mark)[1] != [b""]


@program("swaks")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_submission(server, mechanism):
    mark = token()
    run("swaks", "--server", "127.0.0.1", "--port", server.port("submissions"), "--tlsc", "--auth", mechanism,
        "--auth-user", server.address("bob"), "--auth-password", PASSWORD, "--from", server.address("bob"),
        "--to", server.address(), "--header", f"Subject: {mark}")
    with server.imap() as imap:
        imap.select("INBOX")
        assert imap.search(None, "SUBJECT", mark)[1] != [b""]


@program("curl")
def test_curl_round_trip(server, tmp_path):
    mark = token()
    (tmp_path / "letter").write_text(letter(mark), newline="")
    common = ["curl", "-sS", "--cacert", server.ca, "--user", f"{server.address()}:{PASSWORD}"]
    run("curl", "-sS", f"smtp://localhost:{server.port('smtp')}", "--ssl-reqd", "--cacert", server.ca, "--mail-from",
        "sender@elsewhere.test", "--mail-rcpt", server.address(), "-T", tmp_path / "letter")
    run(*common, f"smtps://localhost:{server.port('submissions')}", "--mail-from", server.address(), "--mail-rcpt",
        server.address("bob"), "-T", tmp_path / "letter")
    out = run(*common, f"imaps://localhost:{server.port('imaps')}/INBOX", "-X", f"SEARCH SUBJECT {mark}")
    number = re.search(r"SEARCH (\d+)", out).group(1)
    text = subprocess.run([*map(str, common), f"imaps://localhost:{server.port('imaps')}/INBOX;MAILINDEX={number}"],
                          capture_output=True).stdout
    assert f"body {mark}\r\n.dot\r\n".encode() in text
    assert mark in run(*common, "--ssl-reqd", f"imap://localhost:{server.port('imap')}/INBOX;MAILINDEX={number}")
    run(*common, "-T", tmp_path / "letter", f"imaps://localhost:{server.port('imaps')}/Drafts")
    assert "UIDL" in run(*common, "-v", "--ssl-reqd", f"pop3://localhost:{server.port('pop3')}/", "-X", "UIDL")


@program("msmtp")
def test_msmtp(server, tmp_path):
    mark = token()
    rc = tmp_path / "msmtprc"
    rc.write_text(f"""account default
host localhost
port {server.port("submission")}
tls on
tls_starttls on
tls_trust_file {server.ca}
auth scram-sha-256
user {server.address("bob")}
password {PASSWORD}
from {server.address("bob")}
""")
    rc.chmod(0o600)
    run("msmtp", "-C", rc, server.address(), input=f"Subject: {mark}\nTo: {server.address()}\n\nhello\n", ok=(0,))
    with server.imap() as imap:
        imap.select("INBOX")
        found = imap.search(None, "SUBJECT", mark)[1][0].split()
        text = email.message_from_bytes(imap.fetch(found[-1], "(RFC822)")[1][0][1])
    assert text["Date"] and text["Message-ID"] and text["Received"]


@program("mbsync")
def test_mbsync_both_ways(server, tmp_path):
    mark, back = token(), token()
    server.deliver(letter(mark).encode())
    rc = tmp_path / "mbsyncrc"
    (tmp_path / "mail").mkdir()
    rc.write_text(f"""IMAPStore far
Host localhost
Port {server.port("imaps")}
User {server.address()}
Pass "{PASSWORD}"
SSLType IMAPS
CertificateFile {server.ca}

MaildirStore near
Path {tmp_path}/mail/
Inbox {tmp_path}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""")
    run("mbsync", "-c", rc, "-a")
    assert mark.encode() in wait_in(tmp_path / "mail" / "INBOX", mark)
    new = tmp_path / "mail" / "INBOX" / "cur" / f"{int(time.time())}.{back}.here:2,S"
    new.write_text(letter(back).replace("\r\n", "\n"))
    folder = tmp_path / "mail" / "&ZbBeXw-"  # mbsync passes names through as they are: 新年 in modified UTF-7
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True)
    run("mbsync", "-c", rc, "-a")
    with server.imap() as imap:
        imap.select("INBOX")
        number = imap.search(None, "SUBJECT", back)[1][0].split()[0]
        assert b"\\Seen" in imap.fetch(number, "(FLAGS)")[1][0]
        imap.store(number, "+FLAGS", "(\\Deleted)")
        imap.expunge()
    run("mbsync", "-c", rc, "-a")
    assert not list((tmp_path / "mail" / "INBOX" / "cur").glob(f"*{back}*"))


@program("fetchmail")
@pytest.mark.parametrize("protocol", ["IMAP", "POP3"])
def test_fetchmail(fresh, tmp_path, protocol):
    server = fresh()
    server.start()
    mark = token()
    server.deliver(letter(mark).encode())
    rc = tmp_path / "fetchmailrc"
    port = server.port("imaps" if protocol == "IMAP" else "pop3s")
    rc.write_text(f"""poll localhost service {port} protocol {protocol} user "{server.address()}" password "{PASSWORD}"
ssl sslcertck sslcertfile "{server.ca}" mda "cat > {tmp_path}/got" no rewrite
""")
    rc.chmod(0o600)
    run("fetchmail", "-f", rc, "--nosyslog", "--pidfile", tmp_path / "pid", "-N", "--nodetach",
        env={"HOME": str(tmp_path), "FETCHMAILHOME": str(tmp_path)})
    assert mark in (tmp_path / "got").read_text()
    server.stop()


@program("getmail")
@pytest.mark.parametrize("kind", ["SimpleIMAPSSLRetriever", "SimplePOP3SSLRetriever"])
def test_getmail(server, tmp_path, kind):
    mark = token()
    server.deliver(letter(mark).encode())
    (tmp_path / "mail").mkdir()
    port = server.port("imaps" if "IMAP" in kind else "pop3s")
    (tmp_path / "rc").write_text(f"""[retriever]
type = {kind}
server = localhost
port = {port}
username = {server.address()}
password = {PASSWORD}
ca_certs = {server.ca}

[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > {tmp_path}/mail/$$")
allow_root_commands = true

[options]
read_all = true
""")
    run("getmail", "--getmaildir", tmp_path, "--rcfile", tmp_path / "rc")
    wait_in(tmp_path / "mail", mark)


@program("mpop")
def test_mpop(server, tmp_path):
    mark = token()
    server.deliver(letter(mark).encode())
    for part in ("cur", "new", "tmp"):
        (tmp_path / "mail" / part).mkdir(parents=True)
    rc = tmp_path / "mpoprc"
    rc.write_text(f"""account default
host localhost
port {server.port("pop3")}
tls on
tls_starttls on
tls_trust_file {server.ca}
auth scram-sha-256
user {server.address()}
password {PASSWORD}
keep on
delivery maildir {tmp_path}/mail
uidls_file {tmp_path}/uidls
""")
    rc.chmod(0o600)
    run("mpop", "-C", rc)
    wait_in(tmp_path / "mail", mark)
    before = len(list((tmp_path / "mail" / "new").iterdir()))
    run("mpop", "-C", rc)
    assert len(list((tmp_path / "mail" / "new").iterdir())) == before  # UIDLs are stable: nothing twice


@program("mutt")
def test_mutt_reads_and_sends(server, tmp_path):
    mark = token()
    server.deliver(letter(mark).encode())
    rc = tmp_path / "muttrc"
    rc.write_text(f"""set ssl_starttls=yes ssl_force_tls=yes certificate_file={server.ca} ssl_verify_host=no
set imap_user="{server.address()}" imap_pass="{PASSWORD}"
set folder="imaps://localhost:{server.port('imaps')}/" spoolfile="+INBOX" record="+Sent"
set smtp_url="smtps://alice%40example.test@localhost:{server.port('submissions')}/" smtp_pass="{PASSWORD}"
set from="{server.address()}" mbox_type=Maildir sort=date quit=yes wait_key=no mail_check=1 timeout=1
set header_cache="" message_cachedir=""
""")
    env = {"HOME": str(tmp_path), "TERM": "xterm", "MAIL": str(tmp_path / "none")}
    sent = token()
    run("mutt", "-F", rc, "-s", sent, server.address("bob"), input="from mutt\n", env=env)
    copied = tmp_path / "copied"
    keys = f"push '<tag-pattern>~s {mark}<enter><tag-prefix><copy-message><kill-line>{copied}<enter>y<quit>y'"
    run("script", "-qec", f"mutt -F {rc} -e \"{keys}\"", "/dev/null", env=env, ok=(0, 1))
    wait_in(tmp_path, f"body {mark}")
    with server.imap("bob") as imap:
        imap.select("INBOX")
        assert imap.search(None, "SUBJECT", sent)[1] != [b""]
    with server.imap() as imap:
        imap.select("Sent")
        assert imap.search(None, "SUBJECT", sent)[1] != [b""]


@program("s-nail")
def test_s_nail(server, tmp_path):
    mark = token()
    user = server.address("bob").replace("@", "%40")
    (tmp_path / "rc").write_text(f"""set v15-compat=yes
set ssl-ca-file={server.ca} tls-ca-file={server.ca} tls-verify=strict
set mta=smtps://{user}:{PASSWORD.replace(' ', '%20')}@localhost:{server.port('submissions')} smtp-auth=plain
set from={server.address('bob')}
""")
    env = {"MAILRC": str(tmp_path / "rc"), "HOME": str(tmp_path)}
    run("s-nail", "-:u", "-s", mark, server.address(), input="from s-nail\n", env=env)
    with server.imap() as imap:
        imap.select("INBOX")
        assert imap.search(None, "SUBJECT", mark)[1] != [b""]


def test_python_imaplib_day(server):
    """What a client does in a day: append, search, flags, folders, move, copy, expunge."""
    mark = token()
    with server.imap() as imap:
        assert imap.append("INBOX", "(\\Flagged work)", '"17-Jul-1996 02:44:25 -0700"', letter(mark).encode())[0] == "OK"
        imap.select("INBOX")
        number = imap.search(None, "SUBJECT", mark)[1][0].split()[0].decode()
        got = b" ".join(p if isinstance(p, bytes) else p[0] for p in imap.fetch(number, "(FLAGS INTERNALDATE UID ENVELOPE BODYSTRUCTURE)")[1])
        assert b"\\Flagged" in got and b"work" in got and b"17-Jul-1996 02:44:25 -0700" in got
        assert imap.create("Projects/2024")[0] == "OK"
        assert imap.copy(number, "Projects/2024")[0] == "OK"
        assert imap.store(number, "+FLAGS", "(\\Deleted)")[0] == "OK"
        imap.expunge()
        assert imap.search(None, "SUBJECT", mark)[1] == [b""]
        imap.select("Projects/2024")
        text = imap.fetch("1", "(BODY.PEEK[])")[1][0][1]
        assert text == letter(mark).encode()
        assert imap.uid("MOVE", "1", "Trash")[0] == "OK"
        assert imap.rename("Projects/2024", "Projects/old")[0] == "OK"
        assert any(b"Projects/old" in line for line in imap.list()[1])
        assert imap.delete("Projects/old")[0] == "OK"


def test_python_poplib(server):
    mark = token()
    server.deliver(letter(mark).encode())
    pop = server.pop3()
    count, _ = pop.stat()
    uidl = pop.uidl()[1]
    assert mark.encode() in b"\n".join(pop.retr(count)[1])
    assert b".dot" in pop.retr(count)[1]
    assert len(pop.top(count, 1)[1]) < len(pop.retr(count)[1])
    pop.dele(count)
    pop.quit()
    pop = server.pop3()
    assert pop.uidl()[1] == uidl[:-1]
    pop.quit()


def test_python_lmtp_answers_each(server):
    with server.smtp("lmtp") as client:
        client.ehlo_or_helo_if_needed()
        client.mail("sender@elsewhere.test")
        assert client.rcpt(server.address("alice"))[0] == 250
        assert client.rcpt(server.address("nobody"))[0] == 550
        assert client.rcpt(server.address("bob"))[0] == 250
        client.putcmd("data")
        assert client.getreply()[0] == 354
        client.send(letter(token()).encode() + b".\r\n")
        assert [client.getreply()[0] for _ in range(2)] == [250, 250]
