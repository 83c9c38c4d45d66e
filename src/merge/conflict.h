// Why two sides of a merge cannot both have their way.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dosql::merge {

// "Main" in the names that users see is the branch that is merged into, "branch" the one that is merged.
enum class ConflictKind : std::uint8_t {
  kUpdateUpdate,  // both changed the same column of a row, differently
  kInsertInsert,  // both inserted a row of the same key, with different values
  kKeyCollision,  // the same, where the key is a number that SQLite chose: the rows have nothing in common
  kUpdateDelete,  // main changed a row that the branch deleted
  kDeleteUpdate,  // main deleted a row that the branch changed
  kUnique,        // two rows that came together have the same values where only one may
  kCheck,         // a row put together from both sides breaks a CHECK or the type of a STRICT table
  kNotNull,       // ... or has a NULL where there may be none
  kForeignKey,    // one side removed a row to which the other made a row refer
  kSchema,        // both changed a table, index, view or trigger, differently
  kBase,          // what the change is depends on which common ancestor it is counted from
};

// As dosql_conflicts shows it: "update_update".
std::string_view conflict_name(ConflictKind kind);
// None: there is no kind of that name.
std::optional<ConflictKind> conflict_kind(std::string_view name);

}  // namespace dosql::merge
