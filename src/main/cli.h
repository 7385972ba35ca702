#pragma once
/// cli — the command line: a table of commands, their options, and a connection to the store.
///
/// Exit codes: 0 done, 1 not done (one line on standard error says why and what to do), 2 the words were wrong.
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "base/cx.h"
#include "ipc/client.h"
#include "main/place.h"

enum { CLI_MANY = INT_MAX, CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/// An option of a command: "--name VALUE", or "--name" alone where `value` is NULL.
struct cli_option {
	const char *name, *value, *sentence;
};

struct cli;
struct cli_command {
	const char *group, *verb; // "user" "add"; verb NULL: the group is the whole command
	const char *arguments;    // for the usage line
	const char *sentence;
	const char *examples;             // lines, each with two leading blanks
	const struct cli_option *options; // ends with a name of NULL; may be NULL
	int min_args, max_args;           // words besides options; CLI_MANY: as many as the system hands over
	bool no_place;                    // works without a configuration
	int (*run)(struct cx *cx, struct cli *cli);
};
/// Every command, ending with a group of NULL.
extern const struct cli_command cli_commands[];

/// One parsed command line.
struct cli {
	const struct cli_command *command;
	const char *conf; // -c
	bool json;
	char **arg; // the words besides options: the front of argv, where they were moved together
	int n_args;
	const char *set[16]; // values of command->options by index; "" for one without value; NULL = not given
	struct place place;  // open unless no_place
	void *own;           // the running command's
};
/// The value of an option of the running command, NULL where it was not given.
const char *cli_get(const struct cli *cli, const char *name);
/// A number or size option ("500M"); `otherwise` where not given. False, with words on standard error, where it is
/// wrong.
bool cli_get_size(const struct cli *cli, const char *name, uint64_t otherwise, uint64_t *out);

/// Finds the command, parses, runs. out: the exit code.
int cli_main(int argc, char **argv);

/// Prints "hongyan <command>: <words>" to standard error, with the story of cx in brackets where `cx` has one; returns
/// CLI_FAILED. With --json it is an object of one line: {"error": words, "code": name}. in: fmt — a text of text.def.
[[gnu::format(printf, 3, 4)]] int cli_fail(const struct cli *cli, const struct cx *cx, const char *fmt, ...);
/// The same for a failure whose code is known: `--json` tells it.
[[gnu::format(printf, 4, 5)]] int cli_fail_as(
	const struct cli *cli, const struct cx *cx, enum ec e, const char *fmt, ...);
/// Prints to standard output. in: fmt — a text of text.def.
[[gnu::format(printf, 1, 2)]] void cli_say(const char *fmt, ...);
/// Prints an object of jansson as one line to standard output, and ends it.
void json_puts(json_t *o);
/// What an error of the store means to the operator, as the end of a sentence: "does not exist".
const char *cli_words(enum ec e);

/// Puts a user's name into a field of a request, in the form in which logins ask for it (auth/saslprep.h).
/// errors: E_SYNTAX, E_TOOBIG (longer than `room`), E_TEMP.
[[nodiscard]] enum ec cli_user_field(struct sl name, uint16_t *n, uint8_t *p, size_t room);
/// The handle of a user's mail, as the operator has it. errors: those of cli_user_field and of verb admin_login.
FIB enum ec cli_handle(struct cx *cx, struct client *store, const char *user, struct handle *out);

/// Connects to a socket of the running server (place_socket). -1 where none answers: errno is EACCES where this
/// user may not see it.
int cli_connect(struct cx *cx, struct place *p, const char *name);

/// Work with the store: fn runs in a fiber with a connected client.
FIB typedef int cli_with(struct cx *cx, struct cli *cli, struct client *store);
/// Connects to the running server through its control socket or, where none runs, starts the store for this command
/// alone; runs fn; cleans up. out: what fn returned, or CLI_FAILED with words.
int cli_store(struct cx *cx, struct cli *cli, cli_with *fn);

/// Whether a server answers on this installation's control socket.
bool cli_server_runs(struct cx *cx, struct cli *cli);

/// A progress bar on standard error where a person watches (a terminal, not --json); otherwise nothing.
struct cli_progress {
	const char *what;
	bool on;
	int64_t last_ms, began_ms;
};
/// in: what — a text of text.def.
struct cli_progress cli_progress_begin(const struct cli *cli, const char *what);
void cli_progress_step(struct cli_progress *p, uint64_t done, uint64_t total);
void cli_progress_end(struct cli_progress *p);
