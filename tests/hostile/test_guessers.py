"""Guessing passwords over many connections does not stop those who are logged in, or who log in."""
import socket

GUESSERS = 1000  # far more than a front may ask the store at once (CLIENT_IN_FLIGHT, 256)


def guess(server, i):
    """One of many, each with an address of his own, so that none is braked."""
    source = (f"127.1.{i // 250}.{i % 250 + 1}", 0)
    s = socket.create_connection(("127.0.0.1", server.port("imap")), timeout=60, source_address=source)
    s.sendall(f'a LOGIN {server.address("alice")} "guess {i}"\r\n'.encode())
    return s


def said(s):
    text = b""
    while b"\r\na " not in text:
        more = s.recv(4096)
        if not more:
            break
        text += more
    return text.rpartition(b"\r\na ")[2]


def test_a_flood_of_guesses_is_shed(fresh):
    server = fresh(options='fronts = 1\nplain_login = "loopback"\nsessions_ip_max = 3000').start()
    with server.imap("bob") as inside:
        inside.select("INBOX")
        guessers = [guess(server, i) for i in range(GUESSERS)]
        assert inside.noop()[0] == "OK"
        assert inside.append("INBOX", None, None, b"Subject: x\r\n\r\nbody\r\n")[0] == "OK"
        waiting = sum(b"\r\na " not in s.recv(4096, socket.MSG_PEEK) for s in guessers)
        answers = [said(s) for s in guessers]
    # bob did not wait until few enough were left for a place of their front
    assert waiting > GUESSERS * 2 // 5
    assert all(b"[UNAVAILABLE] Not possible" in a or b"AUTHENTICATIONFAILED" in a for a in answers)
    for s in guessers:
        s.close()
    with server.imap("alice") as later:
        assert later.select("INBOX")[0] == "OK"
