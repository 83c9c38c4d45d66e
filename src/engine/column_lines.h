// Which column of one version of a table is which of another, followed through the versions that changed the
// schema: the looks of two versions far apart do not tell a column that was renamed from one that was dropped
// while another was added.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "engine/table_shape.h"
#include "version/version_store.h"

namespace dosql::engine {

// For each column of one version its index in the other; none: it is gone there.
using ColumnMatches = std::vector<std::optional<std::size_t>>;

// Each column gets a number where it comes to be, and keeps it under other names and on other branches. A
// merge gives a column that both sides added the numbers of both.
//
// Between a version and the one before, columns are matched by match_columns(). Where that can be read in two
// ways, since one transaction may do much, the rows tell: RENAME COLUMN writes none of them, DROP COLUMN all.
class ColumnLines {
 public:
  // `handle`: for collations. All must outlive it.
  ColumnLines(version::VersionStore& store, VersionSchemas& schemas, sqlite3* handle)
      : store_(store), schemas_(schemas), handle_(handle) {}

  // Columns of the same number, then those of the same name. Looks at each change of the schema that led to
  // one of the two versions, but once only; at none where both are declared alike. Errors: those of
  // VersionSchemas::of() and of the store.
  Result<ColumnMatches> match(const version::ReadPoint& from, const TableShape& before,
                              const version::ReadPoint& to, const TableShape& after);
  // The name of the table that has one of its columns there; none: it is gone. Finds one, too, that was given
  // another name on a branch which was merged. Errors: as above.
  Result<std::optional<std::string>> find_table(const version::ReadPoint& from, const TableShape& before,
                                                const version::ReadPoint& to);

 private:
  using Numbers = std::set<std::uint64_t>;
  using TableNumbers = std::vector<Numbers>;  // by column
  struct Numbered {
    std::shared_ptr<const VersionSchema> schema;
    std::vector<TableNumbers> tables;

    // Null: the table is not known so.
    const TableNumbers* of(const TableShape& table) const;
  };
  using Shared = std::shared_ptr<const Numbered>;

  Result<Shared> at(const version::ReadPoint& point);
  Result<Shared> begin(const version::ReadPoint& first);
  Result<Shared> change_schema(const Shared& before, const version::ReadPoint& change, bool merged);
  Result<Shared> merge(const Shared& before, const Shared& result, const version::ReadPoint& merged);
  Result<ColumnMatches> match_step(const version::ReadPoint& change, const TableShape& before,
                                   const TableShape& after);
  static bool share_a_column(const TableNumbers& a, const TableNumbers& b);
  static void merge_table(const TableShape& before, const TableNumbers& before_numbers,
                          const TableShape& source, const TableNumbers& source_numbers,
                          const TableShape& result, TableNumbers& numbers);
  Numbers next_number() { return {++last_number_}; }

  version::VersionStore& store_;
  VersionSchemas& schemas_;
  sqlite3* const handle_;
  std::uint64_t last_number_ = 0;
  std::map<Lsn, Shared> known_;  // by the commits that changed a schema, or merged
};

}  // namespace dosql::engine
