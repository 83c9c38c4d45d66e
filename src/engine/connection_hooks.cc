#include "engine/connection_hooks.h"

#include <sqlite3.h>

#include <utility>

#include "engine/session.h"

namespace dosql::engine {
namespace {

using std::chrono::steady_clock;

bool is_own(sqlite3_stmt* statement) {
  const char* const sql = sqlite3_sql(statement);
  return sql != nullptr && std::string_view(sql).starts_with(DOSQL_OWN_SQL);
}

// With the parameters filled in, where that fits.
std::string text_of(sqlite3_stmt* statement) {
  char* const expanded = sqlite3_expanded_sql(statement);
  std::string text = expanded ? expanded : sqlite3_sql(statement);
  sqlite3_free(expanded);
  return text;
}

}  // namespace

void ConnectionHooks::set_progress(sqlite3* db, int every_instructions, std::function<bool()> goes_on) {
  goes_on_ = std::move(goes_on);
  const auto ask = [](void* self) { return static_cast<ConnectionHooks*>(self)->goes_on_() ? 0 : 1; };
  if (goes_on_ && every_instructions > 0) {
    sqlite3_progress_handler(db, every_instructions, ask, this);
  } else {
    sqlite3_progress_handler(db, 0, nullptr, nullptr);
  }
}

void ConnectionHooks::set_trace(sqlite3* db, Trace trace) {
  trace_ = std::move(trace);
  running_.clear();
  shown_texts_.clear();
  constexpr unsigned kEvents = SQLITE_TRACE_STMT | SQLITE_TRACE_ROW | SQLITE_TRACE_PROFILE;
  sqlite3_trace_v2(db, trace_ ? kEvents : 0, trace_ ? on_event : nullptr, this);
}

void ConnectionHooks::clear(sqlite3* db) {
  set_progress(db, 0, {});
  set_trace(db, {});
}

void ConnectionHooks::trace_own(std::string_view sql, std::chrono::nanoseconds duration) const {
  if (trace_) trace_({.sql = std::string(sql), .duration = duration, .rows = 0});
}

void ConnectionHooks::show_as(sqlite3_stmt* statement, std::function<std::string()> text) {
  shown_texts_.insert_or_assign(statement, std::move(text));
}

int ConnectionHooks::on_event(unsigned event, void* self, void* statement, void*) {
  ConnectionHooks& hooks = *static_cast<ConnectionHooks*>(self);
  auto* const running = static_cast<sqlite3_stmt*>(statement);
  if (event == SQLITE_TRACE_STMT) hooks.begin(running);
  if (event == SQLITE_TRACE_PROFILE) hooks.end(running);
  if (event == SQLITE_TRACE_ROW) {
    if (const auto found = hooks.running_.find(running); found != hooks.running_.end()) ++found->second.rows;
  }
  return 0;
}

// Also called for each trigger that a running statement fires.
void ConnectionHooks::begin(sqlite3_stmt* statement) {
  if (!is_own(statement)) running_.try_emplace(statement, Running{steady_clock::now(), 0});
}

void ConnectionHooks::end(sqlite3_stmt* statement) {
  const auto found = running_.find(statement);
  if (found == running_.end()) return;
  const Running run = found->second;
  running_.erase(found);
  const auto shown = shown_texts_.extract(statement);
  const std::string text = shown ? shown.mapped()() : text_of(statement);
  trace_({.sql = text, .duration = steady_clock::now() - run.begun, .rows = run.rows});
}

}  // namespace dosql::engine
