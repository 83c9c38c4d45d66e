#include "merge/keyed_changes.h"

#include <algorithm>

namespace dosql::merge {
namespace {

using diff::ChangeKind;
using diff::Field;
using diff::FieldType;
using diff::RowChange;
using diff::TableDiff;

// Several diffs as one.
class Changes {
 public:
  explicit Changes(std::vector<TableDiff> diffs) : diffs_(std::move(diffs)) {}

  Result<bool> next(RowChange& change) {
    for (; at_ < diffs_.size(); ++at_) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, diffs_[at_].next(change));
      if (found) return true;
    }
    return false;
  }

 private:
  std::vector<TableDiff> diffs_;
  std::size_t at_ = 0;
};

// A row of base that has its key no longer.
struct GoneRow {
  std::int64_t rowid = 0;
  std::vector<std::byte> record;
  std::vector<Field> key;  // views the record
  bool came_back = false;
};

}  // namespace

class KeyedChanges::Pairing {
 public:
  Pairing(ChangeColumns columns, std::vector<KeyPart> key)
      : columns_(std::move(columns)), key_(std::move(key)) {
    for (const KeyPart& part : key_) order_.push_back(part.order);
  }

  Status open(const Source& source);
  Result<bool> next(KeyedChange& change);

 private:
  Status gather_gone(const Source& source);
  Result<bool> next_stored(KeyedChange& change);
  Status pair(KeyedChange& change);
  Status take_base(std::int64_t rowid, Bytes record, KeyedChange& change);
  Status take_theirs(std::int64_t rowid, Bytes record, KeyedChange& change);
  bool keeps_key(const KeyedChange& change);
  // False: it has none.
  bool key_of(const std::vector<Field>& row, std::vector<Field>& key) const;
  int compare(const std::vector<Field>& a, const std::vector<Field>& b) const {
    return diff::compare_keys(a, b, order_);
  }
  GoneRow* find_gone(const std::vector<Field>& key);

  const ChangeColumns columns_;
  const std::vector<KeyPart> key_;
  std::vector<diff::KeyColumn> order_;
  std::unique_ptr<Changes> changes_;
  RowChange stored_;           // the newest of changes_
  bool came_instead_ = false;  // half of it is still to be given: the row of theirs
  std::vector<GoneRow> gone_;  // ascending by key
  std::size_t gone_at_ = 0;
  std::vector<Field> base_record_;
  std::vector<Field> theirs_record_;
  std::vector<Field> key_before_;
  std::vector<Field> key_after_;
};

Status KeyedChanges::Pairing::open(const Source& source) {
  if (!key_.empty()) DOSQL_RETURN_IF_ERROR(gather_gone(source));
  DOSQL_ASSIGN_OR_RETURN(std::vector<TableDiff> diffs, source());
  changes_ = std::make_unique<Changes>(std::move(diffs));
  return {};
}

Status KeyedChanges::Pairing::gather_gone(const Source& source) {
  DOSQL_ASSIGN_OR_RETURN(std::vector<TableDiff> diffs, source());
  Changes changes(std::move(diffs));
  RowChange stored;
  KeyedChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(stored));
    if (!found) break;
    if (stored.kind == ChangeKind::kInsert) continue;
    change.in_theirs = false;
    DOSQL_RETURN_IF_ERROR(take_base(stored.rowid, stored.before, change));
    if (!key_of(change.base, key_before_)) continue;
    if (stored.kind == ChangeKind::kUpdate) {
      DOSQL_RETURN_IF_ERROR(take_theirs(stored.rowid, stored.after, change));
      if (keeps_key(change)) continue;
    }
    GoneRow& gone = gone_.emplace_back();
    gone.rowid = stored.rowid;
    gone.record.assign(stored.before.begin(), stored.before.end());
    // Again, for the values to view what is kept.
    DOSQL_RETURN_IF_ERROR(take_base(gone.rowid, gone.record, change));
    key_of(change.base, gone.key);
  }
  std::ranges::sort(gone_, [&](const GoneRow& a, const GoneRow& b) { return compare(a.key, b.key) < 0; });
  return {};
}

Status KeyedChanges::Pairing::take_base(std::int64_t rowid, Bytes record, KeyedChange& change) {
  change.in_base = true;
  change.rowid_base = rowid;
  DOSQL_RETURN_IF_ERROR(diff::decode_record(record, base_record_));
  diff::decode_row(base_record_, rowid, columns_.base, change.base);
  return {};
}

Status KeyedChanges::Pairing::take_theirs(std::int64_t rowid, Bytes record, KeyedChange& change) {
  change.in_theirs = true;
  change.rowid_theirs = rowid;
  DOSQL_RETURN_IF_ERROR(diff::decode_record(record, theirs_record_));
  diff::decode_row(theirs_record_, rowid, columns_.theirs, change.theirs);
  if (!change.in_base) return {};
  for (const std::uint32_t column : columns_.theirs_lacks) change.theirs[column] = change.base[column];
  return {};
}

bool KeyedChanges::Pairing::key_of(const std::vector<Field>& row, std::vector<Field>& key) const {
  key.clear();
  for (const KeyPart& part : key_) {
    key.push_back(row[part.column]);
    if (key.back().type == FieldType::kNull) return false;
  }
  return true;
}

bool KeyedChanges::Pairing::keeps_key(const KeyedChange& change) {
  const bool has_before = key_of(change.base, key_before_);
  const bool has_after = key_of(change.theirs, key_after_);
  if (!has_before || !has_after) return has_before == has_after;
  return compare(key_before_, key_after_) == 0;
}

GoneRow* KeyedChanges::Pairing::find_gone(const std::vector<Field>& key) {
  const auto found = std::ranges::lower_bound(
      gone_, key, [&](const auto& a, const auto& b) { return compare(a, b) < 0; }, &GoneRow::key);
  return found != gone_.end() && compare(found->key, key) == 0 ? &*found : nullptr;
}

// The diff's next change, as the diff pairs it. A row that was only stored in another way did not change.
Result<bool> KeyedChanges::Pairing::next_stored(KeyedChange& change) {
  if (came_instead_) {
    came_instead_ = false;
    change.in_base = false;
    DOSQL_RETURN_IF_ERROR(take_theirs(stored_.rowid, stored_.after, change));
    return true;
  }
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes_->next(stored_));
    if (!found) return false;
    change.in_base = false;
    change.in_theirs = false;
    if (stored_.kind != ChangeKind::kInsert)
      DOSQL_RETURN_IF_ERROR(take_base(stored_.rowid, stored_.before, change));
    if (stored_.kind != ChangeKind::kDelete)
      DOSQL_RETURN_IF_ERROR(take_theirs(stored_.rowid, stored_.after, change));
    const bool stored_anew = stored_.kind == ChangeKind::kUpdate &&
                             std::ranges::equal(change.base, change.theirs, diff::same_value);
    if (!stored_anew) return true;
  }
}

// A row of theirs with a key that was not its own in base: the row of base that had it is its past.
Status KeyedChanges::Pairing::pair(KeyedChange& change) {
  change.in_base = false;
  if (!key_of(change.theirs, key_after_)) return {};
  GoneRow* const gone = find_gone(key_after_);
  if (gone == nullptr || gone->came_back) return {};
  gone->came_back = true;
  DOSQL_RETURN_IF_ERROR(take_base(gone->rowid, gone->record, change));
  for (const std::uint32_t column : columns_.theirs_lacks) change.theirs[column] = change.base[column];
  return {};
}

Result<bool> KeyedChanges::Pairing::next(KeyedChange& change) {
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, next_stored(change));
    if (!found) break;
    if (key_.empty()) return true;
    if (change.in_base && change.in_theirs && keeps_key(change)) return true;
    if (change.in_base && !key_of(change.base, key_before_)) {
      // A row without a key that went has nothing that could come back; what took its rowid comes next.
      came_instead_ = change.in_theirs;
      change.in_theirs = false;
      return true;
    }
    if (!change.in_theirs) continue;
    DOSQL_RETURN_IF_ERROR(pair(change));
    return true;
  }
  for (; gone_at_ < gone_.size(); ++gone_at_) {
    GoneRow& gone = gone_[gone_at_];
    if (gone.came_back) continue;
    ++gone_at_;
    change.in_theirs = false;
    DOSQL_RETURN_IF_ERROR(take_base(gone.rowid, gone.record, change));
    return true;
  }
  return false;
}

KeyedChanges::KeyedChanges(std::unique_ptr<Pairing> pairing) : pairing_(std::move(pairing)) {}
KeyedChanges::~KeyedChanges() = default;
KeyedChanges::KeyedChanges(KeyedChanges&&) noexcept = default;

Result<KeyedChanges> KeyedChanges::open(const Source& source, ChangeColumns columns,
                                        std::vector<KeyPart> key) {
  auto pairing = std::make_unique<Pairing>(std::move(columns), std::move(key));
  DOSQL_RETURN_IF_ERROR(pairing->open(source));
  return KeyedChanges(std::move(pairing));
}

Result<bool> KeyedChanges::next(KeyedChange& change) { return pairing_->next(change); }

}  // namespace dosql::merge
