/// directory — rows of cell {0,0}: 'd' domain, 'u' domain NUL local → account, 'a' domain NUL local → targets.
///
/// Keys begin with the domain, so that a domain's users stand together.
#include "store/directory.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/num.h"
#include "base/utf8.h"
#include "store/keys.h"

enum { HEAD_KIND = 'D', HEAD_FORM = 1, HEAD_OCTETS = 18 };

struct dir_head {
	uint64_t version, next_account, postmaster;
};

// ---- addresses

static bool text_ok(struct sl s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return utf8_valid(s);
}

static void fold_into(uint8_t *to, struct sl s)
{
	for (size_t i = 0; i < s.n; i++)
		to[i] = to_lower(s.p[i]);
}

enum ec address_fold(struct sl local, struct sl domain, struct address *out)
{
	if (local.n > 64 || domain.n > 255)
		return E_TOOBIG;
	if (!text_ok(local) || !text_ok(domain))
		return E_SYNTAX;
	out->local_octets = (uint16_t)local.n;
	out->domain_octets = (uint16_t)domain.n;
	fold_into(out->text, local);
	out->text[local.n] = '@';
	fold_into(out->text + local.n + 1, domain);
	return E_OK;
}

enum ec address_parse(struct sl text, struct address *out)
{
	size_t at = sl_rfind(text, '@');

	if (at >= text.n || at + 1 == text.n)
		return E_SYNTAX;
	return address_fold(sl_head(text, at), sl_from(text, at + 1), out);
}

// ---- rows

static enum ec head_load(struct cx *cx, struct view *v, struct dir_head *out)
{
	struct sl head;
	uint64_t version;
	enum ec e = cell_head(cx, v, DIRECTORY_CELL, &version, &head);

	if (e == E_NOTFOUND) { // a new store
		*out = (struct dir_head){ .next_account = 1 };
		return E_OK;
	}
	if (e != E_OK)
		return wrap(cx, e, "read the directory");
	if (head.n != HEAD_OCTETS || head.p[0] != HEAD_KIND || head.p[1] != HEAD_FORM)
		return fail(cx, E_CORRUPT, "the directory's head of %zu octets", head.n);
	*out = (struct dir_head){ version, get_le64(head.p + 2), get_le64(head.p + 10) };
	return E_OK;
}

static void head_put(struct change *c, const struct dir_head *h)
{
	uint8_t o[HEAD_OCTETS] = { HEAD_KIND, HEAD_FORM };

	put_le64(o + 2, h->next_account);
	put_le64(o + 10, h->postmaster);
	change_head(c, (struct sl){ o, sizeof o });
}

static struct key domain_key(struct sl domain)
{
	struct key k = key_of('d');

	key_text(&k, domain);
	return k;
}

static struct key person_key(char kind, struct sl local, struct sl domain)
{
	struct key k = key_of(kind);

	key_text(&k, domain);
	key_u8(&k, 0);
	key_text(&k, local);
	return k;
}

static enum ec row_get(struct cx *cx, struct view *v, const struct key *k, struct sl *value)
{
	return cell_get(cx, v, DIRECTORY_CELL, key_sl(k), value);
}

/// E_OK or E_NOTFOUND (or worse): whether a row is there.
static enum ec row_has(struct cx *cx, struct view *v, const struct key *k)
{
	struct sl value;

	return row_get(cx, v, k, &value);
}

/// One change of the directory: head and at most one row.
static enum ec commit_row(
	struct cx *cx, struct txn *t, const struct dir_head *h, const struct key *k, const struct sl *value)
{
	struct change *c = change_begin(t, DIRECTORY_CELL, h->version);
	uint64_t version;

	head_put(c, h);
	if (k && value)
		change_put(c, key_sl(k), *value);
	else if (k)
		change_del(c, key_sl(k));
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}

/// The domain whose users `domain` has: itself, or what it is an alias of. errors: E_NOTFOUND (not ours).
static enum ec domain_map(struct cx *cx, struct view *v, struct sl domain, struct sl *users_of)
{
	struct key k = domain_key(domain);
	struct sl alias_of;
	enum ec e = row_get(cx, v, &k, &alias_of);

	if (e == E_OK)
		*users_of = alias_of.n ? alias_of : domain;
	return e;
}

/// True where any row begins with `prefix`.
struct prefix_search {
	struct sl prefix;
	bool found;
};
static bool see_prefix(void *arg, struct sl key, struct sl value)
{
	struct prefix_search *s = arg;

	(void)value;
	s->found = sl_starts(key, s->prefix);
	return false;
}

static enum ec has_prefix(struct cx *cx, struct view *v, const struct key *prefix, bool *found)
{
	struct prefix_search s = { key_sl(prefix), false };
	enum ec e = cell_scan(cx, v, DIRECTORY_CELL, s.prefix, see_prefix, &s);

	if (e == E_OK || e == E_NOTFOUND) {
		*found = s.found;
		e = E_OK;
	}
	return e;
}

// ---- domains

/// sub-domain *("." sub-domain) of a name to be kept here: letters, digits, "-" and "_" inside, or any UTF-8.
/// Without this a slip of the hand (an address, a dot at the end) makes a domain that no mail can name.
/// source: RFC 5321 §4.1.2.
static bool domain_ok(struct sl domain)
{
	bool ok = domain.n > 0 && domain.p[domain.n - 1] != '.';

	while (ok && domain.n) {
		struct sl label = sl_cut(&domain, '.');
		ok = label.n > 0 && label.n <= 63 && label.p[0] != '-' && label.p[label.n - 1] != '-';
		for (size_t i = 0; ok && i < label.n; i++)
			ok = is_alpha(label.p[i]) || is_digit(label.p[i]) || label.p[i] == '-' || label.p[i] == '_' ||
			     label.p[i] >= 0x80;
	}
	return ok;
}

enum ec directory_domain_add(struct cx *cx, struct txn *t, struct sl domain, struct sl alias_of)
{
	struct view *v = txn_view(t);
	struct address a, of;
	struct dir_head h;
	struct sl value;
	enum ec e = address_fold((struct sl){ 0 }, domain, &a);

	if (e == E_OK)
		e = address_fold((struct sl){ 0 }, alias_of, &of);
	if (e != E_OK || !domain_ok(domain))
		return e != E_OK ? e : E_SYNTAX;
	struct key k = domain_key(address_domain(&a)), ko = domain_key(address_domain(&of));
	e = row_has(cx, v, &k);
	if (e != E_NOTFOUND)
		return e == E_OK ? fail(cx, E_EXISTS, "domain %.*s", SLF(domain)) : e;
	e = alias_of.n ? row_get(cx, v, &ko, &value) : E_OK;
	if (e == E_OK && alias_of.n && value.n)
		e = fail(cx, E_STATE, "%.*s is an alias itself", SLF(alias_of));
	if (e == E_OK)
		e = head_load(cx, v, &h);
	value = address_domain(&of);
	return e == E_OK ? commit_row(cx, t, &h, &k, &value) : e;
}

struct alias_search {
	struct sl domain;
	bool found;
};
static bool see_alias_domain(void *arg, struct sl key, struct sl value)
{
	struct alias_search *s = arg;

	if (key.p[0] != 'd')
		return false;
	s->found = sl_eq(value, s->domain);
	return !s->found;
}

enum ec directory_domain_remove(struct cx *cx, struct txn *t, struct sl domain)
{
	struct view *v = txn_view(t);
	struct address a;
	struct dir_head h;
	bool users = false, aliases = false;
	enum ec e = address_fold((struct sl){ 0 }, domain, &a);

	if (e != E_OK)
		return e;
	struct sl name = address_domain(&a);
	struct key k = domain_key(name), ku = person_key('u', (struct sl){ 0 }, name),
		   ka = person_key('a', (struct sl){ 0 }, name);
	struct alias_search other = { .domain = name };
	e = row_has(cx, v, &k);
	if (e == E_OK)
		e = has_prefix(cx, v, &ku, &users);
	if (e == E_OK)
		e = has_prefix(cx, v, &ka, &aliases);
	if (e == E_OK)
		e = cell_scan(cx, v, DIRECTORY_CELL, SL("d"), see_alias_domain, &other);
	if (e == E_OK && (users || aliases || other.found))
		e = fail(cx, E_STATE, "%s are left in it", users ? "users" : aliases ? "aliases" : "alias domains");
	if (e == E_OK)
		e = head_load(cx, v, &h);
	return e == E_OK ? commit_row(cx, t, &h, &k, NULL) : e;
}

// ---- users

enum ec directory_next_account(struct cx *cx, struct view *v, uint64_t *account)
{
	struct dir_head h;
	enum ec e = head_load(cx, v, &h);

	if (e == E_OK)
		*account = h.next_account;
	return e;
}

enum ec directory_mended(struct cx *cx, struct view *v, uint64_t *damage)
{
	struct sl row;
	enum ec e = cell_get(cx, v, DIRECTORY_CELL, SL("D"), &row);

	if (e == E_OK && row.n != 8)
		return fail(cx, E_CORRUPT, "the directory's row of damage has %zu octets", row.n);
	if (e == E_OK || e == E_NOTFOUND)
		*damage = e == E_OK ? get_le64(row.p) : 0;
	return e == E_NOTFOUND ? E_OK : e;
}

enum ec directory_set_mended(struct cx *cx, struct txn *t, uint64_t damage, uint64_t least_account)
{
	struct key k = key_of('D');
	struct dir_head h;
	uint8_t row[8];
	enum ec e = head_load(cx, txn_view(t), &h);

	if (e)
		return e;
	h.next_account = (h.next_account > least_account ? h.next_account : least_account) + LEAP_IDS;
	put_le64(row, damage);
	return commit_row(cx, t, &h, &k, &(struct sl){ row, sizeof row });
}

/// E_OK where neither a user nor (with `aliases`) an alias has this address, in a domain of ours that is no alias.
static enum ec person_free(struct cx *cx, struct view *v, const struct address *a, bool aliases)
{
	struct key kd = domain_key(address_domain(a)), ku = person_key('u', address_local(a), address_domain(a)),
		   ka = person_key('a', address_local(a), address_domain(a));
	struct sl alias_of;
	enum ec e = row_get(cx, v, &kd, &alias_of);

	if (e != E_OK)
		return wrap(cx, e, "domain %.*s", SLF(address_domain(a)));
	if (alias_of.n)
		return fail(cx, E_STATE, "the domain is an alias of %.*s", SLF(alias_of));
	e = row_has(cx, v, &ku);
	if (e == E_NOTFOUND && aliases)
		e = row_has(cx, v, &ka);
	if (e == E_OK)
		return fail(cx, E_EXISTS, "%.*s", SLF(address_text(a)));
	return e == E_NOTFOUND ? E_OK : e;
}

enum ec directory_user_free(struct cx *cx, struct view *v, struct sl address)
{
	struct address a;
	enum ec e = address_parse(address, &a);

	if (e == E_OK && a.local_octets == 0)
		e = E_SYNTAX;
	return e == E_OK ? person_free(cx, v, &a, true) : e;
}

enum ec directory_user_add(struct cx *cx, struct txn *t, struct sl address, uint64_t account)
{
	struct address a;
	struct dir_head h;
	uint8_t id[8];
	enum ec e = directory_user_free(cx, txn_view(t), address);

	if (e == E_OK)
		e = address_parse(address, &a);
	if (e == E_OK)
		e = head_load(cx, txn_view(t), &h);
	if (e != E_OK)
		return e;
	struct key k = person_key('u', address_local(&a), address_domain(&a));
	put_le64(id, account);
	if (h.next_account <= account)
		h.next_account = account + 1;
	if (h.postmaster == 0)
		h.postmaster = account;
	struct sl value = { id, sizeof id };
	return commit_row(cx, t, &h, &k, &value);
}

enum ec directory_user_name(struct cx *cx, struct view *v, struct sl address, struct address *name)
{
	struct address a;
	struct sl domain;
	enum ec e = address_parse(address, &a);

	if (e == E_OK)
		e = domain_map(cx, v, address_domain(&a), &domain);
	return e == E_OK ? address_fold(address_local(&a), domain, name) : e;
}

enum ec directory_user_find(struct cx *cx, struct view *v, struct sl address, uint64_t *account)
{
	struct address a;
	struct sl value;
	enum ec e = directory_user_name(cx, v, address, &a);

	if (e != E_OK)
		return e;
	struct key k = person_key('u', address_local(&a), address_domain(&a));
	e = row_get(cx, v, &k, &value);
	if (e == E_OK && value.n != 8)
		e = fail(cx, E_CORRUPT, "user row of %zu octets", value.n);
	if (e == E_OK)
		*account = get_le64(value.p);
	return e;
}

struct count_users {
	unsigned n;
};
static bool see_user(void *arg, struct sl key, struct sl value)
{
	struct count_users *c = arg;

	(void)value;
	if (key.p[0] != 'u')
		return false;
	return ++c->n < 2;
}

enum ec directory_user_remove(struct cx *cx, struct txn *t, struct sl address, uint64_t *account)
{
	struct view *v = txn_view(t);
	struct address a;
	struct dir_head h;
	struct count_users users = { 0 };
	uint64_t id;
	enum ec e = directory_user_find(cx, v, address, &id);

	if (e == E_OK)
		e = address_parse(address, &a);
	if (e == E_OK)
		e = head_load(cx, v, &h);
	if (e == E_OK)
		e = cell_scan(cx, v, DIRECTORY_CELL, SL("u"), see_user, &users);
	if (e == E_OK && h.postmaster == id && users.n > 1)
		e = fail(cx, E_STATE, "is the owner of postmaster: name another first");
	if (e != E_OK)
		return e;
	struct sl domain;
	e = domain_map(cx, v, address_domain(&a), &domain);
	if (e != E_OK)
		return e;
	struct key k = person_key('u', address_local(&a), domain);
	if (h.postmaster == id)
		h.postmaster = 0;
	e = commit_row(cx, t, &h, &k, NULL);
	if (e == E_OK)
		*account = id;
	return e;
}

enum ec directory_postmaster(struct cx *cx, struct view *v, uint64_t *account)
{
	struct dir_head h;
	enum ec e = head_load(cx, v, &h);

	if (e == E_OK)
		*account = h.postmaster;
	return e;
}

enum ec directory_set_postmaster(struct cx *cx, struct txn *t, uint64_t account)
{
	struct dir_head h;
	enum ec e = head_load(cx, txn_view(t), &h);

	h.postmaster = account;
	return e == E_OK ? commit_row(cx, t, &h, NULL, NULL) : e;
}

// ---- aliases

/// E_OK where `target` is a user or an alias, as it stands or without its "+tag".
static enum ec target_known(struct cx *cx, struct view *v, struct sl target)
{
	struct address a;
	struct sl domain;
	enum ec e = address_parse(target, &a);

	if (e == E_OK && a.local_octets == 0)
		e = E_SYNTAX;
	if (e == E_OK)
		e = domain_map(cx, v, address_domain(&a), &domain);
	if (e != E_OK)
		return wrap(cx, e, "target %.*s", SLF(target));
	struct sl local = address_local(&a);
	for (int k = 0; k < 2; k++) {
		struct key ku = person_key('u', local, domain), ka = person_key('a', local, domain);
		e = row_has(cx, v, &ku);
		if (e == E_NOTFOUND)
			e = row_has(cx, v, &ka);
		if (e != E_NOTFOUND)
			return e;
		local = sl_head(local, sl_find(local, '+'));
	}
	return fail(cx, E_NOTFOUND, "target %.*s", SLF(target));
}

/// Folds and checks the targets of an alias.
static enum ec targets_check(struct cx *cx, struct view *v, struct sl targets, struct buf *out)
{
	struct sl rest = targets;
	unsigned n = 0;

	if (targets.n == 0 || targets.n > ALIAS_OCTETS_MAX)
		return fail(cx, E_LIMIT, "targets of %zu octets", targets.n);
	while (rest.n) {
		struct sl one = sl_cut(&rest, ' ');
		struct address a;
		if (++n > ALIAS_TARGETS_MAX)
			return fail(cx, E_LIMIT, "more than %d targets", ALIAS_TARGETS_MAX);
		enum ec e = target_known(cx, v, one);
		if (e == E_OK)
			e = address_parse(one, &a);
		if (e != E_OK)
			return e;
		if (out->n)
			buf_addc(out, ' ');
		buf_add(out, address_text(&a));
	}
	return out->err;
}

enum ec directory_alias_add(struct cx *cx, struct txn *t, struct sl address, struct sl targets, bool replace)
{
	struct view *v = txn_view(t);
	struct address a;
	struct dir_head h;
	struct buf text = BUF(ALIAS_OCTETS_MAX);
	enum ec e = address_parse(address, &a);

	if (e == E_OK)
		e = person_free(cx, v, &a, !replace);
	if (e == E_OK)
		e = targets_check(cx, v, targets, &text);
	if (e == E_OK)
		e = head_load(cx, v, &h);
	if (e == E_OK) {
		struct key k = person_key('a', address_local(&a), address_domain(&a));
		struct sl value = buf_sl(&text);
		e = commit_row(cx, t, &h, &k, &value);
	}
	buf_free(&text);
	return e;
}

enum ec directory_alias_remove(struct cx *cx, struct txn *t, struct sl address)
{
	struct address a;
	struct dir_head h;
	enum ec e = address_parse(address, &a);

	if (e != E_OK)
		return e;
	struct key k = person_key('a', address_local(&a), address_domain(&a));
	e = row_has(cx, txn_view(t), &k);
	if (e == E_OK)
		e = head_load(cx, txn_view(t), &h);
	return e == E_OK ? commit_row(cx, t, &h, &k, NULL) : e;
}

// ---- resolving

void targets_free(struct targets *t)
{
	free(t->id);
	*t = (struct targets){ 0 };
}

/// Adds to the ascending set; *fresh false where it was there.
static enum ec targets_add(struct targets *t, uint64_t id, bool *fresh)
{
	uint32_t lo = 0, hi = t->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (t->id[mid] < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	*fresh = lo == t->n || t->id[lo] != id;
	if (!*fresh)
		return E_OK;
	if (t->n == RESOLVE_MAX)
		return E_LIMIT;
	if (t->n == t->cap) {
		uint32_t cap = t->cap ? t->cap * 2 : 8;
		uint64_t *p = reallocarray(t->id, cap, sizeof *p);
		if (!p)
			return E_TEMP;
		t->id = p;
		t->cap = cap;
	}
	memmove(t->id + lo + 1, t->id + lo, (t->n - lo) * sizeof *t->id);
	t->id[lo] = id;
	t->n++;
	return E_OK;
}

struct resolving {
	struct cx *cx;
	struct view *v;
	struct targets *out;
	struct targets seen; // keyed hashes of aliases looked at
	struct hash_key secret;
};

static enum ec expand_person(struct resolving *r, struct sl local, struct sl domain, unsigned depth);

/// Follows an alias once: loops and what two aliases share are cut here.
static enum ec expand_alias(struct resolving *r, const struct key *k, struct sl targets, unsigned depth)
{
	bool fresh;
	enum ec e = targets_add(&r->seen, hash_keyed(&r->secret, key_sl(k)), &fresh);

	if (e != E_OK || !fresh || depth == ALIAS_DEPTH_MAX)
		return e;
	while (targets.n && e == E_OK) {
		struct address a;
		struct sl domain;
		struct sl one = sl_cut(&targets, ' ');
		if (address_parse(one, &a) != E_OK || domain_map(r->cx, r->v, address_domain(&a), &domain) != E_OK)
			continue; // its domain went away since
		e = expand_person(r, address_local(&a), domain, depth + 1);
		if (e == E_NOTFOUND)
			e = E_OK; // the person went away since
	}
	return e;
}

/// Exactly this user or alias. errors: E_NOTFOUND.
static enum ec expand_exact(struct resolving *r, struct sl local, struct sl domain, unsigned depth)
{
	struct key ku = person_key('u', local, domain), ka = person_key('a', local, domain);
	struct sl value;
	bool fresh;
	enum ec e = row_get(r->cx, r->v, &ku, &value);

	if (e == E_OK)
		return value.n == 8 ? targets_add(r->out, get_le64(value.p), &fresh)
		                    : fail(r->cx, E_CORRUPT, "user row of %zu octets", value.n);
	if (e == E_NOTFOUND)
		e = row_get(r->cx, r->v, &ka, &value);
	return e == E_OK ? expand_alias(r, &ka, value, depth) : e;
}

/// User or alias, without its tag, postmaster and abuse. errors: E_NOTFOUND.
static enum ec expand_person(struct resolving *r, struct sl local, struct sl domain, unsigned depth)
{
	uint64_t owner = 0;
	bool fresh;
	size_t plus = sl_find(local, '+');
	enum ec e = expand_exact(r, local, domain, depth);

	if (e == E_NOTFOUND && plus > 0 && plus < local.n)
		e = expand_exact(r, sl_head(local, plus), domain, depth);
	if (e != E_NOTFOUND || !(sl_eq(local, SL("postmaster")) || sl_eq(local, SL("abuse"))))
		return e;
	e = directory_postmaster(r->cx, r->v, &owner);
	if (e != E_OK || owner == 0)
		return e != E_OK ? e : E_NOTFOUND;
	return targets_add(r->out, owner, &fresh);
}

/// RFC 5321 §4.1.1.3: the bare <postmaster> has no domain.
static enum ec resolve_in(struct resolving *r, const struct address *a, enum rcpt_verdict *verdict)
{
	struct sl domain, local = address_local(a);
	uint64_t owner = 0;
	bool fresh;
	enum ec e;

	*verdict = RCPT_UNKNOWN;
	if (local.n == 0)
		return E_OK;
	if (a->domain_octets == 0) {
		e = sl_eq(local, SL("postmaster")) ? directory_postmaster(r->cx, r->v, &owner) : E_OK;
		return e == E_OK && owner ? targets_add(r->out, owner, &fresh) : e;
	}
	e = domain_map(r->cx, r->v, address_domain(a), &domain);
	if (e == E_NOTFOUND) {
		*verdict = RCPT_REMOTE;
		return E_OK;
	}
	if (e == E_OK)
		e = expand_person(r, local, domain, 0);
	if (e == E_NOTFOUND)
		e = expand_exact(r, (struct sl){ 0 }, domain, 0);
	return e == E_NOTFOUND ? E_OK : e;
}

enum ec directory_resolve(
	struct cx *cx, struct view *v, const struct address *a, enum rcpt_verdict *verdict, struct targets *out)
{
	struct targets found = { 0 };
	struct resolving r = { .cx = cx, .v = v, .out = &found };
	enum rcpt_verdict said;

	random_octets(&r.secret, sizeof r.secret);
	enum ec e = resolve_in(&r, a, &said);
	targets_free(&r.seen);
	if (e != E_OK || found.n == 0) {
		targets_free(&found);
		if (e == E_OK)
			*verdict = said;
	} else {
		*verdict = RCPT_LOCAL;
	}
	if (e == E_OK)
		*out = found;
	return e;
}

// ---- listing

struct listing {
	enum list_what what;
	struct sl after; // key
	directory_each *each;
	void *arg;
};

static bool list_row(void *arg, struct sl key, struct sl value)
{
	struct listing *l = arg;
	uint8_t text[ADDRESS_MAX];
	struct dir_entry e = { 0 };

	if (key.p[0] != l->after.p[0])
		return false;
	if (sl_eq(key, l->after))
		return true;
	if (l->what == LIST_DOMAINS) {
		e.name = sl_from(key, 1);
		e.text = value;
		return l->each(l->arg, &e);
	}
	size_t nul = sl_find(key, 0);
	struct sl domain = sl_sub(key, 1, nul), local = sl_from(key, nul + 1);
	if (local.n + 1 + domain.n > sizeof text)
		return true;
	if (local.n)
		memcpy(text, local.p, local.n);
	text[local.n] = '@';
	memcpy(text + local.n + 1, domain.p, domain.n);
	e.name = (struct sl){ text, local.n + 1 + domain.n };
	if (l->what == LIST_USERS)
		e.account = value.n == 8 ? get_le64(value.p) : 0;
	else
		e.text = value;
	return l->each(l->arg, &e);
}

enum ec directory_list(
	struct cx *cx, struct view *v, enum list_what what, struct sl after, directory_each *each, void *arg)
{
	struct address a = { 0 };
	struct key k;
	enum ec e = E_OK;

	if (what == LIST_DOMAINS)
		e = address_fold((struct sl){ 0 }, after, &a);
	else if (after.n)
		e = address_parse(after, &a);
	if (e != E_OK)
		return e;
	if (what == LIST_DOMAINS)
		k = domain_key(address_domain(&a));
	else if (after.n)
		k = person_key(what == LIST_USERS ? 'u' : 'a', address_local(&a), address_domain(&a));
	else
		k = key_of(what == LIST_USERS ? 'u' : 'a');
	struct listing l = { what, key_sl(&k), each, arg };
	e = cell_scan(cx, v, DIRECTORY_CELL, l.after, list_row, &l);
	return e == E_NOTFOUND ? E_OK : e;
}
