"""Fixtures for the tests against the whole program."""
import pathlib, resource, shutil, sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from server import Server  # noqa: E402

HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(HARD, 8192), HARD))  # some tests are crowds


@pytest.fixture(scope="module")
def server():
    """A running server with alice and bob, for the tests of one file."""
    with Server() as running:
        yield running


@pytest.fixture
def tmp_path(tmp_path):
    """Removed after the test: the folder of an empty server takes 768 MiB."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def fresh():
    """Makes servers that are stopped and removed after the test: fresh(options="…", users=(…))."""
    made = []

    def make(**words):
        made.append(Server(**words))
        return made[-1]

    yield make
    for one in made:
        one.close()
