// Pages that stock SQLite made, and pages that nobody should have made.

#include "diff/btree_page.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "diff/diff_test_support.h"
#include "diff/entries.h"
#include "diff/schema.h"
#include "testing/run_length.h"

namespace dosql::diff {
namespace {

bool always(PageNo) { return true; }

// The texts of all entries of the tree; none: something in it is malformed.
std::optional<std::vector<std::string>> all_entries(const DatabaseImage& image, PageNo root,
                                                    std::span<const KeyColumn> key) {
  ImagePages pages(image);
  auto tree = Tree::open(pages, root);
  if (!tree || !tree->open_where(always)) return {};
  if (!tree->empty() && tree->is_table() != key.empty()) return {};
  Entries entries(*std::move(tree), key);
  std::vector<std::string> lines;
  std::vector<Field> fields;
  while (true) {
    if (!entries.advance()) return {};
    if (entries.at_end()) return lines;
    const auto record = entries.record();
    if (!record || !decode_record(*record, fields)) return {};
    std::string line = std::to_string(entries.rowid());
    for (const Field& field : fields) line += "," + field_text(field);
    lines.push_back(std::move(line));
  }
}

std::vector<std::string> query(StockSqlite& sqlite, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite.check(sqlite3_prepare_v2(sqlite.db(), sql.c_str(), -1, &statement, nullptr));
  std::vector<std::string> lines;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    std::string line = std::to_string(sqlite3_column_int64(statement, 0));
    for (int i = 1; i < sqlite3_column_count(statement); ++i) line += "," + column_text(statement, i);
    lines.push_back(std::move(line));
  }
  sqlite3_finalize(statement);
  return lines;
}

PageNo root_of(StockSqlite& sqlite, const std::string& name) {
  const auto lines = query(sqlite, "SELECT rootpage FROM sqlite_schema WHERE name = '" + name + "'");
  return PageNo{static_cast<std::uint32_t>(std::stoul(lines.at(0)))};
}

const std::string kRows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) ";

class BtreeTest : public ::testing::Test {
 protected:
  BtreeTest() {
    sqlite_.exec("CREATE TABLE t(a, b, c); CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID");
    // Payloads around every limit: a page's room, the least that stays local, several overflow pages.
    sqlite_.exec(
        kRows +
        "INSERT INTO t SELECT i, CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN i * 1.5 WHEN 2 THEN 'x' || i"
        " ELSE -i * 100000 END, zeroblob(CASE i % 97 WHEN 0 THEN 3900 + i % 400 WHEN 1 THEN i * 7 ELSE i % 50"
        " END) FROM n");
    sqlite_.exec(
        kRows +
        "INSERT INTO w SELECT printf('%05d', i) || hex(zeroblob(CASE i % 31 WHEN 0 THEN i % 2500 ELSE i % 60"
        " END)), i FROM n");
    sqlite_.exec(
        "INSERT INTO t(rowid, a) VALUES (-9223372036854775808, 'least'), (9223372036854775807, 'most')");
    // Rowids around every length that they can have in a page.
    sqlite_.exec(
        "WITH RECURSIVE n(i) AS (SELECT 14 UNION ALL SELECT i + 7 FROM n WHERE i < 56) "
        "INSERT INTO t(rowid, a) SELECT (1 << i) + d, 'two to the ' || i "
        "FROM n, (SELECT -1 AS d UNION ALL SELECT 0)");
  }

  StockSqlite sqlite_;
};

TEST_F(BtreeTest, EveryRowOfATable) {
  const auto entries = all_entries(sqlite_.image(), root_of(sqlite_, "t"), {});
  ASSERT_TRUE(entries);
  EXPECT_EQ(*entries, query(sqlite_, "SELECT rowid, a, b, c FROM t ORDER BY rowid"));
}

TEST_F(BtreeTest, EveryRecordOfAnIndex) {
  const std::vector<KeyColumn> key(1);
  const auto entries = all_entries(sqlite_.image(), root_of(sqlite_, "w"), key);
  ASSERT_TRUE(entries);
  EXPECT_EQ(*entries, query(sqlite_, "SELECT 0, k, v FROM w ORDER BY k"));
}

TEST_F(BtreeTest, ChainsThatGoRoundOrLeadAwayEnd) {
  DatabaseImage image = sqlite_.image();
  ImagePages pages(image);
  PageImage leaf{};
  leaf[0] = std::byte{13};
  leaf[4] = std::byte{1};
  leaf[8] = std::byte{0x01};  // the cell is at 0x100
  const auto cell_of = [&](std::initializer_list<int> payload_varint, std::uint32_t overflow) {
    std::size_t at = 0x100;
    for (const int byte : payload_varint) leaf[at++] = static_cast<std::byte>(byte);
    leaf[at++] = std::byte{1};
    for (std::size_t i = at; i + 4 <= kPageBytes; ++i) store_big32(leaf.data() + i, overflow);
    const auto page = BtreePage::parse(leaf, PageNo{2}, kPageBytes);
    return page.value().cell(0);
  };
  std::vector<std::byte> buffer;
  // 100 kB in a chain of one page that points to itself.
  store_big32(image[4].data(), 5);
  const auto circle = cell_of({0x86, 0x8d, 0x20}, 0x05050505);
  ASSERT_TRUE(circle) << circle.error().message();
  EXPECT_FALSE(payload_of(pages, *circle, kPageBytes, buffer)) << "leads out of the database";
  Cell round = *circle;
  round.overflow = PageNo{5};
  const auto payload = payload_of(pages, round, kPageBytes, buffer);
  ASSERT_TRUE(payload);
  EXPECT_EQ(payload->size(), 100'000u);
  Cell absurd = *circle;
  absurd.payload_bytes = ~std::uint64_t{0};
  const auto refused = payload_of(pages, absurd, kPageBytes, buffer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kCorrupt);
}

TEST_F(BtreeTest, ATreeThatContainsItselfIsRefused) {
  DatabaseImage image = sqlite_.image();
  const PageNo root = root_of(sqlite_, "t");
  PageImage& page = image[raw(root) - 1];
  ASSERT_EQ(page[0], std::byte{5});
  store_big32(page.data() + 8, raw(root));
  EXPECT_FALSE(all_entries(image, root, {}));
}

// Bytes changed at random in any page: an answer or an error, and no read outside (ImagePages and the
// sanitizers watch).
TEST_F(BtreeTest, DamagedPagesEndInAnAnswerOrAnError) {
  const DatabaseImage image = sqlite_.image();
  const PageNo table = root_of(sqlite_, "t");
  const PageNo index = root_of(sqlite_, "w");
  const std::vector<KeyColumn> key(1);
  std::mt19937_64 random(testing::test_seed());
  int refused = 0;
  for (int i = 0; i < testing::scaled(60); ++i) {
    DatabaseImage damaged = image;
    for (std::size_t change = 0; change <= random() % 8; ++change) {
      PageImage& page = damaged[random() % damaged.size()];
      // Mostly in the head, where it hurts.
      const std::size_t at = random() % (random() % 4 == 0 ? kPageBytes : 40);
      page[at] = static_cast<std::byte>(random());
    }
    refused += !all_entries(damaged, table, {});
    refused += !all_entries(damaged, index, key);
    all_entries(damaged, PageNo{1}, {});
    all_entries(damaged, PageNo{static_cast<std::uint32_t>(random() % (damaged.size() + 5))}, {});
  }
  EXPECT_GT(refused, 0);
}

// Lengths and rowids that go on and on, up to the end of what the page may use.
TEST_F(BtreeTest, ARowWhoseHeadDoesNotEnd) {
  constexpr std::uint32_t kUsable = kPageBytes - 200;
  const auto page = std::make_unique<PageImage>();
  for (const std::uint32_t length_bytes : {0u, 1u, 2u}) {
    for (std::uint32_t place = kUsable - 40; place + 2 < kPageBytes; ++place) {
      page->fill(std::byte{0x80});
      (*page)[0] = std::byte{13};
      (*page)[3] = std::byte{0};
      (*page)[4] = std::byte{1};
      (*page)[8] = static_cast<std::byte>(place >> 8);
      (*page)[9] = static_cast<std::byte>(place);
      if (length_bytes > 0) (*page)[place + length_bytes - 1] = std::byte{5};
      const auto parsed = BtreePage::parse(*page, PageNo{2}, kUsable);
      ASSERT_TRUE(parsed);
      const auto cell = parsed->cell(0);
      // A varint ends with its ninth byte, whatever that is.
      const bool fits = place + (length_bytes > 0 ? length_bytes : 9) + 9 + 5 <= kUsable;
      ASSERT_EQ(cell.has_value(), fits && length_bytes > 0) << "at " << place << ", length " << length_bytes;
      if (!cell) continue;
      EXPECT_EQ(cell->payload_bytes, 5u);
      EXPECT_EQ(cell->rowid, 0x80);
    }
  }
}

TEST_F(BtreeTest, NoPageAtAll) {
  PageImage page{};
  EXPECT_FALSE(BtreePage::parse(page, PageNo{3}, kPageBytes));
  page.fill(std::byte{0xff});
  EXPECT_FALSE(BtreePage::parse(page, PageNo{3}, kPageBytes));
  page[0] = std::byte{13};
  EXPECT_FALSE(BtreePage::parse(page, PageNo{3}, kPageBytes)) << "65535 cells";
}

}  // namespace
}  // namespace dosql::diff
