/// commands — the table of the command line: words, options, sentences, examples.
#include "main/commands.h"

static const struct cli_option init_options[] = {
	{ "domain", "NAME", "the domain whose mail is kept here (needed)" },
	{ "hostname", "NAME", "this server's own name (default: mail.DOMAIN)" },
	{ "port-base", "N", "listen on N + the standard port of each service (10000: 10025, 10143 …); default 0" },
	{ "listen", "ADDR", "listen on this address only (default: every address)" },
	{ "postmaster", "ADDRESS",
		"who gets mail for postmaster and abuse (default: postmaster@DOMAIN, made without a password)" },
	{ 0 },
};
static const struct cli_option domain_add_options[] = {
	{ "alias-of", "DOMAIN", "every address in the new domain means the same address in DOMAIN" },
	{ 0 },
};
static const struct cli_option user_add_options[] = {
	{ "password-stdin", NULL, "read the password from the first line of standard input" },
	{ "no-password", NULL, "an account that receives mail and that nobody can log in to" },
	{ "quota", "SIZE", "storage, like 2G; 0 is without limit (default: quota in the configuration)" },
	{ "quota-messages", "N", "number of messages; 0 is without limit" },
	{ 0 },
};
static const struct cli_option passwd_options[] = {
	{ "password-stdin", NULL, "read the password from the first line of standard input" },
	{ 0 },
};
static const struct cli_option user_set_options[] = {
	{ "quota", "SIZE", "storage, like 2G; 0 is without limit" },
	{ "quota-messages", "N", "number of messages; 0 is without limit" },
	{ "imap", "on|off", "reading with IMAP" },
	{ "pop3", "on|off", "fetching with POP3" },
	{ "send", "on|off", "sending" },
	{ "pop3-retr", "keep|delete|archive", "what happens to a message that POP3 has fetched" },
	{ 0 },
};
static const struct cli_option alias_add_options[] = {
	{ "replace", NULL, "replace the targets of an alias that exists" },
	{ 0 },
};
static const struct cli_option import_options[] = {
	{ "user", "ADDRESS", "whose mailbox (needed)" },
	{ "mailbox", "NAME",
		"into which mailbox, made where missing; folders of a Maildir go below it (default: INBOX)" },
	{ "skip", "N", "leave out the first N messages: an earlier try, that was stopped, brought them in" },
	{ 0 },
};
static const struct cli_option mailbox_restore_options[] = {
	{ "as", "NAME", "under another name" },
	{ "number", "N", "of several that had the same name this one, as `mailbox deleted` lists it" },
	{ 0 },
};
static const struct cli_option export_options[] = {
	{ "user", "ADDRESS", "whose mail (needed)" },
	{ "mailbox", "NAME", "only this mailbox (default: all)" },
	{ 0 },
};

static const struct cli_option backup_options[] = {
	{ "verify", NULL,
		"read what is in DIR already, compare it with the store, and copy anew what is damaged in DIR" },
	{ 0 },
};
static const struct cli_option restore_options[] = {
	{ "damaged", NULL, "bring files of the backup back that are damaged, too, as far as they can be read" },
	{ 0 },
};

const struct cli_command cli_commands[] = {
	{ "init", NULL, "DIR --domain NAME [options]", "Make a new installation in DIR; never overwrites.",
		"  hongyan init /srv/mail --domain example.com\n"
		"  hongyan init demo --domain example.test --port-base 10000 --listen 127.0.0.1\n",
		init_options, 1, 1, true, cmd_init },
	{ "serve", NULL, "",
		"Run the server in the foreground until SIGTERM; SIGHUP reloads configuration and certificates.",
		"  hongyan -c demo/hongyan.conf serve\n", NULL, 0, 0, false, cmd_serve },
	{ "stats", NULL, "", "Show the figures of the running server: rates, latencies, sessions, queues.",
		"  hongyan stats\n  hongyan --json stats\n", NULL, 0, 0, false, cmd_stats },
	{ "top", NULL, "", "Watch the running server; q ends. Where the output is no terminal, one picture.",
		"  hongyan top\n", NULL, 0, 0, false, cmd_top },
	{ "domain", "add", "NAME [--alias-of DOMAIN]", "Add a domain whose mail is kept here.",
		"  hongyan domain add example.com\n  hongyan domain add example.org --alias-of example.com\n",
		domain_add_options, 1, 1, false, cmd_change },
	{ "domain", "remove", "NAME", "Remove a domain that has no users or aliases left.",
		"  hongyan domain remove example.org\n", NULL, 1, 1, false, cmd_change },
	{ "domain", "list", "", "List the domains.", NULL, NULL, 0, 0, false, cmd_domain_list },
	{ "user", "add", "ADDRESS [options]", "Add a user; asks for the password on a terminal.",
		"  hongyan user add alice@example.com\n  echo secret | hongyan user add bob@example.com "
		"--password-stdin --quota 2G\n",
		user_add_options, 1, 1, false, cmd_change },
	{ "user", "remove", "ADDRESS", "Remove a user with all mail.", "  hongyan user remove bob@example.com\n", NULL,
		1, 1, false, cmd_change },
	{ "user", "list", "", "List the users with quota and switches.", "  hongyan --json user list\n", NULL, 0, 0,
		false, cmd_user_list },
	{ "user", "passwd", "ADDRESS [--password-stdin]", "Set a new password; sessions with the old one end.",
		"  hongyan user passwd alice@example.com\n", passwd_options, 1, 1, false, cmd_change },
	{ "user", "set", "ADDRESS [options]", "Change a user's quota and switches.",
		"  hongyan user set bob@example.com --quota 5G --pop3 off\n", user_set_options, 1, 1, false,
		cmd_change },
	{ "alias", "add", "ADDRESS TARGET...",
		"Deliver mail for ADDRESS to each TARGET; \"@domain\" catches all the rest.",
		"  hongyan alias add info@example.com alice@example.com bob@example.com\n"
		"  hongyan alias add @example.com alice@example.com\n",
		alias_add_options, 2, CLI_MANY, false, cmd_change },
	{ "alias", "remove", "ADDRESS", "Remove an alias.", "  hongyan alias remove info@example.com\n", NULL, 1, 1,
		false, cmd_change },
	{ "alias", "list", "", "List the aliases with their targets.", NULL, NULL, 0, 0, false, cmd_alias_list },
	{ "mailbox", "deleted", "ADDRESS", "List a user's mailboxes that were deleted and are still kept: for a week.",
		"  hongyan mailbox deleted alice@example.com\n", NULL, 1, 1, false, cmd_mailbox_deleted },
	{ "mailbox", "restore", "ADDRESS NAME [options]", "Bring a deleted mailbox back, with all that was in it.",
		"  hongyan mailbox restore alice@example.com Projects/2025\n"
		"  hongyan mailbox restore alice@example.com Projects --as Projects-old\n",
		mailbox_restore_options, 2, 2, false, cmd_mailbox_restore },
	{ "postmaster", NULL, "[ADDRESS]", "Show or set who gets mail for postmaster and abuse of every domain.",
		"  hongyan postmaster alice@example.com\n", NULL, 0, 1, false, cmd_postmaster },
	{ "store", "check", "",
		"Verify the whole store (log and index while no server runs); exit code 1 where something is wrong.",
		"  hongyan store check\n  hongyan --json store check\n", NULL, 0, 0, false, cmd_store_check },
	{ "store", "compact", "", "Give back the room of what was deleted, now; the server does so by itself, too.",
		"  hongyan store compact\n", NULL, 0, 0, false, cmd_store_compact },
	{ "store", "rebuild", "", "Make the index anew from the segments alone; the server must be stopped.",
		"  hongyan store rebuild\n", NULL, 0, 0, false, cmd_store_rebuild },
	{ "store", "stats", "", "Show figures of the store.", NULL, NULL, 0, 0, false, cmd_store_stats },
	{ "backup", NULL, "DIR",
		"Copy the whole store, also while it is served; a second time into DIR copies what is new.",
		"  hongyan backup /backup/mail\n  hongyan backup --verify /backup/mail\n", backup_options, 1, 1, false,
		cmd_backup },
	{ "restore", NULL, "DIR", "Bring a backup back, verified, into an installation without mail.",
		"  mkdir /srv/mail && cp /backup/mail/hongyan.conf /srv/mail/\n"
		"  hongyan -c /srv/mail/hongyan.conf restore /backup/mail\n",
		restore_options, 1, 1, false, cmd_restore },
	{ "config", "check", "", "Check the configuration and its certificates without starting anything.", NULL, NULL,
		0, 0, false, cmd_config_check },
	{ "config", "certificates", "",
		"Make the certificates that the configuration names and that are not there, as `init` does: for what "
		"was restored.",
		NULL, NULL, 0, 0, false, cmd_config_certificates },
	{ "config", "print", "", "Print every option with its value, its default and what it means.", NULL, NULL, 0, 0,
		false, cmd_config_print },
	{ "import", NULL, "FILE.mbox|MAILDIR|FILE.eml... --user ADDRESS [--mailbox NAME]",
		"Bring mail in, with its flags and dates.",
		"  hongyan import old.mbox --user alice@example.com --mailbox Archive/2019\n"
		"  hongyan import ~/Maildir --user alice@example.com\n",
		import_options, 1, CLI_MANY, false, cmd_import },
	{ "export", NULL, "DIR|FILE.mbox --user ADDRESS [--mailbox NAME]",
		"Write mail out, with its flags and dates: a Maildir (a folder per mailbox) or one mbox file (one "
		"mailbox after the other).",
		"  hongyan export alice-backup --user alice@example.com\n"
		"  hongyan export inbox.mbox --user alice@example.com --mailbox INBOX\n",
		export_options, 1, 1, false, cmd_export },
	{ 0 },
};
