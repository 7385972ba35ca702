/// sandbox — a deny list by seccomp, the file system by Landlock. Call it before the role starts threads.
///
/// Refused calls give EPERM, not death: a library that tries something optional goes on without it.
#include "main/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/num.h"

static const int denied_both[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(kill),
	SCMP_SYS(tkill),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(rt_sigqueueinfo),
	SCMP_SYS(rt_tgsigqueueinfo),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(socket),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(setuid),
	SCMP_SYS(setgid),
	SCMP_SYS(setreuid),
	SCMP_SYS(setregid),
	SCMP_SYS(setresuid),
	SCMP_SYS(setresgid),
	SCMP_SYS(setgroups),
	SCMP_SYS(personality),
	SCMP_SYS(quotactl),
	SCMP_SYS(sethostname),
	// What Landlock's first version does not cover: changing files by name without opening them.
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(truncate),
	SCMP_SYS(chmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(chown),
	SCMP_SYS(lchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(setxattr),
	SCMP_SYS(lsetxattr),
	SCMP_SYS(removexattr),
	SCMP_SYS(lremovexattr),
	SCMP_SYS(utimensat),
	SCMP_SYS(utimes),
	SCMP_SYS(utime),
	SCMP_SYS(futimesat),
	SCMP_SYS(link),
	SCMP_SYS(linkat),
	SCMP_SYS(symlink),
	SCMP_SYS(symlinkat),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
};

static const int denied_front[] = {
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(creat),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	SCMP_SYS(memfd_create),
	SCMP_SYS(socketpair),
};

static int deny_all(scmp_filter_ctx f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
		if (rc < 0 && rc != -EDOM) // EDOM: this processor has no such call
			return rc;
	}
	return 0;
}

/// Refuses to make memory executable: mmap and mprotect with PROT_EXEC.
static int deny_exec_memory(scmp_filter_ctx f)
{
	static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(pkey_mprotect) };

	for (size_t i = 0; i < ARRAY_N(calls); i++) {
		int rc = seccomp_rule_add(
			f, SCMP_ACT_ERRNO(EPERM), calls[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
		if (rc < 0 && rc != -EDOM)
			return rc;
	}
	return 0;
}

/// A new process is refused; a thread (CLONE_THREAD) is not. clone3 hides its flags in memory: ENOSYS makes libc use
/// clone.
static int deny_processes(scmp_filter_ctx f)
{
	enum { CLONE_THREAD_FLAG = 0x00010000 };
	int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD_FLAG, 0));
	return rc;
}

/// The role's own death by abort() uses tgkill with its own pid: allowed for that pid only. Limits of other processes
/// can end them too, and so can signals that a descriptor sends to its owner.
static int deny_foreign_signals(scmp_filter_ctx f)
{
	static const int owners[] = { F_SETOWN, F_SETOWN_EX };
	int rc = seccomp_rule_add(
		f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)(unsigned)getpid()));

	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_NE, 0));
	for (size_t i = 0; rc == 0 && i < ARRAY_N(owners); i++)
		rc = seccomp_rule_add(
			f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)owners[i]));
	return rc;
}

static bool seccomp_enter(enum sandbox_role role)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = f ? 0 : -ENOMEM;

	if (rc == 0)
		rc = deny_all(f, denied_both, ARRAY_N(denied_both));
	if (rc == 0 && role == SANDBOX_FRONT)
		rc = deny_all(f, denied_front, ARRAY_N(denied_front));
	if (rc == 0)
		rc = deny_exec_memory(f);
	if (rc == 0)
		rc = deny_processes(f);
	if (rc == 0)
		rc = deny_foreign_signals(f);
	if (rc == 0)
		rc = seccomp_load(f);
	if (f)
		seccomp_release(f);
	return rc == 0;
}

/// Every right of the first Landlock version: what is not named in a rule is refused.
static const uint64_t fs_rights =
	LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
	LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
	LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
	LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
	LANDLOCK_ACCESS_FS_MAKE_SYM;

static bool allow_beneath(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights,
		.parent_fd = open(path, O_PATH | O_CLOEXEC) };
	bool ok = rule.parent_fd >= 0 &&
	          syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;

	if (rule.parent_fd >= 0)
		close(rule.parent_fd);
	return ok;
}

/// The store may do everything but devices and programs beneath its working directory, and ask whether the machine was
/// started anew.
static bool allow_store(int ruleset)
{
	return allow_beneath(ruleset, ".",
		       LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
			       LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
			       LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR) &&
	       allow_beneath(ruleset, "/proc/sys/kernel/random/boot_id", LANDLOCK_ACCESS_FS_READ_FILE);
}

static bool landlock_enter(enum sandbox_role role)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = fs_rights };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	bool ok = ruleset >= 0 && (role == SANDBOX_FRONT || allow_store(ruleset)) &&
	          syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;

	if (ruleset >= 0)
		close(ruleset);
	return ok;
}

enum ec sandbox_enter(struct cx *cx, enum sandbox_role role, enum sandbox_mode mode, const char **missing)
{
	*missing = "";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(cx, E_IO, "no_new_privs: %m");
	if (mode == SANDBOX_OFF)
		return E_OK;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	bool landlock = landlock_enter(role);
	bool seccomp = seccomp_enter(role);
	if (!landlock || !seccomp)
		*missing = landlock ? "seccomp" : seccomp ? "Landlock" : "Landlock and seccomp";
	if (mode == SANDBOX_REQUIRE && **missing)
		return fail(cx, E_UNSUPPORTED, "sandbox = require, but this kernel refuses %s", *missing);
	return E_OK;
}
