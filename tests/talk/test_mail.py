"""Every transcript of tests/talk/smtp and tests/talk/pop3 against a server made as its head says (README.md)."""
import pathlib, socket, sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import talk  # noqa: E402
from server import Server  # noqa: E402

USERS = {"alice": "secret-a", "bob": "secret-b", "full": "secret-f"}
NUMBERS = {"message_max", "recipients_max"}
# What alice's INBOX holds before a POP3 transcript.
LETTERS = [b"Subject: one\r\n\r\nfirst\r\n", b"Subject: two\r\n\r\n.\r\n..\r\n", b"x\r\n"]


def conf_lines(options):
    """The head's options as lines of the configuration."""
    lines = {k: v for k, v in options.items() if k not in ("port", "tls")}
    return "".join(f"{k} = {v}\n" if k in NUMBERS else f'{k} = "{v}"\n' for k, v in lines.items())


def add_users(server):
    for name, password in USERS.items():
        server.run("user", "add", f"{name}@example.org", "--password-stdin", input=password + "\n")
    server.run("domain", "add", "alias.example", "--alias-of", "example.org")


def put_letters(server, user, letters):
    with server.imap(login=False) as imap:
        imap.login(f"{user}@example.org", USERS[user])
        for letter in letters:
            assert imap.append("INBOX", None, None, letter)[0] == "OK"


def connect(server, port):
    sock = socket.create_connection(("127.0.0.1", server.port(port)), 20)
    return server.tls().wrap_socket(sock, server_hostname="localhost") if port.endswith("s") else sock


def too_low(options):
    """Limits below what a configuration may say are for the unit tests, which set them directly."""
    return int(options.get("message_max", 1024)) < 1024 or int(options.get("recipients_max", 100)) < 100


@pytest.mark.parametrize("path", sorted(p for kind in ("smtp", "pop3") for p in HERE.glob(f"{kind}/*.talk")),
                         ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_transcript(path):
    script = talk.read(path)
    if too_low(script.options):
        pytest.skip("its limits are below what a configuration may say: src/front/*/session_test.c plays it")
    with Server(domain="example.org", options=conf_lines(script.options), users=()) as server:
        add_users(server)
        put_letters(server, "full", LETTERS)
        server.run("user", "set", "full@example.org", "--quota", "1")
        if path.parent.name == "pop3":
            put_letters(server, "alice", LETTERS)
        talk.run(script, lambda: connect(server, script.options.get("port", "smtp")), {},
                 lambda sock: server.tls().wrap_socket(sock, server_hostname="localhost"))
