#pragma once
/// switch — leaving one stack and going on with another, on the same thread.
///
/// A stopped stack is known by one pointer, which is at or near its lowest live octet. Kept over a switch: what the ABI
/// says a callee keeps, with the floating-point control words. Not kept: the signal mask.
/// Two implementations: switch.S (x86-64, aarch64), and ucontext where the build says -Dfiber_switch=ucontext.
#include <stdint.h>

/// Makes a stack that, when first switched to, calls entry(arg), which must never return.
///
/// out: the pointer for switch_stack.
void *switch_prepare(uint8_t *low, uint8_t *high, void (*entry)(void *arg), void *arg);
/// Stops here, writing the pointer by which to come back to *from, and goes on with `to`.
void switch_stack(void **from, void *to);
