#pragma once
/// config — hongyan.conf: one table row per option, from which parser, range checks, `config print` and the manual are
/// made.
///
/// The text is libconfuse syntax (`name = value`). Domains, users and aliases are data in the store, not configuration.
/// Unknown names are errors with a guess. A parsed configuration is immutable.
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cx.h"
#include "front/front.h"
#include "net/addr.h"

enum { CONFIG_LIST_MAX = 32 };
struct config_list {
	struct sl item[CONFIG_LIST_MAX];
	size_t n;
};

struct config {
	struct arena memory; // every text below
	struct sl hostname;
	struct config_list listen;
	int64_t port[PORT_KINDS]; // 0 = off
	struct config_list lmtp_listen, metrics_listen;
	struct config_list certificates; // "chain.pem" or "chain.pem key.pem" each
	struct sl data, run;             // folders
	int64_t message_max, recipients_max;
	struct sl bare_newline, quota_full, plain_login, sandbox, log_level;
	bool pop3_lock, scram;
	int64_t quota_octets, quota_messages; // of a new user; 0 = none
	struct config_list proxy_networks;
	int64_t fronts; // user fronts; 0 = one per core
	int64_t sessions_max, sessions_ip_max, sessions_user_ip_max;
	int64_t disk_reserve;
};

/// Parses `text`, which came from `path` (for messages and for relative file names).
///
/// out:    *out — free with config_free; written on E_OK only.
/// errors: E_SYNTAX — `why` says file, line, what is wrong and a guess, one line each problem.
[[nodiscard]] enum ec config_parse(struct cx *cx, struct sl path, struct sl text, struct config *out, struct buf *why);
void config_free(struct config *c);
/// What parses and surely is not meant: an option given twice, two services on one port. Appends a line for each to
/// *why.
void config_doubts(const struct config *c, struct sl path, struct sl text, struct buf *why);
/// Where a service listens.
const struct config_list *config_listen(const struct config *c, enum port_kind kind);
/// At a reload: what needs a restart keeps the old value.
///
/// out:    *names gets the names of those options that differ, with blanks between.
/// errors: E_TEMP.
[[nodiscard]] enum ec config_keep(struct cx *cx, struct config *fresh, const struct config *old, struct buf *names);
/// Why nobody can log in, in the operator's words: without a certificate there is no TLS, and `plain_login` asks for
/// it. NULL where somebody can.
const char *config_shut(const struct config *c);
/// Appends every option with its value, its default and its sentence: as a commented file, or as JSON.
void config_print(struct buf *b, const struct config *c, bool json);
/// Appends the options' part of the manual page (roff).
void config_manual(struct buf *b);
/// `file` as seen from the configuration's folder, where it is not absolute. Owned by c->memory. Empty on a spent
/// budget.
struct sl config_file(struct config *c, struct sl path, struct sl file);
