#include "apps/dosql/completion.h"

#include <dirent.h>
#include <sqlite3.h>

#include <algorithm>

#include <fmt/format.h>

#include "apps/dosql/dot_command.h"
#include "apps/dosql/format.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

// Names of tables and columns offered at most.
constexpr int kMaxNames = 5000;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string_view last_word(std::string_view text, bool (*belongs)(char)) {
  std::size_t begin = text.size();
  while (begin > 0 && belongs(text[begin - 1])) --begin;
  return text.substr(begin);
}

class Candidates {
 public:
  explicit Candidates(std::string_view word) : word_(word) {}

  void offer(std::string_view candidate) {
    if (starts_with_ignoring_case(candidate, word_)) found_.emplace_back(candidate);
  }

  Completion take() && {
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return {word_.size(), std::move(found_)};
  }

 private:
  std::string_view word_;
  std::vector<std::string> found_;
};

void offer_query(Connection& connection, std::string_view sql, Candidates& candidates) {
  const auto rows = connection.query(fmt::format("{} LIMIT {}", sql, kMaxNames));
  if (!rows) return;  // a schema that cannot be read is told by the statement itself
  for (const Row& row : *rows) candidates.offer(row[0].text());
}

void offer_tables(Connection& connection, Candidates& candidates) {
  offer_query(connection, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')", candidates);
}

void offer_keywords(std::string_view word, Candidates& candidates) {
  const bool lower = !word.empty() && word[0] >= 'a' && word[0] <= 'z';
  for (int i = 0; i < sqlite3_keyword_count(); ++i) {
    const char* keyword = nullptr;
    int bytes = 0;
    if (sqlite3_keyword_name(i, &keyword, &bytes) != SQLITE_OK) continue;
    const std::string_view name(keyword, static_cast<std::size_t>(bytes));
    candidates.offer(lower ? to_lower(name) : std::string(name));
  }
}

Completion complete_sql(Connection& connection, std::string_view before_cursor) {
  const std::string_view word = last_word(before_cursor, is_name_char);
  Candidates candidates(word);
  if (word.empty()) return std::move(candidates).take();
  offer_keywords(word, candidates);
  offer_tables(connection, candidates);
  offer_query(connection,
              "SELECT DISTINCT c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c "
              "WHERE t.type IN ('table', 'view')",
              candidates);
  for (std::string_view name : {"dosql_log", "dosql_status"}) candidates.offer(name);
  return std::move(candidates).take();
}

Completion complete_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder(slash == std::string_view::npos ? "" : path.substr(0, slash + 1));
  Candidates candidates(path);
  DIR* const directory = ::opendir(folder.empty() ? "." : folder.c_str());
  if (directory == nullptr) return std::move(candidates).take();
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    const bool hidden_unasked = name.starts_with('.') && path.size() == folder.size();
    if (!hidden_unasked) candidates.offer(folder + name + (entry->d_type == DT_DIR ? "/" : ""));
  }
  ::closedir(directory);
  return std::move(candidates).take();
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_not_space(char c) { return !is_space(c); }

Completion complete_argument(Connection& connection, std::string_view command, std::string_view word) {
  Candidates candidates(word);
  if (command == "mode") {
    for (const ModeName& mode : mode_names()) candidates.offer(mode.name);
  } else if (command == "help") {
    for (const DotCommand& entry : dot_commands()) candidates.offer(entry.name);
  } else if (is_one_of(command, {"schema", "dump", "tables", "indexes"})) {
    offer_tables(connection, candidates);
  } else if (is_one_of(command, {"bail", "changes", "echo", "headers", "timer"})) {
    candidates.offer("on");
    candidates.offer("off");
  } else {
    return complete_path(word);
  }
  return std::move(candidates).take();
}

}  // namespace

Completion complete(Connection& connection, std::string_view before_cursor, bool first_line) {
  if (!first_line || !before_cursor.starts_with('.')) return complete_sql(connection, before_cursor);
  const std::string_view word = last_word(before_cursor, is_not_space);
  if (word.size() < before_cursor.size()) {
    const std::string_view command = before_cursor.substr(1, before_cursor.find_first_of(" \t") - 1);
    return complete_argument(connection, command, word);
  }
  Candidates candidates(word);
  for (const DotCommand& command : dot_commands()) candidates.offer(fmt::format(".{}", command.name));
  return std::move(candidates).take();
}

std::string common_prefix(const std::vector<std::string>& candidates) {
  if (candidates.empty()) return "";
  std::string prefix = candidates.front();
  for (const std::string& candidate : candidates) {
    while (!starts_with_ignoring_case(candidate, prefix)) prefix.pop_back();
  }
  return prefix;
}

}  // namespace dosql::shell
