// Stock SQLite on a plain file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <dosql/result.h>

#include "base/bytes.h"

struct sqlite3;
struct sqlite3_file;

namespace dosql::engine {

class PlainConnection {
 public:
  enum class Access {
    kReadOnly,
    kImmutable,  // read-only, without locks and without making -wal and -shm files
    kReadWrite,
  };

  // Errors: kIo (with the system's words).
  static Result<std::unique_ptr<PlainConnection>> open(const std::string& path, Access access);
  ~PlainConnection();
  PlainConnection(const PlainConnection&) = delete;
  PlainConnection& operator=(const PlainConnection&) = delete;

  // Runs all of `sql`, dropping rows. An extended SQLite result code.
  int exec(const char* sql);
  // The first value of the first row.
  Result<std::int64_t> query_integer(const char* sql);
  Result<std::string> query_text(const char* sql);
  // Statements stop with SQLITE_INTERRUPT when `goes_on`, asked now and then, is false. It must outlive the
  // connection.
  void ask(const std::function<bool()>& goes_on);
  // What the newest call reported, saying which file it is about: this one, or another that it is a copy of.
  Error error(int sqlite_code) const { return error(sqlite_code, path_); }
  Error error(int sqlite_code, const std::string& file) const;

  // The file's bytes past SQLite's cache, through its own descriptor: closing another one of the same file
  // would drop all locks that this process holds on it. Bytes behind the end are zeros.
  Status read(std::uint64_t offset, MutableBytes out) const;
  Result<std::uint64_t> size() const;

 private:
  PlainConnection(std::string path, sqlite3* db);

  const std::string path_;
  sqlite3* const db_;
  sqlite3_file* file_ = nullptr;
};

}  // namespace dosql::engine
