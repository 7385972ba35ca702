#pragma once
/// place — one installation on disk: its configuration file and what that names.
#include "main/bundle.h"
#include "main/config.h"

struct place {
	char path[4096]; // of hongyan.conf
	struct buf text; // its octets
	struct config config;
	struct buf certs[BUNDLE_CERTS_MAX];
	size_t n_certs;
	uint8_t store_secret[STORE_SECRET];
};

/// Reads and checks the configuration. errors: those of file_read; E_SYNTAX with the lines in *why.
[[nodiscard]] enum ec place_open(struct cx *cx, const char *path, struct place *out, struct buf *why);
/// Reads the certificates that it names, and checks each against its key. errors: cx names the file.
[[nodiscard]] enum ec place_certificates(struct cx *cx, struct place *p);
/// What root makes in an installation belongs to whom its configuration belongs to. errors: E_DENIED, E_IO.
[[nodiscard]] enum ec place_give(struct cx *cx, const struct place *p, const char *path);
/// Reads data/../secret, made at the first start. errors: E_IO, E_CORRUPT.
[[nodiscard]] enum ec place_secret(struct cx *cx, struct place *p);
/// Where the data folder is, with its NUL. errors: E_TOOBIG.
[[nodiscard]] enum ec place_data_path(struct cx *cx, struct place *p, char out[4096]);
/// The data folder as a descriptor, made where missing.
///
/// in:     give — started by root, a folder of root's is given to the store's user. Without it only a folder that
///         is made now is; one that belongs to anybody else always stays his.
/// errors: E_IO, E_DENIED.
[[nodiscard]] enum ec place_data_fd(struct cx *cx, struct place *p, bool give, int *fd);
/// After root wrote into the data folder: what is new there belongs to whom the folder does. errors: E_IO.
[[nodiscard]] enum ec place_give_data(struct cx *cx, struct place *p);
/// Whether a folder, which need not exist yet, has nothing to do with this installation: it is not in the folder of the
/// configuration or of the data, nor these in it, by whatever names or links; and it is no store's.
/// errors: E_EXISTS (it has; cx says what), E_NOTFOUND (the folder above does not exist), E_DENIED, E_IO.
[[nodiscard]] enum ec place_is_apart(struct cx *cx, struct place *p, const char *dir);
/// Whether the folder in which the data folder lies, or would be made, exists. out: parent — its path.
bool place_has_parent(struct place *p, char parent[4096]);
/// NUL-terminated path of a socket of the folder `run`, made in *out: "control", where commands reach the store, or
/// "figures", which gives the board. errors: E_TOOBIG (over 107 octets).
[[nodiscard]] enum ec place_socket(struct cx *cx, struct place *p, const char *name, char out[108]);
/// Before `fresh` takes the place of `old` at a reload: what needs a restart keeps the old value, for the master and
/// for the roles, which read the text. out: *names — the options that wait for a restart. errors: E_TEMP, E_TOOBIG.
[[nodiscard]] enum ec place_keep(struct cx *cx, struct place *fresh, const struct place *old, struct buf *names);
/// What a role gets. `for_store`: the secret besides.
struct bundle place_bundle(const struct place *p, const uint8_t ticket_key[TICKET_KEY], bool for_store);
void place_close(struct place *p);
