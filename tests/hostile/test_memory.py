"""What thousands of connections took, the system has again when they are gone."""
import os, socket, time

SESSIONS = 2500  # from as many addresses as need be: one may have 1000
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
SOME_OCTETS = 16 << 20


def resident_octets(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def connect(server, i):
    s = socket.socket()
    s.bind((f"127.0.7.{1 + i % 5}", 0))
    s.connect(("127.0.0.1", server.port("imaps")))
    s.sendall(HALF_HELLO[: i % len(HALF_HELLO)])
    return s


def wait_resident(pid, is_enough):
    end = time.monotonic() + 30
    while not is_enough(resident_octets(pid)) and time.monotonic() < end:
        time.sleep(0.05)
    assert is_enough(resident_octets(pid))


def test_half_handshakes_leave_nothing(fresh):
    server = fresh(options="fronts = 1").start()
    front = server.roles()["user"][0]
    before = resident_octets(front)
    for _ in range(2):
        sessions = [connect(server, i) for i in range(SESSIONS)]
        wait_resident(front, lambda octets: octets > before + 2 * SOME_OCTETS)
        for s in sessions:
            s.close()
        wait_resident(front, lambda octets: octets < before + SOME_OCTETS)
