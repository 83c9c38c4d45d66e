// Random values as SQL text, of all storage classes, as tests of row changes write them.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace dosql::diff {

inline std::string random_sql_value(std::mt19937_64& random) {
  const auto pick = [&random](std::uint64_t below) { return random() % below; };
  const std::string number = std::to_string(pick(400));
  switch (pick(9)) {
    case 0: return "NULL";
    case 1: return number;
    case 2: return "-" + number + ".25";
    case 3: return "'Text" + number + "'";
    case 4: return "'tEXT" + number + "'";
    case 5: return "x'" + std::string(2 + 2 * pick(20), 'a') + "'";
    case 6: return std::to_string(static_cast<std::int64_t>(random()));
    case 7: return number + ".0";
    // Now and then longer than a page.
    default: return "hex(zeroblob(" + std::to_string(pick(20) == 0 ? pick(20'000) : pick(200)) + "))";
  }
}

// One that may stand in a PRIMARY KEY.
inline std::string random_sql_key(std::mt19937_64& random) {
  const std::string text = random_sql_value(random);
  return text == "NULL" ? "0" : text;
}

}  // namespace dosql::diff
