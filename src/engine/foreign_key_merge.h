// Foreign keys after a merge: whether what it changed still refers to something.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "engine/merge_context.h"
#include "engine/merged_table.h"
#include "engine/table_merge.h"
#include "merge/keyed_changes.h"

namespace dosql::engine {

struct ForeignKey {
  std::string child;
  std::string parent;
  std::vector<std::string> child_columns;
  std::vector<std::string> parent_columns;
  bool child_has_index = false;  // that finds the rows which refer to one
};

class ForeignKeys {
 public:
  // All that the database has now.
  Status read(ConnectionState& connection);

  // Which of the table's columns hold numbers of rows that got others.
  std::vector<NumberReference> renumbered(const MergeContext& context, const MergedTable& table) const;

  std::vector<const ForeignKey*> from(std::string_view child) const;
  std::vector<const ForeignKey*> to(std::string_view parent) const;

 private:
  std::vector<ForeignKey> keys_;
};

// Looks at what `changes` brought into the table: rows that refer to none, and rows that nothing has to refer
// to any more. What does is a conflict. Errors: those of the changes, what SQLite reports.
using OpenChanges = std::function<Result<merge::KeyedChanges>()>;
Status verify_foreign_keys(MergeContext& context, const ForeignKeys& keys, const MergedTable& table,
                           TableMergeCounts& counts, const OpenChanges& changes);

}  // namespace dosql::engine
