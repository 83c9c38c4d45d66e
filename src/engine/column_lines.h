// Which table and which column of one version is which of another, followed through the versions that changed
// the schema: the looks of two versions far apart do not tell a column that was renamed from one that was
// dropped while another was added, nor what has the name of what went.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/table_pairing.h"
#include "engine/table_shape.h"
#include "version/line_merges.h"
#include "version/version_store.h"

namespace dosql::engine {

// For each column of one version its index in the other; none: it is gone there.
using ColumnMatches = std::vector<std::optional<std::size_t>>;

// A REVERT that changed the schema notes by this name, which no table of the user's has, that it brought what
// there was before (version/moved_numbers.h).
inline constexpr std::string_view kBroughtSchema = "sqlite_schema";
// And a CHERRY PICK by this one: from the commit that it picked.
inline constexpr std::string_view kPickedSchema = "sqlite_picked_schema";

// Whether each column is in its old place.
bool is_identity(const ColumnMatches& matches);

// Each table and each column gets a number where it comes to be, and keeps it under other names and on other
// branches. A merge gives what both sides added under one name the numbers of both.
//
// Between a version and the one before, columns are matched by match_columns(). Where that can be read in two
// ways, since one transaction may do much, the rows tell: RENAME COLUMN writes none of them, DROP COLUMN all.
class ColumnLines {
 public:
  // `points`: versions that it will be asked about, as far as they are known. `handle`: for collations. All
  // must outlive it.
  ColumnLines(version::VersionStore& store, VersionSchemas& schemas, sqlite3* handle,
              std::vector<version::ReadPoint> points)
      : store_(store), schemas_(schemas), handle_(handle), asked_(std::move(points)) {}

  // Columns of the same number, then those of the same name that neither side can have seen: of a column that
  // was dropped on the way, one that has its name now is another. In a table that was made anew all columns
  // go by their names. Looks at each change of the schema on the ways from what all versions asked about so
  // far have in common, but once only, unless it is asked about one that parted from them before. Errors:
  // those of VersionSchemas::of() and of the store.
  Result<ColumnMatches> match(const version::ReadPoint& from, const TableShape& before,
                              const version::ReadPoint& to, const TableShape& after);
  // Tables of the same number, then those of the same name. Costs and errors as above.
  Result<TablePairs> pair_tables(const version::ReadPoint& before, const version::ReadPoint& after);

 private:
  using Numbers = std::set<std::uint64_t>;
  using TableNumbers = std::vector<Numbers>;  // by column
  // A column that was dropped on the way.
  struct Gone {
    Numbers table;
    Numbers numbers;
    std::string name;
  };
  struct Numbered {
    std::shared_ptr<const VersionSchema> schema;
    std::vector<Numbers> tables;
    std::vector<TableNumbers> columns;  // by table
    std::vector<Gone> gone;             // in the order in which they went
  };
  using Shared = std::shared_ptr<const Numbered>;
  // A table in one of the versions.
  struct Side {
    const Numbered* numbered = nullptr;
    std::size_t index = 0;

    static std::optional<Side> of(const Numbered& numbered, const TableShape& table);
    const TableShape& shape() const { return numbered->schema->tables[index]; }
    const Numbers& number() const { return numbered->tables[index]; }
    const Numbers& number(std::size_t column) const { return numbered->columns[index][column]; }
    const std::string& name(std::size_t column) const { return shape().columns[column].name; }
    std::size_t column_count() const { return shape().columns.size(); }
    // None: it is not one that went.
    const Gone* find_gone(const Numbers& column) const;
  };

  using PointName = std::pair<BranchId, Version>;
  // What a commit on a line made of it.
  struct LineStep {
    Version version{};
    bool changed = false;  // the schema
    Shared numbered;
  };
  // As far as it was walked.
  struct Line {
    Version until{};
    std::vector<LineStep> steps = {};
  };

  Status cover(const version::ReadPoint& before, const version::ReadPoint& after);
  Status go_back(const version::ReadPoint& point);
  Status look_for_changes();
  Status follow_merges();
  Result<std::shared_ptr<const VersionSchema>> schema_at(const version::ReadPoint& point);
  Result<Shared> at(const version::ReadPoint& point);
  Result<Shared> numbered_at(const version::ReadPoint& point);
  Line known_part(const version::ReadPoint& point);
  Result<Line> walk(const version::ReadPoint& point);
  Result<LineStep> take_step(const Shared& before, const version::ReadPoint& commit,
                             std::span<const version::LineMerge> merges, bool changed);
  Result<Shared> begin();
  Result<Shared> change_schema(const Shared& before, const version::ReadPoint& change, bool merged);
  // A commit that merged a version; `changed`: the schema, too.
  struct Step {
    version::ReadPoint commit;
    version::ReadPoint merged;
    bool changed = false;
  };
  Result<Shared> merge(const Step& step, const Shared& before, const Shared& result);
  Result<std::string> name_before(const Step& step, const Numbers& column);
  Status bring_picked(const version::ReadPoint& change, Lsn picked, Numbered& numbered);
  bool is_covered(const version::ReadPoint& point) const;
  static void bring_gone(Numbered& numbered);
  Status bring_back(const version::ReadPoint& change, Numbered& numbered);
  Result<ColumnMatches> match_step(const version::ReadPoint& change, const TableShape& before,
                                   const TableShape& after);
  static ColumnMatches match_sides(const Side& before, const Side& after);
  Status merge_table(const Step& step, const std::optional<Side>& before, const std::optional<Side>& source,
                     std::size_t result, Numbered& numbered);
  Status merge_columns(const Step& step, const Side& before, const Side& source, std::size_t result,
                       Numbered& numbered);
  Numbers next_number() { return {++last_number_}; }

  version::VersionStore& store_;
  VersionSchemas& schemas_;
  sqlite3* const handle_;
  std::vector<version::ReadPoint> asked_;  // and not covered yet
  // All versions to which the ways lead from `start_`: those asked about, and where the schema changed on one
  // of these ways, those that were merged on them.
  std::vector<version::ReadPoint> points_;
  std::set<PointName> covered_;  // of them, those asked about
  std::set<Lsn> merged_;         // and those that were merged
  std::optional<version::ReadPoint> start_;
  bool changed_ = false;
  std::size_t compared_count_ = 0;  // of points_: with the start
  std::size_t followed_count_ = 0;  // of points_: through what was merged there
  std::uint64_t last_number_ = 0;
  // All counted from `start_`.
  Shared begin_;
  std::map<Lsn, Shared> known_;  // by the commits that changed a schema, or merged
  std::map<BranchId, Line> lines_;
  std::map<PointName, Shared> numbered_;
  std::map<PointName, std::shared_ptr<const VersionSchema>> schema_at_;
};

}  // namespace dosql::engine
