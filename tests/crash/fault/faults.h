#pragma once
/// faults — makes the n-th allocation or system call of a program fail.
///
/// Linked into a program (which arms it by fault_page()) or preloaded into Hongyan: then FAULT_PAGE names a file that is
/// mapped by every role that FAULT_ROLE names, so that a test arms the running process and reads what it reached.
#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_ALLOC, // malloc, calloc, realloc, reallocarray, posix_memalign, aligned_alloc; strdup through malloc
	FAULT_CALL,  // open, write (all forms), flush, ftruncate, fallocate, rename, unlink, mkdir, mmap
};

enum { FAULT_WHERE = 8 };
/// In the order in which test_server_sweep.py reads it.
struct fault_page {
	_Atomic uint32_t kind, err;          // what fails now, with which errno (allocations: ENOMEM)
	_Atomic uint64_t from, to;           // the calls with these numbers fail
	_Atomic uint64_t count;              // calls of that kind since `count` was set to 0
	_Atomic uint64_t failed;             // of them
	_Atomic uint64_t where[FAULT_WHERE]; // the addresses that the first failed calls return to
};

struct fault_page *fault_page(void);
/// What this thread calls between spare(true) and spare(false) never fails and is not counted: a test's own memory.
void fault_spare(bool on);
