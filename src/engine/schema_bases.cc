#include "engine/schema_bases.h"

#include <algorithm>
#include <span>

#include "engine/column_lines.h"
#include "engine/common_versions.h"
#include "engine/connection_state.h"
#include "engine/renamed_schema.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

using diff::SchemaEntry;
using version::ReadPoint;
using Points = CommonVersions::Points;
using ObjectName = SchemaBases::ObjectName;

// Back to versions from before as many crossings.
constexpr int kDepthMax = 64;

ObjectName name_of(const SchemaEntry& entry) { return {entry.type, diff::folded(entry.name)}; }

bool is_object(const SchemaEntry& entry) { return entry.type != "table" && !entry.sql.empty(); }

bool has_object(const VersionSchema& schema, const ObjectName& name) {
  return std::ranges::any_of(
      schema.entries, [&](const SchemaEntry& entry) { return is_object(entry) && name_of(entry) == name; });
}

const std::string& definition(const VersionSchema& schema, const TableShape& table) {
  static const std::string nothing;
  const SchemaEntry* const entry = diff::find_table(schema.entries, table.name);
  return entry == nullptr ? nothing : entry->sql;
}

// What is in two versions alike. Of an index, view or trigger that is so where it only follows new names.
struct Comparison {
  TablePairs tables;
  std::set<const TableShape*> same_tables;  // as they are before
  std::set<ObjectName> same_objects;

  const TablePair* find(const std::string& before) const {
    const auto found = std::ranges::find_if(tables.pairs, [&](const TablePair& pair) {
      return pair.before != nullptr && sql::equals_ignoring_case(pair.before->name, before);
    });
    return found == tables.pairs.end() ? nullptr : &*found;
  }
};

// A table, known by its name in one of the bases, or something else by its own.
struct Thing {
  ReadPoint known_in = {};
  std::string table = {};
  ObjectName object = {};
};

class Finder {
 public:
  Finder(const version::VersionStore& store, ColumnLines& lines) : lines_(lines), common_(store) {}

  Result<const Comparison*> compare(const ReadPoint& before, const ReadPoint& after) {
    const std::pair name(before.lsn, after.lsn);
    const auto known = compared_.find(name);
    if (known != compared_.end()) return &known->second;
    DOSQL_ASSIGN_OR_RETURN(Comparison comparison, compared(before, after));
    return &compared_.emplace(name, std::move(comparison)).first->second;
  }

  // Which of `points` has it as what they are merged has it; in what they have in common, that may be any
  // version that has it so. None: that cannot be told.
  Result<std::optional<ReadPoint>> merged(const Thing& thing, const Points& points) {
    merged_.clear();
    return merged(thing, points, 0);
  }

 private:
  // With three versions and more the ways back meet again and again.
  Result<std::optional<ReadPoint>> merged(const Thing& thing, const Points& points, int depth) {
    std::vector<Lsn> name;
    for (const ReadPoint& point : points) name.push_back(point.lsn);
    const auto known = merged_.find(name);
    if (known != merged_.end()) return known->second;
    DOSQL_ASSIGN_OR_RETURN(const std::optional<ReadPoint> found, merge_all(thing, points, depth));
    return merged_.emplace(std::move(name), found).first->second;
  }

  Result<std::optional<ReadPoint>> merge_all(const Thing& thing, const Points& points, int depth) {
    ReadPoint result = points[0];
    Points done{points[0]};
    for (const ReadPoint& next : std::span(points).subspan(1)) {
      DOSQL_ASSIGN_OR_RETURN(const bool alike, same(thing, result, next));
      if (!alike) {
        if (depth == kDepthMax) return std::optional<ReadPoint>();
        DOSQL_ASSIGN_OR_RETURN(const Points* const common, common_.of(done, next));
        if (common->empty()) return std::optional<ReadPoint>();
        DOSQL_ASSIGN_OR_RETURN(const std::optional<ReadPoint> before, merged(thing, *common, depth + 1));
        if (!before) return std::optional<ReadPoint>();
        DOSQL_ASSIGN_OR_RETURN(const bool others_kept_it, same(thing, *before, result));
        DOSQL_ASSIGN_OR_RETURN(const bool next_kept_it, same(thing, *before, next));
        if (!others_kept_it && !next_kept_it) return std::optional<ReadPoint>();
        if (others_kept_it) result = next;
      }
      done.push_back(next);
    }
    return std::optional(result);
  }

  // Empty: it has it not.
  Result<std::string> table_at(const Thing& thing, const ReadPoint& point) {
    if (point == thing.known_in) return thing.table;
    DOSQL_ASSIGN_OR_RETURN(const Comparison* const both, compare(thing.known_in, point));
    const TablePair* const pair = both->find(thing.table);
    return pair == nullptr || pair->after == nullptr ? std::string() : pair->after->name;
  }

  Result<bool> same(const Thing& thing, const ReadPoint& a, const ReadPoint& b) {
    if (a == b) return true;
    DOSQL_ASSIGN_OR_RETURN(const Comparison* const both, compare(a, b));
    if (thing.table.empty()) {
      const bool here = has_object(*both->tables.before, thing.object);
      if (here != has_object(*both->tables.after, thing.object)) return false;
      return !here || both->same_objects.contains(thing.object);
    }
    DOSQL_ASSIGN_OR_RETURN(const std::string here, table_at(thing, a));
    DOSQL_ASSIGN_OR_RETURN(const std::string there, table_at(thing, b));
    if (here.empty() || there.empty()) return here.empty() && there.empty();
    const TablePair* const pair = both->find(here);
    return pair != nullptr && pair->after != nullptr && sql::equals_ignoring_case(pair->after->name, there) &&
           both->same_tables.contains(pair->before);
  }

  Result<Comparison> compared(const ReadPoint& before, const ReadPoint& after) {
    Comparison comparison;
    DOSQL_ASSIGN_OR_RETURN(comparison.tables, lines_.pair_tables(before, after));
    const VersionSchema& old_schema = *comparison.tables.before;
    const VersionSchema& new_schema = *comparison.tables.after;
    std::vector<NameChange> changes;
    for (const TablePair& pair : comparison.tables.pairs) {
      if (pair.before == nullptr || pair.after == nullptr) continue;
      bool same =
          sql::same_definition(definition(old_schema, *pair.before), definition(new_schema, *pair.after));
      if (pair.before->kind != TableKind::kVirtual && pair.after->kind != TableKind::kVirtual) {
        DOSQL_ASSIGN_OR_RETURN(const ColumnMatches matches,
                               lines_.match(before, *pair.before, after, *pair.after));
        same = same && is_identity(matches);
        NameChange change = name_change(*pair.before, matches, *pair.after);
        if (!change.columns.empty() || pair.renamed()) changes.push_back(std::move(change));
      }
      if (same) comparison.same_tables.insert(pair.before);
    }
    DOSQL_ASSIGN_OR_RETURN(const std::vector<RenamedEntry> objects, renamed_entries(old_schema, changes));
    for (const RenamedEntry& object : objects) {
      const bool same =
          !object.lost && std::ranges::any_of(new_schema.entries, [&](const SchemaEntry& entry) {
            return is_object(entry) && name_of(entry) == name_of(object) &&
                   sql::same_definition(entry.sql, object.sql);
          });
      if (same) comparison.same_objects.insert(name_of(object));
    }
    return comparison;
  }

  ColumnLines& lines_;
  CommonVersions common_;
  std::map<std::pair<Lsn, Lsn>, Comparison> compared_;
  std::map<std::vector<Lsn>, std::optional<ReadPoint>> merged_;  // of one thing
};

}  // namespace

Result<SchemaBases> SchemaBases::find(ConnectionState& connection, ColumnLines& lines,
                                      std::vector<ReadPoint> bases) {
  Finder finder(connection.core().store(), lines);
  SchemaBases found;
  found.points_ = std::move(bases);
  const Points& points = found.points_;
  found.places_.resize(points.size());
  const auto counted_from = [&](const Thing& thing) -> Result<std::size_t> {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<ReadPoint> base, finder.merged(thing, points));
    if (!base) return kDisputed;
    return static_cast<std::size_t>(std::ranges::find(points, *base) - points.begin());
  };
  for (std::size_t i = 0; i < points.size(); ++i) {
    DOSQL_ASSIGN_OR_RETURN(const auto schema, connection.schemas().of(points[i]));
    for (const TableShape& shape : schema->tables) {
      const std::size_t place = found.tables_.size();
      if (!found.places_[i].emplace(diff::folded(shape.name), place).second) continue;
      Table& table = found.tables_.emplace_back();
      table.names.resize(points.size());
      table.names[i] = shape.name;
      for (std::size_t j = i + 1; j < points.size(); ++j) {
        DOSQL_ASSIGN_OR_RETURN(const Comparison* const both, finder.compare(points[i], points[j]));
        const TablePair* const pair = both->find(shape.name);
        if (pair == nullptr || pair->after == nullptr) continue;
        if (found.places_[j].emplace(diff::folded(pair->after->name), place).second)
          table.names[j] = pair->after->name;
      }
      DOSQL_ASSIGN_OR_RETURN(table.base, counted_from({.known_in = points[i], .table = shape.name}));
    }
    for (const SchemaEntry& entry : schema->entries) {
      if (!is_object(entry) || found.objects_.contains(name_of(entry))) continue;
      DOSQL_ASSIGN_OR_RETURN(found.objects_[name_of(entry)], counted_from({.object = name_of(entry)}));
    }
  }
  return found;
}

const SchemaBases::Table& SchemaBases::table(std::size_t base, const std::string& name) const {
  return tables_[places_[base].at(diff::folded(name))];
}

std::size_t SchemaBases::base_of(std::string_view type, std::string_view name) const {
  const auto found = objects_.find({std::string(type), diff::folded(name)});
  return found == objects_.end() ? 0 : found->second;
}

bool SchemaBases::has_disputed() const {
  return std::ranges::find(tables_, kDisputed, &Table::base) != tables_.end() ||
         std::ranges::any_of(objects_, [](const auto& object) { return object.second == kDisputed; });
}

SchemaBases SchemaBases::undisputed(std::size_t base) const {
  SchemaBases all = *this;
  for (Table& table : all.tables_) {
    if (table.base == kDisputed) table.base = base;
  }
  for (auto& [name, counted_from] : all.objects_) {
    if (counted_from == kDisputed) counted_from = base;
  }
  return all;
}

void SchemaBases::keep_disputed(const std::set<std::string>& names) {
  std::set<std::string> known;
  const auto is_kept = [&](const std::string& name) {
    const bool kept = names.contains(diff::folded(name));
    if (kept) known.insert(diff::folded(name));
    return kept;
  };
  SchemaBases kept = *this;
  for (Table& table : kept.tables_) {
    if (table.base == kDisputed && std::ranges::count_if(table.names, is_kept) == 0) table.base = 0;
  }
  for (auto& [name, base] : kept.objects_) {
    if (base == kDisputed && !is_kept(name.second)) base = 0;
  }
  if (known == names) *this = std::move(kept);
}

}  // namespace dosql::engine
