// Random SQL of many kinds: tables of every shape, changes large and small, savepoints, schema changes,
// VACUUM.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace dosql::testing {

// Statements that make one transaction: a single one, or BEGIN ... COMMIT or ROLLBACK.
using SqlBlock = std::vector<std::string>;

class SqlWorkload {
 public:
  explicit SqlWorkload(std::mt19937_64& random) : random_(random) {}

  // `tables` are those that exist. Statements may fail, for example on a constraint; every SQLite in the same
  // state then fails in the same way.
  SqlBlock next_block(const std::vector<std::string>& tables);

  // The query whose rows next_block() wants as `tables`.
  static std::string tables_query();

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::string any_of(const std::vector<std::string>& names) { return names[below(names.size())]; }

  std::string create_table();
  std::string change_schema(const std::vector<std::string>& tables);
  std::string change_rows(const std::string& table);
  std::string insert(const std::string& table);
  std::string update(const std::string& table);
  std::string erase(const std::string& table);
  std::string maintenance();
  std::string text();
  std::string blob();
  std::string condition();
  void add_changes(const std::vector<std::string>& tables, std::size_t count, SqlBlock& block);
  SqlBlock transaction(const std::vector<std::string>& tables);

  std::mt19937_64& random_;
};

}  // namespace dosql::testing
