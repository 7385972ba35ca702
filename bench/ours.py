"""ours — a Hongyan with the users and mailboxes that the works need; durability as shipped."""
import os, pathlib, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
import measure, server

PASSWORD = "secret"
OPTIONS = """
plain_login = "loopback"
sessions_ip_max = 100000
sessions_max = 100000
"""


class Ours:
    name, domain = "ours", "hongyan.test"

    def __init__(self, folder, users, preload=None):
        server.PASSWORD = PASSWORD
        self.preload = preload
        (folder / "ours").mkdir()
        self.server = server.Server(folder / "ours", self.domain, OPTIONS, users)

    def start(self, idle=False):
        if self.preload:  # for the server's own processes only
            os.environ["LD_PRELOAD"] = self.preload
        try:
            self.server.start()
        finally:
            os.environ.pop("LD_PRELOAD", None)

    def stop(self):
        if self.server.process:
            self.server.stop()

    def kill(self):
        self.server.close()

    def certificate(self):
        return self.server.dir / "tls" / "server.pem"

    def port(self, service):
        return self.server.port(service)

    def roots(self, services=()):
        return [self.server.process.pid]

    def fill(self, kind, users, maildir, mail):
        each, octets = mail
        load = measure.Load("lmtp", port=self.port("lmtp"), user=f"{kind}@{self.domain}", users=len(users), sessions=20,
                            count=each * len(users), size=octets, check_port=self.port("imap"))
        load.go()
        load.end()
