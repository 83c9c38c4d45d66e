#include "tests/faults/store_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "version/sqlite_header.h"

namespace dosql::testing {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;
using version::Reader;
using version::ReadPoint;
using version::VersionStore;
using version::WriteTransaction;

const std::shared_ptr<const Page>& empty_page() {
  static const auto page = std::make_shared<const Page>();
  return page;
}

// What page 1 reads as when nobody wrote it (V5).
const std::shared_ptr<const Page>& empty_first_page() {
  static const std::shared_ptr<const Page> page = [] {
    auto counted = std::make_shared<Page>();
    version::set_change_counter(counted->data(), version::kStoredChangeCounter);
    return counted;
  }();
  return page;
}

bool same(const Image& a, const Image& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& left, const auto& right) { return left == right || *left == *right; });
}

}  // namespace

Page changed_page(const Page& page, Generator& random, std::size_t full_page_one_in) {
  Page changed = page;
  if (random() % full_page_one_in == 0) {
    for (std::size_t at = 0; at < kPageBytes; at += 8) {
      const std::uint64_t word = random();
      std::memcpy(changed.data() + at, &word, 8);
    }
    // Half a page of zeros: what a short write leaves of it looks complete in zero-filled space.
    if (random() % 2 == 0) std::fill(changed.begin() + 600 + random() % 3000, changed.end(), std::byte{0});
  } else if (random() % 12 == 0) {
    changed.fill(std::byte{0});
  } else {
    for (std::size_t runs = 1 + random() % 3; runs > 0; --runs) {
      const std::size_t at = random() % kPageBytes;
      const std::size_t length = std::min<std::size_t>(1 + random() % 120, kPageBytes - at);
      for (std::size_t i = 0; i < length; ++i) changed[at + i] = static_cast<std::byte>(random());
    }
  }
  return changed;
}

version::Durability random_durability(Generator& random) {
  constexpr version::Durability kAll[] = {version::Durability::kOff, version::Durability::kNormal,
                                          version::Durability::kFull};
  return kAll[random() % std::size(kAll)];
}

Status StoreModel::random_transaction(VersionStore& store, Generator& random, const WorkSize& size,
                                      version::Durability durability) {
  failed_.reset();
  const Image base = commits_.empty() ? Image() : commits_.back().image;
  Image next = base;
  Reader reader(store);
  reader.pin_head(kMainBranch);
  WriteTransaction transaction(store);
  DOSQL_RETURN_IF_ERROR(transaction.begin(reader.point()));
  const bool large = random() % size.large_one_in == 0;
  const std::size_t writes = large ? size.large_writes : 1 + random() % 3;
  const std::size_t cut_before = random() % 12 == 0 ? random() % writes : writes;
  for (std::size_t i = 0; i < writes; ++i) {
    if (i == cut_before && next.size() > 1) {
      next.resize(1 + random() % next.size());
      transaction.truncate(static_cast<std::uint32_t>(next.size()));
    }
    const std::size_t number = random() % std::min(next.size() + 3, size.pages_max);
    if (number >= next.size()) next.resize(number + 1, empty_page());
    Page page = changed_page(*next[number], random, size.full_page_one_in);
    if (number == 0) version::set_change_counter(page.data(), version::kStoredChangeCounter);
    next[number] = std::make_shared<const Page>(page);
    DOSQL_RETURN_IF_ERROR(transaction.write(PageNo{static_cast<std::uint32_t>(number + 1)}, page));
  }
  if (next[0] == empty_page()) next[0] = empty_first_page();
  if (random() % 16 == 0) {
    transaction.rollback();
    return {};
  }
  failed_ = next;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, transaction.commit(durability));
  failed_.reset();
  if (same(base, next)) {
    EXPECT_EQ(point, reader.point()) << "a transaction without changes made a version";
    return {};
  }
  const AssertionResult added = add(store, std::move(next), point);
  EXPECT_TRUE(added);
  if (durability == version::Durability::kFull) note_all_durable();
  return {};
}

AssertionResult StoreModel::add(VersionStore& store, Image image, const ReadPoint& point) {
  const std::size_t version = commits_.size() + 1;
  if (raw(point.version) != version || point.page_count != image.size()) {
    return AssertionFailure() << "commit " << version << " came out as version " << raw(point.version)
                              << " with " << point.page_count << " instead of " << image.size() << " pages";
  }
  const auto info = store.commit_info(kMainBranch, point.version);
  // Without `info` a planned read error struck: verify() asks again.
  const Lsn first_lsn = info ? info->first_lsn : lsn_high_;
  if (first_lsn < lsn_high_ || point.lsn <= lsn_high_ || (info && info->last_lsn != point.lsn)) {
    return AssertionFailure() << "version " << version << " uses LSNs (" << raw(first_lsn) << ", "
                              << raw(point.lsn) << "], but " << raw(lsn_high_) << " was handed out before";
  }
  lsn_high_ = point.lsn;
  commits_.push_back({std::move(image), point, info ? info->timestamp_us : 0});
  return AssertionSuccess();
}

void StoreModel::note_durable(const VersionStore& store) {
  const Lsn durable_lsn = store.status().durable_lsn;
  while (durable_commits_ < commits_.size() && commits_[durable_commits_].point.lsn <= durable_lsn) {
    ++durable_commits_;
  }
}

AssertionResult StoreModel::verify_version(VersionStore& store, std::size_t version) const {
  const Commit& commit = commits_[version - 1];
  const auto point = store.at_version(kMainBranch, Version{version});
  if (!point) return AssertionFailure() << "version " << version << ": " << point.error().message();
  if (*point != commit.point) {
    return AssertionFailure() << "version " << version << " is at LSN " << raw(point->lsn) << " with "
                              << point->page_count << " pages instead of " << raw(commit.point.lsn)
                              << " with " << commit.point.page_count;
  }
  Reader reader(store);
  reader.pin(*point);
  Page page;
  for (std::uint32_t number = 1; number <= commit.image.size() + 1; ++number) {
    const Status read = reader.read(PageNo{number}, 0, page);
    if (!read) {
      return AssertionFailure() << "page " << number << " of version " << version << ": "
                                << read.error().message();
    }
    const Page& wanted = number <= commit.image.size() ? *commit.image[number - 1] : *empty_page();
    if (page != wanted)
      return AssertionFailure() << "page " << number << " of version " << version << " is wrong";
  }
  return AssertionSuccess();
}

AssertionResult StoreModel::verify(VersionStore& store, Loss loss) {
  const std::size_t found = raw(store.head(kMainBranch).version);
  const std::size_t least = loss == Loss::kNothing ? commits_.size() : durable_commits_;
  if (found < least || found > commits_.size() + (unknown_ ? 1 : 0)) {
    return AssertionFailure() << "the store has " << found << " versions; of " << commits_.size()
                              << " acknowledged ones " << least << " had to survive"
                              << (unknown_ ? ", and one more may" : "");
  }
  if (found > commits_.size()) {
    const AssertionResult added = add(store, *std::move(unknown_), store.head(kMainBranch));
    if (!added) return added;
  }
  unknown_.reset();
  failed_.reset();
  lost_commits_ += commits_.size() - found;
  commits_.resize(found);
  durable_commits_ = std::min(durable_commits_, found);
  const ReadPoint newest = found == 0 ? ReadPoint{} : commits_.back().point;
  if (store.head(kMainBranch) != newest) return AssertionFailure() << "the head is not the newest version";
  TimestampUs previous_us = 0;
  for (std::size_t version = 1; version <= found; ++version) {
    AssertionResult right = verify_version(store, version);
    if (right) right = verify_timestamp(store, version, previous_us);
    if (!right) return right;
    previous_us = commits_[version - 1].timestamp_us;
  }
  return AssertionSuccess();
}

AssertionResult StoreModel::verify_timestamp(const VersionStore& store, std::size_t version,
                                             TimestampUs previous_us) {
  const auto info = store.commit_info(kMainBranch, Version{version});
  if (!info) return AssertionFailure() << info.error().message();
  Commit& commit = commits_[version - 1];
  if (commit.timestamp_us == 0) commit.timestamp_us = info->timestamp_us;
  if (info->timestamp_us != commit.timestamp_us || info->timestamp_us <= previous_us) {
    return AssertionFailure() << "version " << version << " has timestamp " << info->timestamp_us
                              << " instead of " << commit.timestamp_us << ", behind " << previous_us;
  }
  return AssertionSuccess();
}

}  // namespace dosql::testing
