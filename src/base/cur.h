#pragma once
/// cur — a cursor over octets with a sticky error: the base of every hand-written grammar here.
///
/// After the first failure every take fails and every need does nothing, so loops end and one check at the end
/// suffices. `cur_take…` is for what is optional, `cur_need…` for what must come. The error keeps its offset.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ec.h"
#include "base/sl.h"

struct cur {
	struct sl in;
	size_t at;     // next octet
	enum ec err;   // first error, E_OK while well
	size_t err_at; // where it happened
};

/// A cursor at the start of `in`, which is borrowed for the cursor's life.
struct cur cur_over(struct sl in);
/// Notes the first error; later ones are ignored. `e` must not be E_OK.
static inline void cur_fail(struct cur *c, enum ec e)
{
	if (c->err != E_OK)
		return;
	c->err = e;
	c->err_at = c->at;
}
static inline bool cur_ok(const struct cur *c)
{
	return c->err == E_OK;
}
/// True at the end of the octets or after an error.
static inline bool cur_end(const struct cur *c)
{
	return c->err != E_OK || c->at >= c->in.n;
}
/// The next octet without taking it, or -1 at the end or after an error.
static inline int cur_peek(const struct cur *c)
{
	return cur_end(c) ? -1 : c->in.p[c->at];
}
/// What has not been taken yet; empty after an error.
struct sl cur_rest(const struct cur *c);

/// Takes the octet `ch` (text `s`, ASCII case folded for _ci) if it comes next; false, and nothing taken, otherwise.
bool cur_take(struct cur *c, uint8_t ch);
bool cur_take_sl(struct cur *c, struct sl s);
bool cur_take_ci(struct cur *c, struct sl s);
/// The same, but E_SYNTAX where it does not come.
void cur_need(struct cur *c, uint8_t ch);
void cur_need_ci(struct cur *c, struct sl s);
/// E_SYNTAX unless everything has been taken.
void cur_need_end(struct cur *c);

/// Takes the longest run (maybe empty) of octets for which `in_class` is true.
struct sl cur_take_while(struct cur *c, bool (*in_class)(uint8_t));
/// The same, but E_SYNTAX where the run is empty.
struct sl cur_need_while(struct cur *c, bool (*in_class)(uint8_t));
/// Takes exactly `n` octets; E_SYNTAX where fewer remain.
struct sl cur_need_n(struct cur *c, size_t n);
/// Takes 1*DIGIT with a value of at most `max`; E_SYNTAX without a digit, E_RANGE above `max`. 0 after an error.
uint64_t cur_need_num(struct cur *c, uint64_t max);
