#include "engine/own_numbers.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "engine/connection_state.h"
#include "engine/version_rows.h"
#include "merge/row_merge.h"
#include "sql/lexer.h"

namespace dosql::engine {

using version::ReadPoint;

Result<bool> OwnNumbers::may_have_touched(const MergedTable& table) {
  if (changes_.empty() || !table.places) return !changes_.empty();
  DOSQL_ASSIGN_OR_RETURN(const auto name, identity_.rows().name_in(ours_.point, table));
  return !name || changes_.may_touch(*name);
}

Result<bool> OwnNumbers::says_something_of(const MergedTable& table, std::int64_t number) {
  const version::CommitMarks marks = connection_.file().marks();
  if (marks.moved.empty()) return false;
  std::optional<std::string> name;
  if (table.places) {
    DOSQL_ASSIGN_OR_RETURN(name, identity_.rows().name_in(ours_.point, table));
  }
  return std::ranges::any_of(marks.moved, [&](const version::MovedRun& run) {
    const bool is_meant = !name || run.table.empty() || sql::equals_ignoring_case(run.table, *name);
    const bool is_in = run.first <= number && number <= run.last;
    return is_meant && (is_in || (run.from == version::kBrought && version::has_here(run, number)));
  });
}

Result<bool> OwnNumbers::has_changed(const MergedTable& table, std::span<const std::int64_t> numbers) {
  DOSQL_ASSIGN_OR_RETURN(const bool touched, may_have_touched(table));
  if (!touched || !table.places) return touched;
  VersionRows& rows = identity_.rows();
  for (const std::int64_t number : numbers) {
    DOSQL_ASSIGN_OR_RETURN(const bool is_noted, says_something_of(table, number));
    if (is_noted) return true;
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found before,
                           rows.find_merged(ours_.point, table, {.rowid = number}));
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found now, rows.find_now(table, {.rowid = number}));
    if (!before.known || !now.known || before.row.has_value() != now.row.has_value()) return true;
    if (now.row && !merge::same_row(before.row->values(), now.row->values())) return true;
  }
  return false;
}

Result<bool> OwnNumbers::may_be_another(const MergedTable& table, std::int64_t number) {
  DOSQL_ASSIGN_OR_RETURN(const bool touched, may_have_touched(table));
  if (!touched) return false;
  DOSQL_ASSIGN_OR_RETURN(const bool is_noted, says_something_of(table, number));
  if (is_noted || !table.places) return is_noted;
  std::vector<ReadPoint> ways{ours_.point};
  ways.insert(ways.end(), ours_.merged.begin(), ours_.merged.end());
  const MergedTable followed = table.followed();
  std::optional<ReadPoint> first;
  for (const ReadPoint& way : ways) {
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found there,
                           identity_.rows().find_merged(way, table, {.rowid = number}));
    if (!there.known) return true;
    if (!there.row) continue;
    if (!first) first = way;
    DOSQL_ASSIGN_OR_RETURN(const bool same,
                           identity_.is_same(followed, {.rowid = number}, *first, {.point = way}));
    if (!same) return true;
  }
  return false;
}

}  // namespace dosql::engine
