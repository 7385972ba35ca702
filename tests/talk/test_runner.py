"""The transcript runner itself, against a server of a few scripted lines."""
import pathlib, socket, sys, threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import talk  # noqa: E402


@pytest.fixture
def connect():
    """Each connection is greeted with its number; every line comes back behind "* "; "bye" closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(sock, number):
        with sock, sock.makefile("rwb") as f:
            f.write(b"* HELLO %d\r\n" % number)
            f.flush()
            for line in f:
                if line.strip() == b"bye":
                    return
                f.write(b"* " + line)
                f.flush()

    def accept():
        for number in range(1, 100):
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock, number), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield lambda: socket.create_connection(listener.getsockname(), 5)
    listener.close()


@pytest.mark.parametrize("text", [
    "S: * HELLO 1\nC: a b\nS: * a b\n",
    "S: * HELLO *\nC: one two\nS: * one *\nC: one [X 1] two\nS: * one [X *] two\n",
    "S: * HELLO %{n}\nC: say %{n}\nS: * say 1\nS<: \n".replace("S<: \n", ""),
    "S: * HELLO %{n}\nC: (UID %{n})\nS: * (UID %{n})\n",
    "S: * HELLO *\n[b] S: * HELLO 2\n[b] C: x\nC: y\nS: * y\n[b] S: * x\n",
    "S: * HELLO *\nC<: a\\x41\\tb\\r\\nc\\r\\n\nS: * aA\tb\nS: * c\n",
    "S: * HELLO *\nC: bye\nS: <closed>\n",
    "# port: imap\n\n# a comment\nS: * HELLO *\nC:\nS: * \n",
])
def test_comes_true(connect, text):
    talk.run(talk.parse(text), connect)


@pytest.mark.parametrize("text", [
    "S: * HELLO 2\n",
    "S: x HELLO 1\n",
    "S: * HELLO\n",
    "S: * HELLO %{n}\nC: 7\nS: * %{n}\n",
    "S: * HELLO *\nC: bye\nS: * more\n",
    "S: * HELLO *\nC: x\nS: <closed>\n",
    "what is this\n",
])
def test_fails(connect, text):
    with pytest.raises(talk.Failed):
        talk.run(talk.parse(text), connect)


def test_head():
    assert talk.parse("# port: imap\n# plain_login: loopback\nS: x\n# no: option\n").options == {
        "port": "imap", "plain_login": "loopback"}
