// What a program wants to be told while the statements of a connection run.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string_view>

#include <dosql/connection.h>

struct sqlite3;
struct sqlite3_stmt;

namespace dosql::engine {

// SQL that the engine runs for itself begins with this, and is not traced.
#define DOSQL_OWN_SQL "/*dosql*/ "

// One thread at a time, as its connection. SQLite has its address: it stays where it is until clear().
class ConnectionHooks {
 public:
  ConnectionHooks() = default;
  ConnectionHooks(const ConnectionHooks&) = delete;
  ConnectionHooks& operator=(const ConnectionHooks&) = delete;

  void set_progress(sqlite3* db, int every_instructions, std::function<bool()> goes_on);
  void set_trace(sqlite3* db, Trace trace);
  void clear(sqlite3* db);

  // Of a statement that SQLite knows nothing of. `rows` are none.
  bool traces() const { return trace_ != nullptr; }
  void trace_own(std::string_view sql, std::chrono::nanoseconds duration) const;

 private:
  struct Running {
    std::chrono::steady_clock::time_point begun;
    std::uint64_t rows = 0;
  };

  static int on_event(unsigned event, void* self, void* statement, void* detail);
  void begin(sqlite3_stmt* statement);
  void end(sqlite3_stmt* statement);

  std::function<bool()> goes_on_;
  Trace trace_;
  std::map<sqlite3_stmt*, Running> running_;
};

}  // namespace dosql::engine
