"""The roles of a running server are confined as src/main/sandbox_test.c proves it for processes of its own."""
import os, pathlib, re

import pytest

from conftest import Town


@pytest.fixture(scope="module")
def roles():
    with Town() as town:
        town.deliver("Subject: x\r\n\r\nx\r\n")
        with town.imap() as imap:
            imap.select("INBOX")
            yield town, town.role_pids()


def status(pid):
    return dict(re.findall(r"(\w+):\s+(.*)", pathlib.Path(f"/proc/{pid}/status").read_text()))


def test_every_role_is_there(roles):
    assert sorted(roles[1].values()) == ["mx", "store", "user"]


def test_filtered_and_without_new_privileges(roles):
    for pid in roles[1]:
        seen = status(pid)
        assert seen["NoNewPrivs"] == "1"
        if "sandbox.partial" not in roles[0].log_text():
            assert seen["Seccomp"] == "2"


def test_all_threads_are_filtered(roles):
    for pid in roles[1]:
        modes = {re.search(r"Seccomp:\s+(\d)", (t / "status").read_text()).group(1) for t in pathlib.Path(f"/proc/{pid}/task").iterdir()}
        assert len(modes) == 1


def links(pid):
    try:
        return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    except PermissionError:
        pytest.skip("only root sees the descriptors of roles")


def test_fronts_hold_no_file(roles):
    """No descriptor of a front names a file of the installation, a folder, or a device other than /dev/null."""
    town, pids = roles
    for pid, role in pids.items():
        if role != "store":
            named = [l for l in links(pid) if l.startswith("/") and not l.startswith("/memfd:") and l not in ("/dev/null", str(town.log))]
            assert not named, (role, named)


def test_the_store_holds_its_folder_alone(roles):
    town, pids = roles
    for pid, role in pids.items():
        if role == "store":
            held = [l for l in links(pid) if l.startswith("/") and not l.startswith("/memfd:") and l not in ("/dev/null", str(town.log))]
            assert held and all(l.startswith(str(town.dir / "data")) for l in held), held


def test_no_memory_is_code_and_data(roles):
    for pid, role in roles[1].items():
        try:
            maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
        except PermissionError:
            pytest.skip("only root sees the memory of roles")
        assert not re.search(r"(?m)^\S+ .wx", maps), role
