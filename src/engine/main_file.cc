#include "engine/main_file.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "base/check.h"
#include "engine/sqlite_error.h"
#include "engine/sqlite_running.h"

namespace dosql::engine {
namespace {

constexpr std::uint32_t kCounterOffset = 24;
constexpr std::uint32_t kCounterCopyOffset = 92;
constexpr std::uint32_t kVersionBytesOffset = 24;
constexpr std::uint32_t kSchemaCookieOffset = 40;
constexpr std::size_t kWriteVersionOffset = 18;
constexpr std::size_t kReadVersionOffset = 19;

bool says_wal(Bytes page1) {
  return page1[kWriteVersionOffset] == std::byte{2} || page1[kReadVersionOffset] == std::byte{2};
}

void overlay(std::uint32_t value_offset, Bytes value, std::uint32_t offset, MutableBytes out) {
  const std::uint32_t begin = std::max(value_offset, offset);
  const std::uint32_t end = std::min<std::uint32_t>(value_offset + value.size(), offset + out.size());
  if (begin < end)
    std::copy_n(value.begin() + (begin - value_offset), end - begin, out.begin() + (begin - offset));
}

// A statement has one deadline for all its waits, also where SQLite, with the slot, finds another schema,
// gives the slot back, compiles the statement and tries it again.
void forget_other_deadline(Session& session) {
  if (session.refusal == Refusal::kSlotTaken || session.busy_deadline == WriterSlot::TimePoint()) return;
  if (dosql_is_tried_again(session.db) == 0) session.busy_deadline = {};
}

}  // namespace

// The pager reads the file's header before it takes any lock.
class MainFile::TemporaryPin {
 public:
  explicit TemporaryPin(MainFile& file) : file_(file), mine_(!file.reader_.pinned()) {
    if (mine_) file_.pin();
  }
  ~TemporaryPin() {
    if (mine_) file_.reader_.unpin();
  }

 private:
  MainFile& file_;
  const bool mine_;
};

MainFile::MainFile(version::VersionStore& store, WriterSlots& slots, AutoincrementCounters& counters,
                   std::shared_ptr<Session> session, std::optional<version::ReadPoint> fixed)
    : store_(store),
      slots_(slots),
      counters_(counters),
      session_(std::move(session)),
      fixed_(fixed),
      branch_(fixed ? fixed->branch : store.find_branch(version::kMainName)->id),
      slot_(&slots.of(store.branch_name(branch_))),
      reader_(store),
      write_(store),
      journal_(*this) {}

MainFile::~MainFile() { unlock(SQLITE_LOCK_NONE); }

bool MainFile::read_only() const {
  return !trial_ && (fixed_.has_value() || store_.options().access == version::Access::kReadOnly);
}

version::ReadPoint MainFile::point() const {
  if (reader_.pinned()) return reader_.point();
  return fixed_ ? *fixed_ : store_.head(branch());
}

void MainFile::move_to(BranchId branch) {
  CHECK(lock_ == SQLITE_LOCK_NONE && !fixed_ && !has_slot_);
  branch_ = branch;
  slot_ = &slots_.of(store_.branch_name(branch));
  writer_ = {};
}

void MainFile::look_at(const version::ReadPoint& point) {
  CHECK(lock_ == SQLITE_LOCK_NONE && fixed_);
  fixed_ = point;
}

void MainFile::show_another_schema() {
  CHECK(lock_ == SQLITE_LOCK_NONE && fixed_);
  // Never one that a version has of its own, which this file may have shown before: those count up from 1.
  constexpr std::uint32_t kFirst = 1u << 31;
  schema_cookie_ = schema_cookie_ == 0 ? kFirst : schema_cookie_ + 1;
}

int MainFile::fail(Error error, int io_code) {
  const int code = sqlite_code_of(error, io_code);
  session_->failure = std::move(error);
  return code;
}

// --- Transactions ---

void MainFile::pin() {
  if (!fixed_) branch_ = store_.current(branch_);
  if (fixed_) {
    reader_.pin(*fixed_);
  } else if (has_slot_) {
    // Nobody can commit in between.
    reader_.pin_ordered_head(branch_);
  } else {
    reader_.pin_head(branch_);
  }
  if (reader_.point() == last_point_) return;
  last_point_ = reader_.point();
  store_big32(version_bytes_.data(), ++counter_);
}

// Statements are compiled for the schema that is visible. Who has the slot stands on the newest commit in the
// log; where that has another schema, no statement could be compiled for it before it is visible.
Status MainFile::pin_known_schema() {
  pin();
  if (!has_slot_) return {};
  const version::ReadPoint visible = store_.head(branch_);
  if (reader_.point() == visible || has_schema_of(visible)) return {};
  reader_.unpin();
  DOSQL_RETURN_IF_ERROR(store_.await_ordered_head(branch_));
  pin();
  return {};
}

// By SQLite's schema cookie: on one branch it only grows.
bool MainFile::has_schema_of(const version::ReadPoint& other) {
  if (reader_.point().page_count == 0 || other.page_count == 0) return false;
  version::Reader reader(store_);
  reader.pin(other);
  std::array<std::byte, 4> here;
  std::array<std::byte, 4> there;
  return reader_.read(PageNo{1}, kSchemaCookieOffset, here) &&
         reader.read(PageNo{1}, kSchemaCookieOffset, there) && here == there;
}

Status MainFile::await_point() {
  return point().version <= store_.head(branch_).version ? Status() : store_.await_ordered_head(branch_);
}

int MainFile::lock(int level) {
  if (level <= lock_) return SQLITE_OK;
  if (lock_ == SQLITE_LOCK_NONE && !held_) {
    // What another process committed is there from the next statement on.
    if (auto followed = store_.catch_up(); !followed)
      return fail(std::move(followed).error(), SQLITE_IOERR_LOCK);
    if (auto pinned = pin_known_schema(); !pinned) return fail(std::move(pinned).error(), SQLITE_IOERR_LOCK);
  }
  if (level >= SQLITE_LOCK_RESERVED && !writes()) {
    if (const int rc = reserve(); rc != SQLITE_OK) return rc;
    if (!trial_) counters_.transaction_begins(*this, session_->db);
  }
  lock_ = level;
  return SQLITE_OK;
}

int MainFile::reserve() {
  if (trial_) {
    trial_pages_.begin(reader_.point().page_count);
    return SQLITE_OK;
  }
  if (!has_slot_) forget_other_deadline(*session_);
  if (!has_slot_) has_slot_ = slot_.load()->try_take();
  if (!has_slot_) {
    session_->refusal = Refusal::kSlotTaken;
    return SQLITE_BUSY;
  }
  if (auto begun = write_.begin(reader_.point()); !begun) {
    give_slot_back(WriterSlot::HandOff::kAfterPatience);
    const ErrorCode code = begun.error().code();
    session_->refusal = Refusal::kNone;  // it may be left from the try before
    if (code == ErrorCode::kBusy) session_->refusal = Refusal::kSlotTaken;
    if (code == ErrorCode::kBusySnapshot) session_->refusal = Refusal::kStale;
    if (session_->refusal != Refusal::kNone) return sqlite_code_of(begun.error(), SQLITE_BUSY);
    return fail(std::move(begun).error(), SQLITE_IOERR_LOCK);
  }
  session_->refusal = Refusal::kNone;
  return SQLITE_OK;
}

void MainFile::unlock(int level) {
  if (level < SQLITE_LOCK_RESERVED && writes()) roll_back();
  lock_ = std::min(lock_, level);
  if (lock_ == SQLITE_LOCK_NONE && !held_) let_go();
}

void MainFile::roll_back() {
  forget_written_counter();
  if (trial_pages_.active()) {
    trial_pages_.end();
    forget_transaction();
    return;
  }
  write_.rollback();
  counters_.transaction_ended(*this);
  end_write(WriterSlot::HandOff::kAfterPatience);
  // It may have read what is not visible yet, and must not see less of it in the next transaction.
  await_point().ignore("a failed sync poisons the store, which the next statement says");
}

void MainFile::let_go() {
  // A slot that was kept for a write that never came.
  if (has_slot_ && !write_.active()) give_slot_back(WriterSlot::HandOff::kAfterPatience);
  if (lock_ == SQLITE_LOCK_NONE && reader_.pinned()) reader_.unpin();
}

void MainFile::hold_head() {
  CHECK(lock_ == SQLITE_LOCK_NONE && !held_);
  pin();
  held_ = true;
}

void MainFile::release_head() {
  CHECK(held_);
  held_ = false;
  let_go();
}

int MainFile::commit() {
  if (trial_pages_.active())
    return fail(Error(ErrorCode::kInternal, "a trial cannot be committed"), SQLITE_IOERR_WRITE);
  if (!write_.active()) return SQLITE_OK;
  const version::Durability durability = session_->durability();
  const auto ordered = write_.order(durability, marks());
  // The next writer need not wait for the disk.
  end_write(durability == version::Durability::kFull ? WriterSlot::HandOff::kAlways
                                                     : WriterSlot::HandOff::kAfterPatience);
  const Status visible = ordered ? store_.await_visible(*ordered) : ordered.error();
  counters_.transaction_ended(*this);
  if (visible) {
    if (wrote_page1_) {
      counter_ = written_counter_;
      version_bytes_ = written_version_bytes_;
      wrote_page1_ = false;
    }
    last_point_ = ordered->point;
    // A statement that is still reading goes on in what its own connection has written.
    reader_.unpin();
    reader_.pin(ordered->point);
    return SQLITE_OK;
  }
  forget_written_counter();
  session_->commit_failed = true;
  return fail(visible.error(), SQLITE_IOERR_WRITE);
}

version::CommitMarks MainFile::marks() const {
  version::CommitMarks all;
  for (const version::CommitMarks& part : marks_) {
    all.merges.insert(all.merges.end(), part.merges.begin(), part.merges.end());
    if (!all.message.empty() && !part.message.empty()) all.message += '\n';
    all.message += part.message;
    all.moved.insert(all.moved.end(), part.moved.begin(), part.moved.end());
  }
  return all;
}

void MainFile::end_write(WriterSlot::HandOff hand_off) {
  forget_transaction();
  give_slot_back(hand_off);
}

void MainFile::forget_transaction() {
  marks_.clear();
  journal_.clear();
}

void MainFile::give_slot_back(WriterSlot::HandOff hand_off) {
  has_slot_ = false;
  slot_.load()->give_back(writer_, hand_off);
}

// M3
void MainFile::forget_written_counter() {
  if (!wrote_page1_) return;
  wrote_page1_ = false;
  counter_ = std::max(counter_, written_counter_) + 1;
  store_big32(version_bytes_.data(), counter_);
}

bool MainFile::wait_for_slot(WriterSlot::TimePoint deadline) {
  if (has_slot_) return true;
  WriterSlot& slot = *slot_.load();
  const bool is_synced = session_->durability() == version::Durability::kFull;
  has_slot_ = slot.take_until(
      writer_, deadline, [this] { return sqlite3_is_interrupted(session_->db) != 0; },
      is_synced ? WriterSlot::Wait::kAwake : WriterSlot::Wait::kAsleep);
  return has_slot_;
}

// --- Reading ---

std::uint64_t MainFile::size() {
  if (write_.active()) return std::uint64_t{write_.page_count()} * kPageBytes;
  if (trial_pages_.active()) return std::uint64_t{trial_pages_.page_count()} * kPageBytes;
  return std::uint64_t{point().page_count} * kPageBytes;
}

int MainFile::read(std::uint64_t offset, MutableBytes out) {
  // The pager asking whether its cache is still good: answered from memory.
  if (offset == kVersionBytesOffset && out.size() == sizeof(VersionBytes) && lock_ != SQLITE_LOCK_NONE) {
    return read_version_bytes(out);
  }
  TemporaryPin pin(*this);
  const std::uint64_t end = size();
  while (!out.empty()) {
    if (offset >= end) {
      std::fill(out.begin(), out.end(), std::byte{0});
      return SQLITE_IOERR_SHORT_READ;
    }
    const std::uint32_t within = offset % kPageBytes;
    const std::size_t part = std::min<std::size_t>(out.size(), kPageBytes - within);
    const PageNo page{static_cast<std::uint32_t>(offset / kPageBytes) + 1};
    if (const int rc = read_page(page, within, out.first(part)); rc != SQLITE_OK) return rc;
    offset += part;
    out = out.subspan(part);
  }
  return SQLITE_OK;
}

int MainFile::read_version_bytes(MutableBytes out) {
  if (size() == 0) {
    std::fill(out.begin(), out.end(), std::byte{0});
    return SQLITE_IOERR_SHORT_READ;
  }
  const VersionBytes& bytes = wrote_page1_ ? written_version_bytes_ : version_bytes_;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return SQLITE_OK;
}

int MainFile::read_page(PageNo page, std::uint32_t offset, MutableBytes out) {
  if (writes()) {
    auto found = write_.active() ? write_.read(page, offset, out) : trial_pages_.read(page, offset, out);
    if (!found) return fail(std::move(found).error(), SQLITE_IOERR_READ);
    if (*found) {
      if (page == PageNo{1}) show_counter(written_counter_, offset, out);
      return SQLITE_OK;
    }
  }
  if (const int rc = read_base(page, offset, out); rc != SQLITE_OK) return rc;
  if (page != PageNo{1}) return SQLITE_OK;
  if (wrote_page1_) {
    // With nothing new in it but the counter, which the store does not keep.
    show_counter(written_counter_, offset, out);
  } else if (offset == 0 && out.size() == kPageBytes) {
    std::copy_n(out.begin() + kVersionBytesOffset, version_bytes_.size(), version_bytes_.begin());
  }
  return SQLITE_OK;
}

int MainFile::read_base(PageNo page, std::uint32_t offset, MutableBytes out) {
  if (auto done = reader_.read(page, offset, out); !done)
    return fail(std::move(done).error(), SQLITE_IOERR_READ);
  if (page == PageNo{1}) show_counter(counter_, offset, out);
  return SQLITE_OK;
}

void MainFile::show_counter(std::uint32_t counter, std::uint32_t offset, MutableBytes out) const {
  std::array<std::byte, 4> bytes;
  store_big32(bytes.data(), counter);
  overlay(kCounterOffset, bytes, offset, out);
  overlay(kCounterCopyOffset, bytes, offset, out);
  if (schema_cookie_ == 0) return;
  store_big32(bytes.data(), schema_cookie_);
  overlay(kSchemaCookieOffset, bytes, offset, out);
}

// --- Writing ---

int MainFile::write(std::uint64_t offset, Bytes bytes) {
  if (bytes.size() != kPageBytes || offset % kPageBytes != 0) {
    return fail(Error(ErrorCode::kInvalidArgument, "the page size is always 4096"), SQLITE_IOERR_WRITE);
  }
  if (!writes()) {
    return fail(Error(ErrorCode::kInternal, "SQLite wrote without a write transaction"), SQLITE_IOERR_WRITE);
  }
  const PageNo page{static_cast<std::uint32_t>(offset / kPageBytes) + 1};
  std::array<std::byte, kPageBytes> plain;
  if (page == PageNo{1}) {
    note_page1(bytes);
    if (says_wal(bytes)) {
      std::copy(bytes.begin(), bytes.end(), plain.begin());
      plain[kWriteVersionOffset] = plain[kReadVersionOffset] = std::byte{1};
      bytes = plain;
    }
  }
  auto done = write_.active() ? write_.write(page, bytes) : trial_pages_.write(page, bytes);
  return done ? SQLITE_OK : fail(std::move(done).error(), SQLITE_IOERR_WRITE);
}

void MainFile::note_page1(Bytes page) {
  wrote_page1_ = true;
  written_counter_ = load_big32(page.data() + kCounterOffset);
  std::copy_n(page.begin() + kVersionBytesOffset, written_version_bytes_.size(),
              written_version_bytes_.begin());
  // Copied in by the backup API from a file in WAL mode, which ours cannot be in. What is stored is put
  // right; the pager must read it from here.
  if (says_wal(page)) {
    ++written_counter_;
    store_big32(written_version_bytes_.data(), written_counter_);
  }
}

int MainFile::truncate(std::uint64_t file_bytes) {
  if (!writes() || file_bytes % kPageBytes != 0) {
    return fail(Error(ErrorCode::kInternal, fmt::format("SQLite cut its file to {} bytes", file_bytes)),
                SQLITE_IOERR_TRUNCATE);
  }
  const auto page_count = static_cast<std::uint32_t>(file_bytes / kPageBytes);
  if (write_.active()) {
    write_.truncate(page_count);
  } else {
    trial_pages_.truncate(page_count);
  }
  return SQLITE_OK;
}

}  // namespace dosql::engine
