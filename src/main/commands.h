#pragma once
/// commands — what the table of the command line runs. Each returns an exit code; see main/cli.h.
#include "ipc/payload.h"
#include "main/cli.h"

int cmd_init(struct cx *cx, struct cli *cli);
int cmd_serve(struct cx *cx, struct cli *cli);
int cmd_config_check(struct cx *cx, struct cli *cli);
int cmd_config_certificates(struct cx *cx, struct cli *cli);
int cmd_config_print(struct cx *cx, struct cli *cli);
/// domain, user and alias: add, remove, passwd, set.
int cmd_change(struct cx *cx, struct cli *cli);
int cmd_domain_list(struct cx *cx, struct cli *cli);
int cmd_user_list(struct cx *cx, struct cli *cli);
int cmd_alias_list(struct cx *cx, struct cli *cli);
int cmd_postmaster(struct cx *cx, struct cli *cli);
int cmd_backup(struct cx *cx, struct cli *cli);
int cmd_restore(struct cx *cx, struct cli *cli);
int cmd_store_rebuild(struct cx *cx, struct cli *cli);
int cmd_store_check(struct cx *cx, struct cli *cli);
int cmd_store_compact(struct cx *cx, struct cli *cli);
int cmd_stats(struct cx *cx, struct cli *cli);
int cmd_top(struct cx *cx, struct cli *cli);
int cmd_store_stats(struct cx *cx, struct cli *cli);
int cmd_import(struct cx *cx, struct cli *cli);
int cmd_export(struct cx *cx, struct cli *cli);
int cmd_mailbox_deleted(struct cx *cx, struct cli *cli);
int cmd_mailbox_restore(struct cx *cx, struct cli *cli);

typedef void entry_take(void *arg, const struct pl_entry *e);
/// Shows each domain, user or alias, by name. yields: yes. errors: those of admin_list and chunks_take.
FIB enum ec entries_each(struct cx *cx, struct client *store, enum list_what what, entry_take *take, void *arg);
