"""Clients that begin a large message and fall silent do not keep anybody else's mail out."""
import socket, time

import pytest

from server import Server

LARGE = "Subject: large\r\n\r\n" + ("x" * 76 + "\r\n") * 40000  # 3 MB


@pytest.fixture(scope="module")
def server():
    with Server(options="sessions_user_ip_max = 1000") as running:
        yield running


def stalled_data(server, octets):
    s = socket.create_connection(("127.0.0.1", server.port("smtp")), timeout=30)
    s.sendall(f"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{server.address()}>\r\nDATA\r\n".encode())
    s.sendall((b"y" * 76 + b"\r\n") * (octets // 78))
    return s


def stalled_append(server, octets):
    imap = server.imap()
    imap.send(b"a APPEND INBOX {40000000+}\r\n" + b"z" * octets)
    return imap.sock


def bulk_files(server):
    return [p for p in (server.dir / "data" / "log").iterdir()]


def test_large_mail_beside_stalled_senders(server):
    before = len(bulk_files(server))
    stalled = [stalled_data(server, 1_200_000) for _ in range(150)]
    stalled += [stalled_data(server, 1_000_000) for _ in range(300)]
    server.deliver(LARGE)
    server.deliver("Subject: small\r\n\r\nbody\r\n")
    for s in stalled:
        s.close()
    server.deliver(LARGE)
    with server.imap() as imap:
        assert imap.select("INBOX") == ("OK", [b"3"])
    end = time.monotonic() + 20
    while len(bulk_files(server)) > before + 20 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(bulk_files(server)) <= before + 20  # what came to nothing left no files


def test_append_beside_stalled_appends(server):
    stalled = [stalled_append(server, 1_300_000) for _ in range(100)]
    with server.imap("bob") as imap:
        assert imap.append("INBOX", None, None, LARGE.encode())[0] == "OK"
        assert imap.select("INBOX") == ("OK", [b"1"])
    for s in stalled:
        s.close()
