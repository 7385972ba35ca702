#pragma once
/// letter — one message on its way in or out of the store by hand: octets, flags, keywords, date.
#include "base/arena.h"
#include "base/buf.h"
#include "base/cx.h"
#include "fiber/fiber.h"
#include "mail/date.h"

enum { LETTER_KEYWORDS = 64, LETTER_KEYWORD_OCTETS = 4096 };

struct letter {
	struct sl text; // CRLF line ends
	uint8_t flags;  // FLAG_… of ipc/verbs.h
	struct sl keyword[LETTER_KEYWORDS];
	size_t n_keywords;
	struct date date;
};

/// What a reader of mail calls for each message; everything in it is borrowed until return.
/// `done` and `total` say how far the reader is, in its own unit. Not E_OK ends the reading.
typedef FIB enum ec letter_take(struct cx *cx, void *arg, const struct letter *l, uint64_t done, uint64_t total);

/// What a reader calls for each thing that it leaves out.
typedef void letter_leave(void *arg, const char *path);

/// Appends `in` with every bare LF (and bare CR) made CRLF.
void letter_crlf(struct sl in, struct buf *out);
/// What the message's own Date field says. False where there is none that can be read.
bool letter_sent(struct sl text, struct date *out);
/// Adds one keyword where there is room and it is an IMAP atom; others are dropped (nobody could name them).
void letter_add_keyword(struct letter *l, struct sl keyword);

/// Reads an mbox file (mboxrd or mboxo) of any size: messages, dates from the From_ lines (else the Date field, else
/// now), flags from Status and X-Status, keywords from X-Keywords (these three fields are taken out of the message).
///
/// in:     path NUL-terminated, of a regular file.
/// errors: E_NOTFOUND, E_DENIED, E_UNSUPPORTED (a link, no regular file, or no From_ line at its start), E_TOOBIG, what
///         `take` gave, E_IO.
/// source: RFC 4155 appendix A; quoting of mboxrd.
FIB enum ec mbox_read(struct cx *cx, const char *path, letter_take *take, void *arg);
/// Appends one message in that form.
void mbox_print(struct buf *out, const struct letter *l);

/// A Maildir that is read, and who takes what is in it. It may be anybody's: no link in it, nor the one that `path` may
/// name, is followed, and `leave` hears of everything in it that is no regular file or folder.
struct maildir {
	const char *path;
	letter_take *take;
	letter_leave *leave;
	void *arg;
};
/// Reads cur/ and new/ of a folder inside, or of the Maildir itself ("."), each where it is there (copies often lose
/// empty folders), in order of names; flags from the names,
/// keywords by dovecot-keywords, dates from the files.
/// errors: as mbox_read.
FIB enum ec maildir_read(struct cx *cx, const struct maildir *m, const char *folder);
/// Reads one file that is one message; its date is the Date field's, else the file's. errors: as mbox_read;
/// E_UNSUPPORTED — it has none of a message's usual fields.
FIB enum ec eml_read(struct cx *cx, const char *path, letter_take *take, void *arg);
/// The folders inside a Maildir++ folder (".Sent.2019" → "Sent/2019", UTF-8), sorted; owned by `a`. errors: E_IO,
/// E_TEMP.
struct maildir_folder {
	struct sl name;     // mailbox name (main/maildir_name.h); empty where the folder has none
	const char *folder; // for maildir_read
};
[[nodiscard]] enum ec maildir_folders(
	struct cx *cx, const struct maildir *m, struct arena *a, struct maildir_folder **out, size_t *n);
struct maildir_made {
	char path[4096];
	int folder, cur; // open: what is written goes there, whatever others make of the names meanwhile
	bool cut;        // the name was too long for the folder's
};
/// Makes the folder of a mailbox below a Maildir++ root; INBOX is the root itself. The root may be anybody's: no link
/// in it, nor the one that `root` may name, is followed. in: id - the mailbox's, for a name that must be cut.
/// out: *out, for maildir_done. errors: E_EXISTS - the folder is a mailbox already; E_UNSUPPORTED - a link, or no
/// folder, has a name that is needed; those of file_folder.
[[nodiscard]] enum ec maildir_make(
	struct cx *cx, const char *root, struct sl mailbox, uint64_t id, struct maildir_made *out);
void maildir_done(struct maildir_made *m);
/// Writes one message into cur/, its file date the message's; keywords as letters in the name, by their place in
/// `table` (written by maildir_write_keywords). errors: E_FULL, E_IO, E_EXISTS, E_NOTFOUND (the folder was removed).
[[nodiscard]] enum ec maildir_write(struct cx *cx, const struct maildir_made *m, uint32_t uid, const struct letter *l,
	const struct sl *table, size_t n_table);
[[nodiscard]] enum ec maildir_write_keywords(
	struct cx *cx, const struct maildir_made *m, const struct sl *table, size_t n_table);
