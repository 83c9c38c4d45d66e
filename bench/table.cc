#include "bench/table.h"

#include <string>

namespace dosql::bench {
namespace {

constexpr std::size_t kTextBytes = 100;
constexpr std::size_t kTextPoolBytes = 65'536;

std::string make_text_pool() {
  Numbers numbers(1);
  std::string pool(kTextPoolBytes + kTextBytes, ' ');
  for (char& letter : pool) letter = static_cast<char>('a' + numbers.up_to(26) - 1);
  return pool;
}

}  // namespace

std::string_view text_for(std::int64_t id) {
  static const std::string pool = make_text_pool();
  return std::string_view(pool).substr(static_cast<std::size_t>(id) * 7919 % kTextPoolBytes, kTextBytes);
}

void create_table(sqlite3* db) { execute(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT)"); }

void insert_rows(sqlite3* db, int rows) {
  Numbers numbers(2);
  execute(db, "BEGIN");
  Prepared insert(db, "INSERT INTO t VALUES(?, ?, ?)");
  for (int id = 1; id <= rows; ++id) {
    insert.bind(1, id);
    insert.bind(2, numbers.up_to(kTableRows));
    insert.bind(3, text_for(id));
    insert.run();
  }
  execute(db, "COMMIT");
}

}  // namespace dosql::bench
