// Which tables a commit changed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <dosql/result.h>

#include "diff/pointer_map.h"
#include "engine/database_core.h"
#include "version/version_store.h"

struct sqlite3_stmt;

namespace dosql::engine {

// The tables of a version by the root pages of theirs and their indexes'. One thread at a time.
class SchemaReader {
 public:
  using TableByRoot = std::map<PageNo, std::string>;

  explicit SchemaReader(DatabaseCore& core) : core_(core) {}
  ~SchemaReader();
  SchemaReader(const SchemaReader&) = delete;
  SchemaReader& operator=(const SchemaReader&) = delete;

  Result<TableByRoot> tables_of(const version::ReadPoint& point);

 private:
  Status open(const version::ReadPoint& point);
  void close();

  // A read-only handle that moves from version to version.
  DatabaseCore& core_;
  std::shared_ptr<Session> session_;
  MainFile* file_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// One thread at a time. Keeps the newest schema it read: neighbouring versions mostly share it.
class TouchedTables {
 public:
  explicit TouchedTables(DatabaseCore& core);

  // Names with commas between them, sorted; "sqlite_schema" when the commit changed the schema. None: the
  // database has no pointer map to find out by.
  Result<std::optional<std::string>> of(BranchId branch, Version version);

 private:
  Result<bool> schema_page_changed(const version::ReadPoint& point);
  Status load_schema(const version::ReadPoint& point);

  version::VersionStore& store_;
  SchemaReader schema_reader_;
  version::Reader reader_;
  version::Reader previous_reader_;
  SchemaReader::TableByRoot schema_;
  // The branch and versions that `schema_` is known to be right for; empty when first > last.
  BranchId schema_branch_ = kMainBranch;
  std::uint64_t schema_first_ = 1;
  std::uint64_t schema_last_ = 0;
};

}  // namespace dosql::engine
