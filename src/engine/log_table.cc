#include "engine/log_table.h"

#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/time_text.h"
#include "engine/computed_table.h"
#include "engine/time_points.h"

namespace dosql::engine {
namespace {

enum Column {
  kVersion,
  kFirstLsn,
  kLastLsn,
  kBranch,
  kTimestamp,
  kPages,
  kDatabasePages,
  kBytes,
  kTables,
  kParent,
  kMerged,
  kSquashed,
  kMessage
};

constexpr int kNewestFirst = 0;
constexpr int kOldestFirst = 1;

char comparison_of(unsigned char op) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ: return '=';
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_GE: return '>';
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_LE: return '<';
    default: return 0;
  }
}

}  // namespace

// idxStr holds one comparison per argument: '=', '>' (or equal), '<' (or equal). SQLite checks the exact
// condition again.
void LogRows::plan(sqlite3_index_info& info) {
  std::string comparisons;
  for (int i = 0; i < info.nConstraint; ++i) {
    const auto& constraint = info.aConstraint[i];
    const char comparison = comparison_of(constraint.op);
    if (!constraint.usable || constraint.iColumn != kVersion || comparison == 0) continue;
    comparisons += comparison;
    info.aConstraintUsage[i].argvIndex = static_cast<int>(comparisons.size());
  }
  info.idxStr = sqlite3_mprintf("%s", comparisons.c_str());
  info.needToFreeIdxStr = 1;
  info.idxNum = kNewestFirst;
  if (info.nOrderBy == 1 && info.aOrderBy[0].iColumn == kVersion) {
    info.orderByConsumed = 1;
    info.idxNum = info.aOrderBy[0].desc ? kNewestFirst : kOldestFirst;
  }
  const bool single = comparisons.find('=') != std::string::npos;
  info.estimatedRows = single ? 1 : comparisons.empty() ? 100'000 : 1'000;
  info.estimatedCost = static_cast<double>(info.estimatedRows) * 10;
}

Status LogRows::begin(int order, const char* comparisons, std::span<sqlite3_value* const> bounds) {
  DOSQL_RETURN_IF_ERROR(context_.file.await_point());
  first_ = 1;
  last_ = raw(context_.file.point().version);
  for (std::size_t i = 0; i < bounds.size(); ++i) narrow(comparisons[i], bounds[i]);
  oldest_first_ = order == kOldestFirst;
  version_ = oldest_first_ ? first_ : last_;
  return load();
}

void LogRows::narrow(char comparison, sqlite3_value* bound) {
  const int type = sqlite3_value_numeric_type(bound);
  if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) return;
  const double limit = 9.0e18;
  const double value = std::clamp(sqlite3_value_double(bound), 0.0, limit);
  // A double is exact only up to 2^53; above, round outwards by more than it may be off.
  const double slack = value < 9.0e15 ? 0 : 2'048;
  if (comparison != '<')
    first_ = std::max(first_, static_cast<std::uint64_t>(std::max(std::floor(value) - slack, 0.0)));
  if (comparison != '>') last_ = std::min(last_, static_cast<std::uint64_t>(std::ceil(value) + slack));
}

Status LogRows::next() {
  oldest_first_ ? ++version_ : --version_;
  return load();
}

Status LogRows::load() {
  if (at_end()) return {};
  DOSQL_ASSIGN_OR_RETURN(info_,
                         context_.core->store().commit_info(context_.file.branch(), Version{version_}));
  return {};
}

// NULL: it has none of that kind.
void LogRows::merges_result(sqlite3_context* out, version::MergeKind kind) const {
  const version::VersionStore& store = context_.core->store();
  std::string names;
  for (const version::MergeMark& mark : info_.marks.merges) {
    if (mark.kind != kind) continue;
    if (!names.empty()) names += ',';
    names += version_id(store, {mark.branch, mark.version, mark.lsn, 0}).to_string();
  }
  if (!names.empty()) text_result(out, names);
}

Status LogRows::column(sqlite3_context* out, int column) {
  switch (column) {
    case kVersion: sqlite3_result_int64(out, rowid()); break;
    case kFirstLsn: sqlite3_result_int64(out, static_cast<sqlite3_int64>(raw(info_.first_lsn)) + 1); break;
    case kLastLsn: sqlite3_result_int64(out, static_cast<sqlite3_int64>(raw(info_.last_lsn))); break;
    case kBranch: text_result(out, context_.core->store().branch_info(info_.branch).name); break;
    case kTimestamp: text_result(out, time_text(info_.timestamp_us)); break;
    case kPages: sqlite3_result_int64(out, info_.changed_pages); break;
    case kDatabasePages: sqlite3_result_int64(out, info_.page_count); break;
    case kBytes: sqlite3_result_int64(out, static_cast<sqlite3_int64>(info_.log_bytes)); break;
    case kTables: {
      if (!context_.touched) context_.touched = std::make_unique<TouchedTables>(*context_.core);
      DOSQL_ASSIGN_OR_RETURN(const std::optional<std::string> tables,
                             context_.touched->of(context_.file.branch(), Version{version_}));
      if (tables) text_result(out, *tables);
      break;
    }
    case kParent: {
      if (version_ <= 1) break;
      const version::VersionStore& store = context_.core->store();
      DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint parent,
                             store.at_version(context_.file.branch(), Version{version_ - 1}));
      text_result(out, version_id(store, parent).to_string());
      break;
    }
    case kMerged: merges_result(out, version::MergeKind::kParent); break;
    case kSquashed: merges_result(out, version::MergeKind::kSquash); break;
    case kMessage:
      if (!info_.marks.message.empty()) text_result(out, info_.marks.message);
      break;
    default: break;
  }
  return {};
}

}  // namespace dosql::engine
