/// What a role can no longer do once its doors are closed. Each attempt runs in a process of its own that enters the
/// sandbox as a front or as the store.
///
/// Every case also runs without the sandbox where it must succeed (`free_too`), so that a refusal is the sandbox's and
/// not the machine's.
#include "main/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/board.h"
#include "base/check.h"
#include "base/num.h"

enum { GONE_WELL = 0, DIED = 255 }; // what came of an attempt, besides an errno

static int before; // a socket from before the doors closed
static int folder; // and the folder /
static char outside[] = "/tmp/hongyan-outside-XXXXXX", inside[] = "/tmp/hongyan-inside-XXXXXX";

static int came(long rc)
{
	return rc < 0 ? errno : GONE_WELL;
}

// ---- attempts

static int open_outside(void)
{
	return came(open(outside, O_RDONLY));
}
static int open_outside_to_write(void)
{
	return came(open(outside, O_WRONLY));
}
static int open_creating(void)
{
	return came(open("/tmp/hongyan-sandbox-new", O_CREAT | O_EXCL | O_WRONLY, 0600));
}
static int open_proc(void)
{
	return came(open("/proc/self/maps", O_RDONLY));
}
static int open_passwords(void)
{
	return came(open("/etc/passwd", O_RDONLY));
}
static int open_by_openat(void)
{
	return came(openat(AT_FDCWD, outside, O_RDONLY));
}
/// A folder that was opened before the doors closed is no way around them.
static int open_below_folder(void)
{
	return came(openat(folder, "etc/passwd", O_RDONLY));
}
static int open_above(void)
{
	return came(open("../../etc/passwd", O_RDONLY));
}
static int open_own_memory(void)
{
	return came(open("/proc/self/mem", O_RDWR));
}
static int open_memory_of_parent(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/mem", (int)getppid());
	return came(open(path, O_RDONLY));
}
static int open_environment_of_parent(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/environ", (int)getppid());
	return came(open(path, O_RDONLY));
}
static int open_descriptor_again(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", folder);
	return came(open(path, O_RDONLY | O_DIRECTORY));
}
static int read_kept_link(void)
{
	return came(symlink("/etc/passwd", "linked"));
}
static int open_by_openat2(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { O_RDONLY, 0, 0 };

	return came(syscall(SYS_openat2, AT_FDCWD, outside, &how, sizeof how));
}
static int list_root(void)
{
	return came(open("/", O_RDONLY | O_DIRECTORY));
}
static int open_inside(void)
{
	return came(open("file", O_CREAT | O_RDWR, 0600));
}
static int folder_inside(void)
{
	return came(mkdir("folder", 0700));
}
static int rename_inside(void)
{
	return came(rename("kept", "renamed"));
}
static int truncate_outside(void)
{
	return came(truncate(outside, 0));
}
static int chmod_outside(void)
{
	return came(chmod(outside, 0644));
}
static int unlink_outside(void)
{
	return came(unlink(outside));
}
static int link_outside(void)
{
	return came(link(outside, "linked"));
}
static int socket_inet(void)
{
	return came(socket(AF_INET, SOCK_STREAM, 0));
}
static int socket_unix(void)
{
	return came(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int socket_pair(void)
{
	int pair[2];

	return came(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}
static int connect_before(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = 9, .sin_addr = { htonl(INADDR_LOOPBACK) } };

	return came(connect(before, (struct sockaddr *)&to, sizeof to));
}
static int bind_before(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };

	return came(bind(before, (struct sockaddr *)&to, sizeof to));
}
static int exec(void)
{
	char *argv[] = { (char *)(uintptr_t) "true", NULL };

	return came(execve("/bin/true", argv, argv + 1));
}
static int exec_at(void)
{
	char *argv[] = { (char *)(uintptr_t) "true", NULL };

	return came(syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, argv + 1, 0));
}
static int new_process(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return came(pid);
}
static int new_process_by_clone3(void)
{
	uint64_t args[8] = { 0, 0, 0, 0, SIGCHLD };
	long pid = syscall(SYS_clone3, args, sizeof args);

	if (pid == 0)
		_exit(0);
	return came(pid);
}
static void *nothing(void *arg)
{
	return arg;
}
static int new_thread(void)
{
	pthread_t t;
	int e = pthread_create(&t, NULL, nothing, NULL);

	return e ? e : pthread_join(t, NULL);
}
static int trace_me(void)
{
	return came(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}
static int kill_parent(void)
{
	return came(kill(getppid(), 0));
}
static int tgkill_parent(void)
{
	return came(syscall(SYS_tgkill, getppid(), getppid(), 0));
}
static int tgkill_self(void)
{
	return came(syscall(SYS_tgkill, getpid(), gettid(), 0));
}
static int queue_signal(void)
{
	siginfo_t info = { .si_code = SI_QUEUE };

	return came(syscall(SYS_rt_sigqueueinfo, getpid(), SIGURG, &info));
}
static int own_signal(void)
{
	return came(fcntl(before, F_SETOWN, getppid()));
}
static int limit_parent(void)
{
	struct rlimit r;

	return came(prlimit(getppid(), RLIMIT_CPU, NULL, &r));
}
static int limit_self(void)
{
	struct rlimit r;

	return came(getrlimit(RLIMIT_NOFILE, &r));
}
static int open_pid(void)
{
	return came(syscall(SYS_pidfd_open, getpid(), 0));
}
static int read_memory(void)
{
	uint8_t a[4] = { 0 }, b[4];
	struct iovec from = { a, 4 }, to = { b, 4 };

	return came(process_vm_readv(getpid(), &to, 1, &from, 1, 0));
}
static int write_memory(void)
{
	return came(process_vm_writev(getpid(), NULL, 0, NULL, 0, 1)); // EINVAL where the call is there
}
static int take_descriptor(void)
{
	return came(syscall(SYS_pidfd_getfd, -1, 0, 0)); // EBADF where it is there, as the next three
}
static int signal_by_descriptor(void)
{
	return came(syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0));
}
static int enter_ring(void)
{
	return came(syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0));
}
static int register_ring(void)
{
	return came(syscall(SYS_io_uring_register, -1, 0, NULL, 0));
}
static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}
static int map_data(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}
static int make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? GONE_WELL : came(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}
/// Memory that has a file behind it, and no name.
static int map_code_of_memfd(void)
{
	int fd = memfd_create("x", 0);

	if (fd < 0 || ftruncate(fd, 4096) != 0)
		return errno;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : GONE_WELL;
}
static int make_code_by_key(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? GONE_WELL : came(syscall(SYS_pkey_mprotect, p, 4096, PROT_READ | PROT_EXEC, -1));
}
/// mmap with the flag that makes all that may be read executable.
static int change_personality(void)
{
	return came(personality(READ_IMPLIES_EXEC));
}
static int watch_faults(void)
{
	return came(syscall(SYS_userfaultfd, O_CLOEXEC | 1)); // UFFD_USER_MODE_ONLY
}
static int mount_here(void)
{
	return came(mount("none", ".", "tmpfs", 0, NULL));
}
static int trace_parent(void)
{
	return came(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL));
}
static int read_memory_of_parent(void)
{
	uint8_t a[4] = { 0 };
	struct iovec from = { (void *)(uintptr_t)outside, 4 }, to = { a, 4 };

	return came(process_vm_readv(getppid(), &to, 1, &from, 1, 0));
}
static int kill_all(void)
{
	return came(kill(-1, 0));
}
static int become_group(void)
{
	return came(setresgid(getgid(), getgid(), getgid()));
}
static int drop_groups(void)
{
	return came(setgroups(0, NULL));
}
static int listen_before(void)
{
	return came(listen(before, 1)); // EOPNOTSUPP where the call is there
}
static int make_memfd(void)
{
	return came(memfd_create("x", 0));
}
static int ring(void)
{
	uint8_t params[256] = { 0 };

	return came(syscall(SYS_io_uring_setup, 4, params));
}
static int new_namespace(void)
{
	return came(syscall(SYS_unshare, 0x10000000)); // CLONE_NEWUSER
}
static int become_root(void)
{
	return came(setuid(getuid()));
}
static int is_dumpable(void)
{
	return prctl(PR_GET_DUMPABLE) == 0 ? EPERM : GONE_WELL;
}
static int may_gain(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? EPERM : GONE_WELL;
}
#ifdef __x86_64__
static int old_fork(void)
{
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return came(pid);
}
/// The same kernel by its other doors, whose numbers mean other calls.
static int by_x32(void)
{
	return came(syscall(0x40000000 | SYS_socket, AF_INET, SOCK_STREAM, 0));
}
static int by_int80(void)
{
	int rc = 359; // socket, in the numbers of i386

	__asm__ volatile("int $0x80" : "+a"(rc) : "b"(AF_INET), "c"(SOCK_STREAM), "d"(0) : "memory");
	return rc < 0 ? -rc : GONE_WELL;
}
#endif

enum { FRONT = 1 << SANDBOX_FRONT, STORE = 1 << SANDBOX_STORE, BOTH = FRONT | STORE };
static const struct {
	const char *name;
	int (*attempt)(void);
	unsigned refused; // to whom; the others must succeed
	bool needs_files; // the refusal to the store is Landlock's
	bool free_too;    // succeeds without a sandbox, wherever this runs
} cases[] = {
	{ "open a file outside", open_outside, BOTH, true, true },
	{ "open a file outside to write", open_outside_to_write, BOTH, true, true },
	{ "make a file outside", open_creating, BOTH, true, false },
	{ "open in /proc", open_proc, BOTH, true, true },
	{ "/etc/passwd", open_passwords, BOTH, true, true },
	{ "openat", open_by_openat, BOTH, true, true },
	{ "below a folder from before", open_below_folder, BOTH, true, true },
	{ "above the own folder", open_above, BOTH, true, true },
	{ "/proc/self/mem", open_own_memory, BOTH, true, true },
	{ "memory of the parent", open_memory_of_parent, BOTH, true, false },
	{ "environment of the parent", open_environment_of_parent, BOTH, true, true },
	{ "a descriptor opened again", open_descriptor_again, BOTH, true, true },
	{ "symbolic link", read_kept_link, BOTH, false, true },
	{ "openat2", open_by_openat2, BOTH, true, true },
	{ "list /", list_root, BOTH, true, true },
	{ "a file in the own folder", open_inside, FRONT, false, true },
	{ "a folder in the own folder", folder_inside, FRONT, false, true },
	{ "rename in the own folder", rename_inside, FRONT, false, true },
	{ "truncate outside", truncate_outside, BOTH, false, true },
	{ "chmod outside", chmod_outside, BOTH, false, true },
	{ "unlink outside", unlink_outside, BOTH, true, true },
	{ "link to the outside", link_outside, BOTH, false, true },
	{ "socket of the internet", socket_inet, BOTH, false, true },
	{ "socket of the machine", socket_unix, BOTH, false, true },
	{ "pair of sockets", socket_pair, FRONT, false, true },
	{ "connect", connect_before, BOTH, false, true },
	{ "bind", bind_before, BOTH, false, true },
	{ "execve", exec, BOTH, false, true },
	{ "execveat", exec_at, BOTH, false, true },
	{ "a new process", new_process, BOTH, false, true },
	{ "a new process by clone3", new_process_by_clone3, BOTH, false, false },
	{ "a new thread", new_thread, 0, false, true },
	{ "ptrace", trace_me, BOTH, false, false },
	{ "kill", kill_parent, BOTH, false, true },
	{ "tgkill of another", tgkill_parent, BOTH, false, true },
	{ "tgkill of oneself", tgkill_self, 0, false, true },
	{ "rt_sigqueueinfo", queue_signal, BOTH, false, true },
	{ "signals by a descriptor", own_signal, BOTH, false, true },
	{ "limits of another", limit_parent, BOTH, false, true },
	{ "limits of oneself", limit_self, 0, false, true },
	{ "pidfd_open", open_pid, BOTH, false, false },
	{ "process_vm_readv", read_memory, BOTH, false, false },
	{ "process_vm_writev", write_memory, BOTH, false, false },
	{ "pidfd_getfd", take_descriptor, BOTH, false, false },
	{ "pidfd_send_signal", signal_by_descriptor, BOTH, false, false },
	{ "io_uring_enter", enter_ring, BOTH, false, false },
	{ "io_uring_register", register_ring, BOTH, false, false },
	{ "mmap of code", map_code, BOTH, false, true },
	{ "mmap of data", map_data, 0, false, true },
	{ "mprotect to code", make_code, BOTH, false, true },
	{ "pkey_mprotect to code", make_code_by_key, BOTH, false, false },
	{ "mmap of code of a memfd", map_code_of_memfd, BOTH, false, true },
	{ "personality", change_personality, BOTH, false, true },
	{ "userfaultfd", watch_faults, BOTH, false, false },
	{ "mount", mount_here, BOTH, false, false },
	{ "ptrace of the parent", trace_parent, BOTH, false, false },
	{ "process_vm_readv of the parent", read_memory_of_parent, BOTH, false, false },
	{ "kill of all", kill_all, BOTH, false, true },
	{ "setresgid", become_group, BOTH, false, true },
	{ "setgroups", drop_groups, BOTH, false, false },
	{ "listen", listen_before, BOTH, false, false },
	{ "memfd_create", make_memfd, FRONT, false, true },
	{ "io_uring_setup", ring, BOTH, false, false },
	{ "unshare", new_namespace, BOTH, false, false },
	{ "setuid", become_root, BOTH, false, true },
	{ "dumpable", is_dumpable, BOTH, false, true },
	{ "new privileges", may_gain, BOTH, false, false },
#ifdef __x86_64__
	{ "fork by its old number", old_fork, BOTH, false, true },
	{ "socket by x32", by_x32, BOTH, false, false },
	{ "socket by int 0x80", by_int80, BOTH, false, false },
#endif
};

/// What happens in a new process; role < 0: without a sandbox. out: GONE_WELL, an errno, or DIED.
static int attempt_as(int role, int (*attempt)(void), const char **missing)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct cx cx = { 0 };
		const char *lacks = "";
		if (chdir(inside) != 0 ||
			(role >= 0 && sandbox_enter(&cx, (enum sandbox_role)role, SANDBOX_AUTO, &lacks) != E_OK))
			_exit(254);
		_exit(attempt ? attempt() & 0xff : strlen(lacks) == 0 ? 0 : strstr(lacks, "seccomp") ? 2 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (missing)
		*missing = WEXITSTATUS(status) == 2 ? "seccomp" : WEXITSTATUS(status) == 1 ? "Landlock" : "";
	return WIFEXITED(status) ? WEXITSTATUS(status) : DIED;
}

/// A fresh world for each attempt.
static void arrange(void)
{
	char path[64];
	int fd = open(outside, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	assert_true(fd >= 0 && write(fd, "kept", 4) == 4);
	close(fd);
	close(before);
	before = socket(AF_INET, SOCK_DGRAM, 0);
	chmod(outside, 0600);
	snprintf(path, sizeof path, "%s/folder", inside);
	rmdir(path);
	for (const char *const *name = (const char *const[]){ "file", "renamed", "linked", NULL }; *name; name++) {
		snprintf(path, sizeof path, "%s/%s", inside, *name);
		unlink(path);
	}
	snprintf(path, sizeof path, "%s/kept", inside);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void check_untouched(const char *name)
{
	struct stat st;

	CHECK(stat(outside, &st) == 0 && st.st_size == 4 && (st.st_mode & 0777) == 0600, name);
	CHECK(access("/tmp/hongyan-sandbox-new", F_OK) != 0, name);
}

static int begin(void **state)
{
	(void)state;
	before = socket(AF_INET, SOCK_DGRAM, 0);
	folder = open("/", O_RDONLY | O_DIRECTORY);
	int fd = mkstemp(outside);
	if (before < 0 || folder < 0 || fd < 0 || !mkdtemp(inside))
		return 1;
	close(fd);
	return 0;
}

static int end(void **state)
{
	char path[64];

	(void)state;
	arrange();
	snprintf(path, sizeof path, "%s/kept", inside);
	unlink(path);
	rmdir(inside);
	unlink(outside);
	close(before);
	close(folder);
	return 0;
}

static void test_without(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		if (!cases[i].free_too)
			continue;
		arrange();
		CHECK(attempt_as(-1, cases[i].attempt, NULL) == GONE_WELL, cases[i].name);
	}
}

/// Refused by the sandbox, and not because the attempt made no sense.
static bool is_refusal(int got)
{
	return got == EPERM || got == EACCES || got == EXDEV || got == ENOSYS || got == DIED;
}

static void try_role(enum sandbox_role role)
{
	const char *missing;

	assert_int_not_equal(attempt_as((int)role, NULL, &missing), 254);
	if (strcmp(missing, "seccomp") == 0)
		skip(); // this machine has no filter; serving says so in a warning
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		bool refused = cases[i].refused >> role & 1;
		if (*missing && cases[i].needs_files && role == SANDBOX_STORE)
			continue; // no Landlock here
		arrange();
		int got = attempt_as((int)role, cases[i].attempt, NULL);
		CHECK(refused ? is_refusal(got) : got == GONE_WELL, cases[i].name);
		if (refused)
			check_untouched(cases[i].name);
	}
}

static void test_front(void **state)
{
	(void)state;
	try_role(SANDBOX_FRONT);
}

static void test_store(void **state)
{
	(void)state;
	try_role(SANDBOX_STORE);
}

// ---- figures: the board is everybody's to read and nobody's to write, with a sandbox and without

static int board_fd = -1, page_fd = -1;

static int read_board(void)
{
	const struct board *b;

	return board_map(NULL, board_fd, &b) == E_OK && board_get(&b->role[0], FIG_JOBS, 0, 0) == 7 ? GONE_WELL
	                                                                                            : EINVAL;
}
static int count_on_own_page(void)
{
	if (figures_begin(NULL, dup(page_fd)) != E_OK)
		return EINVAL;
	figure_add(FIG_JOBS, 0, 1);
	return figure_get(FIG_JOBS, 0) > 0 ? GONE_WELL : EINVAL;
}
static int map_board(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, board_fd, 0);

	return p == MAP_FAILED ? errno : GONE_WELL;
}
static int unprotect_board(void)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, board_fd, 0);

	return p == MAP_FAILED ? GONE_WELL : came(mprotect(p, 4096, PROT_READ | PROT_WRITE));
}
static int write_board(void)
{
	return came(pwrite(board_fd, "x", 1, 0));
}
static int empty_board(void)
{
	return came(fallocate(board_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
}
static int shrink_board(void)
{
	return came(ftruncate(board_fd, 0));
}
static int reopen_board(void)
{
	char name[64];

	snprintf(name, sizeof name, "/proc/self/fd/%d", board_fd);
	int fd = open(name, O_RDWR);
	if (fd < 0)
		return errno;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? errno : GONE_WELL;
}

static void test_figures(void **state)
{
	static int (*const refused[])(
		void) = { map_board, unprotect_board, write_board, empty_board, shrink_board, reopen_board };
	struct board *b;

	(void)state;
	assert_int_equal(board_new(NULL, 2, &board_fd, &b), E_OK);
	assert_int_equal(figures_new(NULL, &page_fd), E_OK);
	b->role[0].figures.place[AT_JOBS] = 7;
	for (int role = -1; role <= SANDBOX_STORE; role++) {
		assert_int_equal(attempt_as(role, read_board, NULL), GONE_WELL);
		assert_int_equal(attempt_as(role, count_on_own_page, NULL), GONE_WELL);
		for (size_t i = 0; i < ARRAY_N(refused); i++)
			assert_true(is_refusal(attempt_as(role, refused[i], NULL)));
	}
	assert_int_equal(board_get(&b->role[0], FIG_JOBS, 0, 0), 7);
	board_unmap(b);
	close(board_fd);
	close(page_fd);
}

/// `sandbox = off` keeps its promise too, and still gives away nothing to set-user-id programs.
static void test_off(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct cx cx = { 0 };
		const char *missing;
		enum ec e = sandbox_enter(&cx, SANDBOX_FRONT, SANDBOX_OFF, &missing);
		_exit(e == E_OK && open_outside() == GONE_WELL && may_gain() == EPERM ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_front),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_off),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
