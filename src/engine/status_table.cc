#include "engine/status_table.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "engine/merge_staging.h"

namespace dosql::engine {
namespace {

std::string_view role_name(version::Role role) {
  switch (role) {
    case version::Role::kWriter: return "writer";
    case version::Role::kFollower: return "follower";
    case version::Role::kSnapshot: return "snapshot";
  }
  return "";
}

}  // namespace

Status StatusRows::begin(int, const char*, std::span<sqlite3_value* const>) {
  begin_with({});
  add_connection();
  add_store(context_.core.store().status());
  return {};
}

void StatusRows::add_connection() {
  add("path", context_.core.path());
  add("branch", context_.core.store().branch_info(context_.file.branch()).name);
  add("version", raw(context_.file.point().version));
  add("db_pages", context_.file.point().page_count);
  add("read_only", context_.file.read_only());
  add("allow_files", context_.core.options().allow_files);
  add("synchronous", context_.file.session().synchronous);
  add("connections", context_.core.connections());
  add("writers_waiting",
      context_.core.slots().of(context_.core.store().branch_name(context_.file.branch())).waiting());
  add("sqlite_version", sqlite3_libversion());
}

void StatusRows::add_store(const version::StoreStatus& status) {
  add("database_id", fmt::format("{:016x}", status.database_id));
  add("format_version", status.format_version);
  add("lsn", raw(status.lsn));
  add("durable_lsn", raw(status.durable_lsn));
  add("checkpoint_lsn", raw(status.checkpoint_lsn));
  add("commits", status.commits);
  add("branches", status.branches - count_hidden_branches(context_.core.store()));
  add("live_pages", status.live_pages);
  add("page_versions", status.page_versions);
  add("log_bytes", status.log_bytes);
  add("segments", status.segments);
  add("index_bytes", status.index_bytes);
  add("pool_bytes", status.pool_bytes);
  add("pool_capacity_bytes", status.pool_capacity_bytes);
  add("rebuilt_pages", status.rebuilt_pages);
  add("syncs", status.syncs);
  add("readers", status.readers);
  add("oldest_pin_lsn", status.oldest_pin ? Value(raw(*status.oldest_pin)) : Value());
  add("role", std::string(role_name(status.role)));
  add("writer_pid", status.writer_pid != 0 ? Value(status.writer_pid) : Value());
  add("followers", status.followers);
  add("oldest_follower_lsn", status.oldest_follower_pin ? Value(raw(*status.oldest_follower_pin)) : Value());
  add("poisoned", status.poisoned);
  add("opened_clean", status.opened_clean);
  add("checkpoint_damaged", status.checkpoint_damaged);
  add("replayed_records", status.replayed_records);
  add("open_us", status.open_us);
}

Status StatusRows::column(sqlite3_context* out, int column) {
  const auto& [name, value] = row();
  if (column == 0) {
    sqlite3_result_text(out, name, -1, SQLITE_STATIC);
  } else if (value.type() == Value::Type::kInteger) {
    sqlite3_result_int64(out, value.integer());
  } else if (value.type() == Value::Type::kText) {
    text_result(out, value.text());
  }
  return {};
}

}  // namespace dosql::engine
