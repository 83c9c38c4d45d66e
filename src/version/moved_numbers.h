// Numbers of rows that merges moved: which runs of them a commit says, and which are in doubt for a merge.
//
// A commit that merged says of a number that it need not be the same row in the commit and in
//
//   kFromMerged  what the commit contains and its parent does not
//   kFromParent  what the commit contains and one of the versions that it merged does not
//
// Let a merge be counted from a version B, and a side of it contain a commit M that B does not contain, while
// M contains B. Where one of the two holds for B, what M says so is in doubt: it may be one row in B, and
// another one on that side. A merge passes on what was in doubt for it, of our side as kFromMerged, of theirs
// as kFromParent: versions beside its base have the row that the base has.
//
// What is noted may be too much, and is never too little.
//
// Of a number with kBrought it says that a row came to have it otherwise than by being inserted, as it was in
// another version: so two sides may have it though a version that both have in common has not. Of a merge
// these are rows that a decision kept or brought back, and those that have another number in what it merged.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "base/bytes.h"
#include "log/record.h"
#include "version/version_store.h"

namespace dosql::version {

// What kinds of runs a commit has noted.
struct NoteKinds {
  bool moved = false;
  bool brought = false;
};
NoteKinds kinds_of(std::span<const MovedRun> runs);
// Of a commit's record; both where what it says is damaged.
NoteKinds kinds_of(const log::RecordView& record);

// Of a run with kBrought: whether it is about that number in its source, and in its commit.
bool has_there(const MovedRun& run, std::int64_t number);
bool has_here(const MovedRun& run, std::int64_t number);
// What the row has in the other one. REQUIRES: the run is about it.
std::int64_t number_there(const MovedRun& run, std::int64_t here);
std::int64_t number_here(const MovedRun& run, std::int64_t there);

// Runs within the limits of a record, ascending by table, source and number. Of more than fit neighbours
// become one, those with the smallest gaps first; of more sources than fit none is known any more.
std::vector<MovedRun> bounded(std::vector<MovedRun> runs);

// In a record; `bytes` of it.
struct MovedRows {
  std::uint32_t runs = 0;
  std::vector<std::byte> bytes;
};
MovedRows rows_of(std::span<const MovedRun> moved);

struct MovedView {
  std::uint32_t runs = 0;
  Bytes bytes;
};
// None: they say something impossible. Reads nothing outside.
std::optional<std::vector<MovedRun>> moved_of(const MovedView& rows);

// What one commit says of numbers that are in doubt.
struct MovedBy {
  ReadPoint commit;
  std::vector<MovedRun> runs;
};

// What is in doubt for a merge that is counted from `base`, of the side that contains `side`. Reads the
// records of commits that say something, nothing else. Errors: kCorrupt, kIo.
Result<std::vector<MovedBy>> moved_since(VersionStore& store, const ReadPoint& base,
                                         std::span<const ReadPoint> side);

// What commits that `side` contains and `base` does not say that they brought. Reads their records, nothing
// else. Errors of both: kCorrupt, kIo.
Result<std::vector<MovedBy>> brought_since(VersionStore& store, const ReadPoint& base,
                                           std::span<const ReadPoint> side);
// What one of them says so.
Result<std::vector<MovedRun>> brought_by(VersionStore& store, const ReadPoint& commit);

// The MovedFrom by which a commit on `parent` that merged `merged` says something about `base`.
std::uint8_t doubts_about(VersionStore& store, const ReadPoint& base, const ReadPoint& parent,
                          std::span<const ReadPoint> merged);

}  // namespace dosql::version
