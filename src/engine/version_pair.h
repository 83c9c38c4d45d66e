// Two versions side by side: their tables, and the rows that differ.
#pragma once

#include <memory>

#include <dosql/result.h>

#include "diff/page_changes.h"
#include "diff/table_diff.h"
#include "engine/merged_table.h"
#include "engine/table_pairing.h"
#include "engine/table_shape.h"
#include "merge/keyed_changes.h"
#include "version/version_store.h"

struct sqlite3;

namespace dosql::engine {

// Keeps both versions pinned. One thread at a time.
class VersionPair {
 public:
  // `handle` knows the collations, `tables` are those of the two versions. The first two must outlive it.
  // Errors: kCorrupt, kIo.
  static Result<std::unique_ptr<VersionPair>> make(version::VersionStore& store, sqlite3* handle,
                                                   TablePairs tables, const version::ReadPoint& before,
                                                   const version::ReadPoint& after);

  const TablePairs& tables() const { return tables_; }
  const version::ReadPoint& before() const { return before_.point(); }
  const version::ReadPoint& after() const { return after_.point(); }

  // The changes of a table by the columns of `merged`. Of the two shapes one may be missing. Errors: those of
  // the diff, kSql (no such collation).
  Result<merge::KeyedChanges> changes(const TableShape* before, const TableShape* after,
                                      const MergedTable& merged);
  // Whether a row of the table differs, be it in how it is stored. Errors: as above.
  Result<bool> rows_differ(const TableShape* before, const TableShape* after);

 private:
  VersionPair(version::VersionStore& store, sqlite3* handle)
      : handle_(handle), before_(store), after_(store) {}
  Result<std::vector<diff::TablePlace>> places(const TableShape* before, const TableShape* after) const;
  Result<std::vector<diff::TableDiff>> open(const std::vector<diff::TablePlace>& places);
  Result<std::vector<merge::KeyPart>> other_key(const TableShape* before, const TableShape* after,
                                                const MergedTable& merged) const;

  sqlite3* const handle_;
  version::Reader before_;
  version::Reader after_;
  std::unique_ptr<diff::PageChanges> pages_;
  TablePairs tables_;
};

}  // namespace dosql::engine
