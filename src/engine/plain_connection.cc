#include "engine/plain_connection.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "engine/sqlite_error.h"

namespace dosql::engine {
namespace {

// SQLite's files expect no more at once than the largest page.
constexpr std::size_t kReadBytesMax = 65'536;

// As the path of a file: URI.
std::string escaped(const std::string& path) {
  std::string result;
  for (const char c : path) {
    if (std::string_view("%?#").find(c) == std::string_view::npos) {
      result += c;
    } else {
      result += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

}  // namespace

Result<std::unique_ptr<PlainConnection>> PlainConnection::open(const std::string& path, Access access) {
  std::string name = path;
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= access == Access::kReadWrite ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  if (access == Access::kImmutable) {
    name = "file:" + escaped(path) + "?immutable=1";
    flags |= SQLITE_OPEN_URI;
  }
  sqlite3* db = nullptr;
  const int rc = sqlite3_open_v2(name.c_str(), &db, flags, "unix");
  std::unique_ptr<PlainConnection> connection(new PlainConnection(path, db));
  if (rc != SQLITE_OK) return connection->error(rc);
  sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &connection->file_);
  sqlite3_busy_timeout(db, 5'000);
  return connection;
}

PlainConnection::PlainConnection(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}

PlainConnection::~PlainConnection() { sqlite3_close(db_); }

int PlainConnection::exec(const char* sql) { return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); }

Result<std::string> PlainConnection::query_text(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  int rc = sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr);
  if (rc == SQLITE_OK) rc = sqlite3_step(statement);
  Result<std::string> result = std::string();
  if (rc == SQLITE_ROW) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    result = std::string(text ? text : "");
  } else if (rc != SQLITE_DONE) {
    result = error(rc);
  }
  sqlite3_finalize(statement);
  return result;
}

Result<std::int64_t> PlainConnection::query_integer(const char* sql) {
  DOSQL_ASSIGN_OR_RETURN(const std::string text, query_text(sql));
  return std::int64_t{std::strtoll(text.c_str(), nullptr, 10)};
}

void PlainConnection::ask(const std::function<bool()>& goes_on) {
  const auto stop = [](void* context) {
    return (*static_cast<const std::function<bool()>*>(context))() ? 0 : 1;
  };
  if (goes_on) sqlite3_progress_handler(db_, 10'000, stop, const_cast<std::function<bool()>*>(&goes_on));
}

Error PlainConnection::error(int sqlite_code, const std::string& file) const {
  const char* message = db_ ? sqlite3_errmsg(db_) : sqlite3_errstr(sqlite_code);
  if ((sqlite_code & 0xff) == SQLITE_CANTOPEN && db_ && sqlite3_system_errno(db_) != 0) {
    message = std::strerror(sqlite3_system_errno(db_));
  }
  return Error(error_code_of(sqlite_code), fmt::format("'{}': {}", file, message))
      .with_sqlite_code(sqlite_code);
}

Status PlainConnection::read(std::uint64_t offset, MutableBytes out) const {
  while (!out.empty()) {
    const std::size_t part = std::min(out.size(), kReadBytesMax);
    const int rc =
        file_->pMethods->xRead(file_, out.data(), static_cast<int>(part), static_cast<sqlite3_int64>(offset));
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ) {
      return Error(ErrorCode::kIo, fmt::format("'{}': cannot read at {}", path_, offset))
          .with_sqlite_code(rc);
    }
    offset += part;
    out = out.subspan(part);
  }
  return {};
}

Result<std::uint64_t> PlainConnection::size() const {
  sqlite3_int64 bytes = 0;
  const int rc = file_->pMethods->xFileSize(file_, &bytes);
  if (rc == SQLITE_OK) return static_cast<std::uint64_t>(bytes);
  return Error(ErrorCode::kIo, fmt::format("'{}': cannot find out its size", path_)).with_sqlite_code(rc);
}

}  // namespace dosql::engine
