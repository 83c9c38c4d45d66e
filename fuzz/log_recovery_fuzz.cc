// Opens, reads, checks and goes on writing a database whose files the input has damaged. Whatever they hold:
// no crash, no hang, no leak, no memory out of proportion, and what a successful close left opens again.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "fuzz/database_mutator.h"
#include "version/version_store.h"

namespace dosql::fuzz {
namespace {

using testing::SimulatedDisk;
using version::Durability;
using version::Reader;
using version::StoreOptions;
using version::VersionStore;
using version::WriteTransaction;

constexpr TimestampUs kNowUs = 1'700'000'000'000'000;

StoreOptions small_options() {
  StoreOptions options;
  options.pool_bytes = 0;
  options.history_cache_bytes = std::size_t{1} << 18;
  options.spill_bytes = 4 * kPageBytes;
  options.close_checkpoint_bytes = 0;
  return options;
}

// Changes a few pages in a way that makes patches, full images, and with many pages spills.
Status commit(VersionStore& store, std::uint32_t first_page, std::uint32_t pages, std::size_t bytes,
              Durability durability, const version::CommitMarks& marks = {}) {
  Reader reader(store);
  reader.pin_head(kMainBranch);
  WriteTransaction transaction(store);
  DOSQL_RETURN_IF_ERROR(transaction.begin(reader.point()));
  for (std::uint32_t page = first_page; page < first_page + pages; ++page) {
    std::array<std::byte, kPageBytes> image{};
    DOSQL_RETURN_IF_ERROR(reader.read(PageNo{page}, 0, image));
    for (std::size_t i = 0; i < bytes; ++i)
      image[(page * 97 + i * 5) % kPageBytes] ^= std::byte(i * 7 + page + 1);
    DOSQL_RETURN_IF_ERROR(transaction.write(PageNo{page}, image));
  }
  return transaction.commit(durability, marks).and_then(ignore_result);
}

// Says that it merged a version, and which numbers it moved.
Status merge(VersionStore& store) {
  const version::ReadPoint merged = store.head(kMainBranch);
  return commit(store, 2, 1, 10, Durability::kNormal,
                {.merges = {{version::MergeKind::kSquash, merged.branch, merged.version, merged.lsn}},
                 .message = "merged",
                 .moved = {{"a table", 1, 5, version::kFromMerged},
                           {"a table", 9, 9, version::kFromParent},
                           {"t", -7, 7, version::kFromMerged | version::kFromParent}}});
}

// --- what the mutations start from -----------------------------------------------------------------

std::unique_ptr<VersionStore> open_healthy(SimulatedDisk& disk, const StoreOptions& options) {
  static ManualClock clock(kNowUs);
  static SeededRandom random(1);
  auto store = VersionStore::open(disk.directory(), options, clock, random);
  CHECK(store);
  return *std::move(store);
}

void work(VersionStore& store) {
  for (int i = 0; i < 4; ++i) {
    CHECK(commit(store, 1, 2, 20, Durability::kNormal));
    CHECK(commit(store, 2 + i, 1, 2000, Durability::kFull));
  }
  CHECK(merge(store));
  CHECK(commit(store, 1, 6, 4096, Durability::kNormal));
  CHECK(commit(store, 1, 1, 10, Durability::kFull));
}

BaseDatabase closed_database() {
  auto disk = std::make_unique<SimulatedDisk>();
  auto store = open_healthy(*disk, small_options());
  work(*store);
  CHECK(store->close());
  store.reset();
  return BaseDatabase(disk->after_process_kill());
}

// No checkpoint, two segments, an owner that died.
BaseDatabase crashed_database() {
  auto disk = std::make_unique<SimulatedDisk>();
  StoreOptions options = small_options();
  options.close_checkpoint_bytes = ~std::uint64_t{0};
  work(*open_healthy(*disk, options));
  work(*open_healthy(*disk, options));
  return BaseDatabase(disk->after_process_kill());
}

// A checkpoint with more log behind it.
BaseDatabase half_checkpointed_database() {
  auto disk = std::make_unique<SimulatedDisk>();
  auto store = open_healthy(*disk, small_options());
  work(*store);
  CHECK(store->close());
  store.reset();
  work(*open_healthy(*disk, small_options()));
  return BaseDatabase(disk->after_process_kill());
}

// --- what is done with the result -------------------------------------------------------------------

// Every version and every page, within reason.
void read_everything(VersionStore& store) {
  constexpr std::uint64_t kVersionsMax = 64;
  constexpr std::uint32_t kPagesMax = 64;
  const std::uint64_t versions = raw(store.head(kMainBranch).version);
  Reader reader(store);
  std::byte page[kPageBytes];
  for (std::uint64_t version = versions > kVersionsMax ? versions - kVersionsMax : 1; version <= versions;
       ++version) {
    const auto info = store.commit_info(kMainBranch, Version{version});
    if (info) {
      store.at_timestamp(kMainBranch, info->timestamp_us).ignore("an error is as good as an answer");
      store.at_lsn(kMainBranch, info->first_lsn).ignore("an error is as good as an answer");
    }
    store.changed_pages(kMainBranch, Version{version}).ignore("an error is as good as an answer");
    const auto point = store.at_version(kMainBranch, Version{version});
    if (!point) continue;
    reader.pin(*point);
    for (std::uint32_t number = 1; number <= std::min(point->page_count, kPagesMax); ++number) {
      reader.read(PageNo{number}, 0, page).ignore("an error is as good as an answer");
    }
  }
  store.status();
  store.check({}).ignore("an error is as good as an answer");
}

void go_on(SimulatedDisk& disk) {
  ManualClock clock(kNowUs);
  SeededRandom random(2);
  StoreOptions options = small_options();
  options.access = version::Access::kReadOnly;
  if (auto store = VersionStore::open(disk.directory(), options, clock, random)) read_everything(**store);
  options.access = version::Access::kReadWrite;
  auto store = VersionStore::open(disk.directory(), options, clock, random);
  if (!store) return;
  read_everything(**store);
  commit(**store, 1, 3, 30, Durability::kFull).ignore("reading the pages may fail");
  commit(**store, 2, 6, 3000, Durability::kNormal).ignore("reading the pages may fail");
  const version::ReadPoint head = (*store)->head(kMainBranch);
  const bool closed = (*store)->close().has_value();
  store = Error(ErrorCode::kInternal, "closed");
  if (!closed) return;
  auto again = VersionStore::open(disk.directory(), options, clock, random);
  CHECK(again);
  CHECK((*again)->head(kMainBranch) == head);
}

}  // namespace
}  // namespace dosql::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dosql::fuzz;
  static const BaseDatabase bases[] = {closed_database(), crashed_database(), half_checkpointed_database()};
  Input input(std::as_bytes(std::span(data, size)));
  const std::uint64_t start = input.number(1) % (std::size(bases) + 1);
  const auto disk = start < std::size(bases) ? bases[start].mutated(input) : arbitrary_files(input);
  go_on(*disk);
  return 0;
}
