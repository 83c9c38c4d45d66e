#include "sql/keyword.h"

#include <algorithm>
#include <array>

namespace dosql::sql {
namespace {

using namespace std::string_view_literals;

constexpr auto kJoinWords =
    std::to_array({"CROSS"sv, "FULL"sv, "INDEXED"sv, "INNER"sv, "LEFT"sv, "NATURAL"sv, "OUTER"sv, "RIGHT"sv});

// The keywords without a fallback to an identifier in SQLite's grammar.
constexpr auto kReservedWords = std::to_array({
    "ADD"sv,     "ALL"sv,        "ALTER"sv,       "AND"sv,     "AS"sv,       "AUTOINCREMENT"sv,
    "BETWEEN"sv, "CASE"sv,       "CHECK"sv,       "COLLATE"sv, "COMMIT"sv,   "CONSTRAINT"sv,
    "CREATE"sv,  "DEFAULT"sv,    "DEFERRABLE"sv,  "DELETE"sv,  "DISTINCT"sv, "DROP"sv,
    "ELSE"sv,    "ESCAPE"sv,     "EXCEPT"sv,      "EXISTS"sv,  "FOREIGN"sv,  "FROM"sv,
    "GROUP"sv,   "HAVING"sv,     "IN"sv,          "INDEX"sv,   "INSERT"sv,   "INTERSECT"sv,
    "INTO"sv,    "IS"sv,         "ISNULL"sv,      "JOIN"sv,    "LIMIT"sv,    "NOT"sv,
    "NOTHING"sv, "NOTNULL"sv,    "NULL"sv,        "ON"sv,      "OR"sv,       "ORDER"sv,
    "PRIMARY"sv, "REFERENCES"sv, "RETURNING"sv,   "SELECT"sv,  "SET"sv,      "TABLE"sv,
    "THEN"sv,    "TO"sv,         "TRANSACTION"sv, "UNION"sv,   "UNIQUE"sv,   "UPDATE"sv,
    "USING"sv,   "VALUES"sv,     "WHEN"sv,        "WHERE"sv,
});
static_assert(std::is_sorted(kJoinWords.begin(), kJoinWords.end()));
static_assert(std::is_sorted(kReservedWords.begin(), kReservedWords.end()));

constexpr std::size_t kKeywordBytesMax = 13;

}  // namespace

WordClass word_class(std::string_view word) {
  std::array<char, kKeywordBytesMax> buffer;
  if (word.size() > buffer.size()) return WordClass::kFree;
  std::transform(word.begin(), word.end(), buffer.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; });
  const std::string_view upper(buffer.data(), word.size());
  if (std::binary_search(kReservedWords.begin(), kReservedWords.end(), upper)) return WordClass::kReserved;
  if (std::binary_search(kJoinWords.begin(), kJoinWords.end(), upper)) return WordClass::kJoin;
  return WordClass::kFree;
}

}  // namespace dosql::sql
