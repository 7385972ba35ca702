"""What thousands of connections took, the system has again when they are gone."""
import os, socket, time

SESSIONS = 2500  # from as many addresses as need be: one may have 1000
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def resident_octets(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def connect(server, i):
    s = socket.socket()
    s.bind((f"127.0.7.{1 + i % 5}", 0))
    s.connect(("127.0.0.1", server.port("imaps")))
    s.sendall(HALF_HELLO[: i % len(HALF_HELLO)])
    return s


def wait_descriptors(pid, is_enough):
    end = time.monotonic() + 20
    while not is_enough(descriptors(pid)) and time.monotonic() < end:
        time.sleep(0.05)
    assert is_enough(descriptors(pid))


def test_half_handshakes_leave_nothing(fresh):
    server = fresh(options="fronts = 1").start()
    front = server.roles()["user"][0]
    octets, open_before = resident_octets(front), descriptors(front)
    for _ in range(2):
        sessions = [connect(server, i) for i in range(SESSIONS)]
        wait_descriptors(front, lambda n: n >= open_before + SESSIONS)
        for s in sessions:
            s.close()
        wait_descriptors(front, lambda n: n <= open_before)
    assert resident_octets(front) < octets + (16 << 20)
