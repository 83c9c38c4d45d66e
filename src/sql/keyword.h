// Which words SQLite takes for names.
#pragma once

#include <cstdint>
#include <string_view>

namespace dosql::sql {

enum class WordClass : std::uint8_t {
  kFree,      // a name wherever one may stand: no keyword, or one that SQLite lets be a name
  kJoin,      // LEFT, CROSS, ..., INDEXED: a name where one must stand, but never an alias without AS
  kReserved,  // never a name
};

WordClass word_class(std::string_view word);

}  // namespace dosql::sql
