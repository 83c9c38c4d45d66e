// Merge marks between the log and the index.
#pragma once

#include <optional>
#include <vector>

#include "log/record.h"
#include "version/store_impl.h"

namespace dosql::version {

log::MergeMark row_of(const MergeMark& mark);

// Whether `point` names a commit, and by the branch that made it.
bool is_commit(const StoreImpl& store, const ReadPoint& point);

// The marks of a commit's record; none: they say something impossible of versions older than `lsn`, the
// commit's.
std::optional<std::vector<MergeMark>> merges_of(const StoreImpl& store, std::span<const log::MergeMark> rows,
                                                Lsn lsn);

// As the record has them, which the index has been compared with.
CommitMarks marks_of(const log::RecordView& record);

}  // namespace dosql::version
