/// edit — the classic table, one row at a time.
#include "main/edit.h"

#include "base/num.h"

enum { WORD_MAX = 64 };

size_t edit_distance(struct sl a, struct sl b)
{
	size_t row[WORD_MAX + 1];

	if (a.n > WORD_MAX || b.n > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t replaced = diagonal + (a.p[i - 1] != b.p[j - 1]);
			diagonal = row[j];
			row[j] = min_size(replaced, min_size(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.n];
}
