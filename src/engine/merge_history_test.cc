// Merges of random histories against a merge of maps.

#include <array>
#include <random>

#include "engine/engine_test_support.h"
#include "engine/merge_model_test_support.h"
#include "engine/merge_test_support.h"
#include "testing/run_length.h"

namespace dosql::engine {
namespace {

using merge::Preference;

// A kind of table k, a, b, and how its rows are known.
struct Kind {
  const char* create;
  const char* key;  // what rows are known by
};

constexpr std::array<Kind, 4> kKinds{{
    {"CREATE TABLE t(k INTEGER PRIMARY KEY, a, b)", "k"},
    {"CREATE TABLE t(k TEXT PRIMARY KEY, a INT, b TEXT) WITHOUT ROWID", "k"},
    {"CREATE TABLE t(k PRIMARY KEY, a, b REAL)", "k"},
    {"CREATE TABLE t(k INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b, c AS (k + 1) STORED); CREATE INDEX i "
     "ON t(a)",
     "k"},
}};

ModelRows table_of(Connection& connection) {
  ModelRows table;
  for (const Row& row :
       connection.query("SELECT quote(k), typeof(a) || quote(a), typeof(b) || quote(b) FROM t").value())
    table[row[0].text()] = {row[1].text(), row[2].text()};
  return table;
}

std::string random_statement(std::mt19937_64& random) {
  const auto key = [&] { return "'" + std::to_string(random() % 25) + "'"; };
  const auto value = [&]() -> std::string {
    constexpr std::array<const char*, 6> kValues{"NULL", "1", "2.5", "'x'", "'X'", "x'01'"};
    return kValues[random() % kValues.size()];
  };
  switch (random() % 6) {
    case 0: return "DELETE FROM t WHERE k = " + key();
    case 1: return "UPDATE OR IGNORE t SET k = " + key() + " WHERE k = " + key();
    case 2: return "UPDATE t SET a = " + value() + " WHERE k = " + key();
    case 3: return "UPDATE t SET b = " + value() + " WHERE k = " + key();
    case 4: return "REPLACE INTO t(k, a, b) VALUES(" + key() + ", " + value() + ", " + value() + ")";
    default:
      return "INSERT OR IGNORE INTO t(k, a, b) VALUES(" + key() + ", " + value() + ", " + value() + ")";
  }
}

TEST(MergeHistory, IsTheMergeOfMaps) {
  const std::uint64_t seed = testing::test_seed();
  std::mt19937_64 random(seed);
  for (int round = 0; round < testing::scaled(400); ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
    const Kind& kind = kKinds[random() % kKinds.size()];
    MergeBench bench(kind.create);
    const auto statements = [&](std::size_t most) {
      std::string text;
      for (std::size_t count = random() % most; count > 0; --count) text += random_statement(random) + ";";
      return text;
    };
    bench.begin_again(statements(40));
    const ModelRows base = table_of(bench.our_connection());
    bench.ours(statements(12));
    bench.theirs(statements(12));
    const ModelRows ours = table_of(bench.our_connection());
    const ModelRows theirs = table_of(bench.their_connection());
    const auto preference = static_cast<Preference>(random() % 3);
    const ModelMerge expected = merge_model_rows(base, ours, theirs, preference);
    const bool clean = bench.merge(preference);
    ASSERT_EQ(bench.context().conflicts.size(), expected.conflicts);
    ASSERT_EQ(clean, expected.conflicts == 0);
    ASSERT_EQ(table_of(bench.our_connection()), clean ? expected.rows : ours);
    ASSERT_EQ(bench.rows("PRAGMA integrity_check"), "ok\n");
  }
}

}  // namespace
}  // namespace dosql::engine
