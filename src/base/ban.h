#pragma once
/// ban — functions that must not touch octets from outside; force-included by the build into every file of src/.
///
/// `#pragma GCC poison` would break system headers, so each name becomes a call to something that does not
/// link and says why. Include order does not matter: system headers are pulled in here first.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define BAN(name, instead) banned_##name##_use_##instead
#undef strcpy
#define strcpy(...) BAN(strcpy, buf_add)
#undef strcat
#define strcat(...) BAN(strcat, buf_add)
#undef strncpy
#define strncpy(...) BAN(strncpy, buf_add)
#undef strncat
#define strncat(...) BAN(strncat, buf_add)
#undef sprintf
#define sprintf(...) BAN(sprintf, buf_printf)
#undef vsprintf
#define vsprintf(...) BAN(vsprintf, buf_printf)
#undef strtok
#define strtok(...) BAN(strtok, cur_take)
#undef atoi
#define atoi(...) BAN(atoi, num_parse)
#undef atol
#define atol(...) BAN(atol, num_parse)
#undef strtol
#define strtol(...) BAN(strtol, num_parse)
#undef strtoul
#define strtoul(...) BAN(strtoul, num_parse)
#undef strtoll
#define strtoll(...) BAN(strtoll, num_parse)
#undef strtoull
#define strtoull(...) BAN(strtoull, num_parse)
#undef alloca
#define alloca(...) BAN(alloca, arena_alloc)
#undef gmtime
#define gmtime(...) BAN(gmtime, clock_civil)
#undef localtime
#define localtime(...) BAN(localtime, clock_civil)
#undef ctime
#define ctime(...) BAN(ctime, date_print)
#undef rand
#define rand(...) BAN(rand, random_octets)
