#include "merge/row_merge.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

#include "diff/row.h"
#include "testing/run_length.h"

namespace dosql::merge {
namespace {

using diff::Field;
using diff::FieldType;

constexpr std::size_t kColumns = 3;
using Row = std::array<std::int64_t, kColumns>;
using Table = std::map<int, Row>;

std::vector<Field> fields_of(const Row& row) {
  std::vector<Field> fields;
  for (const std::int64_t value : row) fields.push_back({.type = FieldType::kInteger, .integer = value});
  return fields;
}

// What the merge of two tables is, said once more without rows and actions: cell by cell over all keys.
struct Model {
  Table table;
  std::map<int, ConflictKind> conflicts;
};

std::optional<std::int64_t> cell(const Table& table, int key, std::size_t column) {
  const auto row = table.find(key);
  return row == table.end() ? std::nullopt : std::optional(row->second[column]);
}

Model model_of(const Table& base, const Table& ours, const Table& theirs, Preference preference) {
  Model model;
  for (int key = 0; key < 20; ++key) {
    const bool in_base = base.contains(key);
    const bool in_ours = ours.contains(key);
    const bool in_theirs = theirs.contains(key);
    const bool we_changed = in_base != in_ours || (in_base && base.at(key) != ours.at(key));
    const bool they_changed = in_base != in_theirs || (in_base && base.at(key) != theirs.at(key));
    const auto take = [&](const Table& from) {
      if (from.contains(key)) model.table[key] = from.at(key);
    };
    if (!they_changed) {
      take(ours);
    } else if (!we_changed) {
      take(theirs);
    } else if (in_ours != in_theirs) {
      if (preference == Preference::kNone)
        model.conflicts[key] = in_ours ? ConflictKind::kUpdateDelete : ConflictKind::kDeleteUpdate;
      take(preference == Preference::kTheirs ? theirs : ours);
    } else if (in_ours) {
      Row& row = model.table[key];
      for (std::size_t column = 0; column < kColumns; ++column) {
        const auto b = cell(base, key, column);
        const auto o = cell(ours, key, column);
        const auto t = cell(theirs, key, column);
        const bool clash = b != o && b != t && o != t;
        if (clash && preference == Preference::kNone)
          model.conflicts[key] = in_base ? ConflictKind::kUpdateUpdate : ConflictKind::kInsertInsert;
        row[column] = (clash ? preference == Preference::kTheirs : b == o) ? *t : *o;
      }
    }
  }
  return model;
}

Model merged(const Table& base, const Table& ours, const Table& theirs, Preference preference) {
  Model result{.table = ours, .conflicts = {}};
  RowOutcome outcome;
  for (int key = 0; key < 20; ++key) {
    std::array<std::vector<Field>, 3> rows;
    const auto values = [&](const Table& table, std::vector<Field>& fields) -> RowValues {
      if (!table.contains(key)) return std::nullopt;
      fields = fields_of(table.at(key));
      return fields;
    };
    const RowVersions versions{values(base, rows[0]), values(ours, rows[1]), values(theirs, rows[2])};
    merge_row(versions, KeyOrigin::kUser, preference, outcome);
    if (outcome.conflict) result.conflicts[key] = *outcome.conflict;
    switch (outcome.action) {
      case RowAction::kKeep: break;
      case RowAction::kDelete: result.table.erase(key); break;
      case RowAction::kInsert: result.table[key] = theirs.at(key); break;
      case RowAction::kUpdate:
        for (const std::uint32_t column : outcome.columns) result.table[key][column] = theirs.at(key)[column];
        break;
    }
  }
  return result;
}

Table random_change(Table table, std::mt19937_64& random) {
  for (int change = static_cast<int>(random() % 8); change > 0; --change) {
    const int key = static_cast<int>(random() % 20);
    const auto value = [&] { return static_cast<std::int64_t>(random() % 3); };
    switch (random() % 3) {
      case 0: table.erase(key); break;
      case 1: table[key] = {value(), value(), value()}; break;
      default:
        if (table.contains(key)) table[key][random() % kColumns] = value();
    }
  }
  return table;
}

TEST(RowMerge, IsWhatCellsOfMapsBecome) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < testing::scaled(20'000); ++round) {
    const Table base = random_change(random_change({}, random), random);
    const Table ours = random_change(base, random);
    const Table theirs = random_change(base, random);
    for (const Preference preference : {Preference::kNone, Preference::kOurs, Preference::kTheirs}) {
      const Model expected = model_of(base, ours, theirs, preference);
      const Model found = merged(base, ours, theirs, preference);
      ASSERT_EQ(found.table, expected.table) << "round " << round;
      ASSERT_EQ(found.conflicts, expected.conflicts) << "round " << round;
    }
  }
}

// Ours and theirs, seen from the other side, are each other.
TEST(RowMerge, PreferencesMirrorEachOther) {
  const std::uint64_t seed = testing::test_seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < testing::scaled(20'000); ++round) {
    const Table base = random_change(random_change({}, random), random);
    const Table ours = random_change(base, random);
    const Table theirs = random_change(base, random);
    ASSERT_EQ(merged(base, ours, theirs, Preference::kOurs).table,
              merged(base, theirs, ours, Preference::kTheirs).table);
    const Model clean = merged(base, ours, theirs, Preference::kNone);
    if (!clean.conflicts.empty()) continue;
    ASSERT_EQ(clean.table, merged(base, theirs, ours, Preference::kNone).table);
    ASSERT_EQ(clean.table, merged(base, clean.table, theirs, Preference::kNone).table);
  }
}

TEST(RowMerge, TypesThatCompareAsEqualAreDifferentValues) {
  const std::vector<Field> base{{.type = FieldType::kInteger, .integer = 1}};
  const std::vector<Field> ours{{.type = FieldType::kReal, .real = 1}};
  const std::vector<Field> theirs{{.type = FieldType::kInteger, .integer = 2}};
  RowOutcome outcome;
  merge_row({base, ours, theirs}, KeyOrigin::kUser, Preference::kNone, outcome);
  EXPECT_EQ(outcome.conflict, ConflictKind::kUpdateUpdate);
}

TEST(RowMerge, RowsThatACounterNumberedTheSameAreStrangers) {
  const std::vector<Field> ours{{.type = FieldType::kInteger, .integer = 1}};
  const std::vector<Field> theirs{{.type = FieldType::kInteger, .integer = 2}};
  RowOutcome outcome;
  merge_row({std::nullopt, ours, theirs}, KeyOrigin::kCounter, Preference::kNone, outcome);
  EXPECT_EQ(outcome.conflict, ConflictKind::kKeyCollision);
  merge_row({std::nullopt, ours, ours}, KeyOrigin::kCounter, Preference::kNone, outcome);
  EXPECT_FALSE(outcome.conflict);
  EXPECT_EQ(outcome.action, RowAction::kKeep);
}

TEST(ConflictKind, NamesAreReadBack) {
  for (int kind = 0; kind <= static_cast<int>(ConflictKind::kBase); ++kind) {
    const auto name = conflict_name(static_cast<ConflictKind>(kind));
    EXPECT_EQ(conflict_kind(name), static_cast<ConflictKind>(kind));
  }
  EXPECT_FALSE(conflict_kind("none"));
}

}  // namespace
}  // namespace dosql::merge
