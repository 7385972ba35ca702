"""Clients that ask for mail and do not read it hold chunks of the arena. Where all are held, the slowest have to go."""
import pathlib, re, socket, time

from server import PASSWORD, Server

READERS = 1100  # of 4 chunks each: more than the arena has
MESSAGE = "Subject: m\r\n\r\n" + ("x" * 76 + "\r\n") * 200


def reader(server, sockets):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(30)
    s.connect(("127.0.0.1", server.port("imap")))
    s.sendall(f'a LOGIN {server.address("bob")} "{PASSWORD}"\r\nb SELECT INBOX\r\n'.encode())
    s.sendall(b"c FETCH 1:* (BODY.PEEK[])\r\n" * 40)
    sockets.append(s)


def wait_for_arena(server, seconds=90):
    """Until all of the front's arena (256 MiB) is in use."""
    pid = server.roles()["user"][0]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        if int(re.search(r"RssShmem:\s+(\d+)", status).group(1)) >= 255 << 10:
            return
        time.sleep(0.2)
    raise AssertionError("the readers do not hold the arena")


def test_readers_that_do_not_read():
    options = 'sessions_ip_max = 3000\nsessions_user_ip_max = 3000\nplain_login = "loopback"\nfronts = 1\n'
    with Server(options=options) as server:
        with server.smtp() as client:
            for _ in range(64):
                client.sendmail("a@b.example", [server.address("alice"), server.address("bob")], MESSAGE)
        sockets = []
        for _ in range(READERS):
            reader(server, sockets)
        wait_for_arena(server)
        with server.imap() as imap:  # needs chunks, and gets them
            imap.sock.settimeout(60)
            assert imap.select("INBOX") == ("OK", [b"64"])
            status, parts = imap.fetch("1:*", "(BODY.PEEK[])")
            assert status == "OK" and sum(isinstance(p, tuple) for p in parts) == 64
        assert "session.slow" in server.log_text() and "role.died" not in server.log_text()
        for s in sockets:
            s.close()
