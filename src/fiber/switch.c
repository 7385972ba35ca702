/// switch — the first frame of a new stack; the whole switch where the build chose ucontext.
#include "fiber/switch.h"

#ifdef SWITCH_UCONTEXT
#include <stdlib.h>
#include <ucontext.h>

/// makecontext passes ints: the entry and its argument travel as two halves each.
static void enter(unsigned entry_high, unsigned entry_low, unsigned arg_high, unsigned arg_low)
{
	uintptr_t entry = (uintptr_t)entry_high << 32 | entry_low;
	uintptr_t arg = (uintptr_t)arg_high << 32 | arg_low;

	((void (*)(void *))entry)((void *)arg);
	abort();
}

void *switch_prepare(uint8_t *low, uint8_t *high, void (*entry)(void *arg), void *arg)
{
	// The context of a stack that has not begun lives at its top.
	ucontext_t *u = (ucontext_t *)(void *)(high - (sizeof *u + 63) / 64 * 64);
	uintptr_t e = (uintptr_t)entry, a = (uintptr_t)arg;

	if (getcontext(u) != 0)
		abort(); // only a bad pointer makes it fail
	u->uc_stack.ss_sp = low;
	u->uc_stack.ss_size = (size_t)((uint8_t *)u - low);
	u->uc_link = NULL;
	makecontext(u, (void (*)(void))(void *)enter, 4, (unsigned)(e >> 32), (unsigned)e, (unsigned)(a >> 32),
		(unsigned)a);
	return u;
}

void switch_stack(void **from, void *to)
{
	ucontext_t here;

	*from = &here;
	if (swapcontext(&here, to) != 0)
		abort();
}

#else
#include <string.h>

void switch_enter(void); // in switch.S; never called, only returned into

#if defined(__x86_64__)
void *switch_prepare(uint8_t *, uint8_t *high, void (*entry)(void *arg), void *arg)
{
	// From the top: two empty words (the ABI wants the stack 16-octet aligned at switch_enter's call, and rbp = 0
	// ends frame chains), the return address, rbp rbx r12 r13 r14 r15, the control words.
	uint64_t *sp = (uint64_t *)(void *)high - 10;
	uint32_t mxcsr;
	uint16_t x87;

	memset(sp, 0, 10 * sizeof *sp);
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(x87));
	sp[0] = mxcsr | (uint64_t)x87 << 32;
	sp[3] = (uintptr_t)arg;   // r13
	sp[4] = (uintptr_t)entry; // r12
	sp[7] = (uintptr_t)switch_enter;
	return sp;
}
#elif defined(__aarch64__)
void *switch_prepare(uint8_t *, uint8_t *high, void (*entry)(void *arg), void *arg)
{
	uint64_t *sp = (uint64_t *)(void *)high - 24;

	memset(sp, 0, 24 * sizeof *sp);
	sp[0] = (uintptr_t)entry; // x19
	sp[1] = (uintptr_t)arg;   // x20
	sp[11] = (uintptr_t)switch_enter;
	__asm__ volatile("mrs %0, fpcr" : "=r"(sp[20]));
	return sp;
}
#endif
#endif
