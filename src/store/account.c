/// account — the head of cell {account,0}, and accounts from birth to removal.
///
/// Order of making (all in one batch):
/// 1 the mailboxes' cells · 2 the account's cell · 3 the name in the directory. Removing goes the other way.
#include "store/account.h"

#include <string.h>

#include "base/num.h"
#include "store/tree.h"

enum { HEAD_KIND = 'A', HEAD_FORM = 1, HEAD_FIXED = 132, HEAD_OCTETS_MAX = HEAD_FIXED + ARGON2_TEXT_MAX + ADDRESS_MAX };
enum { CELLS_MAX = 2 * (1 + MAILBOXES_MAX + GRAVES_MAX + GRAVES_DUE_MAX) };

static struct cell_id account_cell(uint64_t id)
{
	return (struct cell_id){ id, ACCOUNT_NAME };
}

static enum ec head_decode(struct cx *cx, struct sl h, struct account *a)
{
	const uint8_t *p = h.p;

	if (h.n < HEAD_FIXED || p[0] != HEAD_KIND || p[1] != HEAD_FORM)
		return fail(cx, E_CORRUPT, "an account's head of %zu octets", h.n);
	a->credential_version = get_le32(p + 2);
	a->quota_octets = get_le64(p + 6);
	a->quota_messages = get_le64(p + 14);
	a->services = p[22];
	a->pop3_retr = p[23];
	a->last_uidvalidity = get_le32(p + 24);
	a->next_id = get_le64(p + 28);
	a->mailboxes = get_le32(p + 36);
	a->subscriptions = get_le32(p + 40);
	a->cred.scram_iterations = get_le32(p + 44);
	memcpy(a->cred.scram_salt, p + 48, SCRAM_SALT);
	memcpy(a->cred.scram_stored, p + 64, SCRAM_KEY);
	memcpy(a->cred.scram_server, p + 96, SCRAM_KEY);
	a->cred.argon2_octets = get_le16(p + 128);
	a->address_octets = get_le16(p + 130);
	if (a->cred.argon2_octets > ARGON2_TEXT_MAX || a->address_octets > ADDRESS_MAX ||
		h.n != HEAD_FIXED + (size_t)a->cred.argon2_octets + a->address_octets)
		return fail(cx, E_CORRUPT, "an account's head of %zu octets", h.n);
	memcpy(a->cred.argon2, p + HEAD_FIXED, a->cred.argon2_octets);
	memcpy(a->address, p + HEAD_FIXED + a->cred.argon2_octets, a->address_octets);
	return E_OK;
}

enum ec account_load(struct cx *cx, struct view *v, uint64_t id, struct account *out)
{
	struct account a = { 0 };
	struct sl head;
	enum ec e = id == 0 ? E_NOTFOUND : cell_head(cx, v, account_cell(id), &a.version, &head);

	if (e == E_OK)
		e = head_decode(cx, head, &a);
	if (e == E_OK)
		*out = a;
	return e;
}

void account_put(struct change *c, const struct account *a)
{
	uint8_t p[HEAD_OCTETS_MAX] = { HEAD_KIND, HEAD_FORM };

	put_le32(p + 2, a->credential_version);
	put_le64(p + 6, a->quota_octets);
	put_le64(p + 14, a->quota_messages);
	p[22] = a->services;
	p[23] = a->pop3_retr;
	put_le32(p + 24, a->last_uidvalidity);
	put_le64(p + 28, a->next_id);
	put_le32(p + 36, a->mailboxes);
	put_le32(p + 40, a->subscriptions);
	put_le32(p + 44, a->cred.scram_iterations);
	memcpy(p + 48, a->cred.scram_salt, SCRAM_SALT);
	memcpy(p + 64, a->cred.scram_stored, SCRAM_KEY);
	memcpy(p + 96, a->cred.scram_server, SCRAM_KEY);
	put_le16(p + 128, a->cred.argon2_octets);
	put_le16(p + 130, a->address_octets);
	memcpy(p + HEAD_FIXED, a->cred.argon2, a->cred.argon2_octets);
	memcpy(p + HEAD_FIXED + a->cred.argon2_octets, a->address, a->address_octets);
	change_head(c, (struct sl){ p, (size_t)HEAD_FIXED + a->cred.argon2_octets + a->address_octets });
}

/// Commits a changed head alone.
static enum ec head_commit(struct cx *cx, struct txn *t, uint64_t id, const struct account *a)
{
	struct change *c = change_begin(t, account_cell(id), a->version);
	uint64_t version;

	account_put(c, a);
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}

/// The next id that no account has. The directory may have lost that it gave one away: mend.h leaps behind all of
/// them, this makes sure that nobody gets what another one left.
static enum ec free_id(struct cx *cx, struct txn *t, uint64_t *id)
{
	uint64_t version;
	struct sl head;
	enum ec e = directory_next_account(cx, txn_view(t), id);

	while (e == E_OK && (e = cell_head(cx, txn_view(t), account_cell(*id), &version, &head)) == E_OK)
		++*id;
	return e == E_NOTFOUND ? E_OK : e;
}

enum ec account_create(struct cx *cx, struct txn *t, const struct account_new *n, uint64_t *id)
{
	struct account a = { .credential_version = 1,
		.quota_octets = n->quota_octets,
		.quota_messages = n->quota_messages,
		.services = (1u << SERVICES) - 1,
		.next_id = 1,
		.cred = n->cred };
	struct address addr;
	uint64_t account, version;
	enum ec e = directory_user_free(cx, txn_view(t), n->address);

	if (e == E_OK)
		e = address_parse(n->address, &addr);
	if (e == E_OK)
		e = free_id(cx, t, &account);
	if (e != E_OK)
		return e;
	a.address_octets = (uint16_t)address_text(&addr).n;
	memcpy(a.address, addr.text, a.address_octets);
	e = tree_plant_cells(cx, t, account, &a, n->now_s);
	if (e != E_OK)
		return e;
	struct change *c = change_begin(t, account_cell(account), 0);
	tree_plant_rows(c, &a);
	account_put(c, &a);
	e = change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
	if (e == E_OK)
		e = directory_user_add(cx, t, account_address(&a), account);
	if (e == E_OK)
		*id = account;
	return e;
}

/// The cells of an account in private memory, since dropping cells ends what was borrowed.
struct cells {
	uint64_t account;
	struct buf found; // struct own_cell
};
struct own_cell {
	uint64_t name, version;
};

static bool collect_cell(void *arg, struct cell_id id, uint64_t version, struct sl head)
{
	struct cells *c = arg;
	struct own_cell one = { id.name, version };

	(void)head;
	if (id.account != c->account)
		return false;
	buf_add(&c->found, (struct sl){ (const uint8_t *)&one, sizeof one });
	return c->found.err == E_OK;
}

static enum ec drop_cells(struct cx *cx, struct txn *t, const struct cells *c)
{
	struct own_cell one;
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < c->found.n; i += sizeof one) {
		memcpy(&one, c->found.p + i, sizeof one);
		struct change *gone = change_begin(t, (struct cell_id){ c->account, one.name }, one.version);
		change_drop(gone);
		e = change_commit(cx, gone, NULL, (struct sl){ 0 }, &one.version);
	}
	return e;
}

enum ec account_remove(struct cx *cx, struct txn *t, struct sl address, uint64_t *id)
{
	struct cells c = { .found = BUF((size_t)CELLS_MAX * sizeof(struct own_cell)) };
	enum ec e = directory_user_find(cx, txn_view(t), address, &c.account);

	if (e == E_OK && c.account == 0)
		e = fail(cx, E_CORRUPT, "a user whose account is the directory");
	if (e == E_OK) // not from the tree, which is lost where the account's own cell is
		e = cell_scan_cells(cx, txn_view(t), account_cell(c.account), collect_cell, &c);
	if (e == E_OK)
		e = c.found.err;
	if (e == E_OK)
		e = directory_user_remove(cx, t, address, &c.account);
	if (e == E_OK)
		e = drop_cells(cx, t, &c);
	if (e == E_OK)
		*id = c.account;
	buf_free(&c.found);
	return e;
}

enum ec account_set_credentials(struct cx *cx, struct txn *t, uint64_t id, const struct credentials *cred)
{
	struct account a;
	enum ec e = account_load(cx, txn_view(t), id, &a);

	if (e != E_OK)
		return e;
	a.cred = *cred;
	a.credential_version++;
	return head_commit(cx, t, id, &a);
}

enum ec account_set(struct cx *cx, struct txn *t, uint64_t id, uint32_t which, const struct account *s)
{
	uint8_t switched =
		(uint8_t)((which & SET_IMAP ? 1u << SERVICE_IMAP : 0) | (which & SET_POP3 ? 1u << SERVICE_POP3 : 0) |
			  (which & SET_SEND ? 1u << SERVICE_SUBMISSION : 0));
	struct account a;
	enum ec e = account_load(cx, txn_view(t), id, &a);

	if (e != E_OK)
		return e;
	a.services = (uint8_t)((a.services & ~switched) | (s->services & switched));
	if (which & SET_QUOTA) {
		a.quota_octets = s->quota_octets == UINT64_MAX ? a.quota_octets : s->quota_octets;
		a.quota_messages = s->quota_messages == UINT64_MAX ? a.quota_messages : s->quota_messages;
	}
	if (which & SET_POP3_RETR)
		a.pop3_retr = s->pop3_retr;
	return head_commit(cx, t, id, &a);
}

enum ec account_leap(struct cx *cx, struct txn *t, uint64_t id, uint64_t least)
{
	struct account a;
	enum ec e = account_load(cx, txn_view(t), id, &a);

	if (e)
		return e;
	a.next_id = (a.next_id > least ? a.next_id : least) + LEAP_IDS;
	return head_commit(cx, t, id, &a);
}
