"""Strangers who send large messages and never end them: what they hold of the disk stays a part of what is free above the
reserve, and others' large messages find room."""
import os, smtplib, socket

from server import Server

LINES = (b"y" * 76 + b"\r\n") * 13_000  # 1 MB
LARGE = "Subject: large\r\n\r\n" + ("x" * 76 + "\r\n") * 40_000  # 3 MB
WANTED, SEGMENT = 400 << 20, 256 << 20  # room above the reserve; what a start takes for its log


def send_unended(server, pieces):
    """Begins a message and sends so many MB of it, as far as the server takes them; the connection."""
    s = socket.create_connection(("127.0.0.1", server.port("smtp")), timeout=30)
    s.sendall(f"HELO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{server.address()}>\r\nDATA\r\n".encode())
    try:
        for _ in range(pieces):
            s.sendall(LINES)
    except OSError:
        pass  # refused in the middle
    return s


def deliver_from(server, address, text):
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=60, source_address=(address, 0)) as client:
        return client.sendmail("s@elsewhere.test", [server.address("bob")], text)


def test_share_of_the_disk(tmp_path):
    with Server(folder=str(tmp_path)) as server:
        log = server.dir / "data" / "log"

        def free():
            st = os.statvfs(log)
            return st.f_bavail * st.f_frsize

        def held(before):
            return sum(f.stat().st_blocks * 512 for f in log.glob("*.seg") if f not in before)

        server.stop()
        reserve = free() - SEGMENT - WANTED
        with open(server.conf, "a") as f:
            f.write(f"disk_reserve = {reserve}\n")
        server.start()
        before, room = set(log.glob("*.seg")), free() - reserve
        assert WANTED / 2 < room < WANTED * 2, room
        stalled = [send_unended(server, 12) for _ in range(16)]  # 190 MB
        took = held(before)
        assert took > 12 << 20
        assert took < room / 8 + (40 << 20), (took >> 20, room >> 20)
        assert deliver_from(server, "127.0.0.2", LARGE) == {}
        for s in stalled:
            s.close()
        server.wait_log('why="unfinished messages from that address have taken their share of the disk')
