"""Every transcript of tests/talk/imap against the running server, each with a user of its own: %{user}, %{password}."""
import pathlib, socket, sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import talk  # noqa: E402
from server import PASSWORD, Server  # noqa: E402


@pytest.fixture(scope="module")
def open_server():
    with Server(options='plain_login = "loopback"\nmessage_max = "3M"', users=()) as running:
        yield running


@pytest.mark.parametrize("path", sorted(HERE.glob("imap/*.talk")), ids=lambda p: p.stem)
def test_transcript(open_server, path):
    user = path.stem.replace(".", "-")
    open_server.add_user(user)
    variables = {"user": open_server.address(user), "password": f'"{PASSWORD}"'}
    talk.run(talk.read(path), lambda: socket.create_connection(("127.0.0.1", open_server.port("imap")), 20), variables)
