/// Whole IMAP sessions by script (see fake.h), each also with its input cut into pieces of one and of seven octets.

#include "base/check.h"
#include "base/num.h"
#include "front/imap/fake.h"

#define GREETING "S: * OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE *"
#define LOGIN    GREETING, "C: l LOGIN ann secret", "S: l OK [CAPABILITY IMAP4rev1 *"
#define SELECT                                                                                                     \
	LOGIN, "C: s SELECT INBOX", "S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",                  \
		"S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] *", "S: * 4 EXISTS", \
		"S: * 2 RECENT", "S: * OK [UNSEEN 2] *", "S: * OK [UIDVALIDITY 77] *", "S: * OK [UIDNEXT 8] *",    \
		"S: s OK [READ-WRITE] SELECT completed"
#define BYE "C: z LOGOUT", "S: * BYE *", "S: z OK *"

struct session_case {
	const char *name;
	const char *line[60];
	enum ec end;
};

static const struct session_case framing[] = {
	{ "literals in place", { GREETING, "C: l LOGIN {3}", "S: + *", "L: ann", "C:  {6}", "S: + *", "L: secret",
				       "C: ", "S: l OK *", BYE } },
	{ "literals that do not wait", { GREETING, "C: l LOGIN {3+}", "L: ann {6+}\r\nsecret\r\n", "S: l OK *", BYE } },
	{ "bare LF ends a line", { GREETING, "L: a NOOP\n", "S: a OK *", BYE } },
	{ "no tag", { GREETING, "C: ", "S: * BAD *", "C:  NOOP", "S: * BAD *", BYE } },
	{ "no command", { GREETING, "C: a", "S: a BAD *", "C: a ", "S: a BAD *", BYE } },
	{ "unknown command", { GREETING, "C: a FOO bar", "S: a BAD Unknown command", BYE } },
	{ "UID of what has none", { GREETING, "C: a UID NOOP", "S: a BAD Unknown command", BYE } },
	{ "octet of the error", { GREETING, "C: a LOGIN ann", "S: a BAD Cannot parse that at octet 12", BYE } },
	{ "wrong state", { GREETING, "C: a SELECT INBOX", "S: a BAD Not in this state", BYE } },
	{ "literal too short",
		{ LOGIN, "C: a STATUS {3+}", "C: INBOX (MESSAGES)", "S: a BAD Cannot parse that at *", BYE } },
	{ "literal without a line end",
		{ LOGIN, "C: a CREATE {3+}", "L: abcxyz\r\n", "S: a BAD Cannot parse that at *", BYE } },
	{ "literal too long to take", { LOGIN, "C: a CREATE {5000000}", "S: a NO [LIMIT] *", BYE } },
	{ "no room for a long command",
		{ LOGIN, "X: crowded", "C: a CREATE {70000}", "S: a NO [LIMIT] Too much memory *",
			"C: b STATUS {65530+}", "L: @65530", "C:  {4+}", "C: NOOP", "S: b NO [LIMIT] *",
			"C: c CREATE {70000+}", "L: @70000", "C: ", "S: c NO [LIMIT] Too much memory *",
			"C: d CREATE {3}", "S: + *", "C: New", "S: d OK *", "X: roomy", "C: e CREATE {70000}", "S: + *",
			"L: @70000", "C: ", "S: e NO [LIMIT] The mailbox name *", BYE } },
	{ "no room for a command with many parts",
		{ SELECT, "X: crowded", "L: a FETCH ", "L: @numbers", "C: 30001 UID",
			"S: a NO [LIMIT] Too much memory *", "X: roomy", "L: b FETCH ", "L: @numbers", "C: 30001 UID",
			"S: b OK *", BYE } },
	{ "literal too long is dropped",
		{ GREETING, "C: a LOGIN {65530+}", "L: @65530", "C:  {4+}", "C: NOOP", "S: a NO [LIMIT] *", BYE } },
	{ "literal that ends the session", { GREETING, "C: a LOGIN {99999999+}", "S: * BYE [TOOBIG] *" }, E_LIMIT },
	{ "literal of 2^63 octets", { GREETING, "C: a LOGIN {9223372036854775808}", "S: * BYE [TOOBIG] *" }, E_LIMIT },
	{ "line too long", { GREETING, "L: @9000", "C: ", "S: * BYE [TOOBIG] *" }, E_LIMIT },
	{ "NUL in a line", { GREETING, "L: a LOGIN \"", "L: @nul", "C: \" x", "S: a BAD NUL may not *", "C: b NOOP",
				   "S: b OK *", BYE } },
	{ "NUL behind a literal",
		{ GREETING, "L: a LOGIN {3+}\r\nann \"", "L: @nul", "C: \"", "S: a BAD NUL may not *", BYE } },
	{ "pipelined", { GREETING, "L: l LOGIN ann secret\r\nn NAMESPACE\r\nz LOGOUT\r\n", "S: l OK *",
			       "S: * NAMESPACE ((\"\" \"/\")) NIL NIL", "S: n OK *", "S: * BYE *", "S: z OK *" } },
	{ "client goes away", { GREETING, "C: a NOOP", "S: a OK NOOP completed" }, E_CLOSED },
	{ "client goes away inside a literal", { GREETING, "C: a LOGIN {10+}", "L: abc" }, E_CLOSED },
	{ "stop", { GREETING, "X: stop", "S: * BYE The server is shutting down" }, E_CANCELED },
	{ "too many bad commands", { GREETING, "L: @bad", "S: @bad", "S: * BYE Too many bad commands" }, E_LIMIT },
};

static const struct session_case logins[] = {
	{ "capabilities",
		{ GREETING, "C: a CAPABILITY",
			"S: * CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE STARTTLS AUTH=PLAIN AUTH=LOGIN",
			"S: a OK *", "C: l LOGIN ann secret", "S: l OK *", "C: a CAPABILITY",
			"S: * CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE NAMESPACE IDLE UIDPLUS UNSELECT MOVE "
			"CHILDREN SPECIAL-USE "
			"CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH APPENDLIMIT=3145728",
			"S: a OK *", BYE } },
	{ "wrong password",
		{ GREETING, "C: a LOGIN ann wrong", "S: a NO [AUTHENTICATIONFAILED] Wrong user name or password",
			"C: a LOGIN nobody secret", "S: a NO [AUTHENTICATIONFAILED] Wrong user name or password",
			"C: a LOGIN ann secret", "S: a OK [CAPABILITY *", "C: b LOGIN ann secret", "S: b BAD *",
			BYE } },
	{ "six wrong passwords",
		{ GREETING, "C: 1 LOGIN ann w", "S: 1 NO *", "C: 2 LOGIN ann w", "S: 2 NO *", "C: 3 LOGIN ann w",
			"S: 3 NO *", "C: 4 LOGIN ann w", "S: 4 NO *", "C: 5 LOGIN ann w", "S: 5 NO *",
			"C: 6 LOGIN ann w", "S: 6 NO *", "S: * BYE Too many failed logins" } },
	{ "braked, whoever it is",
		{ GREETING, "C: a LOGIN ann again", "S: a NO [UNAVAILABLE] Too many failed logins, try again later",
			"C: b LOGIN nobody again", "S: b NO [UNAVAILABLE] Too many failed logins, try again later",
			"C: c LOGIN ann secret", "S: c OK *", BYE } },
	{ "braked too often", { GREETING, "C: 1 LOGIN ann again", "S: 1 NO *", "C: 2 LOGIN ann w", "S: 2 NO *",
				      "C: 3 LOGIN ann again", "S: 3 NO *", "C: 4 LOGIN ann again", "S: 4 NO *",
				      "C: 5 LOGIN ann again", "S: 5 NO *", "C: 6 LOGIN ann again", "S: 6 NO *",
				      "S: * BYE Too many failed logins" } },
	{ "too many sessions",
		{ GREETING, "X: full", "C: a LOGIN ann secret", "S: a NO [LIMIT] Too many sessions of this user *",
			"C: b LIST \"\" *", "S: b BAD *", "X: not full", "C: c LOGIN ann secret", "S: c OK *", BYE } },
	{ "PLAIN at once", { GREETING, "C: a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=", "S: a OK *", BYE } },
	{ "PLAIN in two steps",
		{ GREETING, "C: a AUTHENTICATE plain", "S: + ", "C: AGFubgBzZWNyZXQ=", "S: a OK *", BYE } },
	{ "AUTHENTICATE cancelled", { GREETING, "C: a AUTHENTICATE PLAIN", "S: + ", "C: *", "S: a BAD *", BYE } },
	{ "AUTHENTICATE not base64", { GREETING, "C: a AUTHENTICATE PLAIN", "S: + ", "C: ?", "S: a BAD *", BYE } },
	{ "unknown mechanism", { GREETING, "C: a AUTHENTICATE FOO", "S: a NO [CANNOT] No such mechanism", BYE } },
	{ "ID", { GREETING, "C: a ID (\"name\" \"x\" \"version\" NIL)",
			"S: * ID (\"name\" \"Hongyan\" \"version\" \"1\")", "S: a OK *", "C: b ID NIL", "S: * ID *",
			"S: b OK *", BYE } },
	{ "ENABLE", { LOGIN, "C: a ENABLE CONDSTORE X-FOO", "S: * ENABLED", "S: a OK *", BYE } },
};

static const struct session_case plain[] = {
	{ "no login without TLS",
		{ "S: * OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE STARTTLS LOGINDISABLED] *",
			"C: a LOGIN ann secret", "S: a NO [PRIVACYREQUIRED] *",
			"C: b AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=", "S: b NO [PRIVACYREQUIRED] *", BYE } },
	{ "STARTTLS", { "S: * OK *", "C: a STARTTLS", "S: a OK Begin TLS now", "C: b CAPABILITY",
			      "S: * CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE AUTH=PLAIN AUTH=LOGIN", "S: b OK *",
			      "C: c STARTTLS", "S: c BAD [CLIENTBUG] *", BYE } },
	{ "plaintext behind STARTTLS",
		{ "S: * OK *", "L: a STARTTLS\r\nb LOGIN ann secret\r\n", "S: a OK *",
			"S: * BYE Commands may not be sent together with STARTTLS" },
		E_CLOSED },
};

static const struct session_case trees[] = {
	{ "separator", { LOGIN, "C: a LIST \"\" \"\"", "S: * LIST (\\Noselect) \"/\" \"\"", "S: a OK *", BYE } },
	{ "LIST all", { LOGIN, "C: a LIST \"\" *", "S: * LIST (\\HasNoChildren) \"/\" INBOX",
			      "S: * LIST (\\HasNoChildren \\Sent) \"/\" Sent",
			      "S: * LIST (\\HasNoChildren \\Trash) \"/\" Trash",
			      "S: * LIST (\\NonExistent \\Noselect \\HasChildren) \"/\" Work",
			      "S: * LIST (\\HasNoChildren) \"/\" Work/Reports", "S: a OK *", BYE } },
	{ "LIST one level with a reference",
		{ LOGIN, "C: a LIST Work/ %", "S: * LIST (\\HasNoChildren) \"/\" Work/Reports", "S: a OK *",
			"C: b LIST \"\" i%x", "S: * LIST *", "S: b OK *", BYE } },
	{ "LIST subscribed",
		{ LOGIN, "C: a LIST (SUBSCRIBED) \"\" *",
			"S: * LIST (\\NonExistent \\Noselect \\Subscribed \\HasNoChildren) \"/\" Gone",
			"S: * LIST (\\Subscribed \\HasNoChildren) \"/\" Work/Reports", "S: a OK *", BYE } },
	{ "LIST recursive", { LOGIN, "C: a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %",
				    "S: * LIST (\\NonExistent \\Noselect \\Subscribed \\HasNoChildren) \"/\" Gone",
				    "S: * LIST (\\NonExistent \\Noselect \\HasChildren) \"/\" Work (\"CHILDINFO\" "
				    "(\"SUBSCRIBED\"))",
				    "S: a OK *", "C: b LIST (RECURSIVEMATCH) \"\" %", "S: b BAD *", BYE } },
	{ "LIST special-use, several patterns, STATUS",
		{ LOGIN, "C: a LIST (SPECIAL-USE) \"\" (\"S%\" \"T%\" \"W%\") RETURN (STATUS (MESSAGES SIZE))",
			"S: * LIST (\\HasNoChildren \\Sent) \"/\" Sent", "S: * STATUS Sent (MESSAGES 0 SIZE 100)",
			"S: * LIST (\\HasNoChildren \\Trash) \"/\" Trash", "S: * STATUS Trash (MESSAGES 0 SIZE 100)",
			"S: a OK *", BYE } },
	{ "LSUB", { LOGIN, "C: a LSUB \"\" *", "S: * LSUB () \"/\" Gone", "S: * LSUB () \"/\" Work/Reports",
			  "S: a OK *", "C: b LSUB \"\" %", "S: * LSUB () \"/\" Gone",
			  "S: * LSUB (\\Noselect) \"/\" Work", "S: b OK *", BYE } },
	{ "names in modified UTF-7", { LOGIN, "C: a CREATE &bElVrg-/", "S: a OK *", "C: b LIST \"\" &bElVrg-%",
					     "S: * LIST (\\HasNoChildren) \"/\" &bElVrg-", "S: b OK *",
					     "C: c CREATE &nope", "S: c NO [CANNOT] *", BYE } },
	{ "CREATE", { LOGIN, "C: a CREATE inbox", "S: a NO [ALREADYEXISTS] *", "C: b CREATE New (USE (\\Sent))",
			    "S: b OK *", "C: c CREATE Other (USE (\\Drafts \\Junk))", "S: c NO [USEATTR] *",
			    "C: d CREATE x (USE (\\Foo))", "S: d NO [USEATTR] *", "C: e CREATE a//b",
			    "S: e NO [CANNOT] *", BYE } },
	{ "DELETE", { LOGIN, "C: a DELETE INBOX", "S: a NO [CANNOT] *", "C: b DELETE Nothing",
			    "S: b NO [NONEXISTENT] *", "C: c DELETE Trash", "S: c OK *", "C: d SELECT Trash",
			    "S: d NO [NONEXISTENT] No such mailbox", BYE } },
	{ "RENAME", { LOGIN, "C: a RENAME Trash Bin", "S: a OK *", "C: b RENAME Trash Bin", "S: b NO [NONEXISTENT] *",
			    BYE } },
	{ "SUBSCRIBE", { LOGIN, "C: a SUBSCRIBE Sent", "S: a OK *", "C: b UNSUBSCRIBE Gone", "S: b OK *",
			       "C: c LSUB \"\" *", "S: * LSUB () \"/\" Sent", "S: * LSUB () \"/\" Work/Reports",
			       "S: c OK *", "C: d UNSUBSCRIBE Never", "S: d OK *", BYE } },
	{ "STATUS",
		{ LOGIN, "C: a STATUS inbox (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE)",
			"S: * STATUS INBOX (MESSAGES 4 RECENT 2 UIDNEXT 8 UIDVALIDITY 77 UNSEEN 3 DELETED 0 SIZE 100)",
			"S: a OK *", "C: b STATUS Nothing (MESSAGES)", "S: b NO [NONEXISTENT] *",
			"C: c STATUS Sent (APPENDLIMIT)", "S: * STATUS Sent (APPENDLIMIT 3145728)", "S: c OK *",
			BYE } },
	{ "the password changed", { LOGIN, "X: shut", "C: a LIST \"\" *", "S: a NO [EXPIRED] *", "S: * BYE *" } },
	{ "the store is away", { LOGIN, "X: away", "C: a LIST \"\" *", "S: a NO [UNAVAILABLE] *", "C: b SELECT INBOX",
				       "S: b NO [UNAVAILABLE] *", "X: back", "C: c STATUS Sent (UIDNEXT)",
				       "S: * STATUS Sent (UIDNEXT 1)", "S: c OK *", BYE } },
};

static const struct session_case selecting[] = {
	{ "SELECT", { SELECT, BYE } },
	{ "EXAMINE", { LOGIN, "C: s EXAMINE INBOX", "S: * FLAGS *", "S: * OK [PERMANENTFLAGS ()] *", "S: * 4 EXISTS",
			     "S: * 2 RECENT", "S: * OK [UNSEEN 2] *", "S: * OK [UIDVALIDITY 77] *",
			     "S: * OK [UIDNEXT 8] *", "S: s OK [READ-ONLY] EXAMINE completed", "C: a STORE 1 FLAGS ()",
			     "S: a NO [READ-ONLY] *", "C: b EXPUNGE", "S: b NO [READ-ONLY] *", "C: c MOVE 1 Sent",
			     "S: c NO [READ-ONLY] *", "C: d COPY 1 Sent", "S: d OK [COPYUID 77 1 1] COPY completed",
			     "C: e CLOSE", "S: e OK *", BYE } },
	{ "a failed SELECT leaves the mailbox",
		{ SELECT, "C: a SELECT Nothing", "S: a NO [NONEXISTENT] *", "C: b EXPUNGE", "S: b BAD *", BYE } },
	{ "CLOSE expunges without a word",
		{ SELECT, "C: a STORE 2 +FLAGS.SILENT \\Deleted", "S: a OK *", "C: b CLOSE", "S: b OK *",
			"C: c STATUS INBOX (MESSAGES)", "S: * STATUS INBOX (MESSAGES 3)", "S: c OK *", "C: d CHECK",
			"S: d BAD *", BYE } },
	{ "UNSELECT does not",
		{ SELECT, "C: a STORE 2 +FLAGS.SILENT \\Deleted", "S: a OK *", "C: b UNSELECT", "S: b OK *",
			"C: c STATUS INBOX (MESSAGES)", "S: * STATUS INBOX (MESSAGES 4)", "S: c OK *", BYE } },
	{ "the selected mailbox goes away",
		{ SELECT, "X: remove 0", "C: a NOOP", "S: * BYE The selected mailbox was deleted" }, E_CLOSED },
	{ "deleting what is selected",
		{ LOGIN, "C: s SELECT Sent", "S: * FLAGS *", "S: * OK *", "S: * 0 EXISTS", "S: * 0 RECENT", "S: * OK *",
			"S: * OK *", "S: s OK *", "C: a DELETE Sent", "S: * OK [CLOSED] *", "S: a OK *", "C: b CHECK",
			"S: b BAD *", BYE } },
};

static const struct session_case news[] = {
	{ "new mail", { SELECT, "X: deliver 0", "X: deliver 0", "C: a NOOP", "S: * 6 EXISTS", "S: * 4 RECENT",
			      "S: a OK *", "C: b NOOP", "S: b OK *", BYE } },
	{ "expunged by another",
		{ SELECT, "X: expunge 2", "X: expunge 7", "C: a FETCH 1 FLAGS", "S: a OK *", "C: b UID FETCH 1 FLAGS",
			"S: * 2 EXPUNGE", "S: * 3 EXPUNGE", "S: * 1 RECENT", "S: b OK UID FETCH completed", BYE } },
	{ "flags by another", { SELECT, "X: flag 4 5", "X: flag 1 0", "X: flag 2 8", "C: a NOOP",
				      "S: * 1 FETCH (FLAGS ())", "S: * 2 FETCH (FLAGS (\\Deleted))",
				      "S: * 3 FETCH (FLAGS (\\Flagged \\Seen \\Recent))", "S: a OK *", BYE } },
	{ "a new keyword by another",
		{ SELECT, "X: flag 1 33", "C: a UID SEARCH ALL",
			"S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)", "S: * OK [PERMANENTFLAGS *",
			"S: * 1 FETCH (UID 1 FLAGS (\\Seen $Work))", "S: a OK *", BYE } },
	{ "everything at once", { SELECT, "X: flag 7 2", "X: expunge 1", "X: deliver 0", "C: a NOOP", "S: * 1 EXPUNGE",
					"S: * 3 FETCH (FLAGS (\\Answered \\Recent))", "S: * 4 EXISTS", "S: * 3 RECENT",
					"S: a OK *", BYE } },
	{ "what is gone is not known",
		{ SELECT, "X: forget", "X: expunge 4", "X: expunge 1", "X: deliver 0", "C: a NOOP", "S: * 1 EXPUNGE",
			"S: * 2 EXPUNGE", "S: * 3 EXISTS", "S: a OK *", BYE } },
	{ "the store comes back", { SELECT, "X: deliver 0", "X: away", "C: a NOOP", "S: a OK *", "X: back", "C: b NOOP",
					  "S: * 5 EXISTS", "S: * 3 RECENT", "S: b OK *", BYE } },
	{ "IDLE", { SELECT, "C: a IDLE", "S: + Idling", "X: deliver 0", "S: * 5 EXISTS", "S: * 3 RECENT",
			  "X: expunge 1", "S: * 1 EXPUNGE", "C: DONE", "S: a OK IDLE completed", BYE } },
	{ "the password changed under IDLE", { SELECT, "C: a IDLE", "S: + Idling", "X: shut", "X: deliver 0",
						     "S: a NO [EXPIRED] *", "S: * BYE *" } },
	{ "the password changed under NOOP",
		{ SELECT, "X: shut", "X: deliver 0", "C: a NOOP", "S: a OK *", "S: * BYE *" } },
	{ "IDLE tells what was before", { SELECT, "X: deliver 0", "C: a IDLE", "S: + Idling", "S: * 5 EXISTS",
						"S: * 3 RECENT", "C: done", "S: a OK *", BYE } },
	{ "IDLE and something else",
		{ SELECT, "C: a IDLE", "S: + Idling", "C: b NOOP", "S: a BAD Only DONE ends IDLE", BYE } },
	{ "IDLE without a mailbox", { LOGIN, "C: a IDLE", "S: + Idling", "C: DONE", "S: a OK *", BYE } },
	{ "IDLE and a stop", { SELECT, "C: a IDLE", "S: + Idling", "X: stop", "S: * BYE The server is shutting down" },
		E_CANCELED },
	{ "IDLE and a deleted mailbox",
		{ SELECT, "C: a IDLE", "S: + Idling", "X: remove 0", "S: * BYE The selected mailbox was deleted" },
		E_CLOSED },
};

static const struct session_case changes[] = {
	{ "STORE adds", { SELECT, "C: a STORE 2:3 +FLAGS (\\Flagged \\Seen)", "S: * 2 FETCH (FLAGS (\\Flagged \\Seen))",
				"S: * 3 FETCH (FLAGS (\\Flagged \\Seen \\Recent))", "S: a OK STORE completed",
				"C: b NOOP", "S: b OK *", BYE } },
	{ "STORE sets and removes",
		{ SELECT, "C: a UID STORE 7 FLAGS \\Draft", "S: * 4 FETCH (UID 7 FLAGS (\\Draft \\Recent))",
			"S: a OK *", "C: b STORE 4 -FLAGS \\Draft", "S: * 4 FETCH (FLAGS (\\Recent))", "S: b OK *",
			BYE } },
	{ "STORE with keywords",
		{ SELECT, "C: a STORE 1 +FLAGS ($Junk $Later)",
			"S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk $Later)",
			"S: * OK [PERMANENTFLAGS *", "S: * 1 FETCH (FLAGS (\\Seen $Junk $Later))", "S: a OK *",
			"C: e NOOP", "S: e OK *", "C: b STORE 1 -FLAGS $JUNK", "S: * 1 FETCH (FLAGS (\\Seen $Later))",
			"S: b OK *", "C: c STORE 1 +FLAGS (x y)",
			"S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk $Later x)",
			"S: * OK [PERMANENTFLAGS *", "S: c NO [LIMIT] The mailbox has used up *",
			"C: d STORE 1 -FLAGS.SILENT never", "S: d OK *", BYE } },
	{ "STORE silent",
		{ SELECT, "C: a STORE 1:* FLAGS.SILENT (\\Answered)", "S: a OK *", "C: b NOOP", "S: b OK *", BYE } },
	{ "STORE silent behind another's change",
		{ SELECT, "X: flag 1 4", "C: a STORE 1 +FLAGS.SILENT (\\Answered)", "S: a OK *", "C: b NOOP",
			"S: * 1 FETCH (FLAGS (\\Answered \\Flagged))", "S: b OK *", BYE } },
	{ "STORE of nothing", { SELECT, "C: a UID STORE 100:200 FLAGS ()", "S: a OK *", "C: b STORE 5 FLAGS ()",
				      "S: b BAD *", BYE } },
	{ "EXPUNGE", { SELECT, "C: a STORE 1,3 +FLAGS.SILENT \\Deleted", "S: a OK *", "C: b EXPUNGE", "S: * 1 EXPUNGE",
			     "S: * 2 EXPUNGE", "S: * 1 RECENT", "S: b OK *", "C: c NOOP", "S: c OK *", BYE } },
	{ "UID EXPUNGE", { SELECT, "C: a STORE 1:* +FLAGS.SILENT \\Deleted", "S: a OK *", "C: b UID EXPUNGE 2,7:9",
				 "S: * 2 EXPUNGE", "S: * 3 EXPUNGE", "S: * 1 RECENT", "S: b OK *",
				 "C: c UID EXPUNGE 100", "S: c OK *", "C: d NOOP", "S: d OK *", BYE } },
	{ "COPY", { SELECT, "C: a COPY 1:2,4 Sent", "S: a OK [COPYUID 77 1:2,7 1:3] COPY completed",
			  "C: b UID COPY 4 sent", "S: b NO [TRYCREATE] No such mailbox", "C: c UID COPY 99 Sent",
			  "S: c OK UID COPY completed", "C: d COPY 9 Sent", "S: d BAD *", BYE } },
	{ "STORE and EXPUNGE of more than one commit holds",
		{ SELECT, "X: narrow", "C: a STORE 1:2,4 +FLAGS.SILENT (\\Deleted)", "S: a OK *",
			"C: b STORE 1:4 FLAGS \\Deleted", "S: * 1 FETCH (FLAGS (\\Deleted))",
			"S: * 2 FETCH (FLAGS (\\Deleted))", "S: * 3 FETCH (FLAGS (\\Deleted \\Recent))",
			"S: * 4 FETCH (FLAGS (\\Deleted \\Recent))", "S: b OK *", "C: c UID EXPUNGE 1:2",
			"S: * 1 EXPUNGE", "S: * 1 EXPUNGE", "S: c OK *", "X: deliver 0", "X: flag 8 8", "C: d EXPUNGE",
			"S: * 1 EXPUNGE", "S: * 1 EXPUNGE", "S: * 0 RECENT", "S: d OK *", "C: e NOOP", "S: e OK *",
			"C: f STATUS INBOX (MESSAGES)", "S: * STATUS INBOX (MESSAGES 0)", "S: f OK *", BYE } },
	{ "STORE that fails in its middle",
		{ SELECT, "X: narrow", "X: tires", "C: a STORE 1:2 +FLAGS.SILENT (\\Flagged)", "S: a NO *", "C: b NOOP",
			"S: * 1 FETCH (FLAGS (\\Flagged \\Seen))", "S: b OK *", BYE } },
	{ "CLOSE of more than one commit holds",
		{ SELECT, "X: narrow", "C: a STORE 1:4 +FLAGS.SILENT \\Deleted", "S: a OK *", "X: deliver 0",
			"X: flag 8 8", "C: b CLOSE", "S: b OK CLOSE completed", "C: c STATUS INBOX (MESSAGES)",
			"S: * STATUS INBOX (MESSAGES 0)", "S: c OK *", BYE } },
	{ "COPY and MOVE that lose keywords",
		{ SELECT, "C: a STORE 1 +FLAGS.SILENT ($Junk)", "S: * FLAGS *", "S: * OK [PERMANENTFLAGS *",
			"S: a OK *", "C: b COPY 1:2 Sent", "S: * NO [LIMIT] The target mailbox has used up *",
			"S: b OK [COPYUID 77 1:2 1:2] *", "C: c COPY 2 Sent", "S: c OK *", "C: d MOVE 1 Trash",
			"S: * OK [COPYUID *", "S: * 1 EXPUNGE", "S: * NO [LIMIT] The target mailbox *", "S: d OK *",
			BYE } },
	{ "COPY into itself",
		{ SELECT, "C: a COPY 1 INBOX", "S: * 5 EXISTS", "S: * 3 RECENT", "S: a OK [COPYUID 77 1 8] *", BYE } },
	{ "MOVE", { SELECT, "C: a MOVE 2:3 Trash", "S: * OK [COPYUID 77 2,4 1:2] Moved", "S: * 2 EXPUNGE",
			  "S: * 2 EXPUNGE", "S: * 1 RECENT", "S: a OK *", "C: b UID MOVE 99 Trash", "S: b OK *",
			  "C: c UID MOVE 1 Nothing", "S: c NO [TRYCREATE] *", BYE } },
};

static const struct session_case appends[] = {
	{ "APPEND", { LOGIN, "C: a APPEND Sent (\\Seen $x) \"01-Jan-2020 10:00:00 +0200\" {5}", "S: + *", "L: hello",
			    "C: ", "S: a OK [APPENDUID 77 1] APPEND completed", BYE } },
	{ "APPEND that does not wait", { SELECT, "L: a APPEND INBOX {5+}\r\nhello\r\nb NOOP\r\n", "S: * 5 EXISTS",
					       "S: * 3 RECENT", "S: a OK [APPENDUID 77 8] *", "S: b OK *", BYE } },
	{ "APPEND with the name as literal", { LOGIN, "C: a APPEND {4}", "S: + *", "L: Sent", "C:  {1+}", "L: x\r\n",
						     "S: a OK [APPENDUID *", BYE } },
	{ "APPEND of two chunks",
		{ LOGIN, "C: a APPEND Sent {100000+}", "L: @100000", "C: ", "S: a OK [APPENDUID *",
			"C: b STATUS Sent (MESSAGES)", "S: * STATUS Sent (MESSAGES 1)", "S: b OK *", BYE } },
	{ "APPEND by upload",
		{ LOGIN, "C: a APPEND Sent {2000000}", "S: + *", "L: @2000000", "C: ", "S: a OK [APPENDUID *", BYE } },
	{ "APPEND too big",
		{ LOGIN, "C: a APPEND Sent {3145729}", "S: a NO [TOOBIG] *", "C: b APPEND Sent {3145729+}",
			"L: @3145729", "C: ", "S: b NO [TOOBIG] *", "C: c APPEND Sent {99999999+}",
			"S: c NO [TOOBIG] *", "S: * BYE [TOOBIG] *" },
		E_LIMIT },
	{ "APPEND to nowhere", { LOGIN, "C: a APPEND Nothing {5}", "S: a NO [TRYCREATE] *", "C: b APPEND Nothing {5+}",
				       "L: hello\r\n", "S: b NO [TRYCREATE] *", BYE } },
	{ "APPEND with wrong arguments", { LOGIN, "C: a APPEND Sent (oops {5+}", "L: hello\r\n", "S: a BAD *", BYE } },
	{ "APPEND before login", { GREETING, "C: a APPEND Sent {5+}", "L: NOOP \r\n", "S: a BAD Not in this state",
					 "C: b APPEND Sent {5}", "S: b BAD *", BYE } },
	{ "APPEND with octets behind",
		{ LOGIN, "C: a APPEND Sent {5+}", "L: helloo\r\n", "S: a BAD *", "C: b APPEND Sent {5+}",
			"L: hello {4+}\r\nNOOP\r\n", "S: b BAD *", "C: c STATUS Sent (MESSAGES)",
			"S: * STATUS Sent (MESSAGES 0)", "S: c OK *", BYE } },
	{ "APPEND of nothing", { LOGIN, "C: a APPEND Sent {0+}", "C: ", "S: a NO *", "C: b APPEND Sent ~{1+}",
				       "L: x\r\n", "S: b NO [UNKNOWN-CTE] *", BYE } },
	{ "APPEND with NUL",
		{ LOGIN, "C: a APPEND Sent {5+}", "L: @nul", "C: ", "S: a BAD A message may not hold NUL",
			"C: c STATUS Sent (MESSAGES)", "S: * STATUS Sent (MESSAGES 0)", "S: c OK *", BYE } },
};

static void run_cases(const struct session_case *c, size_t n, bool login)
{
	static const unsigned pieces[] = { 0, 1, 7 };

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < ARRAY_N(pieces); k++) {
			struct fake_run *r = calloc(1, sizeof *r);
			r->line = c[i].line;
			r->piece = pieces[k];
			r->login = login;
			fake_store_fill(&r->store);
			fake_run(r);
			if (r->wrong)
				print_error("piece %u, line: %s\n", pieces[k], r->wrong);
			CHECK(!r->wrong, c[i].name);
			if (r->end != c[i].end)
				print_error("ended with %s\n", ec_name(r->end));
			CHECK(r->end == c[i].end, c[i].name);
			fake_store_free(&r->store);
			free(r);
		}
	}
}

#define TEST(table, login)                               \
	static void test_##table(void **state)           \
	{                                                \
		(void)state;                             \
		run_cases(table, ARRAY_N(table), login); \
	}
TEST(framing, true)
TEST(logins, true)
TEST(plain, false)
TEST(trees, true)
TEST(selecting, true)
TEST(news, true)
TEST(changes, true)
TEST(appends, true)

/// A session outlives its handle, which is renewed once half its life is over, before the next command.
static void test_renew(void **state)
{
	static const char *const script[] = { SELECT, "C: a NOOP", "S: a OK *", "C: b STATUS Sent (MESSAGES)",
		"S: * STATUS *", "S: b OK *", "C: c IDLE", "S: + Idling", "X: deliver", "S: * 5 EXISTS",
		"S: * 3 RECENT", "C: DONE", "S: c OK *", BYE, NULL };
	static const struct {
		const char *name;
		int64_t age_s;
		enum ec error;
		unsigned renewed;
	} cases[] = {
		{ "new", 0, E_OK, 0 },
		{ "less than half", HANDLE_KEPT_S / 2 - 60, E_OK, 0 },
		{ "more than half", HANDLE_KEPT_S / 2 + 1, E_OK, 1 },
		{ "nearly over", HANDLE_KEPT_S - 1, E_OK, 1 },
		{ "cannot be renewed now", HANDLE_KEPT_S / 2 + 1, E_TEMP, 0 },
		{ "password changed", HANDLE_KEPT_S / 2 + 1, E_AUTH, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct fake_run r = { .line = script, .tls = true, .login = true };
		r.store.handle_age_s = cases[i].age_s;
		r.store.renew_error = cases[i].error;
		fake_store_fill(&r.store);
		fake_run(&r);
		CHECK(!r.wrong, r.wrong ? r.wrong : cases[i].name);
		CHECK(r.store.renewed == cases[i].renewed, cases[i].name);
		fake_store_free(&r.store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_logins),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_selecting),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_renew),
		cmocka_unit_test(test_appends),
	};
	log_setup("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
