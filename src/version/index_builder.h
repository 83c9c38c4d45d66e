// Builds the index from log records: all of it when a store is opened, and record by record in one that
// follows a writer, where others read meanwhile.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string_view>

#include "log/log.h"
#include "version/store_impl.h"

namespace dosql::version {

class IndexBuilder final : public log::ReplayVisitor {
 public:
  // `start`: the newest LSN in the checkpoint.
  IndexBuilder(StoreImpl& store, Lsn start) : store_(store), newest_lsn_(start) {}

  // Errors: kCorrupt. Once live, the first error stays: part of its record may be in the index, which no
  // reader sees, and nothing more is taken.
  Status on_record(const log::RecordView& record, log::Position position) override;

  // After the last record of the opening. From now on records are taken as a writer publishes them: each
  // under the locks of what it changes, the versions of its pages before the head.
  Status go_live();

  const std::optional<Error>& failure() const { return failure_; }

 private:
  struct Change {
    PageVersion version;
    std::uint16_t payload_bytes;
  };
  using Changes = std::map<std::uint32_t, Change>;
  // A change on its way into the index.
  struct Waiting {
    PageSlot* slot;
    std::uint32_t page;
    Change change;
    log::Position position;
  };
  static constexpr std::size_t kWaiting = 32;

  Error bad(log::Position position, std::string_view what) const {
    return store_.log->corrupt(position, what);
  }

  Status take(const log::RecordView& record, log::Position position);
  Status on_spill(const log::RecordView& record, log::Position position);
  Status on_commit(const log::RecordView& record, log::Position position);
  Status on_name(const log::RecordView& record, log::Position position);
  Status on_fold(const log::RecordView& record, log::Position position);
  void gather(const log::RecordView& record, log::Position position, Changes& changes);
  Status add_spilled(const log::RecordHeader& header, log::Position position);
  Status add_entries(const log::RecordView& record, log::Position position);
  Status add(std::uint32_t page, const Change& change, std::optional<Bytes> payload, log::Position position);
  Status apply_waiting();
  Status apply(const Waiting& waiting);
  Status apply_live(std::uint32_t page, const Change& change, std::optional<Bytes> payload,
                    log::Position position);

  StoreImpl& store_;
  Lsn newest_lsn_;
  bool live_ = false;
  std::optional<Error> failure_;
  Branch* branch_ = nullptr;  // of the record at hand
  // Of transactions whose commit has not been seen yet, by branch.
  std::map<BranchId, Changes> spilled_;
  // A ring: of the changes counted from the beginning, those in [applied_, queued_) wait, and the arrays of
  // those before fetched_ are asked for.
  std::array<Waiting, kWaiting> waiting_;
  std::uint64_t queued_ = 0;
  std::uint64_t fetched_ = 0;
  std::uint64_t applied_ = 0;
  std::uint64_t versions_ = 0;
};

}  // namespace dosql::version
