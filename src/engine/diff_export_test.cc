// dosql_diff against SQLite's EXCEPT over both versions, exported as ordinary SQLite files.

#include <fmt/format.h>

#include <map>
#include <set>

#include "engine/change_workload_test_support.h"
#include "testing/run_length.h"

namespace dosql::engine {
namespace {

// Both versions as databases `a` and `b` of a stock SQLite.
class ExportedPair {
 public:
  ExportedPair(const std::string& from, const std::string& to) {
    sqlite_.exec("ATTACH '" + from + "' AS a; ATTACH '" + to + "' AS b");
  }

  std::string rows_text(const std::string& sql) { return sqlite_.rows_text(sql); }

  // What the table with that number is called; empty: it is not there.
  std::string name_of(const std::string& database, std::size_t table) {
    return rows_text(fmt::format(
        "SELECT name FROM {}.sqlite_schema WHERE type = 'table' AND name GLOB 't{}_*'", database, table));
  }
  // Those that are stored.
  std::vector<std::string> columns_of(const std::string& database, const std::string& table) {
    std::vector<std::string> columns;
    std::string names = rows_text(
        fmt::format("SELECT name FROM pragma_table_xinfo('{}', '{}') WHERE hidden <> 2", table, database));
    while (!names.empty()) {
      const std::size_t end = std::min(names.find('\n'), names.size());
      columns.push_back(names.substr(0, end));
      names.erase(0, end + 1);
    }
    return columns;
  }

 private:
  Stock sqlite_{":memory:"};
};

// One version's side of a table.
struct Side {
  std::string database;
  std::string name;  // empty: it is not there
  std::vector<std::string> columns;

  // The row as one text, of the columns of either version. `quoted` makes an SQL expression of a column.
  template <class Quoted>
  std::string row(const std::set<std::string>& all, const std::string& key, const Quoted& quoted) const {
    std::string text = key;
    for (const std::string& column : all) {
      const bool has = std::ranges::find(columns, column) != columns.end();
      // What ALTER TABLE adds has the DEFAULT 7.
      const std::string missing = column[0] == 'x' ? "'7'" : "'NULL'";
      text += " || '|' || " + (has ? "quote(" + quoted(column) + ")" : missing);
    }
    return text;
  }
};

class DiffExportTest : public ::testing::Test {
 protected:
  std::string file_of(const std::string& version) {
    const auto [found, is_new] = files_.try_emplace(version, folder_.file(version));
    if (is_new) DOSQL_EXPECT_OK(database_.export_sqlite(found->second, snapshot(version)));
    return found->second;
  }

  void expect_right(ExportedPair& pair, const WorkloadTable& table, std::size_t index,
                    const std::string& from, const std::string& to) {
    Side before{"a", pair.name_of("a", index), {}};
    Side after{"b", pair.name_of("b", index), {}};
    if (before.name.empty() && after.name.empty()) return;
    std::set<std::string> all;
    for (Side* side : {&before, &after}) {
      if (!side->name.empty()) side->columns = pair.columns_of(side->database, side->name);
      all.insert(side->columns.begin(), side->columns.end());
    }
    const std::string name = after.name.empty() ? before.name : after.name;
    SCOPED_TRACE(name + " from " + from + " to " + to);

    // Rows with their keys, as SQLite has them.
    const bool by_rowid = table.key[0] == "rowid";
    const auto rows_of = [&](const Side& side) -> std::string {
      if (side.name.empty()) return "SELECT NULL AS k0, NULL AS k1, '' AS r WHERE 0";
      return fmt::format(
          "SELECT {} AS k0, {} AS k1, {} AS r FROM {}.{}", table.key[0],
          table.key.size() > 1 ? table.key[1] : "0",
          side.row(all, by_rowid ? "quote(rowid)" : "''", [](const std::string& c) { return c; }),
          side.database, side.name);
    };
    const std::string gone = "(" + rows_of(before) + " EXCEPT " + rows_of(after) + ")";
    const std::string come = "(" + rows_of(after) + " EXCEPT " + rows_of(before) + ")";
    const std::string same_key = "g.k0 = c.k0 AND g.k1 = c.k1";

    // The same by dosql_diff. An INTEGER PRIMARY KEY is the key under its own name.
    const bool has_id = table.columns.starts_with("(id");
    const std::string key = !by_rowid ? "''" : has_id ? "quote(id)" : "quote(rowid)";
    const std::string diff = fmt::format("FROM dosql_diff('{}', '{}', '{}')", name, from, to);
    const std::string then = before.row(all, key, [](const std::string& c) { return "before_" + c; });
    const std::string now = after.row(all, key, [](const std::string& c) { return "after_" + c; });
    EXPECT_EQ(
        rows_text(connection_, "SELECT " + then + " AS r " + diff + " WHERE change <> 'insert' ORDER BY r"),
        pair.rows_text("SELECT r FROM " + gone + " ORDER BY r"));
    EXPECT_EQ(
        rows_text(connection_, "SELECT " + now + " AS r " + diff + " WHERE change <> 'delete' ORDER BY r"),
        pair.rows_text("SELECT r FROM " + come + " ORDER BY r"));
    const std::string updates =
        rows_text(connection_, "SELECT count(*) " + diff + " WHERE change = 'update'");
    EXPECT_EQ(updates,
              pair.rows_text("SELECT count(*) FROM " + gone + " AS g JOIN " + come + " AS c ON " + same_key));
    const std::string changes = rows_text(connection_, "SELECT count(*) " + diff);
    changes_ += std::stoul(changes);
    updates_ += std::stoul(updates);
  }

  TemporaryDirectory folder_;
  std::map<std::string, std::string> files_;  // by version
  Database database_ = open_in_memory();
  Connection connection_ = database_.connect().value();
  std::size_t changes_ = 0;
  std::size_t updates_ = 0;
};

TEST_F(DiffExportTest, IsWhatExceptSays) {
  const std::uint64_t seed = testing::test_seed();
  constexpr int kPairsOfHistory = 25;
  const int pairs = testing::scaled(testing::soak() ? 20'000 : 500);
  for (int h = 0; h * kPairsOfHistory < pairs; ++h) {
    database_ = open_in_memory();
    connection_ = database_.connect().value();
    for (const auto& [version, file] : files_) std::filesystem::remove(file);
    files_.clear();
    ChangeWorkload workload(connection_, seed * 1000 + static_cast<std::uint64_t>(h));
    std::vector<std::string> versions;
    const auto work_on = [&](const std::string& branch, int steps) {
      for (int i = 0; i < steps; ++i) workload.step();
      for (std::uint64_t version = 1; version <= connection_.version(); ++version)
        versions.push_back(branch + "@" + std::to_string(version));
    };
    work_on("main", 40);
    const std::size_t made = workload.versions_of_making();
    workload.fork("side", "'" + versions[made + workload.pick(versions.size() - made)] + "'");
    work_on("side", 15);
    for (int i = 0; i < kPairsOfHistory; ++i) {
      const std::size_t from = workload.pick(versions.size());
      // Neighbours as often as any two.
      const std::size_t to =
          workload.pick(2) == 0 ? std::min(from + 1, versions.size() - 1) : workload.pick(versions.size());
      SCOPED_TRACE(fmt::format("DOSQL_SEED={} history {}", seed, h));
      ExportedPair pair(file_of(versions[from]), file_of(versions[to]));
      for (std::size_t table = 0; table < workload.tables().size(); ++table)
        expect_right(pair, workload.tables()[table], table, versions[from], versions[to]);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(changes_, 1000u) << "or nothing was tested";
  EXPECT_GT(updates_, static_cast<std::size_t>(pairs) / 5);
}

}  // namespace
}  // namespace dosql::engine
