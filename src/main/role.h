#pragma once
/// role — the life of a role process: how the master starts one, and what each does.
#include "base/cx.h"
#include "main/bundle.h"
#include "main/channel.h"

enum role { ROLE_STORE, ROLE_MX, ROLE_USER, ROLES };
/// "store", "mx", "user": in --role, log lines and user names (hongyan-store …).
const char *role_name(enum role r);

/// Starts one role of this binary in a new process, with one end of a channel as descriptor 3.
///
/// in:     role, number (shown in its process title); dir_fd — its working directory, or -1.
///         As root a front runs as its own user, hongyan-<role> where that exists, else a number of our own; the
///         store as the owner of its folder, so that what it writes stays his.
/// out:    *pid, *channel (the master's end).
/// errors: E_IO, E_TEMP.
[[nodiscard]] enum ec role_spawn(struct cx *cx, enum role r, unsigned number, int dir_fd, pid_t *pid, int *channel);
/// The user and group a role runs as when started by root.
void role_ids(enum role r, uid_t *uid, gid_t *gid);
/// Whether nobody in particular owns what this user owns: root, or one of the numbers of our own.
bool role_is_ours(uid_t uid);

/// Says in the log, for all roles at once, where a process may open fewer descriptors than its sessions need.
void role_check_descriptors(struct cx *cx, const struct config *config);

/// Bodies of the processes: they return the exit code. The channel is CHANNEL_FD.
int role_store_main(void);
int role_front_main(enum role r);

/// Waits for the bundle that comes first, parses it, sets up the log. *memory keeps what *bundle and *config point
/// into.
[[nodiscard]] enum ec role_begin(
	struct cx *cx, enum role r, struct buf *memory, struct bundle *bundle, struct config *config);
/// Tells the master why this role cannot work, and logs it.
void role_failed(struct cx *cx, enum ec e);
/// Enters the sandbox as the configuration says, warning where the kernel lacks parts.
[[nodiscard]] enum ec role_confine(struct cx *cx, enum role r, const struct config *config);
