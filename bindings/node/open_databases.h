// The databases that this process has open: handles of one path share one engine, whichever thread made them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <dosql/database.h>
#include <dosql/result.h>

namespace dosql::node {

// What was asked for; the rest is up to whoever opened the database first, or to the defaults.
struct OpenOptions {
  std::optional<OpenMode> mode;
  std::optional<std::size_t> pool_bytes;
  std::optional<std::size_t> history_cache_bytes;
  std::optional<std::size_t> cache_bytes;
  std::optional<bool> allow_files;
  std::optional<std::uint32_t> busy_timeout_ms;
};

// A share in an open database; the last one closes it. Shares may be made and dropped by any thread.
class DatabaseShare {
 public:
  // Errors: those of Database::open(); DOSQL_INVALID_ARGUMENT where it is open with other options.
  static Result<DatabaseShare> open(const std::string& path, const OpenOptions& options);

  DatabaseShare(DatabaseShare&& other) noexcept = default;
  DatabaseShare& operator=(DatabaseShare&&) = delete;
  ~DatabaseShare();  // close(), without saying how that went

  // Another share of the same database.
  DatabaseShare another() const;

  Database& database() const;

  // REQUIRES: nobody uses a Connection that was made through this share. Errors: those of Database::close(),
  // where it was the last share.
  Status close();

  struct Entry;

 private:
  explicit DatabaseShare(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
  std::shared_ptr<Entry> entry_;  // none: closed, or moved away
};

}  // namespace dosql::node
