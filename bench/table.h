// The table that nearly everything is measured on: t(id INTEGER PRIMARY KEY, n INT, v TEXT), v 100 bytes.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>

#include "bench/sides.h"

namespace dosql::bench {

inline constexpr int kTableRows = 1'000'000;

// Equal on both sides and in every run.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : engine_(seed) {}
  // 1..most
  std::int64_t up_to(std::int64_t most) { return static_cast<std::int64_t>(engine_() % most) + 1; }

 private:
  std::mt19937_64 engine_;
};

// 100 bytes of text that belong to `id`.
std::string_view text_for(std::int64_t id);

void create_table(sqlite3* db);
// Inserts the rows 1..rows in one transaction; n is a random number up to kTableRows.
void insert_rows(sqlite3* db, int rows);

}  // namespace dosql::bench
