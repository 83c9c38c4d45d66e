#include "engine/branches_table.h"

#include <sqlite3.h>

#include <string>

#include "engine/time_text.h"

namespace dosql::engine {
namespace {

void text_result(sqlite3_context* out, const std::string& text) {
  sqlite3_result_text64(out, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void number_result(sqlite3_context* out, std::uint64_t number) {
  sqlite3_result_int64(out, static_cast<sqlite3_int64>(number));
}

}  // namespace

Status BranchRows::begin(int, const char*, std::span<sqlite3_value* const>) {
  branches_ = context_.core.store().branches();
  at_ = 0;
  return {};
}

Status BranchRows::column(sqlite3_context* out, int column) {
  enum Column { kName, kVersion, kLsn, kParent, kForkVersion, kCreated, kUnmerged, kCurrent };
  const version::BranchInfo& branch = branches_[at_];
  const bool is_main = branch.id == kMainBranch;
  switch (column) {
    case kName: text_result(out, branch.name); break;
    case kVersion: number_result(out, raw(branch.head.version)); break;
    case kLsn: number_result(out, raw(branch.head.lsn)); break;
    case kParent:
      if (!is_main) text_result(out, branch.parent_name);
      break;
    case kForkVersion:
      if (!is_main) number_result(out, raw(branch.fork.version));
      break;
    case kCreated:
      if (!is_main) text_result(out, time_text(branch.created_us));
      break;
    case kUnmerged:
      if (!is_main) number_result(out, context_.core.store().unmerged_commits(branch.id));
      break;
    case kCurrent: number_result(out, branch.id == context_.file.branch() ? 1 : 0); break;
    default: break;
  }
  return {};
}

Status SnapshotRows::begin(int, const char*, std::span<sqlite3_value* const>) {
  snapshots_ = context_.core.store().snapshots();
  at_ = 0;
  return {};
}

Status SnapshotRows::column(sqlite3_context* out, int column) {
  enum Column { kName, kBranch, kVersion, kLsn, kCreated };
  const version::NamedSnapshot& snapshot = snapshots_[at_];
  switch (column) {
    case kName: text_result(out, snapshot.name); break;
    case kBranch: text_result(out, context_.core.store().branch_info(snapshot.point.branch).name); break;
    case kVersion: number_result(out, raw(snapshot.point.version)); break;
    case kLsn: number_result(out, raw(snapshot.point.lsn)); break;
    case kCreated: text_result(out, time_text(snapshot.created_us)); break;
    default: break;
  }
  return {};
}

}  // namespace dosql::engine
