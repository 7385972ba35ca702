"""theirs — Debian's Postfix and Dovecot in folders and on ports of their own, tuned for their best.

One Postfix, and a Dovecot for each mailbox format (mdbox, Maildir). What is durable and when is as shipped. Tuned are:
processes that are reused and started in advance, login processes that serve many, limits out of the way, the
authentication cache on, a cheap password scheme, no rate limits, no name service, few and large files for mdbox,
sessions that idle hibernate. Their system services and their folders under /etc and /var are not touched.
"""
import os, pathlib, pwd, shutil, signal, subprocess, time

from server import free_base

PASSWORD = "secret"
MAIL_UID = 60950  # of no user
# Without these no more than 128 of its sessions could hibernate; put back at the end.
INOTIFY_FOLDER = pathlib.Path("/proc/sys/fs/inotify")
INOTIFY = {"max_user_instances": 20000, "max_user_watches": 100000}
LOCATION = {"mdbox": "mdbox:~/mdbox", "maildir": "maildir:~/Maildir"}

DOVECOT = """
base_dir = {folder}/run
instance_name = bench-{format}
protocols = imap pop3 lmtp
listen = 127.0.0.1
log_path = {folder}/log
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
disable_plaintext_auth = no
auth_mechanisms = plain
auth_cache_size = 64M
auth_cache_ttl = 12 hours
auth_username_format = %Ln
passdb {{
  driver = passwd-file
  args = {folder}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={folder}/mail/%n
}}
mail_location = {location}
mail_uid = {uid}
mail_gid = {uid}
first_valid_uid = 1
mail_max_userip_connections = 100000
maildir_very_dirty_syncs = yes
mdbox_rotate_size = 64M
imap_hibernate_timeout = 2s
default_client_limit = 40000
default_process_limit = 20000
default_vsz_limit = 4G
import_environment = TZ {preload}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  process_limit = 4
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 2
  process_limit = 4
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap {{
  service_count = {imap_clients}
  process_min_avail = 12
  extra_groups = $default_internal_group
  unix_listener imap-master {{
    user = $default_internal_user
  }}
}}
service imap-hibernate {{
  unix_listener imap-hibernate {{
    mode = 0660
    group = $default_internal_group
  }}
}}
service pop3 {{
  service_count = 100000
  process_min_avail = 12
}}
service lmtp {{
  process_min_avail = 12
  unix_listener lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
"""

POSTFIX = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = localhost
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = mdbox.test maildir.test
virtual_mailbox_maps = texthash:{folder}/users
transport_maps = inline:{{ mdbox.test=lmtp:unix:{mdbox}, maildir.test=lmtp:unix:{maildir} }}
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtpd_tls_security_level = none
smtp_tls_security_level = none
disable_dns_lookups = yes
default_process_limit = 400
max_use = 10000
in_flow_delay = 0
initial_destination_concurrency = 20
lmtp_destination_concurrency_limit = 20
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
message_size_limit = 52428800
{preload}
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


def wait_for(path, seconds=20):
    end = time.monotonic() + seconds
    while not (path.exists() and path.read_text().strip()):
        if time.monotonic() > end:
            raise RuntimeError(f"{path} did not appear")
        time.sleep(0.02)
    return int(path.read_text())


def end_process(process, seconds=30, terminate=True):
    if process and process.poll() is None:
        if terminate:
            process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Dovecot:
    def __init__(self, folder, format, users, certificate, postfix, preload):
        self.name, self.domain, self.postfix = format, f"{format}.test", postfix
        self.folder, self.base, self.process, self.preload = folder / format, free_base(), None, preload
        (self.folder / "mail").mkdir(parents=True)
        os.chown(self.folder / "mail", MAIL_UID, MAIL_UID)
        (self.folder / "passwd").write_text("".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in users))
        own = self.folder / "certificate.pem"
        shutil.copy(certificate, own)
        ports = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995, "lmtp": 24}
        self.ports = {name: self.base + port for name, port in ports.items()}
        self.conf = self.folder / "dovecot.conf"
        self.settings = dict(folder=self.folder, format=format, certificate=own, uid=MAIL_UID,
                             location=LOCATION[format], preload="LD_PRELOAD" if preload else "", **self.ports)

    def start(self, idle=False):
        """With `idle` for little memory instead of speed: a process ends when its session hibernates."""
        self.conf.write_text(DOVECOT.format(imap_clients=1 if idle else 100000, **self.settings))
        env = {**os.environ, **({"LD_PRELOAD": self.preload} if self.preload else {})}
        self.process = subprocess.Popen(["dovecot", "-F", "-c", str(self.conf)], env=env, stderr=subprocess.DEVNULL)
        wait_for(self.folder / "run" / "master.pid")
        time.sleep(1)  # the processes that wait in advance

    def stop(self):
        end_process(self.process)

    kill = stop

    def port(self, service):
        return self.postfix.port if service == "smtp" else self.ports[service]

    def roots(self, services=()):
        return [self.process.pid, *([self.postfix.process.pid] if "smtp" in services else [])]

    def fill(self, kind, users, maildir, mail):
        for user in users:
            if self.name == "mdbox":
                self.doveadm("import", "-u", user, f"maildir:{maildir}", "", "ALL")
                continue
            home = self.folder / "mail" / user
            subprocess.run(["rm", "-rf", str(home)], check=True)
            home.mkdir()
            os.chown(home, MAIL_UID, MAIL_UID)
            subprocess.run(["cp", "-al", str(maildir), str(home / "Maildir")], check=True)
            self.doveadm("index", "-u", user, "INBOX")

    def doveadm(self, *words):
        done = subprocess.run(["doveadm", "-c", str(self.conf), *words], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"doveadm {' '.join(words)}: {done.stdout}{done.stderr}")


class Postfix:
    def __init__(self, folder, users, preload):
        self.folder, self.port, self.process, self.preload = folder / "postfix", free_base() + 25, None, preload
        etc = self.folder / "etc"
        for sub in ("etc", "spool", "data"):
            (self.folder / sub).mkdir(parents=True)
        os.chown(self.folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
        shutil.copy("/etc/postfix/dynamicmaps.cf", etc)
        shutil.copy("/etc/postfix/postfix-files", etc)
        (self.folder / "users").write_text(
            "".join(f"{user}@{format}.test x\n" for user in users for format in LOCATION))
        (etc / "main.cf").write_text(POSTFIX.format(
            folder=self.folder, preload="import_environment = MAIL_CONFIG TZ LANG=C LD_PRELOAD" if preload else "",
            **{format: folder / format / "run" / "lmtp" for format in LOCATION}))
        (etc / "master.cf").write_text(MASTER.format(port=self.port))

    def start(self):
        env = {**os.environ, **({"LD_PRELOAD": self.preload} if self.preload else {})}
        self.process = subprocess.Popen(["postfix", "-c", str(self.folder / "etc"), "start-fg"], env=env,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.master = wait_for(self.folder / "spool" / "pid" / "master.pid")

    def stop(self):
        if self.process and self.process.poll() is None:
            os.kill(self.master, signal.SIGTERM)  # our child waits for its end
        end_process(self.process, terminate=False)


class Theirs:
    """All of it; .sides are what a work can be run against."""

    def __init__(self, folder, users, certificate, preload=None):
        self.postfix = Postfix(folder, users, preload)
        self.sides = [Dovecot(folder, format, users, certificate, self.postfix, preload) for format in LOCATION]
        self.kernel = {}

    def start(self):
        for name in INOTIFY:
            self.kernel[name] = (INOTIFY_FOLDER / name).read_text()
            (INOTIFY_FOLDER / name).write_text(str(max(INOTIFY[name], int(self.kernel[name]))))
        for side in self.sides:
            side.start()
        self.postfix.start()

    def stop(self):
        self.postfix.stop()
        for side in self.sides:
            side.stop()
        for name, value in self.kernel.items():
            (INOTIFY_FOLDER / name).write_text(value)
