#include "engine/content_merge.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "base/json_text.h"
#include "diff/schema.h"
#include "engine/column_lines.h"
#include "engine/common_versions.h"
#include "engine/connection_state.h"
#include "engine/own_statement.h"
#include "engine/row_json.h"
#include "engine/table_merge.h"
#include "engine/version_pair.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"
#include "version/line_merges.h"
#include "version/moved_numbers.h"

namespace dosql::engine {
namespace {

using version::ReadPoint;

template <class Number>
void append_number(std::string& text, Number number) {
  text.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

bool is_known_by_hidden_rowid(const TableShape& shape) {
  const bool has_key = shape.kind != TableKind::kRowid || !shape.key.empty() || shape.rowid_column;
  return !has_key && !shape.rowid_name().empty();
}

// Rows that come and rows that go, as a diff gives them. A row that became another one keeps its rowid.
class Changes {
 public:
  Status find(ConnectionState& connection, const MergedTable& table, const ContentChanges& contents) {
    std::map<std::string, std::int64_t> left;  // that are still to go, or to come
    for (const auto& [content, change] : contents) left[content] = change.count;
    const bool some_go = std::ranges::any_of(left, [](const auto& one) { return one.second < 0; });
    const std::string rowid = sql::quoted(table.rowid_name);
    std::string text = some_go ? "SELECT " + rowid : fmt::format("SELECT max({})", rowid);
    for (const MergedColumn& column : table.columns) {
      if (some_go) text += ", " + sql::quoted(column.name);
    }
    DOSQL_ASSIGN_OR_RETURN(
        OwnStatement rows,
        OwnStatement::prepare(connection, fmt::format("{} FROM main.{}", text, sql::quoted(table.name))));
    std::vector<diff::Field> row(table.columns.size());
    int rc = SQLITE_OK;
    while ((rc = rows.step()) == SQLITE_ROW) {
      highest_ = std::max(highest_, rows.integer(0));
      if (!some_go) continue;
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = rows.value(static_cast<int>(i) + 1);
      const auto found = left.find(content_of(row));
      if (found == left.end() || found->second >= 0) continue;
      ++found->second;
      Change& change = changes_.emplace_back(Change{.rowid = rows.integer(0), .before = RowCopy(row)});
      const auto became = left.find(contents.at(found->first).became);
      if (became == left.end() || became->second <= 0) continue;
      --became->second;
      change.after = &contents.at(became->first).row;
    }
    if (rc != SQLITE_DONE) return connection.error(rc);
    for (const auto& [content, count] : left) {
      for (std::int64_t i = 0; i < count; ++i) come_.push_back(&contents.at(content).row);
    }
    if (highest_ > std::numeric_limits<std::int64_t>::max() - static_cast<std::int64_t>(come_.size()))
      return Error(ErrorCode::kInvalidArgument, fmt::format("{} has no rowids left", table.name));
    return {};
  }

  bool next(merge::KeyedChange& change) {
    const auto copy = [](const RowCopy& row, std::vector<diff::Field>& values) {
      values.assign(row.values().begin(), row.values().end());
    };
    change.in_base = at_ < changes_.size();
    change.in_theirs = true;
    if (change.in_base) {
      const Change& here = changes_[at_];
      change.rowid_base = change.rowid_theirs = here.rowid;
      change.in_theirs = here.after != nullptr;
      copy(here.before, change.base);
      if (here.after != nullptr) copy(*here.after, change.theirs);
    } else {
      if (at_ == changes_.size() + come_.size()) return false;
      change.rowid_theirs = ++highest_;
      copy(*come_[at_ - changes_.size()], change.theirs);
    }
    ++at_;
    return true;
  }

 private:
  struct Change {
    std::int64_t rowid = 0;
    RowCopy before;
    const RowCopy* after = nullptr;  // null: the row goes
  };
  std::vector<Change> changes_;
  std::vector<const RowCopy*> come_;
  std::size_t at_ = 0;
  std::int64_t highest_ = 0;
};

// Whether the names say which table it is, and which column: they may have gone to others.
Result<bool> are_one(ColumnLines& lines, const VersionPair& pair, const TableShape* from,
                     const TableShape* to) {
  const bool is_another = std::ranges::any_of(pair.tables().pairs, [&](const TablePair& one) {
    return (from != nullptr && one.before == from && one.after != to) ||
           (to != nullptr && one.after == to && one.before != from);
  });
  if (is_another) return false;
  if (from == nullptr || to == nullptr) return true;
  DOSQL_ASSIGN_OR_RETURN(const ColumnMatches matches, lines.match(pair.before(), *from, pair.after(), *to));
  return is_identity(matches);
}

// Versions that the commit merged, by their LSNs.
std::set<Lsn> merged_by(version::VersionStore& store, const ReadPoint& commit) {
  std::set<Lsn> found;
  for (const version::LineMerge& merge : version::merges_on_line(store, commit)) {
    if (merge.version == commit.version) found.insert(merge.mark.lsn);
  }
  return found;
}

}  // namespace

std::string content_of(std::span<const diff::Field> row) {
  std::string text;
  for (const diff::Field& value : row) {
    text += static_cast<char>(value.type);
    switch (value.type) {
      case diff::FieldType::kNull: break;
      case diff::FieldType::kInteger: append_number(text, value.integer); break;
      case diff::FieldType::kReal: append_number(text, value.real); break;
      default:
        append_number(text, value.bytes.size());
        text.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
    }
  }
  return text;
}

std::int64_t ContentMerge::count_in(const Counts& counts, const std::string& content) {
  const auto found = counts.find(content);
  return found == counts.end() ? 0 : found->second.count;
}

// What the one added, and the other not as often.
std::set<std::string> ContentMerge::added(const Counts& counts, const Counts& others) {
  std::set<std::string> contents;
  for (const auto& [content, counted] : counts) {
    if (counted.count > 0 && counted.count != count_in(others, content)) contents.insert(content);
  }
  return contents;
}

// False: it is another kind of table, or ours has it not.
Result<bool> ContentMerge::has_hidden_rowids() {
  DOSQL_ASSIGN_OR_RETURN(const auto schema, schemas_.of(connection_.file().point()));
  const TableShape* const shape = schema->find(name_);
  const diff::SchemaEntry* const entry = diff::find_table(schema->entries, name_);
  if (shape == nullptr || entry == nullptr) return false;
  definition_ = entry->sql;
  encoding_ = schema->encoding;
  columns_.clear();
  for (const ColumnShape& column : shape->columns) {
    if (column.generated == Generated::kNo) columns_.push_back(column.name);
  }
  return is_known_by_hidden_rowid(*shape);
}

Result<ContentMerge::Meetings> ContentMerge::meetings(const ReadPoint& base, const ReadPoint& theirs) {
  Meetings found;
  DOSQL_ASSIGN_OR_RETURN(const bool is_one, has_hidden_rowids());
  if (!is_one) return found;
  Fates here;
  Fates there;
  DOSQL_ASSIGN_OR_RETURN(const Counts their_changes, difference(base, theirs, &there));
  if (there.empty()) return found;
  DOSQL_ASSIGN_OR_RETURN(const Counts our_changes, difference(base, connection_.file().point(), &here));
  std::unordered_map<std::string, std::int64_t> taken;  // from both under one rowid, by content
  for (const auto& [rowid, fate] : there) {
    const auto ours = here.find(rowid);
    if (ours == here.end()) continue;
    found.became_two = found.became_two || ours->second.now != fate.now;
    ++taken[fate.was];
  }
  found.is_elsewhere = std::ranges::any_of(taken, [&](const auto& one) {
    const std::int64_t less = -one.second;
    return count_in(our_changes, one.first) > less || count_in(their_changes, one.first) > less;
  });
  return found;
}

Result<bool> ContentMerge::count(const Points& bases, const ReadPoint& theirs) {
  const ReadPoint ours = connection_.file().point();
  DOSQL_ASSIGN_OR_RETURN(const bool is_one, has_hidden_rowids());
  if (!is_one) return false;
  DOSQL_ASSIGN_OR_RETURN(const Virtual base, merge_points(bases));
  DOSQL_ASSIGN_OR_RETURN(const Counts our_changes, difference(base, ours));
  DOSQL_ASSIGN_OR_RETURN(const Counts their_changes, difference(base, theirs));
  if (!fits_) return false;
  Counts merged = combine(base, our_changes, their_changes);
  for (const ReadPoint& point : bases) {
    DOSQL_ASSIGN_OR_RETURN(const Counts since, difference(point, theirs));
    for (const auto& [content, counted] : since) {
      const auto known = merged.find(content);
      if (known != merged.end() && known->second.became.empty()) known->second.became = counted.became;
    }
  }
  Counts to_theirs = their_changes;
  add(merged, our_changes, -1);
  add(to_theirs, our_changes, -1);
  const auto rows_of = [](Counts& counts) {
    ContentChanges rows;
    for (auto& [content, counted] : counts) {
      if (counted.count == 0) continue;
      rows.emplace(content, ContentChange{std::move(counted.row), counted.count, std::move(counted.became)});
    }
    return rows;
  };
  merged_ = rows_of(merged);
  to_theirs_ = rows_of(to_theirs);
  return true;
}

void ContentMerge::add(Counts& counts, const Counts& more, std::int64_t times) {
  for (const auto& [content, counted] : more) {
    const auto known = counts.try_emplace(content).first;
    if (known->second.row.values().empty()) known->second.row = counted.row;
    known->second.count += times * counted.count;
  }
}

// What both sides make of base.
ContentMerge::Counts ContentMerge::combine(const Virtual& base, const Counts& ours, const Counts& theirs) {
  Counts all = ours;
  bool both_took = false;
  bool one_gave = false;
  add(all, theirs, 1);
  for (auto& [content, counted] : all) {
    const std::int64_t o = count_in(ours, content);
    const std::int64_t t = count_in(theirs, content);
    if (o > 0 && t > 0) both_added_.push_back(counted.row);
    both_took = both_took || (o < 0 && t < 0);
    if (o == t) {
      counted.count = o;
    } else {
      undecided_ = undecided_ || (o < 0 && t < 0);
      one_gave = one_gave || o > 0 || t > 0;
    }
  }
  undecided_ = undecided_ || (both_took && one_gave);
  const auto takes_some = [](const std::set<std::string>& contents, const Counts& counts) {
    return std::ranges::any_of(contents,
                               [&](const std::string& content) { return count_in(counts, content) < 0; });
  };
  const auto differ_about = [&](const std::set<std::string>& contents) {
    return std::ranges::any_of(contents, [&](const std::string& content) {
      const std::int64_t o = count_in(ours, content);
      const std::int64_t t = count_in(theirs, content);
      return o != t && (o < 0 || t < 0);
    });
  };
  // Of one row that is there as two, each side took the other's away.
  for (const auto& [here, there] : base.rivals) {
    const bool crossed = (takes_some(here, ours) && takes_some(there, theirs)) ||
                         (takes_some(there, ours) && takes_some(here, theirs));
    undecided_ = undecided_ || (crossed && (differ_about(here) || differ_about(there)));
  }
  return all;
}

Result<bool> ContentMerge::brought_rows(const Points& common, const Points& sides) {
  version::VersionStore& store = connection_.core().store();
  for (const ReadPoint& point : common) {
    DOSQL_ASSIGN_OR_RETURN(const std::vector<version::MovedBy> noted,
                           version::brought_since(store, point, sides));
    for (const version::MovedBy& one : noted) {
      const std::set<Lsn> merged = merged_by(store, one.commit);
      const auto is_about_it = [&](const version::MovedRun& run) {
        // What a merge gave another number it has once.
        return (run.table.empty() || sql::equals_ignoring_case(run.table, name_)) &&
               !merged.contains(run.source);
      };
      if (std::ranges::any_of(one.runs, is_about_it)) return true;
    }
  }
  return false;
}

Result<ContentMerge::Virtual> ContentMerge::merge_points(const Points& points) {
  Virtual merged{.point = points[0], .more = {}};
  Points done{points[0]};
  for (const ReadPoint& next : std::span(points).subspan(1)) {
    DOSQL_ASSIGN_OR_RETURN(const Points common, best_common(connection_.core().store(), done, next));
    if (common.empty()) {
      fits_ = false;
      return merged;
    }
    DOSQL_ASSIGN_OR_RETURN(Virtual base, merge_points(common));
    DOSQL_ASSIGN_OR_RETURN(Counts before, difference(base, merged.point));
    add(before, merged.more, 1);
    DOSQL_ASSIGN_OR_RETURN(const Counts after, difference(base, next));
    Rivals rivals{added(before, after), added(after, before)};
    const Counts both = combine(base, before, after);
    done.push_back(next);
    if (!rivals.here.empty() && !rivals.there.empty()) {
      DOSQL_ASSIGN_OR_RETURN(const bool brought, brought_rows(common, done));
      if (brought) base.rivals.push_back(std::move(rivals));
    }
    add(base.more, both, 1);
    merged = std::move(base);
  }
  return merged;
}

Result<ContentMerge::Counts> ContentMerge::difference(const Virtual& before, const ReadPoint& after) {
  DOSQL_ASSIGN_OR_RETURN(Counts counts, difference(before.point, after));
  add(counts, before.more, -1);
  return counts;
}

Result<ContentMerge::Counts> ContentMerge::difference(const ReadPoint& before, const ReadPoint& after,
                                                      Fates* fates) {
  Counts counts;
  const auto note = [&](std::span<const diff::Field> row, std::int64_t times) {
    Counted& counted = counts[content_of(row)];
    if (counted.row.values().empty()) counted.row.assign(row);
    counted.count += times;
  };
  const auto count_change = [&](const merge::KeyedChange& change) -> Status {
    if (change.in_base) note(change.base, -1);
    if (change.in_theirs) note(change.theirs, 1);
    if (change.in_base && change.in_theirs)
      counts[content_of(change.base)].became = content_of(change.theirs);
    if (change.in_base && fates != nullptr)
      (*fates)[change.rowid_base] = {content_of(change.base),
                                     change.in_theirs ? content_of(change.theirs) : ""};
    return {};
  };
  DOSQL_RETURN_IF_ERROR(for_each_change(before, after, count_change));
  return counts;
}

Result<bool> ContentMerge::for_each_change(const ReadPoint& before, const ReadPoint& after,
                                           const LookAtChange& look) {
  if (definition_.empty()) DOSQL_RETURN_IF_ERROR(has_hidden_rowids().and_then(ignore_result));
  if (before == after || !fits_) return fits_;
  version::VersionStore& store = connection_.core().store();
  ColumnLines lines(store, schemas_, connection_.db(), {before, after});
  DOSQL_ASSIGN_OR_RETURN(TablePairs tables, lines.pair_tables(before, after));
  DOSQL_ASSIGN_OR_RETURN(const auto pair,
                         VersionPair::make(store, connection_.db(), std::move(tables), before, after));
  const TableShape* const from = pair->tables().before->find(name_);
  const TableShape* const to = pair->tables().after->find(name_);
  DOSQL_ASSIGN_OR_RETURN(const bool from_fits, is_declared_so(from, *pair->tables().before));
  DOSQL_ASSIGN_OR_RETURN(const bool to_fits, is_declared_so(to, *pair->tables().after));
  fits_ = fits_ && from_fits && to_fits;
  if (fits_) {
    DOSQL_ASSIGN_OR_RETURN(fits_, are_one(lines, *pair, from, to));
  }
  if (!fits_ || (from == nullptr && to == nullptr)) return fits_;
  MergedTable table;
  table.name = name_;
  for (std::size_t i = 0; i < (from != nullptr ? from : to)->columns.size(); ++i) {
    const ColumnShape& column = (from != nullptr ? from : to)->columns[i];
    if (column.generated != Generated::kNo) continue;
    table.columns.push_back({.name = column.name});
    table.changes.base.push_back(column.stored);
    table.changes.theirs.push_back(to != nullptr ? to->columns[i].stored : column.stored);
  }
  DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges changes, pair->changes(from, to, table));
  merge::KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) return true;
    DOSQL_RETURN_IF_ERROR(look(change));
  }
}

std::string ContentMerge::row_json(int sign) const {
  const auto row = std::ranges::find_if(
      to_theirs_, [&](const auto& change) { return (change.second.count < 0) == (sign < 0); });
  if (row == to_theirs_.end()) return "null";
  std::string text = "{";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    text += fmt::format("{}{}:{}", i > 0 ? "," : "", json_string(columns_[i]),
                        value_json(row->second.row.values()[i], encoding_));
  }
  return text + "}";
}

// A version that does not have the table has no rows of it.
Result<bool> ContentMerge::is_declared_so(const TableShape* shape, const VersionSchema& schema) {
  if (shape == nullptr) return true;
  const diff::SchemaEntry* const entry = diff::find_table(schema.entries, name_);
  return entry != nullptr && sql::same_definition(entry->sql, definition_);
}

Status apply_contents(MergeContext& context, const MergedTable& table, const ContentChanges& contents,
                      std::span<const NumberReference> references) {
  if (contents.empty()) return {};
  // From now on its rowids say nothing of older versions.
  MovedNotes& notes = context.moved[table.name];
  for (NumberRuns* const runs : {&notes.from_merged, &notes.from_parent})
    runs->add(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
  notes.all_brought = notes.all_brought || context.only_changes;
  Changes changes;
  DOSQL_RETURN_IF_ERROR(changes.find(context.connection, table, contents));
  const auto touched = context.touched.find(table.name);
  TableMerge rows(context, table, context.counts_of(table.name), {});
  return rows.run([&](merge::KeyedChange& change) -> Result<bool> {
    const bool found = changes.next(change);
    if (found && change.in_theirs) renumber(references, table, change);
    if (!found || touched == context.touched.end()) return found;
    // In the changes of theirs these rows are others.
    if (change.in_base) touched->second.gone.emplace_back(change.base);
    if (change.in_theirs) touched->second.came.push_back({RowCopy(change.theirs), change.rowid_theirs});
    return found;
  });
}

}  // namespace dosql::engine
