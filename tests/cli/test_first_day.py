"""What an administrator does on the first day, and the mistakes that are made then: each costs nothing but a message."""
import pytest

from server import Server

LETTER = "From: a@example.test\r\nSubject: letter {}\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def place():
    """An installation whose server does not run."""
    server = Server(users=("alice",))
    yield server
    server.close()


def messages(place, mailbox, folder):
    place.run("export", str(folder), "--user", "alice@example.test", "--mailbox", mailbox)
    return len(list(folder.glob("**/cur/*")))


def test_import_of_many_files(place, tmp_path):
    """A shell makes hundreds of words of `*.eml`: every one counts."""
    files = [tmp_path / f"{i}.eml" for i in range(200)]
    for i, file in enumerate(files):
        file.write_text(LETTER.format(i))
    said = place.run("import", *map(str, files), "--user", "alice@example.test", "--mailbox", "Many")
    assert said.startswith("200 "), said
    assert messages(place, "Many", tmp_path / "out") == 200
