/// pattern — greedy matching with two places to go back to: the last `%` (within its component) and the last `*`.
///
/// Only the last of each can matter: whatever an earlier one might have taken, the later one can take as well.
#include "front/imap/pattern.h"

/// Octets of the name that fold ASCII case: its first component where that is INBOX.
static size_t folded_octets(struct sl name)
{
	struct sl rest = name;

	return sl_eq_ci(sl_cut(&rest, '/'), SL("INBOX")) ? 5 : 0;
}

static bool same(struct sl pattern, size_t p, struct sl name, size_t n, size_t folded)
{
	if (n < folded)
		return to_lower(pattern.p[p]) == to_lower(name.p[n]);
	return pattern.p[p] == name.p[n];
}

/// Where matching goes on after a mismatch: behind the wildcard at `p`, which has taken the name up to `n`.
struct back {
	bool set;
	size_t p, n;
};

bool pattern_match(struct sl pattern, struct sl name)
{
	size_t p = 0, n = 0, folded = folded_octets(name);
	struct back star = { 0 }, percent = { 0 };

	while (n < name.n || p < pattern.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = (struct back){ true, ++p, n };
			percent.set = false;
		} else if (p < pattern.n && pattern.p[p] == '%') {
			percent = (struct back){ true, ++p, n };
		} else if (p < pattern.n && n < name.n && same(pattern, p, name, n, folded)) {
			p++;
			n++;
		} else if (percent.set && percent.n < name.n && name.p[percent.n] != '/') {
			p = percent.p;
			n = ++percent.n;
		} else if (star.set && star.n < name.n) {
			p = star.p;
			n = ++star.n;
			percent.set = false;
		} else {
			return false;
		}
	}
	return true;
}
