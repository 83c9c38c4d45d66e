#include "engine/column_lines.h"

#include <algorithm>

#include "engine/column_matching.h"
#include "engine/table_pairing.h"
#include "engine/version_pair.h"
#include "sql/lexer.h"
#include "version/line_merges.h"

namespace dosql::engine {

using version::ReadPoint;

namespace {

bool same_column_names(const TableShape& a, const TableShape& b) {
  return std::ranges::equal(a.columns, b.columns, sql::equals_ignoring_case, &ColumnShape::name,
                            &ColumnShape::name);
}

template <class Set>
bool intersect(const Set& a, const Set& b) {
  return std::ranges::any_of(a, [&](const auto& one) { return b.contains(one); });
}

// Column by column; none: they could not be the same.
std::optional<ColumnMatches> match_by_place(const TableShape& before, const TableShape& after) {
  if (before.columns.size() != after.columns.size()) return std::nullopt;
  ColumnMatches matches;
  for (std::size_t i = 0; i < before.columns.size(); ++i) {
    if (!declared_the_same(before.columns[i], after.columns[i])) return std::nullopt;
    matches.emplace_back(i);
  }
  return matches;
}

// Whether the names of `a` are names of `b` too, in the same order.
bool keeps_names(const TableShape& a, const TableShape& b) {
  std::size_t next = 0;
  for (const ColumnShape& column : a.columns) {
    const auto found = b.find_column(column.name);
    if (!found || *found < next) return false;
    next = *found + 1;
  }
  return true;
}

}  // namespace

const ColumnLines::TableNumbers* ColumnLines::Numbered::of(const TableShape& table) const {
  const TableShape* const own = schema->find(table.name);
  if (own == nullptr || own->columns.size() != table.columns.size()) return nullptr;
  return &tables[static_cast<std::size_t>(own - schema->tables.data())];
}

Result<ColumnMatches> ColumnLines::match(const ReadPoint& from, const TableShape& before, const ReadPoint& to,
                                         const TableShape& after) {
  if (same_column_names(before, after)) return match_columns(before, after);
  DOSQL_ASSIGN_OR_RETURN(const Shared numbered_before, at(from));
  DOSQL_ASSIGN_OR_RETURN(const Shared numbered_after, at(to));
  const TableNumbers* const before_numbers = numbered_before->of(before);
  const TableNumbers* const after_numbers = numbered_after->of(after);
  // The schema was changed by hand, past its cookie.
  if (before_numbers == nullptr || after_numbers == nullptr) return match_columns(before, after);
  ColumnMatches matches(before.columns.size());
  std::vector<bool> taken(after.columns.size());
  for (std::size_t i = 0; i < matches.size(); ++i) {
    for (std::size_t j = 0; j < taken.size() && !matches[i]; ++j) {
      if (taken[j] || !intersect((*before_numbers)[i], (*after_numbers)[j])) continue;
      matches[i] = j;
      taken[j] = true;
    }
  }
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const auto same_name = after.find_column(before.columns[i].name);
    if (matches[i] || !same_name || taken[*same_name]) continue;
    matches[i] = same_name;
    taken[*same_name] = true;
  }
  return matches;
}

Result<std::optional<std::string>> ColumnLines::find_table(const ReadPoint& from, const TableShape& before,
                                                           const ReadPoint& to) {
  // The empty database.
  if (to.version == Version{0}) return std::optional<std::string>();
  DOSQL_ASSIGN_OR_RETURN(const Shared numbered_before, at(from));
  DOSQL_ASSIGN_OR_RETURN(const Shared numbered_after, at(to));
  const TableNumbers* const numbers = numbered_before->of(before);
  for (std::size_t i = 0; numbers != nullptr && i < numbered_after->tables.size(); ++i) {
    if (share_a_column(*numbers, numbered_after->tables[i]))
      return std::optional(numbered_after->schema->tables[i].name);
  }
  return std::optional<std::string>();
}

bool ColumnLines::share_a_column(const TableNumbers& a, const TableNumbers& b) {
  return std::ranges::any_of(a, [&](const Numbers& one) {
    return std::ranges::any_of(b, [&](const Numbers& other) { return intersect(one, other); });
  });
}

// Of the newest change on the line of the point that is not behind it.
Result<ColumnLines::Shared> ColumnLines::at(const ReadPoint& point) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint first, store_.at_version(point.branch, Version{1}));
  DOSQL_ASSIGN_OR_RETURN(const std::vector<ReadPoint> changes, schema_changes(store_, first, point));
  const std::vector<version::LineMerge> merges = version::merges_on_line(store_, point);
  DOSQL_ASSIGN_OR_RETURN(Shared numbered, begin(first));
  auto change = changes.begin();
  auto merge_at = merges.begin();
  while (change != changes.end() || merge_at != merges.end()) {
    const bool changes_schema =
        change != changes.end() && (merge_at == merges.end() || change->version <= merge_at->version);
    const Version version = changes_schema ? change->version : merge_at->version;
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint commit, store_.at_version(point.branch, version));
    const auto same_version = [&](const version::LineMerge& one) { return one.version == version; };
    const auto merges_end = std::find_if_not(merge_at, merges.end(), same_version);
    const auto known = known_.find(commit.lsn);
    if (known != known_.end()) {
      numbered = known->second;
    } else {
      const Shared before = numbered;
      if (changes_schema) {
        DOSQL_ASSIGN_OR_RETURN(numbered, change_schema(before, commit, merge_at != merges_end));
      }
      for (auto one = merge_at; one != merges_end; ++one) {
        DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store_.at_commit(one->mark.lsn));
        DOSQL_ASSIGN_OR_RETURN(numbered, merge(before, numbered, merged));
      }
      known_[commit.lsn] = numbered;
    }
    if (changes_schema) ++change;
    merge_at = merges_end;
  }
  return numbered;
}

Result<ColumnLines::Shared> ColumnLines::begin(const ReadPoint& first) {
  Shared& known = known_[first.lsn];
  if (known) return known;
  auto numbered = std::make_shared<Numbered>();
  DOSQL_ASSIGN_OR_RETURN(numbered->schema, schemas_.of(first));
  for (const TableShape& table : numbered->schema->tables) {
    TableNumbers& numbers = numbered->tables.emplace_back();
    while (numbers.size() < table.columns.size()) numbers.push_back(next_number());
  }
  known = std::move(numbered);
  return known;
}

// `merged`: columns that are not matched by name get no number yet, merge() does that.
Result<ColumnLines::Shared> ColumnLines::change_schema(const Shared& before, const ReadPoint& change,
                                                       bool merged) {
  auto numbered = std::make_shared<Numbered>();
  DOSQL_ASSIGN_OR_RETURN(numbered->schema, schemas_.of(change));
  for (const TableShape& table : numbered->schema->tables)
    numbered->tables.emplace_back(table.columns.size());
  const std::vector<std::size_t> next = follow_tables(*before->schema, *numbered->schema);
  for (std::size_t i = 0; i < next.size() && !merged; ++i) {
    if (next[i] == kNoTable) continue;
    const TableShape& table = before->schema->tables[i];
    DOSQL_ASSIGN_OR_RETURN(const ColumnMatches matches,
                           match_step(change, table, numbered->schema->tables[next[i]]));
    for (std::size_t column = 0; column < matches.size(); ++column) {
      if (matches[column]) numbered->tables[next[i]][*matches[column]] = before->tables[i][column];
    }
  }
  for (TableNumbers& numbers : numbered->tables) {
    for (Numbers& column : numbers) {
      if (column.empty() && !merged) column = next_number();
    }
  }
  return Shared(std::move(numbered));
}

Result<ColumnMatches> ColumnLines::match_step(const ReadPoint& change, const TableShape& before,
                                              const TableShape& after) {
  ColumnMatches matches = match_columns(before, after);
  const std::optional<ColumnMatches> by_place = match_by_place(before, after);
  const bool all_there = std::ranges::all_of(matches, [](const auto& match) { return match.has_value(); });
  if (!by_place || all_there || *by_place == matches) return matches;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint previous,
                         store_.at_version(change.branch, Version{raw(change.version) - 1}));
  DOSQL_ASSIGN_OR_RETURN(const auto pair, VersionPair::make(store_, schemas_, handle_, previous, change));
  DOSQL_ASSIGN_OR_RETURN(const bool rows_written, pair->rows_differ(&before, &after));
  return rows_written ? matches : *by_place;
}

// `result` is what merging that version into `before` gave.
Result<ColumnLines::Shared> ColumnLines::merge(const Shared& before, const Shared& result,
                                               const ReadPoint& merged) {
  DOSQL_ASSIGN_OR_RETURN(const Shared source, at(merged));
  auto numbered = std::make_shared<Numbered>(*result);
  static const TableShape kNoShape;
  static const TableNumbers kNoNumbers;
  const std::vector<std::size_t> next = follow_tables(*before->schema, *numbered->schema);
  for (std::size_t i = 0; i < numbered->tables.size(); ++i) {
    const TableShape& table = numbered->schema->tables[i];
    const auto previous = std::ranges::find(next, i) - next.begin();
    const bool is_new = static_cast<std::size_t>(previous) == next.size();
    const TableShape& old = is_new ? kNoShape : before->schema->tables[static_cast<std::size_t>(previous)];
    const TableNumbers& old_numbers =
        is_new ? kNoNumbers : before->tables[static_cast<std::size_t>(previous)];
    const TableShape* theirs = nullptr;
    for (std::size_t j = 0; j < source->tables.size() && theirs == nullptr; ++j) {
      const bool same = share_a_column(source->tables[j], old_numbers);
      if (same) theirs = &source->schema->tables[j];
    }
    if (theirs == nullptr) theirs = source->schema->find(table.name);
    merge_table(old, old_numbers, theirs == nullptr ? kNoShape : *theirs,
                theirs == nullptr ? kNoNumbers : *source->of(*theirs), table, numbered->tables[i]);
    for (Numbers& column : numbered->tables[i]) {
      if (column.empty()) column = next_number();
    }
  }
  return Shared(std::move(numbered));
}

// Names are those of one of the sides: a column of both has the one that it was given on either.
void ColumnLines::merge_table(const TableShape& before, const TableNumbers& before_numbers,
                              const TableShape& source, const TableNumbers& source_numbers,
                              const TableShape& result, TableNumbers& numbers) {
  std::vector<bool> taken(result.columns.size());
  std::vector<bool> shared(result.columns.size());
  std::vector<bool> used(source.columns.size());
  const auto add = [&](std::size_t column, const Numbers& more) {
    numbers[column].insert(more.begin(), more.end());
    taken[column] = true;
  };
  const bool as_before = keeps_names(before, result);
  const bool as_source = keeps_names(source, result);
  for (std::size_t i = 0; i < before.columns.size(); ++i) {
    std::optional<std::size_t> theirs;
    for (std::size_t j = 0; j < source.columns.size() && !theirs; ++j) {
      if (!used[j] && intersect(before_numbers[i], source_numbers[j])) theirs = j;
    }
    std::optional<std::size_t> place = result.find_column(before.columns[i].name);
    if (theirs) {
      used[*theirs] = true;
      const auto theirs_place = result.find_column(source.columns[*theirs].name);
      const bool takes_theirs = theirs_place && !taken[*theirs_place] && (as_source || !as_before);
      if (takes_theirs) place = theirs_place;
    }
    if (!place || taken[*place]) continue;
    add(*place, before_numbers[i]);
    if (!theirs) continue;
    add(*place, source_numbers[*theirs]);
    shared[*place] = true;
  }
  // What only they had, or both added.
  for (std::size_t j = 0; j < source.columns.size(); ++j) {
    const auto place = result.find_column(source.columns[j].name);
    if (!used[j] && place && !shared[*place]) add(*place, source_numbers[j]);
  }
}

}  // namespace dosql::engine
