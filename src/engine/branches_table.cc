#include "engine/branches_table.h"

#include "base/time_text.h"
#include "engine/merge_staging.h"

namespace dosql::engine {

Status BranchRows::begin(int, const char*, std::span<sqlite3_value* const>) {
  unmerged_ = context_.core.store().unmerged_commits();
  std::vector<version::BranchInfo> branches = context_.core.store().branches();
  std::erase_if(branches, [](const version::BranchInfo& branch) { return is_hidden_branch(branch.name); });
  begin_with(std::move(branches));
  return {};
}

Status BranchRows::column(sqlite3_context* out, int column) {
  enum Column { kName, kVersion, kLsn, kParent, kForkVersion, kCreated, kUnmerged, kCurrent };
  const version::BranchInfo& branch = row();
  const bool is_main = branch.is_main();
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
      if (const auto unmerged = unmerged_.find(branch.id); !is_main && unmerged != unmerged_.end())
        number_result(out, unmerged->second);
      break;
    case kCurrent: {
      // A connection that stays at a version is on no branch.
      const bool follows = context_.file.session().fixed_at.empty();
      number_result(out,
                    follows && branch.id == context_.core.store().current(context_.file.branch()) ? 1 : 0);
      break;
    }
    default: break;
  }
  return {};
}

Status SnapshotRows::begin(int, const char*, std::span<sqlite3_value* const>) {
  begin_with(context_.core.store().snapshots());
  return {};
}

Status SnapshotRows::column(sqlite3_context* out, int column) {
  enum Column { kName, kBranch, kVersion, kLsn, kCreated };
  const version::NamedSnapshot& snapshot = row();
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
