// What the tests of the diff share: histories that stock SQLite made, in a store.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/environment.h"
#include "diff/btree_page.h"
#include "diff/record.h"
#include "io/memory_storage.h"
#include "version/sqlite_header.h"
#include "version/version_store.h"

namespace dosql::diff {

// A whole database file; [0] is page 1.
using DatabaseImage = std::vector<PageImage>;

// A handle of stock SQLite on a database in memory.
class StockSqlite {
 public:
  StockSqlite() { check(sqlite3_open(":memory:", &db_)); }
  ~StockSqlite() { sqlite3_close(db_); }
  StockSqlite(const StockSqlite&) = delete;
  StockSqlite& operator=(const StockSqlite&) = delete;

  sqlite3* db() const { return db_; }
  void check(int rc) {
    if (rc != SQLITE_OK) ADD_FAILURE() << sqlite3_errmsg(db_);
  }
  void exec(const std::string& sql) {
    const int rc = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
    if (rc != SQLITE_OK) ADD_FAILURE() << sqlite3_errmsg(db_) << " in " << sql;
  }
  // False: it failed, as the test expects now and then.
  bool try_exec(const std::string& sql) {
    return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  }

  DatabaseImage image() {
    sqlite3_int64 bytes = 0;
    unsigned char* const file = sqlite3_serialize(db_, "main", &bytes, 0);
    DatabaseImage pages(static_cast<std::size_t>(bytes) / kPageBytes);
    for (std::size_t i = 0; i < pages.size(); ++i)
      std::memcpy(pages[i].data(), file + i * kPageBytes, kPageBytes);
    sqlite3_free(file);
    if (!pages.empty()) version::set_change_counter(pages[0].data(), version::kStoredChangeCounter);
    return pages;
  }
  void load(const DatabaseImage& pages) {
    const auto bytes = static_cast<sqlite3_int64>(pages.size() * kPageBytes);
    auto* file = static_cast<unsigned char*>(sqlite3_malloc64(pages.size() * kPageBytes));
    std::memcpy(file, pages.data(), pages.size() * kPageBytes);
    check(sqlite3_deserialize(db_, "main", file, bytes, bytes,
                              SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE));
  }

 private:
  sqlite3* db_ = nullptr;
};

// An image as pages.
class ImagePages final : public PageSource {
 public:
  explicit ImagePages(const DatabaseImage& image) : image_(image) {}
  std::uint32_t page_count() const override { return static_cast<std::uint32_t>(image_.size()); }
  Status read(PageNo page, std::uint32_t offset, MutableBytes out) override {
    // A CHECK of the test: the code under test must not ask for more.
    if (raw(page) == 0 || raw(page) > image_.size() || offset + out.size() > kPageBytes) std::abort();
    std::memcpy(out.data(), image_[raw(page) - 1].data() + offset, out.size());
    return {};
  }

 private:
  const DatabaseImage& image_;
};

// One committed version, with all of its bytes.
struct HistoryVersion {
  version::ReadPoint point;
  DatabaseImage image;
};

// What a stock SQLite does, version by version, in a store.
class SqliteHistory {
 public:
  explicit SqliteHistory(const std::string& pragmas = "") {
    store_ = version::VersionStore::open(io::make_memory_directory(), {}, clock_, system_random()).value();
    branch_ = kMainBranch;
    sqlite_.exec(pragmas);
  }

  StockSqlite& sqlite() { return sqlite_; }
  version::VersionStore& store() { return *store_; }
  const std::vector<HistoryVersion>& versions() const { return versions_; }

  // SQLite's state becomes the branch's next version; no version where nothing changed. Returns the newest.
  const HistoryVersion& commit() {
    DatabaseImage next = sqlite_.image();
    version::Reader reader(*store_);
    reader.pin_head(branch_);
    version::WriteTransaction transaction(*store_);
    transaction.begin(reader.point()).value();
    if (next.size() < current_.size()) transaction.truncate(static_cast<std::uint32_t>(next.size()));
    for (std::size_t i = 0; i < next.size(); ++i) {
      if (i >= current_.size() || next[i] != current_[i])
        transaction.write(PageNo{static_cast<std::uint32_t>(i + 1)}, next[i]).value();
    }
    const version::ReadPoint point = transaction.commit(version::Durability::kOff).value();
    if (versions_.empty() || point != reader.point()) versions_.push_back({point, next});
    current_ = std::move(next);
    return versions_.back();
  }
  const HistoryVersion& commit(const std::string& sql) {
    sqlite_.exec(sql);
    return commit();
  }

  // Goes on from that version on a new branch.
  void branch_from(const HistoryVersion& from, const std::string& name) {
    const auto made = store_->create_branch(name, from.point, version::Durability::kOff);
    branch_ = made.value().id;
    current_ = from.image;
    sqlite_.load(from.image);
  }

 private:
  ManualClock clock_{1'700'000'000'000'000};
  std::unique_ptr<version::VersionStore> store_;
  StockSqlite sqlite_;
  BranchId branch_{};
  DatabaseImage current_;
  std::vector<HistoryVersion> versions_;
};

inline std::string hex_text(const void* bytes, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<const unsigned char*>(bytes)[i]);
    text += digits;
  }
  return text;
}

// The same for every number of one value.
inline std::string number_text(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "n%.17g", number);
  return text;
}
inline std::string number_text(std::int64_t number) {
  return number > -1'000'000'000'000'000 && number < 1'000'000'000'000'000
             ? number_text(static_cast<double>(number))
             : "n" + std::to_string(number);
}

inline std::string field_text(const Field& field) {
  switch (field.type) {
    case FieldType::kNull: return "null";
    case FieldType::kInteger: return number_text(field.integer);
    case FieldType::kReal: return "r" + number_text(field.real);
    case FieldType::kText: return "t" + hex_text(field.bytes.data(), field.bytes.size());
    case FieldType::kBlob: return "b" + hex_text(field.bytes.data(), field.bytes.size());
  }
  return "?";
}

inline std::string column_text(sqlite3_stmt* statement, int column) {
  const auto size = [&] { return static_cast<std::size_t>(sqlite3_column_bytes(statement, column)); };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return number_text(static_cast<std::int64_t>(sqlite3_column_int64(statement, column)));
    case SQLITE_FLOAT: return "r" + number_text(sqlite3_column_double(statement, column));
    case SQLITE_TEXT: return "t" + hex_text(sqlite3_column_text(statement, column), size());
    case SQLITE_BLOB: return "b" + hex_text(sqlite3_column_blob(statement, column), size());
    default: return "null";
  }
}

}  // namespace dosql::diff
