/// role — fork, drop rights, exec; and what every role does first.
#include "main/role.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/figures.h"
#include "base/log.h"
#include "base/num.h"
#include "main/sandbox.h"

/// Where no user hongyan-<role> exists: numbers that neither distributions nor systemd hand out (60578–61183 is free).
enum { OWN_UID_BASE = 60801, BEGIN_MS = 10000, STORE_DESCRIPTORS = 3072, FRONT_DESCRIPTORS = 256 };

static const char *const names[ROLES] = { [ROLE_STORE] = "store", [ROLE_MX] = "mx", [ROLE_USER] = "user" };

const char *role_name(enum role r)
{
	return names[r];
}

void role_ids(enum role r, uid_t *uid, gid_t *gid)
{
	char name[32];

	snprintf(name, sizeof name, "hongyan-%s", names[r]);
	struct passwd *pw = getpwnam(name);
	*uid = pw ? pw->pw_uid : OWN_UID_BASE + (uid_t)r;
	*gid = pw ? pw->pw_gid : OWN_UID_BASE + (gid_t)r;
}

bool role_is_ours(uid_t uid)
{
	return uid == 0 || (uid >= OWN_UID_BASE && uid < OWN_UID_BASE + ROLES);
}

/// In the child between fork and exec: only calls that are safe there.
static void become_role(enum role r, const char *title, int exe, int dir_fd, int channel, uid_t uid, gid_t gid)
{
	char *argv[] = { (char *)(uintptr_t)title, (char *)(uintptr_t) "--role", (char *)(uintptr_t)names[r], NULL };
	sigset_t none;

	// Ctrl-C and systemd signal all processes: only the master hears them, and tells the roles how to end
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL); // a role must not outlive its master: the next one takes the data lock
	if (dir_fd >= 0 && fchdir(dir_fd) < 0)
		_exit(101);
	if (dir_fd < 0 && chdir("/") < 0)
		_exit(102);
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0))
		_exit(103);
	prctl(PR_SET_PDEATHSIG, SIGKILL); // changing the user cleared it
	if (channel == CHANNEL_FD ? fcntl(channel, F_SETFD, 0) < 0 : dup2(channel, CHANNEL_FD) < 0)
		_exit(104);
	execveat(exe, "", argv, environ, AT_EMPTY_PATH);
	_exit(105);
}

enum ec role_spawn(struct cx *cx, enum role r, unsigned number, int dir_fd, pid_t *pid, int *channel)
{
	char title[64];
	struct stat st;
	uid_t uid;
	gid_t gid;
	int pair[2];
	enum ec e = wire_pair(cx, pair);

	if (e != E_OK)
		return e;
	role_ids(r, &uid, &gid);
	if (r == ROLE_STORE && fstat(dir_fd, &st) == 0) {
		uid = st.st_uid;
		gid = st.st_gid;
	}
	snprintf(title, sizeof title, r == ROLE_STORE ? "hongyan: %s" : "hongyan: front %s %u", names[r], number);
	// opened while we may: after the change of user /proc/self/exe is not ours to read
	int exe = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	pid_t child = exe >= 0 ? fork() : -1;
	if (child == 0)
		become_role(r, title, exe, dir_fd, pair[1], uid, gid);
	int err = errno;
	if (exe >= 0)
		close(exe);
	close(pair[1]);
	if (child < 0) {
		close(pair[0]);
		errno = err;
		return fail(cx, E_IO, "starting role %s: %m", names[r]);
	}
	*pid = child;
	*channel = pair[0];
	return E_OK;
}

static enum log_level level_named(struct sl name)
{
	static const char *const levels[] = { "debug", "info", "notice", "warn", "error" };

	for (unsigned i = 0; i < ARRAY_N(levels); i++)
		if (sl_eq(name, sl_cstr(levels[i])))
			return (enum log_level)i;
	return LOG_INFO;
}

void role_check_descriptors(struct cx *cx, const struct config *config)
{
	rlim_t front = (rlim_t)config->sessions_max + FRONT_DESCRIPTORS;
	rlim_t need = front > STORE_DESCRIPTORS ? front : STORE_DESCRIPTORS;
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_max < need)
		LOG(cx, LOG_WARN, "descriptors.few", kv_u("limit", l.rlim_max), kv_u("need", need),
			kv_sl("do", SL("raise LimitNOFILE (ulimit -n) or lower sessions_max")));
}

/// Each session and each stream of a body holds a descriptor: as many as the system allows. Where those are few, the
/// master has said so.
static void raise_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

enum ec role_begin(struct cx *cx, enum role r, struct buf *memory, struct bundle *bundle, struct config *config)
{
	struct channel_message m;
	struct buf why = BUF(4096);
	int fd;

	log_setup(names[r], LOG_INFO);
	enum ec e = channel_wait(cx, CHANNEL_FD, BEGIN_MS, &m, &fd);
	if (e == E_OK && m.word == CHAN_FIGURES) { // from a server; a command's own store counts for itself
		e = figures_begin(cx, fd);
		if (e == E_OK)
			e = channel_wait(cx, CHANNEL_FD, BEGIN_MS, &m, &fd);
	}
	if (e == E_OK && m.word != CHAN_BUNDLE)
		e = fail(cx, E_CORRUPT, "the master's first message is no bundle");
	if (e == E_OK)
		e = bundle_receive(cx, fd, memory, bundle);
	if (e == E_OK)
		e = config_parse(cx, bundle->path, bundle->text, config, &why);
	if (e == E_OK)
		log_setup(names[r], level_named(config->log_level));
	if (e == E_OK)
		raise_descriptors();
	buf_free(&why);
	return e;
}

void role_failed(struct cx *cx, enum ec e)
{
	struct channel_message m = { .word = CHAN_FAILED, .a = e };

	log_failure(cx, LOG_ERROR, "role.failed", e);
	cx_story(cx, m.text, sizeof m.text);
	if (channel_send(NULL, CHANNEL_FD, &m, -1) != E_OK)
		return; // the master is gone too
}

enum ec role_confine(struct cx *cx, enum role r, const struct config *config)
{
	enum sandbox_mode mode = sl_eq(config->sandbox, SL("off"))       ? SANDBOX_OFF
	                         : sl_eq(config->sandbox, SL("require")) ? SANDBOX_REQUIRE
	                                                                 : SANDBOX_AUTO;
	const char *missing;
	enum ec e = sandbox_enter(cx, r == ROLE_STORE ? SANDBOX_STORE : SANDBOX_FRONT, mode, &missing);

	if (e == E_OK && *missing)
		LOG(NULL, LOG_WARN, "sandbox.partial", kv_word("missing", missing));
	return e;
}
