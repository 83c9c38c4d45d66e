#include "engine/conflicts_table.h"

#include <sqlite3.h>

#include <string>

namespace dosql::engine {
namespace {

Result<std::unique_ptr<MergeStaging>> staging_of(DatabaseCore& core, const MainFile& file) {
  const version::VersionStore& store = core.store();
  return MergeStaging::find(core, store.branch_info(store.current(file.branch())).name);
}

// Belongs to the function, and goes with the handle.
struct Resolver {
  std::shared_ptr<Session> session;
  DatabaseCore& core;
  MainFile& file;
};

Status resolve(Resolver& resolver, sqlite3_value** values) {
  DOSQL_ASSIGN_OR_RETURN(const auto staging, staging_of(resolver.core, resolver.file));
  if (!staging) return Error(ErrorCode::kNotFound, "no merge is waiting for decisions");
  const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(values[1]));
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(values[1]));
  return staging->resolve(sqlite3_value_int64(values[0]),
                          resolution_of(text == nullptr ? "null" : std::string_view(text, size)));
}

void resolve_function(sqlite3_context* out, int, sqlite3_value** values) {
  auto& resolver = *static_cast<Resolver*>(sqlite3_user_data(out));
  Status done = resolve(resolver, values);
  if (done) {
    sqlite3_result_value(out, values[0]);
    return;
  }
  sqlite3_result_error(out, done.error().message().c_str(), -1);
  resolver.session->failure = std::move(done).error();
}

}  // namespace

Status ConflictRows::begin(int, const char*, std::span<sqlite3_value* const>) {
  DOSQL_ASSIGN_OR_RETURN(const auto staging, staging_of(context_.core, context_.file));
  if (!staging) {
    begin_with({});
    return {};
  }
  DOSQL_ASSIGN_OR_RETURN(std::vector<StagedConflict> conflicts, staging->conflicts());
  begin_with(std::move(conflicts));
  return {};
}

Status ConflictRows::column(sqlite3_context* out, int column) {
  enum Column { kId, kTable, kKey, kKind, kBase, kMain, kBranch, kResolution };
  const MergeConflict& conflict = row().conflict;
  switch (column) {
    case kId: sqlite3_result_int64(out, conflict.id); break;
    case kTable: text_result(out, conflict.table); break;
    case kKey: text_result(out, conflict.key); break;
    case kKind: text_result(out, conflict.kind); break;
    case kBase: text_result(out, conflict.base); break;
    case kMain: text_result(out, conflict.main); break;
    case kBranch: text_result(out, conflict.branch); break;
    case kResolution:
      if (row().resolution) text_result(out, resolution_text(*row().resolution));
      break;
    default: break;
  }
  return {};
}

int register_resolve_function(const std::shared_ptr<Session>& session, DatabaseCore& core, MainFile& file) {
  auto* const resolver = new Resolver{session, core, file};
  return sqlite3_create_function_v2(session->db, "dosql_resolve_conflict", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                    resolver, resolve_function, nullptr, nullptr,
                                    [](void* gone) { delete static_cast<Resolver*>(gone); });
}

}  // namespace dosql::engine
