"""Names and passwords in other forms than they were set (SASLprep, RFC 4013), through every way to log in.

The account's name and password are typed composed, decomposed, wide, with other spaces; the store knows one form.
"""
import base64, hashlib, hmac, imaplib, os, poplib, smtplib, unicodedata

import pytest

from server import PASSWORD, Server

NAME, WORD = "zoë@example.test", "Pässwörd 密码 1"
NAMES = {"composed": NAME, "decomposed": unicodedata.normalize("NFD", NAME), "soft hyphen": "zo\u00ad\u00eb@example.test"}
WORDS = {"composed": WORD, "decomposed": unicodedata.normalize("NFD", WORD), "other spaces": WORD.replace(" ", "\u3000"),
         "wide": WORD.replace("1", "\uff11"), "soft hyphen": WORD.replace("s", "s\u00ad", 1)}
WRONG = ["pässwörd 密码 1", "Passwörd 密码 1", WORD + " ", WORD.replace(" ", "")]


@pytest.fixture(scope="module")
def server():
    with Server(users=()) as running:
        running.run("user", "add", NAMES["decomposed"], "--password-stdin", input=WORDS["decomposed"] + "\n")
        yield running


def plain(name, word):
    return b"\0" + name.encode() + b"\0" + word.encode()


def by_imap_plain(server, name, word):
    client = imaplib.IMAP4_SSL("localhost", server.port("imaps"), ssl_context=server.tls(), timeout=30)
    try:
        client.authenticate("PLAIN", lambda _: plain(name, word))
        client.logout()
        return True
    except imaplib.IMAP4.error:
        client.shutdown()
        return False


def by_imap_login(server, name, word):
    client = imaplib.IMAP4_SSL("localhost", server.port("imaps"), ssl_context=server.tls(), timeout=30)
    try:
        client.literal = word.encode()
        status = client._simple_command("LOGIN", b"{%d+}\r\n%s" % (len(name.encode()), name.encode()))[0]
        client.logout()
        return status == "OK"
    except imaplib.IMAP4.error:
        client.shutdown()
        return False


def by_pop3(server, name, word):
    client = poplib.POP3_SSL("localhost", server.port("pop3s"), context=server.tls(), timeout=30)
    client.encoding = "utf-8"
    try:
        client.user(name)
        client.pass_(word)
        client.quit()
        return True
    except poplib.error_proto:
        client.close()
        return False


def by_smtp_login(server, name, word):
    client = smtplib.SMTP_SSL("localhost", server.port("submissions"), context=server.tls(), timeout=30)
    client.ehlo()
    code = 0
    for line in ("AUTH LOGIN", base64.b64encode(name.encode()).decode(), base64.b64encode(word.encode()).decode()):
        code = client.docmd(line)[0]
    client.close()
    return code == 235


def by_scram(server, name, word):
    """The client prepares the password, as RFC 5802 §2.2 has it; the name is the server's to prepare."""
    client = imaplib.IMAP4_SSL("localhost", server.port("imaps"), ssl_context=server.tls(), timeout=30)
    bare = f"n={name},r={base64.b64encode(os.urandom(12)).decode()}".encode()
    said = []

    def answer(challenge):
        said.append(challenge)
        if len(said) == 1:
            return b"n,," + bare
        if len(said) > 2:
            return b""
        fields = dict(f.split("=", 1) for f in challenge.decode().split(","))
        mac = lambda key, text: hmac.new(key, text, "sha256").digest()
        salted = hashlib.pbkdf2_hmac("sha256", word.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        key = mac(salted, b"Client Key")
        last = f"c=biws,r={fields['r']}".encode()
        sign = mac(hashlib.sha256(key).digest(), bare + b"," + challenge + b"," + last)
        return last + b",p=" + base64.b64encode(bytes(a ^ b for a, b in zip(key, sign)))
    try:
        client.authenticate("SCRAM-SHA-256", answer)
        client.logout()
        return True
    except imaplib.IMAP4.error:
        client.shutdown()
        return False


WAYS = [by_imap_plain, by_imap_login, by_pop3, by_smtp_login]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", WORDS)
def test_password_forms(server, way, form):
    assert way(server, NAME, WORDS[form])


@pytest.mark.parametrize("way", [*WAYS, by_scram])
@pytest.mark.parametrize("form", NAMES)
def test_name_forms(server, way, form):
    assert way(server, NAMES[form], WORD)


@pytest.mark.parametrize("word", WRONG)
def test_wrong_stays_wrong(server, word):
    assert not by_imap_plain(server, NAME, word)
    assert not by_scram(server, NAME, word)


def test_command_line_names(server):
    """Every command about a user finds it in any form; it is listed in one."""
    for i, name in enumerate(NAMES.values()):
        server.run("user", "set", name, "--quota", "1G")
        server.run("postmaster", name)
        server.run("export", str(server.folder / f"out{i}"), "--user", name)
        done = server.run("user", "add", name, "--no-password", check=False)
        assert done.returncode == 1 and "exists already" in done.stderr
    assert [w for w in server.run("user", "list").split() if w.startswith("zo")] == [NAME]


def test_no_scram(fresh):
    """Without keys SCRAM is not offered: a client that takes the strongest mechanism gets in all the same."""
    with fresh(options="scram = false") as server:
        client = imaplib.IMAP4_SSL("localhost", server.port("imaps"), ssl_context=server.tls(), timeout=30)
        assert "AUTH=PLAIN" in client.capabilities and "AUTH=SCRAM-SHA-256" not in client.capabilities
        client.shutdown()
        client = poplib.POP3_SSL("localhost", server.port("pop3s"), context=server.tls(), timeout=30)
        assert client.capa()["SASL"] == ["PLAIN", "LOGIN"]
        client.close()
        client = smtplib.SMTP_SSL("localhost", server.port("submissions"), context=server.tls(), timeout=30)
        client.ehlo()
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
        assert client.docmd("AUTH SCRAM-SHA-256")[0] == 504
        client.close()
        assert not by_scram(server, server.address("alice"), PASSWORD)
        assert by_imap_plain(server, server.address("alice"), PASSWORD)
