#include "engine/past_databases.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <charconv>

#include "base/check.h"
#include "engine/database_core.h"
#include "engine/main_file.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

bool schema_exists(sqlite3* db, const std::string& name) {
  return sqlite3_db_readonly(db, name.c_str()) != -1;
}

}  // namespace

PastDatabases::PastDatabases(DatabaseCore& core, std::shared_ptr<Session> session)
    : core_(core), session_(std::move(session)), slots_(kMax) {
  const auto authorizer = [](void* self, int action, const char* first, const char*, const char* schema,
                             const char* accessor) {
    return static_cast<PastDatabases*>(self)->authorize(action, first, schema, accessor);
  };
  sqlite3_set_authorizer(session_->db, authorizer, this);
}

PastDatabases::~PastDatabases() { sqlite3_set_authorizer(session_->db, nullptr, nullptr); }

std::string PastDatabases::schema_name(std::size_t number) {
  return fmt::format("{}{}", kSchemaPrefix, number);
}

bool PastDatabases::is_our_name(std::string_view schema) {
  return sql::equals_ignoring_case(schema.substr(0, kSchemaPrefix.size()), kSchemaPrefix);
}

Error PastDatabases::name_error() {
  return Error(ErrorCode::kForbidden,
               fmt::format("a name that begins with {} is for versions of the past", kSchemaPrefix));
}

std::optional<std::size_t> PastDatabases::number_of(std::string_view schema) const {
  if (!is_our_name(schema)) return std::nullopt;
  std::size_t number = kMax;
  const char* const end = schema.data() + schema.size();
  const auto [rest, error] = std::from_chars(schema.data() + kSchemaPrefix.size(), end, number);
  const bool ours = error == std::errc() && rest == end && number < kMax && slots_[number].file != nullptr;
  return ours ? std::optional(number) : std::nullopt;
}

// --- Permission ---

int PastDatabases::authorize(int action, const char* first, const char* schema, const char* accessor) {
  // The one action that names the schema elsewhere, and the table behind it.
  if (action == SQLITE_ALTER_TABLE) schema = first;
  if (may_read(schema, action == SQLITE_READ ? first : nullptr, accessor)) return SQLITE_OK;
  if (!denied_) denied_ = first != nullptr && action != SQLITE_ALTER_TABLE ? first : "";
  return SQLITE_DENY;
}

bool PastDatabases::may_read(const char* schema, const char* table, const char* accessor) const {
  std::optional<std::size_t> number = schema != nullptr ? number_of(schema) : std::nullopt;
  // In a temporary view or trigger names are looked up everywhere, and there they are of the present. A table
  // of which no column is read, as in SELECT count(*), comes without the schema in which it was found.
  if (accessor != nullptr && dosql_is_temporary_code(session_->db, accessor) != 0) {
    const int index = schema == nullptr && table != nullptr ? dosql_index_of_table(session_->db, table) : -1;
    if (index >= 0) number = number_of(sqlite3_db_name(session_->db, index));
    return !number;
  }
  return !number || allowed_.test(*number);
}

PastDatabases::Hidden::Hidden(PastDatabases& past) : db_(past.session_->db) {
  if (past.attached_ == 0) return;
  const int first = dosql_database_count(db_) - static_cast<int>(past.attached_);
  // Who attaches on the raw handle may stand behind ours: then all stay where they are.
  const int last = dosql_database_count(db_) - 1;
  if (!past.number_of(sqlite3_db_name(db_, first)) || !past.number_of(sqlite3_db_name(db_, last))) return;
  if (dosql_hide_databases(db_, first, &hidden_) != SQLITE_OK) return;
  attached_max_ = sqlite3_limit(db_, SQLITE_LIMIT_ATTACHED, -1);
  sqlite3_limit(db_, SQLITE_LIMIT_ATTACHED, attached_max_ - static_cast<int>(past.attached_));
}

PastDatabases::Hidden::~Hidden() {
  if (hidden_.all == nullptr) return;
  sqlite3_limit(db_, SQLITE_LIMIT_ATTACHED, attached_max_);
  CHECK(dosql_show_databases(db_, &hidden_) == SQLITE_OK);
}

bool PastDatabases::Hidden::detach_our_name() {
  const int count = dosql_database_count(db_);
  if (hidden_.all == nullptr || count <= hidden_.visible) return false;
  const std::string name = sqlite3_db_name(db_, count - 1);
  if (!is_our_name(name)) return false;
  const std::string sql = fmt::format(DOSQL_OWN_SQL "DETACH {}", sql::quoted(name));
  return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
}

// --- Attachments ---

Result<std::size_t> PastDatabases::get(const version::ReadPoint& point, std::size_t guess, const Set& keep) {
  if (guess < kMax && slots_[guess].file != nullptr && slots_[guess].point == point) return use(guess);
  if (const auto found = find(point)) return use(*found);
  const bool may_attach = attached_ < kMax && there_is_room();
  if (attached_ >= kIdleMax || !may_attach) {
    if (const auto idle = oldest_idle(keep)) return move(*idle, point);
  }
  if (may_attach) return attach(point);
  return Error(
      ErrorCode::kInvalidArgument,
      fmt::format("the open transaction and running statements read {} points in time already, which "
                  "is as many as there can be at once",
                  attached_));
}

// SQLite has a limit of its own on attached databases, which the user's count towards.
bool PastDatabases::there_is_room() const {
  return dosql_database_count(session_->db) - 2 < sqlite3_limit(session_->db, SQLITE_LIMIT_ATTACHED, -1);
}

std::size_t PastDatabases::use(std::size_t number) {
  slots_[number].last_use = ++uses_;
  return number;
}

std::optional<std::size_t> PastDatabases::find(const version::ReadPoint& point) const {
  for (std::size_t number = 0; number < kMax; ++number) {
    if (slots_[number].file != nullptr && slots_[number].point == point) return number;
  }
  return std::nullopt;
}

// The user may have attached something under a name of ours.
std::optional<std::size_t> PastDatabases::free_number() const {
  for (std::size_t number = 0; number < kMax; ++number) {
    if (slots_[number].file == nullptr && !schema_exists(session_->db, schema_name(number))) return number;
  }
  return std::nullopt;
}

std::optional<std::size_t> PastDatabases::oldest_idle(const Set& keep) const {
  std::optional<std::size_t> oldest;
  for (std::size_t number = 0; number < kMax; ++number) {
    const Slot& slot = slots_[number];
    if (slot.file == nullptr || keep.test(number) || slot.file->locked()) continue;
    if (!oldest || slot.last_use < slots_[*oldest].last_use) oldest = number;
  }
  return oldest;
}

Result<std::size_t> PastDatabases::attach(const version::ReadPoint& point) {
  const std::optional<std::size_t> number = free_number();
  if (!number) return Error(ErrorCode::kInvalidArgument, "no schema name is left for a point in time");
  DOSQL_ASSIGN_OR_RETURN(MainFile* const file, core_.vfs().attach(session_, schema_name(*number), point));
  slots_[*number] = Slot{file, point};
  ++attached_;
  return use(*number);
}

Result<std::size_t> PastDatabases::move(std::size_t number, const version::ReadPoint& point) {
  Slot& slot = slots_[number];
  const auto look_at = [&](const version::ReadPoint& other) {
    slot.point = other;
    slot.file->look_at(other);
    slot.file->show_another_schema();
    return read_schemas();
  };
  Status done = look_at(point);
  if (done) return use(number);
  // A schema that cannot be read would fail every statement of the connection: the empty version has none.
  look_at(version::ReadPoint{}).ignore("the first failure is the one to report");
  return std::move(done).error();
}

// Before it says that there is no such table, SQLite looks whether the schemas it knows are still right, and
// reads those anew that are not. No table can be made with a name that begins like this one.
Status PastDatabases::read_schemas() {
  const char* const sql = DOSQL_OWN_SQL "SELECT 1 FROM main.sqlite_";
  sqlite3_stmt* statement = nullptr;
  const int rc = sqlite3_prepare_v2(session_->db, sql, -1, &statement, nullptr);
  sqlite3_finalize(statement);
  const std::string_view message = sqlite3_errmsg(session_->db);
  if (rc == SQLITE_OK || (rc == SQLITE_ERROR && message.starts_with("no such table"))) return {};
  return connection_error(*session_, rc);
}

void PastDatabases::detach_idle() {
  for (std::size_t number = 0; number < kMax; ++number) {
    if (slots_[number].file != nullptr && !slots_[number].file->locked()) detach(number);
  }
}

bool PastDatabases::detach(std::size_t number) {
  const std::string sql = fmt::format(DOSQL_OWN_SQL "DETACH {}", schema_name(number));
  if (sqlite3_exec(session_->db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return false;
  slots_[number].file = nullptr;
  --attached_;
  return true;
}

}  // namespace dosql::engine
