"""The brake for guesses, through every protocol and mechanism: by name and address, telling nothing, locking nobody out;
and the number of sessions that one user may have from one address."""
import base64, hashlib, hmac, itertools, os, re, secrets, signal, socket, time
from concurrent.futures import ThreadPoolExecutor

import pytest

from server import PASSWORD, Server

SLIPS = 5  # BRAKE_SLIPS in src/store/brake.h
WIDE = 60  # BRAKE_WIDE
PROVEN = 100  # BRAKE_PROVEN


@pytest.fixture(scope="module")
def server():
    with Server(options='fronts = 2\nplain_login = "loopback"\nsessions_user_ip_max = 8') as running:
        yield running


numbers = itertools.count(1)


@pytest.fixture
def here():
    """An address that no other test uses."""
    return f"127.2.0.{next(numbers)}"


class Line:
    """A connection from an address, by lines."""

    def __init__(self, server, service, source):
        self.service = service
        self.socket = socket.create_connection(("127.0.0.1", server.port(service)), 60, (source, 0))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def hear(self):
        return self.file.readline().decode().rstrip("\r\n")

    def rest(self):
        """NOOP; whether it went well."""
        return self.ask("a NOOP" if self.service == "imap" else "NOOP")[:4] in ("a OK", "+OK ", "250 ")

    def ask(self, text):
        self.say(text)
        return self.hear()


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def plain(user, password):
    return b64(f"\0{user}\0{password}")


def scram(line, begin, prompt, user, password):
    """SCRAM-SHA-256 (RFC 5802 section 3) with `begin` as the command's beginning; the server's last word."""
    bare = f"n={user},r={secrets.token_hex(12)}"
    challenge = line.ask(begin + b64("n,," + bare))
    if not challenge.startswith(prompt):
        return challenge
    first = base64.b64decode(challenge[len(prompt):]).decode()
    words = dict(w.split("=", 1) for w in first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(words["s"]), int(words["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    without = f"c=biws,r={words['r']}"
    message = f"{bare},{first},{without}".encode()
    sign = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
    proof = bytes(a ^ b for a, b in zip(key, sign))
    answer = line.ask(b64(f"{without},p={b64(proof)}"))
    return line.ask("") if answer.startswith(prompt) else answer


def imap_login(line, user, password):
    line.hear()
    return line.ask(f'a LOGIN {user} "{password}"')


def imap_plain(line, user, password):
    line.hear()
    return line.ask(f"a AUTHENTICATE PLAIN {plain(user, password)}")


def imap_scram(line, user, password):
    line.hear()
    return scram(line, "a AUTHENTICATE SCRAM-SHA-256 ", "+ ", user, password)


def pop3_pass(line, user, password):
    line.hear()
    line.ask(f"USER {user}")
    return line.ask(f"PASS {password}")


def pop3_scram(line, user, password):
    line.hear()
    return scram(line, "AUTH SCRAM-SHA-256 ", "+ ", user, password)


def greet(line):
    line.hear()
    line.say("EHLO client.test")
    while not line.hear().startswith("250 "):
        pass


def smtp_plain(line, user, password):
    greet(line)
    return line.ask(f"AUTH PLAIN {plain(user, password)}")


def smtp_scram(line, user, password):
    greet(line)
    return scram(line, "AUTH SCRAM-SHA-256 ", "334 ", user, password)


IMAP = ("imap", "a OK", "a NO [AUTHENTICATIONFAILED] Wrong user name or password",
        "a NO [UNAVAILABLE] Too many failed logins, try again later")
POP3 = ("pop3", "+OK", "-ERR [AUTH] User name or password is wrong",
        "-ERR [SYS/TEMP] Too many failed logins, try again later")
SMTP = ("submission", "235", "535 5.7.8 User name or password is wrong",
        "454 4.7.0 Too many failed logins, try again later")
WAYS = {imap_login: IMAP, imap_plain: IMAP, imap_scram: IMAP, pop3_pass: POP3, pop3_scram: POP3, smtp_plain: SMTP,
        smtp_scram: SMTP}


def attempt(server, source, way, user, password=PASSWORD):
    with Line(server, WAYS[way][0], source) as line:
        return way(line, user, password)


def at_once(do, those):
    with ThreadPoolExecutor(100) as pool:
        return list(pool.map(do, those))


def guess(server, source, way, user, times):
    """Wrong passwords over as many connections at once; the answers."""
    return at_once(lambda i: attempt(server, source, way, user, f"guess {i}"), range(times))


def is_in(way, answer):
    return answer.startswith(WAYS[way][1])


@pytest.mark.parametrize("way", [imap_login, imap_scram, pop3_pass, smtp_scram], ids=lambda w: w.__name__)
def test_one_brake_for_all(server, way, here):
    """Guesses by any way brake all of them, the right password too, in words that do not depend on who was named."""
    at = server.log.stat().st_size
    with server.imap("bob") as inside:
        users = [server.address("alice"), server.address("nobody"), "nobody@elsewhere.test", "no-address"]
        for answers in at_once(lambda user: guess(server, here, way, user, SLIPS), users):
            assert answers == [WAYS[way][2]] * SLIPS
        for user in users:
            for other, answer in zip(WAYS, at_once(lambda w: attempt(server, here, w, user), WAYS)):
                assert answer == WAYS[other][3], other
        assert inside.noop()[0] == "OK"
        elsewhere = here.replace("127.2.", "127.3.")
        assert is_in(way, attempt(server, elsewhere, way, server.address("alice")))
        assert is_in(way, attempt(server, here, way, server.address("bob")))
    lines = re.findall(r'notice auth\.failed role=user sid=\d+ user="([^"]*)" ip="([^"]*)" proto=(\w+) '
                       r'mech="([^"]*)" why=(\w+)$', server.log_text(at), re.M)
    for user in users:
        whys = [why for name, ip, _, _, why in lines if (name, ip) == (user, here)]
        assert whys.count("auth") == SLIPS and whys.count("limit") == len(WAYS) == len(whys) - SLIPS


@pytest.mark.parametrize("way", [pop3_pass, imap_scram], ids=lambda w: w.__name__)
def test_who_was_here_is_let_in(server, way, here):
    """Somebody guesses at her name and at many others behind her address; she logs in, at once."""
    alice = server.address("alice")
    assert is_in(way, attempt(server, here, way, alice))
    assert set(guess(server, here, imap_login, alice, PROVEN // 2)) == {IMAP[2]}
    said = at_once(lambda i: attempt(server, here, imap_login, f"made-up-{i}@example.test"), range(WIDE + 20))
    assert said.count(IMAP[2]) == WIDE and said.count(IMAP[3]) == 20
    for each, answer in zip(WAYS, at_once(lambda w: attempt(server, here, w, alice), WAYS)):
        assert is_in(each, answer)
    assert attempt(server, here, way, server.address("bob")) == WAYS[way][3]  # was never here
    assert is_in(way, attempt(server, here.replace("127.2.", "127.3."), way, server.address("bob")))


def test_sessions_of_one_user(server, here):
    """Eight from one address over all protocols and fronts; one that ends makes room; a restart of the store or of the
    fronts neither ends nor doubles them."""
    alice = server.address("alice")
    inside = []

    def enter(way, user=alice, source=here):
        line = Line(server, WAYS[way][0], source)
        answer = way(line, user, PASSWORD)
        if is_in(way, answer):
            inside.append(line)
        else:
            line.close()
        return answer

    for way in (imap_login, imap_scram, pop3_pass, pop3_scram, smtp_plain, smtp_scram, imap_plain, imap_login):
        assert is_in(way, enter(way))
    at = server.log.stat().st_size
    assert enter(imap_login) == "a NO [LIMIT] Too many sessions of this user from your address"
    assert enter(pop3_pass) == "-ERR [SYS/TEMP] Too many sessions of this user from your address"
    assert enter(smtp_plain) == "454 4.7.0 Too many sessions of this user from your address"
    assert server.log_text(at).count('login.crowded role=user') == 3 and "auth.failed" not in server.log_text(at)
    assert is_in(imap_login, enter(imap_login, server.address("bob")))
    inside.pop().close()
    assert is_in(imap_login, enter(imap_login, source=here.replace("127.2.", "127.3.")))
    inside.pop().close()
    assert inside[0].ask("l LOGOUT").startswith("* BYE")
    inside[0].hear()
    assert inside[0].hear() == ""  # it has ended
    inside.pop(0).close()
    assert is_in(imap_login, enter(imap_login))
    assert "LIMIT" in enter(imap_login)

    kill(server, "store")
    for line in inside:  # each is counted again at its next command, once its front has the new store
        until(lambda: line.rest())
    until(lambda: all(line.rest() for line in inside) and refused(enter, inside))
    inside.pop().close()
    until(lambda: is_in(imap_login, enter(imap_login)))  # that it was closed is seen soon
    assert "LIMIT" in enter(imap_login)

    kill(server, "user")
    for line in inside:
        line.close()
    inside.clear()
    until(lambda: is_in(imap_login, enter(imap_login)))
    for _ in range(7):
        assert is_in(imap_login, enter(imap_login))
    assert "LIMIT" in enter(imap_login)
    for line in inside:
        line.close()


def kill(server, role):
    pids = server.roles()[role]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(server.roles().get(role, [])) == len(pids) and not set(pids) & set(server.roles()[role]))


def until(true):
    for _ in range(300):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("not within 30 s")


def refused(enter, inside):
    """Tries one more, which stays only where it is let in against the limit."""
    if "LIMIT" in enter(imap_login):
        return True
    inside.pop().close()
    return False
