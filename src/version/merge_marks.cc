#include "version/merge_marks.h"

namespace dosql::version {

static_assert(CommitMarks::kMergesMax == log::kMergesMax);
static_assert(CommitMarks::kMessageBytesMax == log::kMessageBytesMax);
static_assert(static_cast<std::uint32_t>(MergeKind::kParent) ==
              static_cast<std::uint32_t>(log::MergeKind::kParent));
static_assert(static_cast<std::uint32_t>(MergeKind::kSquash) ==
              static_cast<std::uint32_t>(log::MergeKind::kSquash));

namespace {

MergeMark mark_of(const log::MergeMark& row) {
  return {.kind = static_cast<MergeKind>(row.kind),
          .branch = BranchId{row.branch},
          .version = Version{row.version},
          .lsn = Lsn{row.lsn}};
}

}  // namespace

log::MergeMark row_of(const MergeMark& mark) {
  return {.kind = static_cast<std::uint32_t>(mark.kind),
          .branch = raw(mark.branch),
          .version = raw(mark.version),
          .lsn = raw(mark.lsn)};
}

bool is_commit(const StoreImpl& store, const ReadPoint& point) {
  const Branch* const branch = store.branches.get(point.branch);
  if (!branch || point.version <= branch->fork().version) return false;
  const std::uint64_t number = raw(point.version) - raw(branch->fork().version);
  return number <= branch->commits().size() && branch->commit(point.version).lsn == point.lsn;
}

std::optional<std::vector<MergeMark>> merges_of(const StoreImpl& store, std::span<const log::MergeMark> rows,
                                                Lsn lsn) {
  std::vector<MergeMark> marks;
  for (const log::MergeMark& row : rows) {
    const MergeMark mark = mark_of(row);
    const bool known = mark.kind == MergeKind::kParent || mark.kind == MergeKind::kSquash;
    if (!known || row.kind != static_cast<std::uint32_t>(mark.kind) || mark.lsn >= lsn) return {};
    if (!is_commit(store, {mark.branch, mark.version, mark.lsn, 0})) return {};
    marks.push_back(mark);
  }
  return marks;
}

CommitMarks marks_of(const log::RecordView& record) {
  CommitMarks marks;
  for (const log::MergeMark& row : record.merges()) marks.merges.push_back(mark_of(row));
  marks.message = record.message();
  return marks;
}

}  // namespace dosql::version
