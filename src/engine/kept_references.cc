#include "engine/kept_references.h"

#include <optional>
#include <utility>
#include <vector>

#include "engine/row_identity.h"
#include "engine/version_rows.h"

namespace dosql::engine {

Result<bool> KeptReferences::can_be_found(const MergedTable& parent, std::int64_t number) const {
  for (const TableTask& task : merged_.tables) {
    const FollowedReferences references(context_, source_, merged_, keys_, task.merged);
    for (std::uint32_t i = 0; i < task.merged.columns.size(); ++i) {
      if (!references.refers_to(i, parent)) continue;
      if (context_.by_content.contains(task.merged.name) || !task.merged.places) return false;
      for (const version::ReadPoint& version : {source_.base, source_.theirs}) {
        DOSQL_ASSIGN_OR_RETURN(const auto rows,
                               context_.identity->rows().find_all(version, task.merged, i, number));
        if (!rows) return false;
      }
    }
  }
  return true;
}

Status KeptReferences::follow() {
  if (numbers_.empty()) return {};
  for (const TableTask& task : merged_.tables) {
    FollowedReferences references(context_, source_, merged_, keys_, task.merged);
    for (const auto& [parent, number] : numbers_) {
      for (std::uint32_t i = 0; i < task.merged.columns.size(); ++i) {
        if (references.refers_to(i, *parent))
          DOSQL_RETURN_IF_ERROR(follow(references, task.merged, i, number));
      }
    }
  }
  return {};
}

Status KeptReferences::follow(FollowedReferences& references, const MergedTable& child, std::uint32_t column,
                              std::int64_t number) {
  VersionRows& rows = context_.identity->rows();
  DOSQL_ASSIGN_OR_RETURN(const auto all, rows.find_all(source_.theirs, child, column, number));
  if (!all) return {};
  Brought& brought = context_.brought[child.name];
  for (const VersionRows::Row& row : *all) {
    const bool has_key = child.has_key(row.row.values());
    const std::string key = child.key_json(row.row.values(), row.rowid, context_.encoding);
    if (has_key ? brought.followed.contains(key) : brought.taken_apart.contains(row.rowid)) continue;
    RowAddress address{.rowid = row.rowid};
    if (has_key) address.key_of = row.row.values();
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, rows.find_merged(source_.base, child, address));
    if (!in_base.row || !diff::same_value(in_base.row->values()[column], row.row.values()[column])) continue;
    RowPair& pair = brought.instead.emplace_back();
    pair.base = in_base.row;
    pair.theirs = row.row;
    pair.rowid_base = pair.rowid_theirs = row.rowid;
    if (has_key) {
      brought.followed.insert(key);
    } else {
      brought.taken_apart.insert(row.rowid);
    }
    DOSQL_RETURN_IF_ERROR(references.follow(pair));
  }
  return {};
}

}  // namespace dosql::engine
