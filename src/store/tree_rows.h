#pragma once
/// tree_rows — the rows of an account's tree, for the modules that read them whole (listing, checking).
#include "store/cell.h"
#include "store/tree.h"

enum { TREE_NODE_OCTETS = 17 };

/// A row 't': what stands at (parent, name).
struct tree_node {
	uint64_t node, mbox;
	enum mbox_use use;
};
/// A row 'n': where a node stands; `name` borrowed.
struct tree_place {
	uint64_t parent;
	struct sl name;
};
struct cell_id tree_cell(uint64_t account);
[[nodiscard]] enum ec tree_node_decode(struct cx *cx, struct sl value, struct tree_node *out);
[[nodiscard]] enum ec tree_place_get(
	struct cx *cx, struct view *v, uint64_t account, uint64_t node, struct tree_place *out);

/// How far a node's descendants reach below it.
struct tree_extent {
	unsigned depth; // components
	size_t octets;  // of the longest name, with its slashes
};
[[nodiscard]] enum ec tree_extent(
	struct cx *cx, struct view *v, uint64_t account, uint64_t node, struct tree_extent *out);
