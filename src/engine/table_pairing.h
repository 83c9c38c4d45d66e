// Which table of one version is which of another: by identity, so that a table that was renamed is the same
// (decision 021).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/table_shape.h"
#include "version/version_store.h"

namespace dosql::engine {

// At least one of the two is there. Both view the schemas of TablePairs.
struct TablePair {
  const TableShape* before = nullptr;
  const TableShape* after = nullptr;

  const std::string& name() const { return after != nullptr ? after->name : before->name; }
  bool renamed() const { return before != nullptr && after != nullptr && before->name != after->name; }
};

struct TablePairs {
  std::shared_ptr<const VersionSchema> before;
  std::shared_ptr<const VersionSchema> after;
  // Ascending by name(). Virtual tables and what they keep their content in included.
  std::vector<TablePair> pairs;

  // By its name in the later version or, where none is called so there, in the earlier one. Null: none is.
  const TablePair* find(std::string_view table) const;
};

// `before` may be later than `after`, or on another branch. Costs as many looks at page 1 as there were
// changes of the schema between the versions, times the logarithm of the number of commits; two where the
// tables are called the same. Errors: those of VersionSchemas::of() and of the store.
Result<TablePairs> pair_tables(version::VersionStore& store, VersionSchemas& schemas,
                               const version::ReadPoint& before, const version::ReadPoint& after);

// The versions behind `first` up to `last` that changed the schema, ascending. Found by SQLite's schema
// cookie, which counts up: a schema that was changed by hand, with its cookie set back, may be missed.
// REQUIRES: `first` is on the line of versions that ends with `last`.
Result<std::vector<version::ReadPoint>> schema_changes(version::VersionStore& store,
                                                       const version::ReadPoint& first,
                                                       const version::ReadPoint& last);

// The pairs of which it is known that they are one, by their indexes; what is left is paired by name, but for
// virtual tables whose content has another name.
TablePairs pair_known(std::shared_ptr<const VersionSchema> before, std::shared_ptr<const VersionSchema> after,
                      const std::vector<std::pair<std::size_t, std::size_t>>& known);

// Where the tables of a version are in the next one: for each of `before` the index in `after`, or kNoTable.
inline constexpr std::size_t kNoTable = static_cast<std::size_t>(-1);
std::vector<std::size_t> follow_tables(const VersionSchema& before, const VersionSchema& after);
// The same, where a table may also have taken the name of another one that got a new name, or has gone, in
// the same step: by what ALTER TABLE RENAME leaves of it.
std::vector<std::size_t> follow_exchanges(const VersionSchema& before, const VersionSchema& after);

}  // namespace dosql::engine
