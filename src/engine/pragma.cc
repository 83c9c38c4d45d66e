#include "engine/pragma.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

namespace dosql::engine {
namespace {

struct Call {
  Session& session;
  const char* name;
  const char* value;  // null: a question
  char** answer;

  bool asks() const { return value == nullptr; }

  int text(const std::string& result) const { return give(result, false); }
  int integer(long result) const { return give(fmt::to_string(result), true); }
  int nothing() const { return SQLITE_OK; }
  int refuse(const std::string& message) const {
    *answer = sqlite3_mprintf("%s", message.c_str());
    return SQLITE_ERROR;
  }

 private:
  int give(const std::string& result, bool is_integer) const {
    session.answered_pragma = std::make_unique<AnsweredPragma>(name, is_integer);
    *answer = sqlite3_mprintf("%s", result.c_str());
    return SQLITE_OK;
  }
};

// As pragma.c reads it: 0 OFF, 1 NORMAL, 2 FULL, 3 EXTRA; what it does not know is NORMAL.
int synchronous_level(const std::string& value) {
  if (value[0] >= '0' && value[0] <= '9') return std::min(std::atoi(value.c_str()), 3);
  for (const char* off : {"off", "no", "false"}) {
    if (sqlite3_stricmp(value.c_str(), off) == 0) return 0;
  }
  if (sqlite3_stricmp(value.c_str(), "full") == 0) return 2;
  return sqlite3_stricmp(value.c_str(), "extra") == 0 ? 3 : 1;
}

int synchronous(const Call& call) {
  if (call.asks()) return call.integer(call.session.synchronous);
  if (sqlite3_get_autocommit(call.session.db) == 0) {
    return call.refuse("Safety level may not be changed inside a transaction");
  }
  call.session.synchronous = synchronous_level(call.value);
  return call.nothing();
}

int busy_timeout(const Call& call) {
  if (!call.asks()) {
    const long long wanted_ms = std::strtoll(call.value, nullptr, 10);  // at most the largest there is
    call.session.busy_timeout_ms =
        static_cast<int>(std::clamp<long long>(wanted_ms, 0, std::numeric_limits<int>::max()));
  }
  return call.integer(call.session.busy_timeout_ms);
}

int cache_size(const Call& call) {
  if (!call.asks()) call.session.cache_size_chosen = true;
  return SQLITE_NOTFOUND;
}

int page_size(const Call& call) {
  if (call.asks() || std::atol(call.value) == 4096) return SQLITE_NOTFOUND;
  return call.refuse("the page size is always 4096");
}

// The directory is one variable of the whole process.
int temporary_directory(const Call& call) {
  if (call.asks()) return SQLITE_NOTFOUND;
  return call.refuse(fmt::format("{} cannot be set; the environment variable SQLITE_TMPDIR can", call.name));
}

struct Entry {
  const char* name;
  int (*answer)(const Call&);
};

constexpr Entry kEntries[] = {
    // The log is the journal; "memory" is how SQLite calls a database without a journal file.
    {"journal_mode", [](const Call& call) { return call.text("memory"); }},
    {"synchronous", synchronous},
    {"busy_timeout", busy_timeout},
    {"cache_size", cache_size},
    {"page_size", page_size},
    {"locking_mode", [](const Call& call) { return call.text("normal"); }},
    {"mmap_size", [](const Call& call) { return call.integer(0); }},
    {"temp_store_directory", temporary_directory},
    {"data_store_directory", temporary_directory},
};

}  // namespace

int answer_pragma(Session& session, char** argument) {
  if (session.configuring) return SQLITE_NOTFOUND;
  for (const Entry& entry : kEntries) {
    if (sqlite3_stricmp(argument[1], entry.name) == 0) {
      return entry.answer(Call{session, entry.name, argument[2], &argument[0]});
    }
  }
  // SQLite passes over those it does not know; of ours that would hide a mistake.
  constexpr std::string_view kOurs = "dosql_";
  if (sqlite3_strnicmp(argument[1], kOurs.data(), kOurs.size()) == 0) {
    argument[0] = sqlite3_mprintf("there is no PRAGMA %s", argument[1]);
    return SQLITE_ERROR;
  }
  return SQLITE_NOTFOUND;
}

}  // namespace dosql::engine
