// Row changes of small histories: what each kind of change shows, and what is not even read.

#include "diff/table_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "diff/diff_test_support.h"
#include "diff/schema.h"
#include "diff/tree.h"

namespace dosql::diff {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kWithMap = "PRAGMA auto_vacuum=INCREMENTAL";
const std::string kWithoutMap = "PRAGMA auto_vacuum=NONE";

PageNo root_of(version::Reader& reader, const std::string& table) {
  const auto schema = read_schema(reader).value();
  const SchemaEntry* const entry = find_table(schema, table);
  return entry ? entry->root : PageNo{};
}

std::string record_text(Bytes record) {
  if (record.empty()) return "";
  std::vector<Field> fields;
  decode_record(record, fields).value();
  std::string text;
  for (const Field& field : fields) {
    const std::string value = field_text(field);
    text += (text.empty() ? "" : ",") +
            (value.size() > 20 ? std::to_string(field.bytes.size()) + " bytes" : value);
  }
  return text;
}

// One line per change: kind rowid: before -> after.
std::vector<std::string> changes_of(SqliteHistory& history, const version::ReadPoint& from,
                                    const version::ReadPoint& to, const std::string& table,
                                    const std::vector<KeyColumn>& key = {}, bool all_rows = false) {
  version::Reader before(history.store());
  version::Reader after(history.store());
  before.pin(from);
  after.pin(to);
  const PageChanges pages = PageChanges::between(history.store(), before, after).value();
  const TablePlace place{root_of(before, table), root_of(after, table), key, all_rows};
  TableDiff diff = TableDiff::open(before, after, pages, place).value();
  std::vector<std::string> lines;
  RowChange change;
  while (diff.next(change).value()) {
    lines.push_back(std::string(1, "iud"[static_cast<int>(change.kind)]) + std::to_string(change.rowid) +
                    ": " + record_text(change.before) + " -> " + record_text(change.after));
  }
  return lines;
}

class TableDiffTest : public ::testing::TestWithParam<std::string> {
 protected:
  version::ReadPoint commit(const std::string& sql) { return history.commit(sql).point; }

  SqliteHistory history{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(PointerMap, TableDiffTest, ::testing::Values(kWithMap, kWithoutMap),
                         [](const auto& one) { return one.param == kWithMap ? "With" : "Without"; });

TEST_P(TableDiffTest, InsertUpdateDelete) {
  const auto first =
      commit("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 5), (2, 6), (3, 7)");
  const auto second =
      commit("UPDATE t SET v = 8 WHERE id = 2; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (4, 9)");
  EXPECT_THAT(changes_of(history, first, second, "t"),
              ElementsAre("d1: null,n5 -> ", "u2: null,n6 -> null,n8", "i4:  -> null,n9"));
  EXPECT_THAT(changes_of(history, second, first, "t"),
              ElementsAre("i1:  -> null,n5", "u2: null,n8 -> null,n6", "d4: null,n9 -> "));
  EXPECT_THAT(changes_of(history, second, second, "t"), IsEmpty());
}

TEST_P(TableDiffTest, TheNetChangeOverManyCommits) {
  const auto first = commit("CREATE TABLE t(v); INSERT INTO t VALUES (1), (2)");
  commit("UPDATE t SET v = 3 WHERE v = 1");
  commit("DELETE FROM t WHERE v = 2; INSERT INTO t(rowid, v) VALUES (3, 4)");
  const auto last = commit("UPDATE t SET v = 1 WHERE v = 3; DELETE FROM t WHERE rowid = 3");
  EXPECT_THAT(changes_of(history, first, last, "t"), ElementsAre("d2: n2 -> "));
}

TEST_P(TableDiffTest, TablesThatComeAndGo) {
  const auto first = commit("CREATE TABLE x(a)");
  const auto second = commit("CREATE TABLE t(v); INSERT INTO t VALUES ('a'), ('b')");
  EXPECT_THAT(changes_of(history, first, second, "t"), ElementsAre("i1:  -> t61", "i2:  -> t62"));
  EXPECT_THAT(changes_of(history, second, first, "t"), ElementsAre("d1: t61 -> ", "d2: t62 -> "));
  EXPECT_THAT(changes_of(history, first, second, "x"), IsEmpty());
}

TEST_P(TableDiffTest, WithoutRowid) {
  const std::vector<KeyColumn> key{{compare_nocase, false}, {compare_binary, true}};
  const auto first = commit(
      "CREATE TABLE w(k TEXT COLLATE NOCASE, n, v, PRIMARY KEY(k, n DESC)) WITHOUT ROWID;"
      "INSERT INTO w VALUES ('a', 1, 1), ('B', 1, 2), ('B', 2, 3), ('c', 1, 4)");
  const auto second = commit(
      "UPDATE w SET k = 'b', v = 5 WHERE v = 3; DELETE FROM w WHERE v = 1;"
      "INSERT INTO w VALUES ('D', 0, 0)");
  EXPECT_THAT(changes_of(history, first, second, "w", key),
              ElementsAre("d0: t61,n1,n1 -> ", "u0: t42,n2,n3 -> t62,n2,n5", "i0:  -> t44,n0,n0"));
}

TEST_P(TableDiffTest, AllRowsWhereTheyAreReadOtherwise) {
  const auto first = commit(
      "CREATE TABLE t(v); INSERT INTO t VALUES ('a'), ('b');"
      "CREATE TABLE w(k PRIMARY KEY) WITHOUT ROWID; INSERT INTO w VALUES (1), (2)");
  const auto second = commit("DELETE FROM t WHERE v = 'a'");
  EXPECT_THAT(changes_of(history, first, second, "t", {}, true),
              ElementsAre("d1: t61 -> ", "u2: t62 -> t62"));
  EXPECT_THAT(changes_of(history, first, second, "w", {{compare_binary, false}}, true),
              ElementsAre("u0: n1 -> n1", "u0: n2 -> n2"));
}

TEST_P(TableDiffTest, RowsThatOnlyMoveAreNoChange) {
  const auto first = commit(
      "CREATE TABLE x(a); CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
      "INSERT INTO t SELECT i * 10, hex(randomblob(20)) FROM n; INSERT INTO x SELECT randomblob(100) FROM t");
  commit("DROP TABLE x");
  commit("INSERT INTO t VALUES (15005, 'new')");
  const auto last = commit("VACUUM");
  EXPECT_THAT(changes_of(history, first, last, "t"), ElementsAre("i15005:  -> null,t6e6577"));
  EXPECT_THAT(changes_of(history, last, first, "t"), ElementsAre("d15005: null,t6e6577 -> "));
}

TEST_P(TableDiffTest, OverflowPagesChangeUnderAnUntouchedLeaf) {
  const auto first = commit(
      "CREATE TABLE x(a); CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);"
      "INSERT INTO t VALUES (1, zeroblob(30000)), (2, zeroblob(30000)), (3, 'small')");
  sqlite3_blob* blob = nullptr;
  history.sqlite().check(sqlite3_blob_open(history.sqlite().db(), "main", "t", "v", 2, 1, &blob));
  history.sqlite().check(sqlite3_blob_write(blob, "x", 1, 20'000));
  history.sqlite().check(sqlite3_blob_close(blob));
  const auto second = commit("INSERT INTO x VALUES (1)");
  EXPECT_THAT(changes_of(history, first, second, "t"),
              ElementsAre("u2: null,30000 bytes -> null,30000 bytes"));
}

TEST_P(TableDiffTest, AcrossBranches) {
  const auto base = commit("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'one')");
  const HistoryVersion fork = history.versions().back();
  const auto on_main = commit("INSERT INTO t VALUES (2, 'main')");
  history.branch_from(fork, "x");
  const auto on_x = commit("INSERT INTO t VALUES (2, 'x'), (3, 'x')");
  EXPECT_THAT(changes_of(history, on_main, on_x, "t"),
              ElementsAre("u2: null,t6d61696e -> null,t78", "i3:  -> null,t78"));
  EXPECT_THAT(changes_of(history, base, on_x, "t"), ElementsAre("i2:  -> null,t78", "i3:  -> null,t78"));
}

TEST_P(TableDiffTest, TheWrongKindOfKeyIsRefused) {
  const auto first = commit("CREATE TABLE t(v); CREATE TABLE w(k PRIMARY KEY) WITHOUT ROWID");
  const auto second = commit("INSERT INTO t VALUES (1); INSERT INTO w VALUES (1)");
  version::Reader before(history.store());
  version::Reader after(history.store());
  before.pin(first);
  after.pin(second);
  const PageChanges pages = PageChanges::between(history.store(), before, after).value();
  const PageNo rows = root_of(after, "t");
  const PageNo entries = root_of(after, "w");
  for (const TablePlace& place : {TablePlace{rows, rows, {KeyColumn{}}}, TablePlace{entries, entries, {}},
                                  TablePlace{rows, entries, {}}}) {
    const auto diff = TableDiff::open(before, after, pages, place);
    ASSERT_FALSE(diff);
    EXPECT_EQ(diff.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST_P(TableDiffTest, AWrongOrderIsRefused) {
  const auto first = commit("CREATE TABLE w(k COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID");
  const auto second = commit("INSERT INTO w VALUES ('a'), ('B')");
  version::Reader before(history.store());
  version::Reader after(history.store());
  before.pin(first);
  after.pin(second);
  const PageChanges pages = PageChanges::between(history.store(), before, after).value();
  const TablePlace place{{}, root_of(after, "w"), {KeyColumn{}}};
  TableDiff diff = TableDiff::open(before, after, pages, place).value();
  RowChange change;
  EXPECT_TRUE(diff.next(change).value());
  const auto next = diff.next(change);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code(), ErrorCode::kCorrupt);
  EXPECT_FALSE(diff.next(change).value()) << "after an error there are no more";
}

// One changed row of many costs the pages on its way and no others.
TEST(TableDiffCostTest, ReadsThePagesThatDiffer) {
  SqliteHistory history(kWithMap);
  history.commit(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
      "INSERT INTO t SELECT i, i || 'xxxxxxxxxxxxxxxxxxxxxxxxxxx' FROM n");
  const version::ReadPoint first = history.versions().back().point;
  const version::ReadPoint second = history.commit("UPDATE t SET v = 'new' WHERE id = 30000").point;
  version::Reader before(history.store());
  version::Reader after(history.store());
  before.pin(first);
  after.pin(second);
  const PageChanges changes = PageChanges::between(history.store(), before, after).value();
  VersionPages pages_before(before);
  VersionPages pages_after(after);
  Tree tree_before = Tree::open(pages_before, root_of(before, "t")).value();
  Tree tree_after = Tree::open(pages_after, root_of(after, "t")).value();
  ASSERT_TRUE(keep_differences(tree_before, tree_after, changes));
  EXPECT_EQ(tree_after.parts().size(), 1u) << "the changed leaf";
  EXPECT_LE(tree_after.opened().size(), 3u) << "the interior pages above it";
}

TEST(SchemaTest, IsWhatSqliteSays) {
  for (const char* const encoding : {"UTF-8", "UTF-16le", "UTF-16be"}) {
    SqliteHistory history("PRAGMA encoding='" + std::string(encoding) + "'");
    const auto point =
        history
            .commit(
                "CREATE TABLE \"gr\u00fc\u00df \u20ac \U0001f600\"(a PRIMARY KEY, b);"
                "CREATE VIEW v AS SELECT 1; CREATE INDEX i ON \"gr\u00fc\u00df \u20ac \U0001f600\"(b)")
            .point;
    version::Reader reader(history.store());
    reader.pin(point);
    std::vector<std::string> names;
    for (const SchemaEntry& entry : read_schema(reader).value())
      names.push_back(entry.type + " " + entry.name + (raw(entry.root) == 0 ? "" : " *"));
    EXPECT_THAT(names, ElementsAre("table gr\u00fc\u00df \u20ac \U0001f600 *",
                                   "index sqlite_autoindex_gr\u00fc\u00df \u20ac \U0001f600_1 *", "view v",
                                   "index i *"));
  }
}

TEST(SchemaTest, FindsTablesInAnyCase) {
  SqliteHistory history;
  const auto point = history.commit("CREATE TABLE Both(a); CREATE VIEW seen AS SELECT 1").point;
  version::Reader reader(history.store());
  reader.pin(point);
  const auto schema = read_schema(reader).value();
  EXPECT_EQ(find_table(schema, "GONE"), nullptr);
  EXPECT_EQ(find_table(schema, "seen"), nullptr);
  ASSERT_NE(find_table(schema, "BOTH"), nullptr);
  EXPECT_EQ(find_table(schema, "BOTH")->name, "Both");
}

TEST(SchemaTest, TheEmptyDatabaseHasNone) {
  SqliteHistory history;
  version::Reader reader(history.store());
  reader.pin_head(kMainBranch);
  EXPECT_THAT(read_schema(reader).value(), IsEmpty());
}

}  // namespace
}  // namespace dosql::diff
