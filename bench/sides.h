// The two sides of a comparison: a DoSQL database and stock SQLite in WAL mode, both used through the same
// sqlite3_* calls of the same library.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "version/version_store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace dosql::bench {

enum class Synchronous : std::uint8_t { kNormal, kFull };

// A database in a folder of its own with one open connection.
class Side {
 public:
  virtual ~Side() = default;
  // Stays the same until close().
  virtual sqlite3* db() = 0;
  virtual void open() = 0;
  virtual void close() = 0;
};

class Ours : public Side {
 public:
  // What the store says of itself. REQUIRES: open.
  virtual version::StoreStatus status() = 0;
};

// Both make the folder when it is missing, and open the database. Destroying them closes it.
std::unique_ptr<Ours> make_ours(const std::string& folder, Synchronous synchronous);
std::unique_ptr<Side> make_peer(const std::string& folder, Synchronous synchronous);

// Runs statements that return no rows anybody wants.
void execute(sqlite3* db, const std::string& sql);

// A compiled statement. Failing calls end the program.
class Prepared {
 public:
  Prepared(sqlite3* db, const std::string& sql);
  ~Prepared();
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  void bind(int index, std::int64_t value);
  // The text must stay unchanged until the next bind.
  void bind(int index, std::string_view text);
  // Runs it once and resets it; returns the first column of the last row, 0 without rows.
  std::int64_t run();

 private:
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace dosql::bench
