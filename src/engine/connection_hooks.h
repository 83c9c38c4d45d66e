// What a program wants to be told while the statements of a connection run.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <dosql/connection.h>

struct sqlite3;
struct sqlite3_stmt;

namespace dosql::engine {

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
  // The run of `statement` that begins now is traced with what `text` gives at its end, instead of SQLite's
  // text. REQUIRES: traces(), which is also when it is worth calling.
  void show_as(sqlite3_stmt* statement, std::function<std::string()> text);

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
  std::map<sqlite3_stmt*, std::function<std::string()>> shown_texts_;
};

}  // namespace dosql::engine
