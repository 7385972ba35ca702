#pragma once
/// sandbox — closing the doors behind a role: no_new_privs, Landlock, seccomp, not dumpable.
#include <stdbool.h>

#include "base/cx.h"

enum sandbox_role { SANDBOX_FRONT, SANDBOX_STORE };
enum sandbox_mode { SANDBOX_OFF, SANDBOX_AUTO, SANDBOX_REQUIRE };

/// Confines this process and all its later threads. A front may open no file and make no socket; the store may use
/// only what lies beneath its working directory, and no network. Both: no exec, ptrace, foreign memory, signals to
/// others, executable mappings, io_uring.
///
/// out:    *missing — static text naming what the kernel does not have ("" = all there), for a warning.
/// errors: E_UNSUPPORTED where something is missing and the mode is SANDBOX_REQUIRE; E_IO.
[[nodiscard]] enum ec sandbox_enter(
	struct cx *cx, enum sandbox_role role, enum sandbox_mode mode, const char **missing);
