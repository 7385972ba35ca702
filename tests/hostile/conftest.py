"""Fixtures for hostile clients: one server with a fleet of ordinary sessions on it, and what must be as before after each test."""
import pytest

from figures import check_returned, figures
from fleet import Fleet
from server import PASSWORD, Server

OPTIONS = 'fronts = 1\nplain_login = "loopback"\nsessions_ip_max = 3000\nsessions_user_ip_max = 3000\n'
SMALL = "Subject: small\r\n\r\nbody\r\n"


class Town(Server):
    """A server whose options are OPTIONS, with alice, bob and the fleet's user."""

    def __init__(self, options=""):
        super().__init__(options=OPTIONS + options, users=("alice", "bob", "fleet"))

    def role_pids(self):
        return {pid: role for role, pids in self.roles().items() for pid in pids}


def check_answers(town):
    """New clients of each protocol are served."""
    assert town.deliver(SMALL, to=("bob",)) == {}
    with town.imap("bob") as imap:
        assert imap.select("INBOX")[0] == "OK" and imap.fetch("*", "(BODY.PEEK[])")[0] == "OK"
    pop3 = town.pop3("bob")
    assert pop3.stat()[0] >= 1
    pop3.quit()


@pytest.fixture(scope="module")
def lively():
    """The server and its fleet, for the tests of one file."""
    with Town() as town:
        for _ in range(3):
            town.deliver(SMALL, to=("fleet", "alice", "bob"))
        fleet = Fleet(town, PASSWORD)
        yield town, fleet
        fleet.end()


def watched(lively, name):
    """The lively server; afterwards all is as before: the same roles, memory, descriptors, answers, and the fleet went on."""
    town, fleet = lively
    roles = town.role_pids()
    fleet.window()
    before = figures(roles)
    yield town
    check_answers(town)
    seen = fleet.window()
    print(f"\n{name}: longest answer to the fleet {seen['pause_ms']} ms, its own delay {seen['own_ms']} ms")
    assert not seen["faults"], seen["faults"]
    assert town.role_pids() == roles, "a role died"
    check_returned(before)


@pytest.fixture
def town(lively, request):
    """For what is heavy: looked at after each test."""
    yield from watched(lively, request.node.name)


@pytest.fixture(scope="module")
def calm_town(lively, request):
    """For many small cases: looked at after the last."""
    yield from watched(lively, request.node.name)
