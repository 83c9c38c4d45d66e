// Which event last changed each row of a table in a range of versions.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "diff/key_order.h"
#include "engine/event_order.h"
#include "engine/table_pairing.h"
#include "version/version_store.h"

namespace dosql::engine {

// One thread at a time.
class LastChanges {
 public:
  // Of the rows of `pair`, by the commits that one of the two versions contains and the other does not. Reads
  // the changes of all tables in each of these commits, newest first; memory for each row that they changed.
  // Errors: those of CommitEvents.
  static Result<std::unique_ptr<LastChanges>> of(version::VersionStore& store, VersionSchemas& schemas,
                                                 const version::ReadPoint& before,
                                                 const version::ReadPoint& after, const TablePairs& pairs,
                                                 const TablePair& pair, sqlite3* handle);

  // Of the row that a change of the whole range is about. None: its table's changes have no LSNs.
  Result<std::optional<Lsn>> find(const diff::RowChange& change) const;

 private:
  // The record of a WITHOUT ROWID table's row; its key comes first.
  struct Key {
    std::vector<std::byte> record;
    std::vector<diff::Field> fields;
  };
  struct Less {
    std::vector<diff::KeyColumn> order;
    bool operator()(const Key& a, const Key& b) const {
      return diff::compare_keys(a.fields, b.fields, order) < 0;
    }
  };

  explicit LastChanges(std::vector<diff::KeyColumn> order) : by_key_(Less{std::move(order)}) {}
  Status add_line(version::VersionStore& store, VersionSchemas& schemas, const version::ReadPoint& from,
                  Version base, const TableShape& table, sqlite3* handle);
  Status add(CommitEvents& events, const TableEvents& table);
  Status note(const diff::RowChange& change, Lsn lsn);
  bool has_rowids() const { return by_key_.key_comp().order.empty(); }
  static Result<Key> key_of(const diff::RowChange& change, std::size_t columns);

  std::map<std::int64_t, Lsn> by_rowid_;
  std::map<Key, Lsn, Less> by_key_;
};

}  // namespace dosql::engine
