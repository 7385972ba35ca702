"""A front whose connection to the store ends while both live gets another: nothing hangs, nobody is logged out."""
import array, ctypes, errno, os, signal, socket, struct, time

import pytest

PIDFD_OPEN, PIDFD_GETFD = 434, 438
CHANNEL = 3  # the role's socket to the master


def sockets_between_roles(pid):
    """The role's own SOCK_SEQPACKET sockets other than the one to the master, opened here too."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    found = []
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except PermissionError:
        pytest.skip("only root may look at descriptors of a role")
    for name in names:
        fd = libc.syscall(PIDFD_GETFD, pidfd, int(name), 0)
        if fd < 0:
            pytest.skip(f"may not take descriptors of another process: {os.strerror(ctypes.get_errno())}")
        try:
            s = socket.socket(fileno=fd)
        except OSError:
            os.close(fd)
            continue
        if s.type == socket.SOCK_SEQPACKET and int(name) != CHANNEL:
            found.append(s)
        else:
            s.close()
    os.close(pidfd)
    return found


def test_front_gets_another_connection(server):
    with server.imap() as imap:
        imap.select("INBOX")
        for role, pids in server.roles().items():
            for pid in pids if role != "store" else []:
                sockets = sockets_between_roles(pid)
                assert len(sockets) == 1
                sockets[0].shutdown(socket.SHUT_RDWR)
                sockets[0].close()
        assert imap.noop()[0] == "OK"
        server.deliver("Subject: afterwards\r\n\r\nbody\r\n")
        assert imap.select("INBOX") == ("OK", [b"1"])
    assert server.log_text().count("role.reconnect") == len(server.roles()["mx"] + server.roles()["user"])


def channel_of(pid):
    """The role's socket to the master, opened here too."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    fd = libc.syscall(PIDFD_GETFD, pidfd, CHANNEL, 0)
    os.close(pidfd)
    if fd < 0:
        pytest.skip(f"may not take descriptors of another process: {os.strerror(ctypes.get_errno())}")
    return socket.socket(fileno=fd)


def send_all(channel, message, descriptors, count):
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    for _ in range(count):
        while True:
            try:
                channel.sendmsg([message], ancillary)
                break
            except OSError as e:  # the master has not read yet, or too many descriptors are on the way
                assert e.errno in (errno.EAGAIN, errno.ETOOMANYREFS)
                time.sleep(0.001)


def test_a_taken_front_cannot_hurt_the_master(server):
    pong, ask = struct.pack("<IIQ400x", 8, 0, 0), struct.pack("<IIQ400x", 9, 0, 0)
    master = f"/proc/{server.process.pid}/fd"
    roles = server.roles()
    before, at = len(os.listdir(master)), len(server.log_text())
    null = os.open("/dev/null", os.O_RDONLY)
    with channel_of(roles["user"][0]) as channel:
        send_all(channel, b"no message", [null] * 4, 500)
        send_all(channel, pong, [null] * 4, 500)
        send_all(channel, ask, [], 500)
    os.close(null)
    os.kill(roles["mx"][0], signal.SIGKILL)
    end = time.monotonic() + 30
    while server.roles().get("mx", roles["mx"]) == roles["mx"] and time.monotonic() < end:
        time.sleep(0.05)
    assert server.roles()["mx"] != roles["mx"]
    server.deliver("Subject: after\r\n\r\nx\r\n")
    assert len(os.listdir(master)) <= before + 4
    assert server.log_text(at).count("role.reconnect") < 100
    assert server.imap().select("INBOX")[0] == "OK"
