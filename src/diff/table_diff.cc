#include "diff/table_diff.h"

#include <optional>

#include "diff/entries.h"
#include "diff/tree.h"

namespace dosql::diff {
namespace {

// The images of more pages than these would push all else out of the cache of old ones, and each other.
constexpr std::size_t kPagesCachedMax = 2048;

version::CacheUse cache_for(const PageChanges& changes) {
  return changes.pages().size() > kPagesCachedMax ? version::CacheUse::kBypass : version::CacheUse::kKeep;
}

}  // namespace

// Both sides' entries by key: what has the same key and the same record is no change, wherever it lies.
class TableDiff::Merge {
 public:
  Merge(version::Reader& before, version::Reader& after, const PageChanges& changes, const TablePlace& place)
      : changes_(changes),
        key_(place.key),
        all_rows_(place.all_rows),
        pages_before_(before, cache_for(changes)),
        pages_after_(after, cache_for(changes)) {}

  Status open(const TablePlace& place);
  Result<bool> next(RowChange& change);

 private:
  Status check_kinds(const Tree& before, const Tree& after) const;
  Result<bool> find_next(RowChange& change);
  Status advance();
  int compare_places();
  Result<bool> same_record();
  Result<bool> same_overflow(const Cell& cell);
  Status fill(ChangeKind kind, RowChange& change);

  const PageChanges& changes_;
  const std::vector<KeyColumn> key_;
  const bool all_rows_;
  VersionPages pages_before_;
  VersionPages pages_after_;
  std::optional<Entries> before_;
  std::optional<Entries> after_;
  std::optional<LeafComparison> leaves_;  // of those two
  // Whose entry was given out, or is the same as the other's.
  bool used_before_ = true;
  bool used_after_ = true;
  bool at_pair_ = false;  // both are on entries of tables that are the same
  bool done_ = false;
};

Status TableDiff::Merge::open(const TablePlace& place) {
  DOSQL_ASSIGN_OR_RETURN(Tree before, Tree::open(pages_before_, place.root_before));
  DOSQL_ASSIGN_OR_RETURN(Tree after, Tree::open(pages_after_, place.root_after));
  DOSQL_RETURN_IF_ERROR(check_kinds(before, after));
  if (all_rows_) {
    const auto always = [](PageNo) { return true; };
    DOSQL_RETURN_IF_ERROR(before.open_where(always));
    DOSQL_RETURN_IF_ERROR(after.open_where(always));
  } else {
    DOSQL_RETURN_IF_ERROR(keep_differences(before, after, changes_));
  }
  before_.emplace(std::move(before), key_);
  after_.emplace(std::move(after), key_);
  return {};
}

Status TableDiff::Merge::check_kinds(const Tree& before, const Tree& after) const {
  if (!before.empty() && !after.empty() && before.is_table() != after.is_table())
    return Error(ErrorCode::kInvalidArgument, "the table has rowids in one of the versions only");
  for (const Tree* const tree : {&before, &after}) {
    if (!tree->empty() && tree->is_table() != key_.empty())
      return Error(ErrorCode::kInvalidArgument, key_.empty() ? "the table is WITHOUT ROWID and needs a key"
                                                             : "the table has rowids and no other key");
  }
  return {};
}

Result<bool> TableDiff::Merge::next(RowChange& change) {
  if (done_) return false;
  auto found = find_next(change);
  done_ = !found || !*found;
  return found;
}

Result<bool> TableDiff::Merge::find_next(RowChange& change) {
  while (true) {
    // Both stand on entries that are the same, and so may be those behind them.
    if (at_pair_) DOSQL_RETURN_IF_ERROR(Entries::skip_same(*before_, *after_, leaves_));
    DOSQL_RETURN_IF_ERROR(advance());
    at_pair_ = false;
    if (before_->at_end() && after_->at_end()) return false;
    const int order = compare_places();
    used_before_ = order <= 0;
    used_after_ = order >= 0;
    if (order == 0 && !all_rows_) {
      DOSQL_ASSIGN_OR_RETURN(const bool same, same_record());
      at_pair_ = same && before_->tree().is_table();
      if (same) continue;
    }
    const ChangeKind kind = order < 0   ? ChangeKind::kDelete
                            : order > 0 ? ChangeKind::kInsert
                                        : ChangeKind::kUpdate;
    DOSQL_RETURN_IF_ERROR(fill(kind, change));
    return true;
  }
}

Status TableDiff::Merge::advance() {
  if (used_before_ && !before_->at_end()) DOSQL_RETURN_IF_ERROR(before_->advance());
  if (used_after_ && !after_->at_end()) DOSQL_RETURN_IF_ERROR(after_->advance());
  return {};
}

// Negative: the entry of `before` comes first. REQUIRES: one of them is not at its end.
int TableDiff::Merge::compare_places() {
  if (before_->at_end()) return 1;
  if (after_->at_end()) return -1;
  if (!before_->tree().is_table()) return compare_keys(before_->fields(), after_->fields(), key_);
  return before_->rowid() < after_->rowid() ? -1 : before_->rowid() > after_->rowid() ? 1 : 0;
}

Result<bool> TableDiff::Merge::same_record() {
  const Cell& before = before_->cell();
  const Cell& after = after_->cell();
  if (before.payload_bytes != after.payload_bytes || compare_binary(before.local, after.local) != 0)
    return false;
  if (raw(before.overflow) == 0 && raw(after.overflow) == 0) return true;
  if (before.overflow == after.overflow) {
    DOSQL_ASSIGN_OR_RETURN(const bool same, same_overflow(before));
    if (same) return true;
  }
  DOSQL_ASSIGN_OR_RETURN(const Bytes record_before, before_->record());
  DOSQL_ASSIGN_OR_RETURN(const Bytes record_after, after_->record());
  return compare_binary(record_before, record_after) == 0;
}

// Whether both versions share the pages of the chain.
Result<bool> TableDiff::Merge::same_overflow(const Cell& cell) {
  bool same = true;
  DOSQL_RETURN_IF_ERROR(for_each_overflow_page(pages_before_, cell, before_->tree().usable_bytes(),
                                               [&](PageNo page, std::uint32_t) -> Result<bool> {
                                                 same = !changes_.contains(page);
                                                 return same;
                                               }));
  return same;
}

Status TableDiff::Merge::fill(ChangeKind kind, RowChange& change) {
  change = {.kind = kind};
  if (kind != ChangeKind::kInsert) {
    change.rowid = before_->rowid();
    DOSQL_ASSIGN_OR_RETURN(change.before, before_->record());
  }
  if (kind != ChangeKind::kDelete) {
    change.rowid = after_->rowid();
    DOSQL_ASSIGN_OR_RETURN(change.after, after_->record());
  }
  return {};
}

TableDiff::TableDiff(std::unique_ptr<Merge> merge) : merge_(std::move(merge)) {}
TableDiff::~TableDiff() = default;
TableDiff::TableDiff(TableDiff&&) noexcept = default;

Result<TableDiff> TableDiff::open(version::Reader& before, version::Reader& after, const PageChanges& changes,
                                  const TablePlace& place) {
  auto merge = std::make_unique<Merge>(before, after, changes, place);
  DOSQL_RETURN_IF_ERROR(merge->open(place));
  return TableDiff(std::move(merge));
}

Result<bool> TableDiff::next(RowChange& change) { return merge_->next(change); }

}  // namespace dosql::diff
