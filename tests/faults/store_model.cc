#include "tests/faults/store_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "version/sqlite_header.h"

namespace dosql::testing {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using version::Durability;
using version::Reader;
using version::ReadPoint;
using version::VersionStore;
using version::WriteTransaction;

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

// Where a name for that version is made, asked from the store as its users do.
Result<ReadPoint> point_of(VersionStore& store, const StoredBranch& branch, std::size_t version) {
  if (version == branch.line.size()) return store.head(branch.id);
  if (version == 0) return ReadPoint{};
  return store.at_version(branch.id, Version{version});
}

// Writes random pages of `image` into the transaction.
Status write_randomly(WriteTransaction& transaction, Image& image, Generator& random, const WorkSize& size) {
  const bool large = random() % size.large_one_in == 0;
  const std::size_t writes = large ? size.large_writes : 1 + random() % 3;
  const std::size_t cut_before = random() % 12 == 0 ? random() % writes : writes;
  for (std::size_t i = 0; i < writes; ++i) {
    if (i == cut_before && image.size() > 1) {
      image.resize(1 + random() % image.size());
      transaction.truncate(static_cast<std::uint32_t>(image.size()));
    }
    const std::size_t number = random() % std::min(image.size() + 3, size.pages_max);
    if (number >= image.size()) image.resize(number + 1, empty_page());
    Page page = changed_page(*image[number], random, size.full_page_one_in);
    if (number == 0) version::set_change_counter(page.data(), version::kStoredChangeCounter);
    image[number] = std::make_shared<const Page>(page);
    DOSQL_RETURN_IF_ERROR(transaction.write(PageNo{static_cast<std::uint32_t>(number + 1)}, page));
  }
  if (image[0] == empty_page()) image[0] = empty_first_page();
  return {};
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

Durability random_durability(Generator& random) {
  constexpr Durability kAll[] = {Durability::kOff, Durability::kNormal, Durability::kFull};
  return kAll[random() % std::size(kAll)];
}

Status StoreModel::attempt(VersionStore& store, StoreState next, Durability durability,
                           const std::function<Status()>& change) {
  failed_ = next;
  DOSQL_RETURN_IF_ERROR(change());
  failed_.reset();
  EXPECT_TRUE(learn(store, lsn_high_, next));
  lsn_high_ = std::max(lsn_high_, next.lsn);
  history_.acknowledge(std::move(next));
  if (durability == Durability::kFull) note_all_durable();
  return {};
}

// Of any versions: the store does not ask what was merged.
version::CommitMarks StoreModel::random_marks(Generator& random) const {
  version::CommitMarks marks;
  for (std::size_t merges = random() % 3; merges > 0; --merges) {
    const auto& line = state().branches.at(any_branch(random)).line;
    if (line.empty()) continue;
    const ReadPoint& source = line[random() % line.size()]->point;
    const auto kind = random() % 2 == 0 ? version::MergeKind::kParent : version::MergeKind::kSquash;
    marks.merges.push_back({kind, source.branch, source.version, source.lsn});
  }
  // One, so that the store keeps it as it is.
  if (!marks.merges.empty() && random() % 2 == 0) {
    const auto first = static_cast<std::int64_t>(random() % 100);
    const auto from = static_cast<std::uint8_t>(1 + random() % 3);
    marks.moved.push_back({std::string(random() % 20, 't'), first, first + 5, from});
  }
  marks.message.assign(random() % 20 == 0 ? 5'000 : random() % 40, 'm');
  return marks;
}

Status StoreModel::random_transaction(VersionStore& store, Generator& random, const WorkSize& size,
                                      Durability durability, const std::string& name) {
  failed_.reset();
  const auto branch = state().branches.find(name);
  if (branch == state().branches.end()) return {};
  const auto& line = branch->second.line;
  const Image base = line.empty() ? Image() : line.back()->image;
  auto stored = std::make_shared<StoredVersion>();
  stored->image = base;
  stored->branch = name;
  Reader reader(store);
  reader.pin_head(branch->second.id);
  WriteTransaction transaction(store);
  DOSQL_RETURN_IF_ERROR(transaction.begin(reader.point()));
  DOSQL_RETURN_IF_ERROR(write_randomly(transaction, stored->image, random, size));
  if (random() % 16 == 0) {
    transaction.rollback();
    return {};
  }
  if (random() % 6 == 0) stored->marks = random_marks(random);
  if (stored->marks.empty() && same(base, stored->image)) {
    const auto point = transaction.commit(durability);
    EXPECT_TRUE(!point || *point == reader.point()) << "a transaction without changes made a version";
    return point ? Status() : Status(point.error());
  }
  StoreState next = state();
  next.branches.at(name).line.push_back(stored);
  return attempt(store, std::move(next), durability, [&]() -> Status {
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, transaction.commit(durability, stored->marks));
    EXPECT_EQ(point, store.head(point.branch));
    return {};
  });
}

// One transaction of a group.
class StoreModel::GroupMember {
 public:
  GroupMember(StoreModel& model, VersionStore& store, std::string branch, Durability durability)
      : model_(model),
        store_(store),
        branch_(std::move(branch)),
        durability_(durability),
        reader_(store),
        transaction_(store) {}

  Status write(Generator& random, const WorkSize& size) {
    if (!transaction_.active()) {
      const auto& line = branch().line;
      base_ = line.empty() ? Image() : line.back()->image;
      image_ = base_;
      reader_.pin_ordered_head(branch().id);
      DOSQL_RETURN_IF_ERROR(transaction_.begin(reader_.point()));
    }
    return write_randomly(transaction_, image_, random, size);
  }

  // What is ordered survives the process, though not the machine.
  Status order() {
    StoreState next = model_.state();
    auto stored = std::make_shared<StoredVersion>();
    stored->image = image_;
    stored->branch = branch_;
    next.branches.at(branch_).line.push_back(stored);
    const bool changes = !same(base_, image_);
    if (changes) model_.failed_ = next;
    DOSQL_ASSIGN_OR_RETURN(ordered_, transaction_.order(durability_));
    model_.failed_.reset();
    EXPECT_EQ(changes, ordered_.point != reader_.point());
    if (!changes) return {};
    stored->point = ordered_.point;
    next.lsn = ordered_.point.lsn;
    EXPECT_GT(next.lsn, model_.lsn_high_);
    model_.lsn_high_ = next.lsn;
    model_.history_.acknowledge(std::move(next));
    return {};
  }

  Status await() {
    DOSQL_RETURN_IF_ERROR(store_.await_visible(ordered_));
    EXPECT_GE(store_.head(ordered_.point.branch).version, ordered_.point.version);
    if (durability_ == Durability::kFull) model_.history_.note_durable(ordered_.point.lsn);
    return {};
  }

 private:
  const StoredBranch& branch() const { return model_.state().branches.at(branch_); }

  StoreModel& model_;
  VersionStore& store_;
  const std::string branch_;
  const Durability durability_;
  Reader reader_;
  WriteTransaction transaction_;
  Image base_;
  Image image_;
  version::OrderedCommit ordered_;
};

Status StoreModel::random_group(VersionStore& store, Generator& random, const WorkSize& size) {
  failed_.reset();
  const std::string name = any_branch(random);
  const std::string other = any_branch(random);
  GroupMember first(*this, store, name, random_durability(random));
  GroupMember second(*this, store, other, random_durability(random));
  GroupMember again(*this, store, name, random_durability(random));
  const bool is_pair = name != other;
  DOSQL_RETURN_IF_ERROR(first.write(random, size));
  if (is_pair) DOSQL_RETURN_IF_ERROR(second.write(random, size));
  DOSQL_RETURN_IF_ERROR(first.write(random, size));
  DOSQL_RETURN_IF_ERROR(first.order());
  DOSQL_RETURN_IF_ERROR(again.write(random, size));
  if (is_pair) DOSQL_RETURN_IF_ERROR(second.order());
  DOSQL_RETURN_IF_ERROR(again.order());
  std::vector<GroupMember*> waiting{&first, &again};
  if (is_pair) waiting.push_back(&second);
  std::shuffle(waiting.begin(), waiting.end(), random);
  for (GroupMember* member : waiting) DOSQL_RETURN_IF_ERROR(member->await());
  return {};
}

Status StoreModel::create_branch(VersionStore& store, const std::string& name, const std::string& from,
                                 std::size_t version, Durability durability) {
  failed_.reset();
  const auto parent = state().branches.find(from);
  if (parent == state().branches.end() || state().branches.contains(name)) return {};
  const auto& line = parent->second.line;
  version = std::min(version, line.size());
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, point_of(store, parent->second, version));
  StoreState next = state();
  StoredBranch& branch = next.branches[name];
  branch.id_known = false;
  branch.parent = version == 0 ? "main" : line[version - 1]->branch;
  if (version > 0) branch.fork = line[version - 1]->point;
  branch.line.assign(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(version));
  return attempt(store, std::move(next), durability,
                 [&] { return store.create_branch(name, point, durability).and_then(ignore_result); });
}

Status StoreModel::drop_branch(VersionStore& store, const std::string& name, Durability durability) {
  failed_.reset();
  const auto branch = state().branches.find(name);
  if (branch == state().branches.end()) return {};
  StoreState next = state();
  next.branches.erase(name);
  const BranchId id = branch->second.id;
  return attempt(store, std::move(next), durability, [&] { return store.drop_branch(id, durability); });
}

Status StoreModel::fast_forward(VersionStore& store, const std::string& name, const std::string& to,
                                Durability durability) {
  failed_.reset();
  const auto branch = state().branches.find(name);
  const auto source = state().branches.find(to);
  if (branch == state().branches.end() || source == state().branches.end()) return {};
  const auto& line = branch->second.line;
  const auto& longer = source->second.line;
  if (line.size() >= longer.size() || !std::equal(line.begin(), line.end(), longer.begin())) return {};
  const BranchId id = branch->second.id;
  const ReadPoint head = store.head(source->second.id);
  StoreState next = state();
  next.branches.at(name).line = longer;
  next.branches.at(name).id_known = false;
  return attempt(store, std::move(next), durability,
                 [&] { return store.fast_forward(id, head, durability).and_then(ignore_result); });
}

Status StoreModel::create_snapshot(VersionStore& store, const std::string& name, const std::string& of,
                                   std::size_t version, Durability durability) {
  failed_.reset();
  const auto branch = state().branches.find(of);
  if (branch == state().branches.end() || state().snapshots.contains(name)) return {};
  version = std::min(version, branch->second.line.size());
  if (version == 0) return {};
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, point_of(store, branch->second, version));
  StoreState next = state();
  next.snapshots[name].version = branch->second.line[version - 1];
  return attempt(store, std::move(next), durability,
                 [&] { return store.create_snapshot(name, point, durability); });
}

Status StoreModel::drop_snapshot(VersionStore& store, const std::string& name, Durability durability) {
  failed_.reset();
  if (!state().snapshots.contains(name)) return {};
  StoreState next = state();
  next.snapshots.erase(name);
  return attempt(store, std::move(next), durability, [&] { return store.drop_snapshot(name, durability); });
}

Status StoreModel::random_name_change(VersionStore& store, Generator& random, Durability durability) {
  const std::string branch = fmt::format("b{}", random() % 5);
  const std::string snapshot = fmt::format("s{}", random() % 5);
  const std::string from = any_branch(random);
  const std::size_t newest = state().branches.at(from).line.size();
  const std::size_t version = random() % 2 == 0 ? newest : random() % (std::min(newest, 8ul) + 1);
  switch (random() % 5) {
    case 4: return fast_forward(store, from, any_branch(random), durability);
    case 0:
    case 1:
      return state().branches.contains(branch) && random() % 2 == 0
                 ? drop_branch(store, branch, durability)
                 : create_branch(store, branch, from, version, durability);
    case 2: return create_snapshot(store, snapshot, from, version, durability);
    default: return drop_snapshot(store, snapshot, durability);
  }
}

std::string StoreModel::any_branch(Generator& random) const {
  const auto& branches = state().branches;
  return std::next(branches.begin(), static_cast<std::ptrdiff_t>(random() % branches.size()))->first;
}

std::size_t StoreModel::versions() const {
  std::size_t versions = 0;
  for (const auto& [name, branch] : state().branches) versions += branch.line.size();
  return versions;
}

AssertionResult StoreModel::verify_any_version(VersionStore& store, Generator& random) const {
  const StoredBranch& branch = state().branches.at(any_branch(random));
  if (branch.line.empty()) return ::testing::AssertionSuccess();
  return verify_version(store, branch, 1 + random() % branch.line.size());
}

AssertionResult StoreModel::verify(VersionStore& store, Loss loss) {
  failed_.reset();
  const std::string wrong = history_.settle(store.status().lsn, loss);
  if (!wrong.empty()) return AssertionFailure() << wrong;
  StoreState& found = history_.newest();
  if (found.lsn == Lsn{} && store.status().lsn != Lsn{}) {
    if (AssertionResult learnt = learn(store, lsn_high_, found); !learnt) return learnt;
    lsn_high_ = std::max(lsn_high_, found.lsn);
  }
  return verify_state(store, found);
}

}  // namespace dosql::testing
