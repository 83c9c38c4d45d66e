#include "merge/conflict.h"

#include <algorithm>
#include <array>
#include <utility>

namespace dosql::merge {
namespace {

constexpr auto kNames = std::to_array<std::pair<ConflictKind, std::string_view>>({
    {ConflictKind::kUpdateUpdate, "update_update"},
    {ConflictKind::kInsertInsert, "insert_insert"},
    {ConflictKind::kKeyCollision, "key_collision"},
    {ConflictKind::kUpdateDelete, "update_delete"},
    {ConflictKind::kDeleteUpdate, "delete_update"},
    {ConflictKind::kUnique, "unique"},
    {ConflictKind::kCheck, "check"},
    {ConflictKind::kNotNull, "not_null"},
    {ConflictKind::kForeignKey, "foreign_key"},
    {ConflictKind::kSchema, "schema"},
    {ConflictKind::kBase, "base"},
});

}  // namespace

std::string_view conflict_name(ConflictKind kind) {
  const auto* const found =
      std::ranges::find(kNames, kind, &std::pair<ConflictKind, std::string_view>::first);
  return found->second;
}

std::optional<ConflictKind> conflict_kind(std::string_view name) {
  const auto* const found =
      std::ranges::find(kNames, name, &std::pair<ConflictKind, std::string_view>::second);
  return found == kNames.end() ? std::nullopt : std::optional(found->first);
}

}  // namespace dosql::merge
