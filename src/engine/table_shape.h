// What diff, merge and row history have to know of the tables of one version.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "diff/key_order.h"
#include "diff/row.h"
#include "diff/schema.h"
#include "engine/session.h"
#include "version/version_store.h"

namespace dosql::engine {

class DatabaseCore;
class MainFile;

enum class TableKind : std::uint8_t { kRowid, kWithoutRowid, kVirtual };
enum class Affinity : std::uint8_t { kBlob, kText, kNumeric, kInteger, kReal };
enum class Generated : std::uint8_t { kNo, kVirtual, kStored };

struct ColumnShape {
  std::string name;
  std::string type;  // as it was declared; empty: it was not
  Affinity affinity = Affinity::kBlob;
  std::string collation;
  bool not_null = false;
  std::optional<std::string> default_sql = {};
  Generated generated = Generated::kNo;
  bool hidden = false;             // of a virtual table
  std::uint32_t key_position = 0;  // in the PRIMARY KEY, from 1; 0: it is not part of it
  diff::StoredColumn stored = {};  // its `missing` views the next
  std::vector<std::byte> missing_bytes = {};
};

struct KeyPart {
  std::size_t column = 0;
  std::string collation;
  bool descending = false;
};

struct TableShape {
  TableShape() = default;
  TableShape(TableShape&&) = default;
  TableShape& operator=(TableShape&&) = default;
  TableShape(const TableShape&) = delete;
  TableShape& operator=(const TableShape&) = delete;

  std::string name;
  std::int64_t schema_rowid = 0;  // of its row in sqlite_schema
  PageNo root{};                  // 0: a virtual table
  TableKind kind = TableKind::kRowid;
  bool shadow = false;  // a virtual table keeps its content in it
  bool strict = false;
  bool autoincrement = false;
  // Of a virtual table: none, when its module is not there.
  std::vector<ColumnShape> columns;
  // The PRIMARY KEY; empty: there is none. The records of a WITHOUT ROWID table begin with it.
  std::vector<KeyPart> key;
  // The column that is the rowid: an INTEGER PRIMARY KEY.
  std::optional<std::size_t> rowid_column;
  // The tables that its foreign keys refer to; a name may come more than once, and need not be a table's.
  std::vector<std::string> parents;

  // In any case of ASCII letters.
  std::optional<std::size_t> find_column(std::string_view column) const;
  std::vector<diff::StoredColumn> stored_columns() const;
  // What SQL calls its rowid: an INTEGER PRIMARY KEY, or a name that no column has. Empty: it has none, or
  // columns hide it.
  std::string rowid_name() const;
};

// The schema of a version. Constant once made; any thread.
struct VersionSchema {
  std::vector<diff::SchemaEntry> entries;
  diff::TextEncoding encoding = diff::TextEncoding::kUtf8;
  std::vector<TableShape> tables;  // in the order of the entries

  // In any case of ASCII letters. Null: there is none.
  const TableShape* find(std::string_view table) const;
};

// The order of the rows of a WITHOUT ROWID table; none for others. Collations that are not SQLite's own are
// looked for on the handle, which must keep them as long as the result lives. Errors: kSql (no such
// collation).
Result<std::vector<diff::KeyColumn>> row_order(const TableShape& table, diff::TextEncoding encoding,
                                               sqlite3* handle);

// Gives the schemas of versions, and keeps those asked for last: SQLite reads one anew only where its text
// differs from all of these. One thread at a time.
class VersionSchemas {
 public:
  explicit VersionSchemas(DatabaseCore& core);
  ~VersionSchemas();
  VersionSchemas(const VersionSchemas&) = delete;
  VersionSchemas& operator=(const VersionSchemas&) = delete;

  // Costs reading the pages of sqlite_schema, mostly. Errors: kCorrupt, kIo, kSql (SQLite cannot parse it).
  Result<std::shared_ptr<const VersionSchema>> of(const version::ReadPoint& point);

 private:
  using Shared = std::shared_ptr<const VersionSchema>;

  struct Known {
    version::ReadPoint point;
    Shared schema;
  };

  Result<Shared> read(const version::ReadPoint& point);
  Status look_at(const version::ReadPoint& point);
  Status describe(VersionSchema& schema);
  Result<TableShape> describe_table(const diff::SchemaEntry& entry, diff::TextEncoding encoding);
  void close();

  DatabaseCore& core_;
  version::Reader reader_;
  // A read-only handle that moves from version to version.
  std::shared_ptr<Session> session_;
  MainFile* file_ = nullptr;
  std::vector<Known> points_;    // newest last
  std::vector<Shared> schemas_;  // newest last
};

}  // namespace dosql::engine
