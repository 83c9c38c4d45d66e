// Feeds in tests: changes as text, two tables with random work on them, and what a consumer makes of the
// changes.
#pragma once

#include <dosql/dosql.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "engine/engine_test_support.h"

namespace dosql::engine {

inline std::string row_line(const std::optional<Row>& row) {
  if (!row) return "-";
  std::string line;
  for (const Value& value : row->values()) line += (line.empty() ? "" : ",") + value_text(value);
  return line;
}

// "update t 1,a -> 1,b"
inline std::string line_of(const Change& change) {
  const std::string name(change_type_name(change.type));
  if (change.type == ChangeType::kBegin || change.type == ChangeType::kCommit) return name;
  return name + " " + change.table + " " + row_line(change.before) + " -> " + row_line(change.after);
}

inline std::vector<Change> take_all(Changes& changes) {
  std::vector<Change> all;
  while (true) {
    auto change = changes.next();
    EXPECT_TRUE(change) << failure_text(change.error());
    if (!change || !*change) return all;
    all.push_back(**std::move(change));
  }
}

inline constexpr const char* kFeedTables =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE w(k TEXT PRIMARY KEY, n) WITHOUT ROWID";

// On these tables.
inline std::string random_feed_statement(std::mt19937_64& random) {
  const auto one_of = [&random](int count) { return std::to_string(random() % count); };
  switch (random() % 8) {
    case 0: return "DELETE FROM t WHERE id % 7 = " + one_of(7);
    case 1: return "UPDATE t SET v = v || 'x' WHERE id > " + one_of(60);
    case 2: return "REPLACE INTO w VALUES ('k" + one_of(9) + "', " + one_of(100) + ")";
    case 3: return "DELETE FROM w WHERE n > " + one_of(100);
    case 4:
      return "INSERT INTO t(v) SELECT printf('%.*c', 300 * " + one_of(9) + ", 'y') FROM w LIMIT " + one_of(5);
    default: return "INSERT OR REPLACE INTO t VALUES (" + one_of(60) + ", 'v" + one_of(1000) + "')";
  }
}

// The tables of one who knows of them only by their changes.
class FeedPlayback {
 public:
  void apply(const Change& change) {
    auto& rows = tables_[change.table];
    const Row& row = change.after ? *change.after : *change.before;
    const std::string key = value_text(row[0]);
    EXPECT_EQ(rows.contains(key) ? rows[key] : "-", row_line(change.before)) << line_of(change);
    if (change.after) {
      rows[key] = row_line(change.after);
    } else {
      rows.erase(key);
    }
  }

  std::string text() const {
    std::string text;
    for (const auto& [table, rows] : tables_) {
      text += table + ":\n";
      for (const auto& [key, row] : rows) text += row + "\n";
    }
    return text;
  }

 private:
  std::map<std::string, std::map<std::string, std::string>> tables_{{"t", {}}, {"w", {}}};
};

// The same of the tables themselves.
inline std::string feed_tables_text(Connection& connection) {
  std::string text;
  for (const std::string table : {"t", "w"}) {
    std::map<std::string, std::string> rows;
    const auto found = connection.query("SELECT * FROM " + table);
    EXPECT_TRUE(found) << (found ? "" : failure_text(found.error()));
    for (const Row& row : found ? *found : Rows()) rows[value_text(row[0])] = row_line(row);
    text += table + ":\n";
    for (const auto& [key, row] : rows) text += row + "\n";
  }
  return text;
}

}  // namespace dosql::engine
