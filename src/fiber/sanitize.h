#pragma once
/// sanitize — what ASan, TSan and Valgrind must be told about stack switches; nothing in a plain build but Valgrind's.
///
/// Order at each switch: san_leave on the old stack, the switch, san_arrive on the new one.
#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SAN_ADDRESS 1
#endif
#if __has_feature(thread_sanitizer)
#define SAN_THREAD 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SAN_ADDRESS 1
#endif
#ifdef __SANITIZE_THREAD__
#define SAN_THREAD 1
#endif
#ifdef SAN_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SAN_THREAD
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include) && !defined(SAN_ADDRESS) && !defined(SAN_THREAD)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define SAN_VALGRIND 1
#endif
#endif

/// One stack as the tools know it.
struct san {
#ifdef SAN_ADDRESS
	void *fake; // ASan's shadow frames while this stack does not run
	const void *low;
	size_t octets;
#endif
#ifdef SAN_THREAD
	void *thread;
#endif
#ifdef SAN_VALGRIND
	unsigned id;
#endif
	char unused; // a struct has at least one member
};

/// The thread's own stack, on which the scheduler runs.
static inline void san_main(struct san *s)
{
	*s = (struct san){ 0 };
#ifdef SAN_THREAD
	s->thread = __tsan_get_current_fiber();
#endif
}

/// A fiber's stack [low, high), before its first switch; and after its last.
static inline void san_birth(struct san *s, void *low, void *high)
{
	*s = (struct san){ 0 };
#ifdef SAN_ADDRESS
	s->low = low;
	s->octets = (size_t)((uint8_t *)high - (uint8_t *)low);
#endif
#ifdef SAN_THREAD
	s->thread = __tsan_create_fiber(0);
#endif
#ifdef SAN_VALGRIND
	s->id = VALGRIND_STACK_REGISTER(low, high);
#endif
	(void)low;
	(void)high;
}

static inline void san_death(struct san *s)
{
#ifdef SAN_THREAD
	__tsan_destroy_fiber(s->thread);
#endif
#ifdef SAN_VALGRIND
	VALGRIND_STACK_DEREGISTER(s->id);
#endif
	(void)s;
}

/// About to switch from `from` to `to`; `last` where `from` will never run again.
static inline void san_leave(struct san *from, struct san *to, int last)
{
#ifdef SAN_ADDRESS
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake, to->low, to->octets);
#endif
#ifdef SAN_THREAD
	__tsan_switch_to_fiber(to->thread, 0);
#endif
	(void)from;
	(void)to;
	(void)last;
}

/// Now on `here`, coming from `from` (whose bounds ASan tells where we do not know them: the thread's own stack).
static inline void san_arrive(struct san *here, struct san *from)
{
#ifdef SAN_ADDRESS
	__sanitizer_finish_switch_fiber(here->fake, &from->low, &from->octets);
#endif
	(void)here;
	(void)from;
}

/// The octets of a stack that nobody uses any more may still be marked as red zones of frames that never returned.
static inline void san_stack_free(void *low, void *high)
{
#ifdef SAN_ADDRESS
	__asan_unpoison_memory_region(low, (size_t)((uint8_t *)high - (uint8_t *)low));
#endif
	(void)low;
	(void)high;
}
