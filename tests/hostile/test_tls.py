"""TLS as an attacker speaks it: plaintext behind STARTTLS, renegotiation, records of one octet, records of nothing, floods."""
import socket, ssl, subprocess, time

import pytest

from raw import Raw, hello, ready, still_talks
from server import PASSWORD

BEHIND = {"smtp": (b"STARTTLS\r\n", b"MAIL FROM:<evil@elsewhere.test>\r\n"), "submission": (b"STARTTLS\r\n", b"EHLO evil\r\n"),
          "imap": (b"a STARTTLS\r\n", b"b CAPABILITY\r\n"), "pop3": (b"STLS\r\n", b"USER evil\r\n")}
NEXT = {"smtp": (b"RCPT TO:<alice@example.test>\r\n", (b"503",)), "submission": (b"MAIL FROM:<a@b.test>\r\n", (b"503", b"530")),
        "imap": (b"c NOOP\r\n", (b"c OK",)), "pop3": (b"PASS x\r\n", (b"-ERR",))}
HANDSHAKE, ALERT, CCS, DATA = 22, 21, 20, 23


def record(kind, octets, version=b"\x03\x03"):
    return bytes([kind]) + version + len(octets).to_bytes(2, "big") + octets


class Shredded:
    """A TLS client whose handshake and data leave in records and packets of the size one likes."""

    def __init__(self, town, service="imaps", shred=None, packet=None, version=None):
        self.sock = socket.create_connection(("127.0.0.1", town.port(service)), timeout=30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.inside, self.outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = town.tls()
        if version:
            context.maximum_version = version
        self.tls = context.wrap_bio(self.inside, self.outside, server_hostname="localhost")
        self.shred, self.packet = shred, packet
        self.hear(self.tls.do_handshake)

    def flush(self):
        octets = self.outside.read()
        if self.shred and octets[:1] == bytes([HANDSHAKE]):  # only what is not encrypted can be cut into other records
            n = int.from_bytes(octets[3:5], "big")
            body = octets[5:5 + n]
            octets = b"".join(record(HANDSHAKE, body[i:i + self.shred], octets[1:3]) for i in range(0, n, self.shred)) + octets[5 + n:]
        step = self.packet or max(len(octets), 1)
        for i in range(0, len(octets), step):
            self.sock.sendall(octets[i:i + step])

    def hear(self, call):
        while True:
            try:
                result = call()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                octets = self.sock.recv(65536)
                assert octets, "the server hung up"
                self.inside.write(octets)

    def line(self):
        line = b""
        while not line.endswith(b"\n"):
            line += self.hear(lambda: self.tls.read(1))
        return line

    def say(self, octets, size):
        """In records of `size` octets each."""
        for i in range(0, len(octets), size):
            self.tls.write(octets[i:i + size])
        self.flush()


@pytest.mark.parametrize("service", BEHIND)
@pytest.mark.parametrize("how", ["together", "after the answer"])
def test_plaintext_behind_starttls(calm_town, service, how):
    """What came in clear behind STARTTLS is never a command of the secured session (RFC 9051 §6.2.1, RFC 3207 §4.2)."""
    command, behind = BEHIND[service]
    with hello(Raw(calm_town, service)) as raw:
        raw.send(command + (behind if how == "together" else b""))
        answer = raw.line()
        if how != "together":
            raw.send(behind)
        if not answer.startswith((b"220", b"+OK", b"a OK")):
            assert raw.is_ended() or answer.startswith((b"5", b"4", b"-ERR", b"a BAD", b"a NO"))
            return
        if raw.heard:
            assert raw.heard.startswith(b"* BYE") and raw.is_ended(), "an answer in clear to what stood behind"
            return
        try:
            secured = calm_town.tls().wrap_socket(raw.sock, server_hostname="localhost")
        except (ssl.SSLError, OSError):
            return  # no session at all
        secured.settimeout(10)
        ask, good = NEXT[service]
        secured.sendall(ask)
        assert secured.recv(4096).startswith(good)
        secured.close()


@pytest.mark.parametrize("service", ["smtp", "submission"])
def test_starttls_forgets(calm_town, service):
    """An envelope from before TLS is not there after it."""
    with hello(Raw(calm_town, service)) as raw:
        raw.ask(b"MAIL FROM:<before@elsewhere.test>")
        if (answer := raw.ask(b"STARTTLS")).startswith(b"503"):
            return  # not in the middle of one
        assert answer.startswith(b"220")
        secured = calm_town.tls().wrap_socket(raw.sock, server_hostname="localhost")
        secured.sendall(b"RCPT TO:<alice@example.test>\r\n")
        assert secured.recv(4096).startswith((b"503", b"530"))
        secured.close()


@pytest.mark.parametrize("shred", [1, 2, 7, 64])
@pytest.mark.parametrize("packet", [None, 3])
def test_shredded_handshake(town, shred, packet):
    """A hello in records of an octet each: done, or refused with an alert; never waited for beyond its time."""
    try:
        client = Shredded(town, shred=shred, packet=packet)
        assert client.line().startswith(b"* OK")
        client.sock.close()
    except (AssertionError, ssl.SSLError, ConnectionError):
        pass


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("packet", [None, 1])
def test_tiny_records(town, version, packet):
    """Commands in records of one octet, packets of one octet: understood."""
    client = Shredded(town, packet=packet, version=version)
    client.line()
    client.say(f'a LOGIN {town.address()} "{PASSWORD}"\r\n'.encode(), 1)
    while not client.line().startswith(b"a OK"):
        pass
    client.say(b"b NOOP\r\n" * 300, 1)
    for _ in range(300):
        assert client.line().startswith(b"b OK")
    client.sock.close()


FLOODS = {
    "empty handshake records": record(HANDSHAKE, b"") * 200_000, "empty data records": record(DATA, b"") * 200_000,
    "change cipher spec": record(CCS, b"\x01") * 200_000, "warnings": record(ALERT, b"\x01\x5a") * 200_000, "hello requests": record(HANDSHAKE, b"\0\0\0\0") * 100_000,
    "a hello of 16 MB": record(HANDSHAKE, b"\x01\xff\xff\xff" + b"x" * 16000) + record(HANDSHAKE, b"x" * 16000) * 1000, "a record too long": b"\x16\x03\x01\xff\xff" + b"x" * 70000,
    "plain text": b"a NOOP\r\n" * 100_000, "sslv2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"x" * 100_000, "zeros": b"\0" * 1_000_000,
}


@pytest.mark.parametrize("name", FLOODS)
@pytest.mark.parametrize("when", ["before", "within"])
def test_floods_of_records(town, name, when):
    """Before a hello, and in the middle of a session (where nothing of it can be right): hung up on."""
    crowd = []
    for _ in range(8):
        if when == "before":
            sock = socket.create_connection(("127.0.0.1", town.port("imaps")), timeout=5)
        else:
            client = Shredded(town)
            client.line()
            sock = client.sock
        sock.settimeout(5)
        try:
            sock.sendall(FLOODS[name])
            while sock.recv(65536):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            assert when == "before" and name == "sslv2", "neither answered nor hung up on"
        crowd.append(sock)
    for sock in crowd:
        sock.close()


@pytest.mark.parametrize("version,key", [("-tls1_2", "R"), ("-tls1_3", "K"), ("-tls1_3", "k")])
def test_renegotiation(town, version, key):
    """A client that wants new keys again and again: by TLS 1.2 refused (RFC 9325 §3.5), by 1.3 allowed and without harm."""
    command = ["openssl", "s_client", version, "-crlf", "-connect", f"localhost:{town.port('imaps')}", "-CAfile", str(town.ca)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    heard = b""
    while b"* OK" not in heard:  # before it a key may end the client while the greeting is on its way
        line = process.stdout.readline()
        assert line, heard
        heard += line
    try:
        for _ in range(50):
            process.stdin.write(key.encode() + b"\n")
            process.stdin.flush()
            time.sleep(0.01)
        process.stdin.write(b"z LOGOUT\n")
        process.stdin.flush()
        heard += process.stdout.read()  # it ends when the server hangs up
        process.stdin.close()
    except BrokenPipeError:
        heard += process.stdout.read()
    process.wait(20)
    if key == "R":
        assert heard.count(b"RENEGOTIATING") >= 1
        assert b"no renegotiation" in heard.lower() or heard.count(b"verify return:1") <= 2
    else:
        assert b"z OK" in heard


def test_a_reader_that_stops_in_a_handshake(town):
    """Hundreds that send a whole hello and read nothing of the answer."""
    context, hello_octets = town.tls(), None
    crowd = []
    for i in range(300):
        inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(inside, outside, server_hostname="localhost")
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            hello_octets = outside.read()
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect(("127.0.0.1", town.port(("imaps", "pop3s", "submissions")[i % 3])))
        sock.sendall(hello_octets)
        crowd.append(sock)
    time.sleep(0.5)
    with ready(town, "imap") as imap:
        assert still_talks(imap)
    for sock in crowd:
        sock.close()
