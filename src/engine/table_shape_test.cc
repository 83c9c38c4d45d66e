#include "engine/table_shape.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "engine/engine_test_support.h"

namespace dosql::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TableShapeTest : public ::testing::Test {
 protected:
  std::shared_ptr<const VersionSchema> after(const std::string& sql) {
    DOSQL_EXPECT_OK(connection_.exec(sql));
    return schemas_.of(core_.store().head(kMainBranch)).value();
  }

  Database database_ = open_in_memory();
  DatabaseCore& core_ = DatabaseAccess::core(database_);
  Connection connection_ = database_.connect().value();
  VersionSchemas schemas_{core_};
};

// Where a value is in the record: -1 for none.
std::vector<int> places(const TableShape& table) {
  std::vector<int> all;
  for (const ColumnShape& column : table.columns)
    all.push_back(column.stored.place ? static_cast<int>(*column.stored.place) : -1);
  return all;
}

TEST_F(TableShapeTest, TheEmptyDatabaseHasNoTables) {
  EXPECT_THAT(schemas_.of(core_.store().head(kMainBranch)).value()->tables, IsEmpty());
}

TEST_F(TableShapeTest, ColumnsAsTheyWereDeclared) {
  const auto schema = after(
      "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(10) COLLATE NOCASE NOT NULL DEFAULT "
      "('x' || 'y'), twice AS (id * 2), size REAL, both AS (id || name) STORED, any_)");
  const TableShape& table = *schema->find("T");
  EXPECT_EQ(table.kind, TableKind::kRowid);
  EXPECT_TRUE(table.autoincrement);
  EXPECT_FALSE(table.strict);
  EXPECT_EQ(table.rowid_column, 0u);
  EXPECT_THAT(places(table), ElementsAre(0, 1, -1, 2, 3, 4));
  const ColumnShape& name = table.columns[1];
  EXPECT_EQ(name.type, "VARCHAR(10)");
  EXPECT_EQ(name.affinity, Affinity::kText);
  EXPECT_EQ(name.collation, "NOCASE");
  EXPECT_TRUE(name.not_null);
  EXPECT_EQ(name.default_sql, "'x' || 'y'");
  EXPECT_TRUE(table.columns[0].stored.is_rowid);
  EXPECT_EQ(table.columns[0].key_position, 1u);
  EXPECT_EQ(table.columns[2].generated, Generated::kVirtual);
  EXPECT_TRUE(table.columns[3].stored.is_real);
  EXPECT_EQ(table.columns[4].generated, Generated::kStored);
  EXPECT_EQ(table.columns[5].affinity, Affinity::kBlob);
  EXPECT_FALSE(table.columns[5].default_sql);
}

TEST_F(TableShapeTest, RecordsOfWithoutRowidTablesBeginWithTheKey) {
  const auto schema = after(
      "CREATE TABLE t(a ANY, b TEXT, c INT AS (a) VIRTUAL, d INT, PRIMARY KEY(d DESC, b COLLATE RTRIM)) "
      "STRICT, WITHOUT ROWID");
  const TableShape& table = *schema->find("t");
  EXPECT_EQ(table.kind, TableKind::kWithoutRowid);
  EXPECT_TRUE(table.strict);
  EXPECT_THAT(places(table), ElementsAre(2, 1, -1, 0));
  ASSERT_EQ(table.key.size(), 2u);
  EXPECT_EQ(table.key[0].column, 3u);
  EXPECT_TRUE(table.key[0].descending);
  EXPECT_EQ(table.key[1].collation, "RTRIM");
  EXPECT_EQ(table.columns[1].key_position, 2u);
  EXPECT_FALSE(table.rowid_column);
}

TEST_F(TableShapeTest, AKeyThatIsNotTheRowid) {
  const auto schema = after(
      "CREATE TABLE words(word TEXT PRIMARY KEY, n); CREATE TABLE down(id INTEGER PRIMARY KEY DESC);"
      "CREATE TABLE ints(id INT PRIMARY KEY); CREATE TABLE none(a)");
  EXPECT_FALSE(schema->find("words")->rowid_column);
  EXPECT_EQ(schema->find("words")->key.size(), 1u);
  EXPECT_FALSE(schema->find("down")->rowid_column) << "SQLite's exception";
  EXPECT_FALSE(schema->find("ints")->rowid_column);
  EXPECT_THAT(schema->find("none")->key, IsEmpty());
}

TEST_F(TableShapeTest, TablesThatForeignKeysReferTo) {
  const auto schema = after("CREATE TABLE t(a REFERENCES u, b REFERENCES t(a), c); CREATE TABLE u(a)");
  std::vector<std::string> parents = schema->find("t")->parents;
  std::ranges::sort(parents);
  EXPECT_THAT(parents, ElementsAre("t", "u"));
  EXPECT_THAT(schema->find("u")->parents, IsEmpty());
}

TEST_F(TableShapeTest, VirtualTablesAndWhatTheyKeepTheirContentIn) {
  const auto schema = after(
      "CREATE TABLE plain_data(x); CREATE VIRTUAL TABLE texts USING fts5(title, body); VACUUM;"
      "CREATE VIEW seen AS SELECT 1");
  EXPECT_EQ(schema->find("texts")->kind, TableKind::kVirtual);
  EXPECT_EQ(schema->find("texts")->columns[1].name, "body");
  EXPECT_TRUE(schema->find("texts_data")->shadow);
  EXPECT_TRUE(schema->find("texts_config")->shadow);
  EXPECT_FALSE(schema->find("plain_data")->shadow);
  EXPECT_EQ(schema->find("seen"), nullptr);
}

TEST_F(TableShapeTest, WhatShortRecordsMissHasItsColumnsAffinity) {
  for (const char* encoding : {"UTF-8", "UTF-16le", "UTF-16be"}) {
    Database database = open_in_memory();
    Connection connection = database.connect().value();
    DOSQL_EXPECT_OK(connection.exec("PRAGMA encoding = '" + std::string(encoding) + "'"));
    DOSQL_EXPECT_OK(connection.exec(
        "CREATE TABLE t(a); ALTER TABLE t ADD COLUMN i INT DEFAULT '12'; ALTER TABLE t ADD COLUMN r REAL "
        "DEFAULT 3; ALTER TABLE t ADD COLUMN x TEXT DEFAULT 7; ALTER TABLE t ADD COLUMN b DEFAULT x'00ff';"
        "ALTER TABLE t ADD COLUMN n; ALTER TABLE t ADD COLUMN m INT DEFAULT -5"));
    VersionSchemas schemas(DatabaseAccess::core(database));
    const auto schema = schemas.of(DatabaseAccess::core(database).store().head(kMainBranch)).value();
    const auto missing = [&](std::size_t column) {
      return schema->find("t")->columns[column].stored.missing;
    };
    EXPECT_EQ(missing(1).type, diff::FieldType::kInteger);
    EXPECT_EQ(missing(1).integer, 12);
    EXPECT_EQ(missing(2).type, diff::FieldType::kReal);
    EXPECT_EQ(missing(2).real, 3.0);
    EXPECT_EQ(missing(3).type, diff::FieldType::kText);
    EXPECT_EQ(diff::utf8_text(missing(3).bytes, schema->encoding), "7") << encoding;
    EXPECT_EQ(missing(4).type, diff::FieldType::kBlob);
    EXPECT_EQ(missing(4).bytes.size(), 2u);
    EXPECT_EQ(missing(5).type, diff::FieldType::kNull);
    EXPECT_EQ(missing(6).integer, -5);
  }
}

TEST_F(TableShapeTest, OneSchemaServesAllVersionsThatHaveIt) {
  const auto first = after("CREATE TABLE t(a)");
  EXPECT_EQ(first, after("INSERT INTO t VALUES (1)"));
  EXPECT_NE(first, after("ALTER TABLE t ADD COLUMN b"));
}

// Two branches may have the same schema cookie and different schemas.
TEST_F(TableShapeTest, SchemasOfBranchesAreTheirOwn) {
  after("CREATE TABLE t(a)");
  DOSQL_EXPECT_OK(
      connection_.exec("CREATE BRANCH other; ALTER TABLE t ADD COLUMN here; CHECKOUT other;"
                       "ALTER TABLE t ADD COLUMN there"));
  const auto main = schemas_.of(core_.store().head(kMainBranch)).value();
  const auto other = schemas_.of(core_.store().find_branch("other")->head).value();
  EXPECT_EQ(main->find("t")->columns[1].name, "here");
  EXPECT_EQ(other->find("t")->columns[1].name, "there");
}

TEST_F(TableShapeTest, KeysCompareWithTheCollationsOfTheUsersHandle) {
  const auto schema = after("CREATE TABLE t(a TEXT COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID");
  const auto compare = [](const diff::Collation& collation, std::string_view a, std::string_view b) {
    return collation(std::as_bytes(std::span(a)), std::as_bytes(std::span(b)));
  };
  const auto order = row_order(*schema->find("t"), schema->encoding, connection_.sqlite_handle()).value();
  EXPECT_EQ(compare(order[0].collation, "Abc", "aBC"), 0);

  // In UTF-16, for a database in UTF-8: the first two bytes only.
  const auto first = [](void*, int a_bytes, const void* a, int b_bytes, const void* b) {
    EXPECT_EQ(a_bytes, 6);
    EXPECT_EQ(b_bytes, 4);
    return std::memcmp(a, b, 2);
  };
  sqlite3_create_collation(connection_.sqlite_handle(), "first", SQLITE_UTF16LE, nullptr, first);
  const auto other = after("CREATE TABLE u(a TEXT COLLATE first PRIMARY KEY) WITHOUT ROWID");
  const auto by_first = row_order(*other->find("u"), other->encoding, connection_.sqlite_handle()).value();
  EXPECT_EQ(compare(by_first[0].collation, "abc", "az"), 0);

  Connection stranger = database_.connect().value();
  const auto missing = row_order(*other->find("u"), other->encoding, stranger.sqlite_handle());
  DOSQL_EXPECT_ERROR(missing, kSql);
}

}  // namespace
}  // namespace dosql::engine
