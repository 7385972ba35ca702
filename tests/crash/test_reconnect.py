"""A front whose connection to the store ends while both live gets another: nothing hangs, nobody is logged out."""
import ctypes, os, socket

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
