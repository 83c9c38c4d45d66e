#include "engine/column_lines.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/column_matching.h"
#include "engine/merge_actions.h"
#include "engine/table_pairing.h"
#include "engine/version_pair.h"
#include "sql/lexer.h"

namespace dosql::engine {

using version::ReadPoint;

namespace {

constexpr auto kNowhere = static_cast<std::size_t>(-1);

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

// Which of them is that one.
template <class Set>
std::size_t find_number(const std::vector<Set>& numbers, const Set& wanted) {
  const auto found = std::ranges::find_if(numbers, [&](const Set& one) { return intersect(one, wanted); });
  return found == numbers.end() ? kNowhere : static_cast<std::size_t>(found - numbers.begin());
}

std::size_t find_name(const VersionSchema& schema, const std::string& name) {
  const TableShape* const found = schema.find(name);
  return found == nullptr ? kNowhere : static_cast<std::size_t>(found - schema.tables.data());
}

// Where each table of `before` is in what a merge made of it; `sources`: which table of what was merged it
// is. It has its name, or the one that it has there.
std::vector<std::size_t> places_after_merge(const VersionSchema& before, const VersionSchema& source,
                                            const std::vector<std::size_t>& sources,
                                            const VersionSchema& result) {
  std::vector<std::size_t> places(before.tables.size(), kNowhere);
  std::vector<bool> taken(result.tables.size());
  const auto place = [&](std::size_t table, std::size_t found, bool same_row) {
    if (found == kNowhere || taken[found] || places[table] != kNowhere) return;
    if (same_row && result.tables[found].schema_rowid != before.tables[table].schema_rowid) return;
    places[table] = found;
    taken[found] = true;
  };
  // One that was made anew for it has another row in sqlite_schema.
  for (const bool same_row : {true, false}) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (sources[i] != kNowhere) place(i, find_name(result, source.tables[sources[i]].name), same_row);
      place(i, find_name(result, before.tables[i].name), same_row);
    }
  }
  return places;
}

}  // namespace

bool is_identity(const ColumnMatches& matches) {
  for (std::size_t i = 0; i < matches.size(); ++i) {
    if (matches[i] != std::optional(i)) return false;
  }
  return true;
}

std::optional<ColumnLines::Side> ColumnLines::Side::of(const Numbered& numbered, const TableShape& table) {
  const std::size_t index = find_name(*numbered.schema, table.name);
  if (index == kNowhere || numbered.columns[index].size() != table.columns.size()) return std::nullopt;
  return Side{&numbered, index};
}

const ColumnLines::Gone* ColumnLines::Side::find_gone(const Numbers& column) const {
  const auto found =
      std::ranges::find_if(numbered->gone, [&](const Gone& one) { return intersect(one.numbers, column); });
  return found == numbered->gone.end() ? nullptr : &*found;
}

Result<ColumnMatches> ColumnLines::match(const ReadPoint& from, const TableShape& before, const ReadPoint& to,
                                         const TableShape& after) {
  DOSQL_RETURN_IF_ERROR(cover(from, to));
  DOSQL_ASSIGN_OR_RETURN(const Shared numbered_before, at(from));
  DOSQL_ASSIGN_OR_RETURN(const Shared numbered_after, at(to));
  const auto side_before = Side::of(*numbered_before, before);
  const auto side_after = Side::of(*numbered_after, after);
  // The schema was changed by hand, past its cookie.
  if (!side_before || !side_after) return match_columns(before, after);
  return match_sides(*side_before, *side_after);
}

ColumnMatches ColumnLines::match_sides(const Side& before, const Side& after) {
  ColumnMatches matches(before.column_count());
  std::vector<bool> taken(after.column_count());
  const bool same_table = intersect(before.number(), after.number());
  for (std::size_t i = 0; i < matches.size() && same_table; ++i) {
    for (std::size_t j = 0; j < taken.size() && !matches[i]; ++j) {
      if (taken[j] || !intersect(before.number(i), after.number(j))) continue;
      matches[i] = j;
      taken[j] = true;
    }
  }
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const auto same_name = after.shape().find_column(before.name(i));
    if (matches[i] || !same_name || taken[*same_name]) continue;
    const bool was_another =
        before.find_gone(after.number(*same_name)) != nullptr || after.find_gone(before.number(i)) != nullptr;
    if (same_table && was_another) continue;
    matches[i] = same_name;
    taken[*same_name] = true;
  }
  return matches;
}

Result<TablePairs> ColumnLines::pair_tables(const ReadPoint& before, const ReadPoint& after) {
  DOSQL_RETURN_IF_ERROR(cover(before, after));
  DOSQL_ASSIGN_OR_RETURN(const Shared numbered_before, at(before));
  DOSQL_ASSIGN_OR_RETURN(const Shared numbered_after, at(after));
  // The same tables, but for the pages where they are.
  DOSQL_ASSIGN_OR_RETURN(const auto schema_before, schema_at(before));
  DOSQL_ASSIGN_OR_RETURN(const auto schema_after, schema_at(after));
  std::vector<std::pair<std::size_t, std::size_t>> known;
  for (std::size_t i = 0; i < numbered_before->tables.size(); ++i) {
    const std::size_t other = find_number(numbered_after->tables, numbered_before->tables[i]);
    if (other == kNowhere) continue;
    const std::size_t here = find_name(*schema_before, numbered_before->schema->tables[i].name);
    const std::size_t there = find_name(*schema_after, numbered_after->schema->tables[other].name);
    if (here != kNowhere && there != kNowhere) known.emplace_back(here, there);
  }
  return pair_known(schema_before, schema_after, known);
}

// A version that all ways to the versions in question go through, and to what was merged on them.
Status ColumnLines::cover(const ReadPoint& before, const ReadPoint& after) {
  asked_.push_back(before);
  asked_.push_back(after);
  const std::optional<ReadPoint> start_before = start_;
  for (const ReadPoint& point : std::exchange(asked_, {})) {
    if (!covered_.insert({point.branch, point.version}).second) continue;
    points_.push_back(point);
    DOSQL_RETURN_IF_ERROR(go_back(point));
  }
  DOSQL_RETURN_IF_ERROR(look_for_changes());
  if (changed_) DOSQL_RETURN_IF_ERROR(follow_merges());
  if (!start_before || *start_before == *start_) return {};
  begin_.reset();
  known_.clear();
  lines_.clear();
  numbered_.clear();
  return {};
}

Status ColumnLines::go_back(const ReadPoint& point) {
  if (!start_) start_ = points_.front();
  const Version shared = store_.shared_version(start_->branch, point.branch).version;
  const Version first = std::min({shared, start_->version, point.version});
  if (first == start_->version) return {};
  compared_count_ = 0;
  followed_count_ = 0;
  if (first == Version{0}) {
    start_ = ReadPoint{.branch = kMainBranch};
    return {};
  }
  DOSQL_ASSIGN_OR_RETURN(start_, store_.at_version(start_->branch, first));
  return {};
}

Status ColumnLines::look_for_changes() {
  for (; compared_count_ < points_.size(); ++compared_count_) {
    if (changed_) continue;
    DOSQL_ASSIGN_OR_RETURN(const auto changes, schema_changes(store_, *start_, points_[compared_count_]));
    changed_ = !changes.empty();
  }
  return {};
}

Status ColumnLines::follow_merges() {
  while (followed_count_ < points_.size()) {
    const ReadPoint point = points_[followed_count_++];
    for (const version::LineMerge& merge : version::merges_on_line(store_, point)) {
      if (merge.version <= start_->version || !merged_.insert(merge.mark.lsn).second) continue;
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store_.at_commit(merge.mark.lsn));
      points_.push_back(merged);
      DOSQL_RETURN_IF_ERROR(go_back(merged));
    }
  }
  return {};
}

Result<std::shared_ptr<const VersionSchema>> ColumnLines::schema_at(const ReadPoint& point) {
  auto& known = schema_at_[{point.branch, point.version}];
  if (!known) {
    DOSQL_ASSIGN_OR_RETURN(known, schemas_.of(point));
  }
  return known;
}

// REQUIRES: it is covered.
Result<ColumnLines::Shared> ColumnLines::at(const ReadPoint& point) {
  const PointName name(point.branch, point.version);
  const auto known = numbered_.find(name);
  if (known != numbered_.end()) return known->second;
  DOSQL_ASSIGN_OR_RETURN(Shared numbered, numbered_at(point));
  return numbered_.emplace(name, std::move(numbered)).first->second;
}

// Of the newest change on the line of the point that is not behind it.
Result<ColumnLines::Shared> ColumnLines::numbered_at(const ReadPoint& point) {
  DOSQL_ASSIGN_OR_RETURN(Line line, walk(point));
  // What was merged has changed nothing either.
  if (std::ranges::none_of(line.steps, &LineStep::changed)) return begin();
  Shared numbered = line.steps.back().numbered;
  Line& known = lines_[point.branch];
  if (known.until < line.until) known = std::move(line);
  return numbered;
}

// The longest one that was walked on the way to the point.
ColumnLines::Line ColumnLines::known_part(const ReadPoint& point) {
  const Line* longest = nullptr;
  Version until = start_->version;
  for (const auto& [branch, line] : lines_) {
    const Version shared =
        std::min({store_.shared_version(branch, point.branch).version, line.until, point.version});
    if (shared <= until) continue;
    until = shared;
    longest = &line;
  }
  Line part{.until = until};
  if (longest == nullptr) return part;
  const auto end = std::ranges::upper_bound(longest->steps, until, {}, &LineStep::version);
  part.steps.assign(longest->steps.begin(), end);
  return part;
}

// Without a change of the schema it has no steps.
Result<ColumnLines::Line> ColumnLines::walk(const ReadPoint& point) {
  Line line = known_part(point);
  if (line.until == point.version) return line;
  ReadPoint from = *start_;
  if (line.until != start_->version) {
    DOSQL_ASSIGN_OR_RETURN(from, store_.at_version(point.branch, line.until));
  }
  DOSQL_ASSIGN_OR_RETURN(const std::vector<ReadPoint> changes, schema_changes(store_, from, point));
  if (changes.empty() && std::ranges::none_of(line.steps, &LineStep::changed)) return Line();
  std::vector<version::LineMerge> merges = version::merges_on_line(store_, point);
  std::erase_if(merges, [&](const version::LineMerge& merge) { return merge.version <= line.until; });
  DOSQL_ASSIGN_OR_RETURN(Shared numbered, begin());
  if (!line.steps.empty()) numbered = line.steps.back().numbered;
  auto change = changes.begin();
  auto merge_at = merges.begin();
  while (change != changes.end() || merge_at != merges.end()) {
    const bool changes_schema =
        change != changes.end() && (merge_at == merges.end() || change->version <= merge_at->version);
    const Version version = changes_schema ? change->version : merge_at->version;
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint commit, store_.at_version(point.branch, version));
    const auto same_version = [&](const version::LineMerge& one) { return one.version == version; };
    const auto merges_end = std::find_if_not(merge_at, merges.end(), same_version);
    DOSQL_ASSIGN_OR_RETURN(line.steps.emplace_back(),
                           take_step(numbered, commit, {merge_at, merges_end}, changes_schema));
    numbered = line.steps.back().numbered;
    if (changes_schema) ++change;
    merge_at = merges_end;
  }
  line.until = point.version;
  return line;
}

Result<ColumnLines::LineStep> ColumnLines::take_step(const Shared& before, const ReadPoint& commit,
                                                     std::span<const version::LineMerge> merges,
                                                     bool changed) {
  LineStep step{.version = commit.version, .changed = changed, .numbered = before};
  const auto known = known_.find(commit.lsn);
  if (known != known_.end()) {
    step.numbered = known->second;
    return step;
  }
  if (changed) {
    DOSQL_ASSIGN_OR_RETURN(step.numbered, change_schema(before, commit, !merges.empty()));
  }
  for (const version::LineMerge& one : merges) {
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store_.at_commit(one.mark.lsn));
    DOSQL_ASSIGN_OR_RETURN(step.numbered, merge({.commit = commit, .merged = merged, .changed = changed},
                                                before, step.numbered));
  }
  known_[commit.lsn] = step.numbered;
  return step;
}

Result<ColumnLines::Shared> ColumnLines::begin() {
  if (begin_) return begin_;
  auto numbered = std::make_shared<Numbered>();
  DOSQL_ASSIGN_OR_RETURN(numbered->schema, schema_at(*start_));
  for (const TableShape& table : numbered->schema->tables) {
    numbered->tables.push_back(next_number());
    TableNumbers& numbers = numbered->columns.emplace_back();
    while (numbers.size() < table.columns.size()) numbers.push_back(next_number());
  }
  begin_ = std::move(numbered);
  return begin_;
}

Result<ColumnLines::Shared> ColumnLines::change_schema(const Shared& before, const ReadPoint& change,
                                                       bool merged) {
  auto numbered = std::make_shared<Numbered>();
  DOSQL_ASSIGN_OR_RETURN(numbered->schema, schema_at(change));
  numbered->gone = before->gone;
  numbered->tables.resize(numbered->schema->tables.size());
  for (const TableShape& table : numbered->schema->tables)
    numbered->columns.emplace_back(table.columns.size());
  if (merged) return Shared(std::move(numbered));
  const std::vector<std::size_t> next = follow_exchanges(*before->schema, *numbered->schema);
  for (std::size_t i = 0; i < next.size(); ++i) {
    if (next[i] == kNoTable) continue;
    numbered->tables[next[i]] = before->tables[i];
    const TableShape& table = before->schema->tables[i];
    DOSQL_ASSIGN_OR_RETURN(const ColumnMatches matches,
                           match_step(change, table, numbered->schema->tables[next[i]]));
    for (std::size_t column = 0; column < matches.size(); ++column) {
      const Numbers& numbers = before->columns[i][column];
      if (matches[column]) {
        numbered->columns[next[i]][*matches[column]] = numbers;
      } else {
        numbered->gone.push_back({before->tables[i], numbers, table.columns[column].name});
      }
    }
  }
  DOSQL_RETURN_IF_ERROR(bring_back(change, *numbered));
  for (std::size_t i = 0; i < numbered->tables.size(); ++i) {
    if (numbered->tables[i].empty()) numbered->tables[i] = next_number();
    for (Numbers& column : numbered->columns[i]) {
      if (column.empty()) column = next_number();
    }
  }
  return Shared(std::move(numbered));
}

// What a REVERT adds is the column of that name that went last; before they noted it, only the message said
// so. What a CHERRY PICK adds is the column that the picked commit had, if that has gone.
Status ColumnLines::bring_back(const ReadPoint& change, Numbered& numbered) {
  if (numbered.gone.empty()) return {};
  DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo info, store_.commit_info(change.branch, change.version));
  bool reverts = info.marks.message.starts_with(kRevertMessage);
  for (const version::MovedRun& note : info.marks.moved) {
    if (note.table == kBroughtSchema) reverts = true;
    if (note.table == kPickedSchema) DOSQL_RETURN_IF_ERROR(bring_picked(change, note.source, numbered));
  }
  if (reverts) bring_gone(numbered);
  return {};
}

void ColumnLines::bring_gone(Numbered& numbered) {
  for (std::size_t i = 0; i < numbered.tables.size(); ++i) {
    const TableShape& table = numbered.schema->tables[i];
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      if (!numbered.columns[i][column].empty()) continue;
      const auto is_it = [&](const Gone& gone) {
        return intersect(gone.table, numbered.tables[i]) &&
               sql::equals_ignoring_case(gone.name, table.columns[column].name);
      };
      const auto found = std::find_if(numbered.gone.rbegin(), numbered.gone.rend(), is_it);
      if (found == numbered.gone.rend()) continue;
      numbered.columns[i][column] = found->numbers;
      numbered.gone.erase(std::next(found).base());
    }
  }
}

// What was picked from a version that none of the ways leads through has no number in common with anything.
bool ColumnLines::is_covered(const ReadPoint& point) const {
  return store_.goes_through(point, *start_) &&
         std::ranges::any_of(points_, [&](const ReadPoint& one) { return store_.goes_through(one, point); });
}

Status ColumnLines::bring_picked(const ReadPoint& change, Lsn picked, Numbered& numbered) {
  const Result<ReadPoint> source = store_.at_commit(picked);
  // Its branch may have gone with it.
  if (!source || source->lsn >= change.lsn || !is_covered(*source)) return {};
  DOSQL_ASSIGN_OR_RETURN(const Shared there, at(*source));
  for (std::size_t i = 0; i < numbered.tables.size(); ++i) {
    const std::size_t table = find_number(there->tables, numbered.tables[i]);
    if (table == kNowhere) continue;
    for (std::size_t column = 0; column < numbered.columns[i].size(); ++column) {
      if (!numbered.columns[i][column].empty()) continue;
      const auto place =
          there->schema->tables[table].find_column(numbered.schema->tables[i].columns[column].name);
      if (!place) continue;
      const auto found = std::ranges::find_if(numbered.gone, [&](const Gone& gone) {
        return intersect(gone.numbers, there->columns[table][*place]);
      });
      if (found == numbered.gone.end()) continue;
      numbered.columns[i][column] = found->numbers;
      numbered.gone.erase(found);
    }
  }
  return {};
}

Result<ColumnMatches> ColumnLines::match_step(const ReadPoint& change, const TableShape& before,
                                              const TableShape& after) {
  ColumnMatches matches = match_columns(before, after);
  const std::optional<ColumnMatches> by_place = match_by_place(before, after);
  const bool all_there = std::ranges::all_of(matches, [](const auto& match) { return match.has_value(); });
  if (!by_place || all_there || *by_place == matches) return matches;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint previous,
                         store_.at_version(change.branch, Version{raw(change.version) - 1}));
  DOSQL_ASSIGN_OR_RETURN(TablePairs tables, engine::pair_tables(store_, schemas_, previous, change));
  DOSQL_ASSIGN_OR_RETURN(const auto pair,
                         VersionPair::make(store_, handle_, std::move(tables), previous, change));
  DOSQL_ASSIGN_OR_RETURN(const bool rows_written, pair->rows_differ(&before, &after));
  return rows_written ? matches : *by_place;
}

// `result` is what the step made of `before`.
Result<ColumnLines::Shared> ColumnLines::merge(const Step& step, const Shared& before, const Shared& result) {
  DOSQL_ASSIGN_OR_RETURN(const Shared source, at(step.merged));
  auto numbered = std::make_shared<Numbered>(*result);
  const std::size_t count = numbered->tables.size();
  std::vector<std::size_t> theirs_of_ours;
  for (const Numbers& table : before->tables) theirs_of_ours.push_back(find_number(source->tables, table));
  const std::vector<std::size_t> places =
      places_after_merge(*before->schema, *source->schema, theirs_of_ours, *numbered->schema);
  std::vector<std::optional<Side>> ours(count);
  std::vector<std::optional<Side>> theirs(count);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i] == kNowhere) continue;
    ours[places[i]] = Side{before.get(), i};
    if (theirs_of_ours[i] != kNowhere) theirs[places[i]] = Side{source.get(), theirs_of_ours[i]};
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (theirs[i]) continue;
    // Made on their side, or on both.
    const std::size_t found = find_name(*source->schema, numbered->schema->tables[i].name);
    if (found != kNowhere && std::ranges::find(theirs_of_ours, found) == theirs_of_ours.end())
      theirs[i] = Side{source.get(), found};
  }
  for (const Shared& side : {before, source}) {
    if (side == source) numbered->gone.insert(numbered->gone.end(), side->gone.begin(), side->gone.end());
    for (std::size_t i = 0; i < side->tables.size(); ++i) {
      const TableShape& table = side->schema->tables[i];
      for (std::size_t column = 0; column < table.columns.size(); ++column)
        numbered->gone.push_back({side->tables[i], side->columns[i][column], table.columns[column].name});
    }
  }
  for (std::size_t i = 0; i < count; ++i)
    DOSQL_RETURN_IF_ERROR(merge_table(step, ours[i], theirs[i], i, *numbered));
  Numbers present;
  for (const TableNumbers& table : numbered->columns) {
    for (const Numbers& column : table) present.insert(column.begin(), column.end());
  }
  Numbers known;
  std::erase_if(numbered->gone, [&](Gone& gone) {
    std::erase_if(gone.numbers, [&](std::uint64_t number) {
      return present.contains(number) || !known.insert(number).second;
    });
    return gone.numbers.empty();
  });
  return Shared(std::move(numbered));
}

Status ColumnLines::merge_table(const Step& step, const std::optional<Side>& before,
                                const std::optional<Side>& source, std::size_t result, Numbered& numbered) {
  TableNumbers& columns = numbered.columns[result];
  const auto take = [&](const Side& side) {
    numbered.tables[result].insert(side.number().begin(), side.number().end());
  };
  const auto take_by_name = [&](const Side& side) {
    for (std::size_t i = 0; i < side.column_count(); ++i) {
      const auto place = numbered.schema->tables[result].find_column(side.name(i));
      if (place) columns[*place].insert(side.number(i).begin(), side.number(i).end());
    }
  };
  if (before) take(*before);
  if (source) take(*source);
  if (before && source) {
    DOSQL_RETURN_IF_ERROR(merge_columns(step, *before, *source, result, numbered));
  } else if (before || source) {
    take_by_name(before ? *before : *source);
  }
  if (numbered.tables[result].empty()) numbered.tables[result] = next_number();
  for (Numbers& column : columns) {
    if (column.empty()) column = next_number();
  }
  return {};
}

// What the version that both sides of a merge have in common calls the column; empty: it has none such.
Result<std::string> ColumnLines::name_before(const Step& step, const Numbers& column) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint previous,
                         store_.at_version(step.commit.branch, Version{raw(step.commit.version) - 1}));
  DOSQL_ASSIGN_OR_RETURN(const std::vector<ReadPoint> bases, store_.merge_bases(previous, step.merged));
  if (bases.empty()) return std::string();
  DOSQL_ASSIGN_OR_RETURN(const Shared base, at(bases.front()));
  for (std::size_t i = 0; i < base->columns.size(); ++i) {
    const std::size_t found = find_number(base->columns[i], column);
    if (found != kNowhere) return base->schema->tables[i].columns[found].name;
  }
  return std::string();
}

// Names are those of one of the sides: a column of both has the one that it was given on either.
Status ColumnLines::merge_columns(const Step& step, const Side& before, const Side& source,
                                  std::size_t result, Numbered& numbered) {
  const TableShape& shape = numbered.schema->tables[result];
  TableNumbers& columns = numbered.columns[result];
  std::vector<bool> taken(shape.columns.size());
  const ColumnMatches theirs = match_sides(before, source);
  const auto is_theirs = [&](std::size_t column) {
    return std::ranges::find(theirs, std::optional(column)) != theirs.end();
  };
  const auto add = [&](std::size_t column, const Numbers& more) {
    columns[column].insert(more.begin(), more.end());
    taken[column] = true;
  };
  // A table that was made anew has the branch's definition.
  const bool replaced = shape.schema_rowid != before.shape().schema_rowid;
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    if (!theirs[i]) continue;
    const auto our_place = shape.find_column(before.name(i));
    const auto their_place = shape.find_column(source.name(*theirs[i]));
    bool takes_theirs = replaced || (step.changed && !our_place);
    if (step.changed && !replaced && our_place && their_place && our_place != their_place) {
      // One of the names is another column's now.
      DOSQL_ASSIGN_OR_RETURN(const std::string name, name_before(step, before.number(i)));
      takes_theirs = sql::equals_ignoring_case(name, before.name(i));
    }
    const auto place = takes_theirs && their_place ? their_place : our_place;
    if (!place || taken[*place]) continue;
    add(*place, before.number(i));
    add(*place, source.number(*theirs[i]));
  }
  if (!step.changed) return {};
  // What they added has come.
  bool took_theirs = true;
  for (std::size_t j = 0; j < source.column_count(); ++j) {
    const bool may_be_gone = is_theirs(j) || before.find_gone(source.number(j)) != nullptr;
    took_theirs = took_theirs && (may_be_gone || shape.find_column(source.name(j)));
  }
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    const auto place = shape.find_column(before.name(i));
    if (theirs[i] || !place || taken[*place]) continue;
    // Of two columns that have one name, but are none, it is one.
    const auto other = source.shape().find_column(before.name(i));
    bool gave_way = other && !is_theirs(*other) && replaced;
    if (other && !is_theirs(*other) && !replaced && took_theirs &&
        source.find_gone(before.number(i)) != nullptr) {
      // They dropped it, which is a conflict if ours has given it another name.
      DOSQL_ASSIGN_OR_RETURN(const std::string name, name_before(step, before.number(i)));
      gave_way = sql::equals_ignoring_case(name, before.name(i));
    }
    if (!gave_way) add(*place, before.number(i));
  }
  for (std::size_t j = 0; j < source.column_count(); ++j) {
    const auto place = shape.find_column(source.name(j));
    if (!is_theirs(j) && place && !taken[*place]) add(*place, source.number(j));
  }
  return {};
}

}  // namespace dosql::engine
