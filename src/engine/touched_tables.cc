#include "engine/touched_tables.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <cstring>
#include <set>

#include "engine/sqlite_error.h"

namespace dosql::engine {
namespace {

constexpr std::uint32_t kHeaderBytes = 100;

class Pin {
 public:
  Pin(version::Reader& reader, const version::ReadPoint& point) : reader_(reader) { reader_.pin(point); }
  ~Pin() { reader_.unpin(); }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

 private:
  version::Reader& reader_;
};

}  // namespace

// --- SchemaReader ---

SchemaReader::~SchemaReader() { close(); }

void SchemaReader::close() {
  sqlite3_finalize(statement_);
  statement_ = nullptr;
  file_ = nullptr;
  if (session_) sqlite3_close(session_->db);
  session_.reset();
}

Status SchemaReader::open(const version::ReadPoint& point) {
  if (statement_ != nullptr) {
    file_->look_at(point);
    return {};
  }
  session_ = core_.new_session();
  auto file = core_.vfs().open(session_, point);
  if (file) {
    file_ = *file;
    // Also of a version whose schema does not parse: the log is where one looks for the last one that did.
    sqlite3_exec(session_->db, "PRAGMA writable_schema = ON", nullptr, nullptr, nullptr);
    const char* sql = "SELECT rootpage, tbl_name FROM sqlite_schema WHERE rootpage > 0";
    const int rc = sqlite3_prepare_v2(session_->db, sql, -1, &statement_, nullptr);
    if (rc == SQLITE_OK) return {};
    file = connection_error(*session_, rc);
  }
  close();
  return std::move(file).error();
}

Result<SchemaReader::TableByRoot> SchemaReader::tables_of(const version::ReadPoint& point) {
  DOSQL_RETURN_IF_ERROR(open(point));
  TableByRoot tables{{PageNo{1}, "sqlite_schema"}};
  session_->begin_call();
  int rc = SQLITE_ROW;
  while ((rc = sqlite3_step(statement_)) == SQLITE_ROW) {
    const auto* name = reinterpret_cast<const char*>(sqlite3_column_text(statement_, 1));
    const PageNo root{static_cast<std::uint32_t>(sqlite3_column_int64(statement_, 0))};
    tables.emplace(root, name ? name : "");
  }
  if (rc == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return tables;
  }
  Error error = connection_error(*session_, rc);
  close();
  return error;
}

// --- TouchedTables ---

TouchedTables::TouchedTables(DatabaseCore& core)
    : store_(core.store()), schema_reader_(core), reader_(core.store()), previous_reader_(core.store()) {}

Result<std::optional<std::string>> TouchedTables::of(BranchId branch, Version version) {
  if (branch != schema_branch_) {
    schema_branch_ = branch;
    schema_first_ = 1;
    schema_last_ = 0;
  }
  DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint point, store_.at_version(branch, version));
  Pin pin(reader_, point);
  DOSQL_ASSIGN_OR_RETURN(std::optional<diff::PointerMap> map, diff::PointerMap::open(reader_));
  if (!map) return std::optional<std::string>();

  std::set<PageNo> roots;
  DOSQL_ASSIGN_OR_RETURN(const std::vector<PageNo> pages, store_.changed_pages(branch, version));
  for (const PageNo page : pages) {
    if (page == PageNo{1}) {
      DOSQL_ASSIGN_OR_RETURN(const bool changed, schema_page_changed(point));
      if (!changed) continue;
    }
    DOSQL_ASSIGN_OR_RETURN(const std::optional<PageNo> root, map->root_of(page));
    if (root) roots.insert(*root);
  }

  DOSQL_RETURN_IF_ERROR(load_schema(point));
  // Before this commit the schema was the same, unless the commit changed it.
  if (!roots.contains(PageNo{1}) && schema_first_ > 1)
    schema_first_ = std::min(schema_first_, raw(version) - 1);
  std::set<std::string> names;
  for (const PageNo root : roots) {
    if (const auto found = schema_.find(root); found != schema_.end()) names.insert(found->second);
  }
  return std::optional(fmt::format("{}", fmt::join(names, ",")));
}

// Every commit writes page 1, mostly for the counters in its header: the first page of the schema is behind
// it.
Result<bool> TouchedTables::schema_page_changed(const version::ReadPoint& point) {
  if (raw(point.version) <= 1) return true;
  DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint before,
                         store_.at_version(schema_branch_, Version{raw(point.version) - 1}));
  Pin pin(previous_reader_, before);
  std::array<std::byte, kPageBytes - kHeaderBytes> now;
  std::array<std::byte, kPageBytes - kHeaderBytes> then;
  DOSQL_RETURN_IF_ERROR(reader_.read(PageNo{1}, kHeaderBytes, now));
  DOSQL_RETURN_IF_ERROR(previous_reader_.read(PageNo{1}, kHeaderBytes, then));
  return std::memcmp(now.data(), then.data(), now.size()) != 0;
}

Status TouchedTables::load_schema(const version::ReadPoint& point) {
  const std::uint64_t version = raw(point.version);
  if (schema_first_ <= version && version <= schema_last_) return {};
  schema_first_ = 1;
  schema_last_ = 0;
  DOSQL_ASSIGN_OR_RETURN(schema_, schema_reader_.tables_of(point));
  schema_first_ = schema_last_ = version;
  return {};
}

}  // namespace dosql::engine
