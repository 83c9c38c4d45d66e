// Merging rows that nothing but a hidden rowid tells apart, where merges came before.
//
// A merge gives such a row another rowid where its own is taken, so behind it the same row has one rowid here
// and another one there, and what has that rowid in a common version is a stranger. So rows are counted here:
// how often is a row of this content there?
//
//   base    counted as the common versions merged: of two of them what they have, less what they had in
//           common before (which may be several versions again)
//   result  what ours has, plus what theirs has more than base, less what it has less
//
// Where both sides differ from base by the same count it is the same change. Counts do not tell whether a row
// that both sides took away was changed by them into others, nor, where a commit brought rows of the table to
// one of the common versions, whether what each of these added is one row; then nothing is decided here.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <dosql/result.h>

#include "engine/merge_context.h"
#include "engine/merged_table.h"
#include "engine/table_merge.h"
#include "engine/table_shape.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;

// The same for rows of the same values only.
std::string content_of(std::span<const diff::Field> row);

class ContentMerge {
 public:
  // `table`: of ours. All must outlive it.
  ContentMerge(ConnectionState& connection, VersionSchemas& schemas, const std::string& table)
      : connection_(connection), schemas_(schemas), name_(table) {}

  // Whether the table is one of those whose rows only a hidden rowid tells apart, declared the same in all
  // the versions that count. REQUIRES: the connection stands on ours, and has changed no row of the table.
  // Errors: those of reading the versions.
  Result<bool> count(const std::vector<version::ReadPoint>& bases, const version::ReadPoint& theirs);

  // Whether it is such a table in ours. Errors: as above.
  Result<bool> has_hidden_rowids();
  // What became of its rows, by their rowids; `before` is called the base. False: the versions do not declare
  // it as ours does. Errors: as above, and those of `look`.
  using LookAtChange = std::function<Status(const merge::KeyedChange&)>;
  Result<bool> for_each_change(const version::ReadPoint& before, const version::ReadPoint& after,
                               const LookAtChange& look);

  // What rowids say of rows of `base` that both sides changed.
  struct Meetings {
    bool became_two = false;    // one became another one on each side: it can be taken for one of others
    bool is_elsewhere = false;  // one that went from both a side has all the same: it has another rowid there
  };
  // REQUIRES: as count().
  Result<Meetings> meetings(const version::ReadPoint& base, const version::ReadPoint& theirs);

  // The rest REQUIRES that count() gave true.
  // Whether counts do not tell what is to be done.
  bool undecided() const { return undecided_; }
  // Rows that both sides added.
  const std::vector<RowCopy>& both_added() const { return both_added_; }
  // What makes ours the merged table, or theirs. Rows that come have a positive count.
  const ContentChanges& merged() const { return merged_; }
  const ContentChanges& to_theirs() const { return to_theirs_; }
  // A row that only ours has, or theirs, as JSON; "null": there is none.
  std::string row_of_ours() const { return row_json(-1); }
  std::string row_of_theirs() const { return row_json(1); }

 private:
  struct Counted {
    RowCopy row;
    std::int64_t count = 0;
    std::string became;  // another content, as far as rowids tell
  };
  using Counts = std::unordered_map<std::string, Counted>;  // by content
  // What became of a row; "": it is gone.
  struct Fate {
    std::string was;
    std::string now;
  };
  using Fates = std::unordered_map<std::int64_t, Fate>;  // by rowid
  // What each of two versions has and the other has not, where it may be one row.
  struct Rivals {
    std::set<std::string> here;  // by content
    std::set<std::string> there;
  };
  // Versions merged: as one of them is, but for the counts.
  struct Virtual {
    version::ReadPoint point;
    Counts more;
    std::vector<Rivals> rivals = {};
  };
  using Points = std::vector<version::ReadPoint>;

  Result<Virtual> merge_points(const Points& points);
  // `fates`: takes those of the rows of `before`; null: nobody asks.
  Result<Counts> difference(const version::ReadPoint& before, const version::ReadPoint& after,
                            Fates* fates = nullptr);
  Result<Counts> difference(const Virtual& before, const version::ReadPoint& after);
  Result<bool> is_declared_so(const TableShape* shape, const VersionSchema& schema);
  Counts combine(const Virtual& base, const Counts& ours, const Counts& theirs);
  // Whether a commit behind one of `common` brought rows of the table to the sides.
  Result<bool> brought_rows(const Points& common, const Points& sides);
  static std::int64_t count_in(const Counts& counts, const std::string& content);
  static std::set<std::string> added(const Counts& counts, const Counts& others);
  static void add(Counts& counts, const Counts& more, std::int64_t times);
  std::string row_json(int sign) const;

  ConnectionState& connection_;
  VersionSchemas& schemas_;
  const std::string& name_;
  std::string definition_;
  std::vector<std::string> columns_;
  diff::TextEncoding encoding_ = diff::TextEncoding::kUtf8;
  bool fits_ = true;
  bool undecided_ = false;
  std::vector<RowCopy> both_added_;
  ContentChanges merged_;
  ContentChanges to_theirs_;
};

// Does that to the table's rows; reads all of them where some are to go. What comes is theirs, and refers by
// the numbers of theirs. REQUIRES: as TableMerge. Errors: what SQLite reports, kInvalidArgument (no rowids
// are left).
Status apply_contents(MergeContext& context, const MergedTable& table, const ContentChanges& contents,
                      std::span<const NumberReference> references);

}  // namespace dosql::engine
