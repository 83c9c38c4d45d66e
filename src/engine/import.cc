#include "engine/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "engine/sqlite_source.h"

namespace dosql::engine {
namespace {

constexpr std::uint32_t kPagesPerRead = 256;

// The writer slot for as long as this lives.
class SlotHold {
 public:
  static Result<std::unique_ptr<SlotHold>> take(DatabaseCore& core) {
    const std::chrono::milliseconds patience(core.options().busy_timeout_ms);
    std::unique_ptr<SlotHold> hold(new SlotHold(core.slots().of(version::kMainName)));
    const auto deadline = std::chrono::steady_clock::now() + patience;
    hold->taken_ = hold->slot_.take_until(hold->writer_, deadline, [] { return false; });
    if (hold->taken_) return hold;
    return Error(ErrorCode::kBusy,
                 fmt::format("another connection is writing to the branch (busy_timeout is {} ms)",
                             core.options().busy_timeout_ms));
  }
  ~SlotHold() {
    if (taken_) slot_.give_back(writer_, WriterSlot::HandOff::kAfterPatience);
  }
  SlotHold(const SlotHold&) = delete;
  SlotHold& operator=(const SlotHold&) = delete;

 private:
  explicit SlotHold(WriterSlot& slot) : slot_(slot) {}
  WriterSlot& slot_;
  WriterSlot::Writer writer_;
  bool taken_ = false;
};

Status copy_pages(const SqliteSource& source, version::WriteTransaction& write, const Progress& progress) {
  const std::uint64_t total_bytes = std::uint64_t{source.page_count()} * kPageBytes;
  std::vector<std::byte> buffer(kPagesPerRead * kPageBytes);
  for (std::uint32_t page = 1; page <= source.page_count(); page += kPagesPerRead) {
    const std::uint64_t done_bytes = std::uint64_t{page - 1} * kPageBytes;
    if (progress && !progress(done_bytes, total_bytes)) return Error(ErrorCode::kInterrupted, "interrupted");
    const std::uint32_t count = std::min(kPagesPerRead, source.page_count() - page + 1);
    DOSQL_RETURN_IF_ERROR(source.read(page, MutableBytes(buffer.data(), count * kPageBytes)));
    for (std::uint32_t i = 0; i < count; ++i) {
      DOSQL_RETURN_IF_ERROR(write.write(PageNo{page + i}, Bytes(buffer.data() + i * kPageBytes, kPageBytes)));
    }
  }
  return source.check_unchanged();
}

}  // namespace

Result<ImportResult> import_sqlite(DatabaseCore& core, const std::string& file, const Progress& progress) {
  if (core.read_only()) return Error(ErrorCode::kReadOnly, "the database is open for reading only");
  DOSQL_ASSIGN_OR_RETURN(const auto slot, SlotHold::take(core));
  version::Reader reader(core.store());
  const version::ReadPoint base = reader.pin_ordered_head(core.store().current(kMainBranch));
  if (raw(base.version) != 0) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the database has versions already (main@{}): import into a new one", raw(base.version)));
  }

  // While the source is made ready, nothing is done yet.
  std::error_code unknown;
  const std::uint64_t file_bytes = std::filesystem::file_size(file, unknown);
  std::function<bool()> goes_on;
  if (progress) goes_on = [&] { return progress(0, unknown ? 0 : file_bytes); };
  DOSQL_ASSIGN_OR_RETURN(const auto source, SqliteSource::open(file, core.path(), goes_on));
  version::WriteTransaction write(core.store());
  // Each page is written once: a few pages of memory that stay in the processor's cache do.
  DOSQL_RETURN_IF_ERROR(write.begin(base, version::CacheUse::kBypass));
  DOSQL_RETURN_IF_ERROR(copy_pages(*source, write, progress));
  DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint imported, write.commit(version::Durability::kFull));

  const std::uint64_t bytes = std::uint64_t{imported.page_count} * kPageBytes;
  if (progress) progress(bytes, bytes);
  return ImportResult{.pages = imported.page_count, .bytes = bytes, .rewritten = source->rewritten()};
}

}  // namespace dosql::engine
