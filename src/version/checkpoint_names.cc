#include "version/checkpoint_names.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "version/checkpoint.h"
#include "version/merge_marks.h"
#include "version/names.h"
#include "version/page_history.h"

namespace dosql::version {
namespace {

// A count beyond this cannot be in a file that exists; it keeps the arithmetic below from overflowing.
constexpr std::uint64_t kCountMax = std::uint64_t{1} << 40;

// Where each part of a section begins.
struct Parts {
  NamesHeader header{};
  const std::byte* branches = nullptr;
  const std::byte* commits = nullptr;
  const std::byte* slots = nullptr;
  const std::byte* versions = nullptr;
  const std::byte* snapshots = nullptr;
  const char* names = nullptr;
  const std::byte* lineage = nullptr;
  std::uint64_t lineage_rows = 0;

  BranchRow branch(std::uint64_t i) const { return load<BranchRow>(branches + i * sizeof(BranchRow)); }
  CommitRow commit(std::uint64_t i) const { return load<CommitRow>(commits + i * sizeof(CommitRow)); }
  SlotRow slot(std::uint64_t i) const { return load<SlotRow>(slots + i * sizeof(SlotRow)); }
  PageVersion version(std::uint64_t i) const { return load<PageVersion>(versions + i * sizeof(PageVersion)); }
  SnapshotRow snapshot(std::uint64_t i) const {
    return load<SnapshotRow>(snapshots + i * sizeof(SnapshotRow));
  }
  LineageRow lineage_row(std::uint64_t i) const { return load<LineageRow>(lineage + i * sizeof(LineageRow)); }
};

std::optional<Parts> parts_of(Bytes section) {
  Parts parts;
  if (section.size() < sizeof parts.header) return {};
  parts.header = load<NamesHeader>(section.data());
  const NamesHeader& header = parts.header;
  const std::uint64_t counts[] = {header.branches, header.commits,   header.slots,
                                  header.versions, header.snapshots, header.name_bytes};
  if (std::ranges::any_of(counts, [](std::uint64_t count) { return count >= kCountMax; })) return {};
  parts.branches = section.data() + sizeof header;
  parts.commits = parts.branches + header.branches * sizeof(BranchRow);
  parts.slots = parts.commits + header.commits * sizeof(CommitRow);
  parts.versions = parts.slots + header.slots * sizeof(SlotRow);
  parts.snapshots = parts.versions + header.versions * sizeof(PageVersion);
  parts.names = reinterpret_cast<const char*>(parts.snapshots + header.snapshots * sizeof(SnapshotRow));
  const std::uint64_t bytes =
      (reinterpret_cast<const std::byte*>(parts.names) - section.data()) + (header.name_bytes + 7) / 8 * 8;
  if (bytes > section.size() || (section.size() - bytes) % sizeof(LineageRow) != 0) return {};
  parts.lineage = section.data() + bytes;
  parts.lineage_rows = (section.size() - bytes) / sizeof(LineageRow);
  return parts;
}

template <class T>
void append(std::vector<std::byte>& bytes, const T& value) {
  const Bytes more = bytes_of(value);
  bytes.insert(bytes.end(), more.begin(), more.end());
}

// The branches that something still needs: those with a name and who had it before, those with a snapshot or
// a branch on them, those of which another one that is needed has merged a version, and those dropped since
// the store was opened, of which somebody may be about to make a branch.
std::vector<Branch*> needed_branches(const BranchTable& table) {
  std::vector<Branch*> all = table.with_dropped();
  std::vector<BranchId> reached;
  for (const auto& [name, snapshot] : table.snapshots()) reached.push_back(snapshot.point.branch);
  for (const Branch* branch : all) {
    if (!branch->dropped_before_open) reached.push_back(branch->id());
  }
  std::set<BranchId> needed;
  while (!reached.empty()) {
    const BranchId id = reached.back();
    reached.pop_back();
    if (!needed.insert(id).second) continue;
    const Branch& branch = *table.get(id);
    if (branch.parent()) reached.push_back(branch.parent()->id());
    if (branch.predecessor) reached.push_back(branch.predecessor->id());
    for (const BranchMerge& merge : branch.merges()) reached.push_back(merge.mark.branch);
  }
  std::erase_if(all,
                [&](const Branch* branch) { return !branch->parent() || !needed.contains(branch->id()); });
  return all;
}

BranchRow row_of(const Branch& branch) {
  const ReadPoint head = branch.head();
  return {.id = raw(branch.id()),
          .parent = raw(branch.parent()->id()),
          .fork_version = raw(branch.fork().version),
          .fork_lsn = raw(branch.fork().lsn),
          .fork_page_count = branch.fork().page_count,
          .page_count = head.page_count,
          .created_lsn = raw(branch.created_lsn()),
          .created_us = branch.created_us(),
          .commits = branch.commits().size(),
          .known_pages = branch.known_pages,
          .name_bytes = static_cast<std::uint32_t>(branch.name().size()),
          .dropped = branch.dropped ? 1u : 0u,
          .generation = branch.generation()};
}

void append_lineage(const Branch& branch, std::vector<std::byte>& rows) {
  if (branch.predecessor) {
    append(rows, LineageRow{.branch = raw(branch.id()),
                            .kind = kSuccessorRow,
                            .version = 0,
                            .source_branch = raw(branch.predecessor->id()),
                            .moved = 0,
                            .source_version = 0,
                            .source_lsn = 0});
  }
  for (const BranchMerge& merge : branch.merges()) {
    append(rows, LineageRow{.branch = raw(branch.id()),
                            .kind = static_cast<std::uint32_t>(merge.mark.kind),
                            .version = raw(merge.version),
                            .source_branch = raw(merge.mark.branch),
                            .moved = merge.moved ? 1u : 0u,
                            .source_version = raw(merge.mark.version),
                            .source_lsn = raw(merge.mark.lsn)});
  }
  for (const Version version : branch.brought()) {
    append(rows, LineageRow{.branch = raw(branch.id()),
                            .kind = kBroughtRow,
                            .version = raw(version),
                            .source_branch = raw(branch.id()),
                            .moved = 0,
                            .source_version = 0,
                            .source_lsn = 0});
  }
}

bool versions_consistent(const Parts& parts, std::uint64_t first, std::uint32_t count) {
  PageVersion before{};
  for (std::uint32_t i = 0; i < count; ++i) {
    const PageVersion version = parts.version(first + i);
    const bool is_base = version.kind() == log::EntryKind::kFull || version.kind() == log::EntryKind::kZero;
    const bool is_patch = version.kind() == log::EntryKind::kPatch || version.kind() == log::EntryKind::kKey;
    if (!is_base && !is_patch) return false;
    if (is_base != (version.step() == 0) || version.step() > kStepMax) return false;
    if (i > 0 && version.lsn <= before.lsn) return false;
    if (i > 0 && is_patch && version.step() != before.step() + 1) return false;
    before = version;
  }
  return true;
}

// Whether what the first versions of a slot stand on is there. A fold may have given it a new base since, so
// its step may be lower than that of the patch on it, never higher.
bool stands_on_older(const BranchSlot& slot) {
  for (std::size_t i = 0; i < slot.count; ++i) {
    const PageVersion& version = slot.versions[i];
    if (version.step() == 0) return true;
    const bool is_key = version.kind() == log::EntryKind::kKey;
    std::size_t back = is_key ? version.step() : 1;
    if (back <= i) {
      if (is_key && slot.versions[i - back].step() != 0) return false;
      continue;
    }
    PageSlot* behind = const_cast<BranchSlot*>(&slot);
    std::size_t index = i;
    while (back > index) {
      back -= index + 1;
      const VisibleVersion before = lock_visible(older_of(*behind), Lsn{behind->versions[0].lsn});
      if (!before.slot) return false;
      before.slot->lock.unlock_shared();
      behind = before.slot;
      index = before.index;
    }
    const std::uint8_t step = behind->versions[index - back].step();
    if (is_key ? step != 0 : step >= version.step()) return false;
  }
  return true;
}

}  // namespace

void append_names(const StoreImpl& store, std::vector<std::byte>& body) {
  NamesHeader header{};
  std::vector<std::byte> rows;
  std::vector<std::byte> commits;
  std::string names;
  std::vector<std::byte> lineage;
  std::vector<std::pair<BranchId, const BranchSlot*>> slots;
  const std::vector<Branch*> branches = needed_branches(store.branches);
  append_lineage(store.branches.first_main(), lineage);
  for (const Branch* branch : branches) {
    append(rows, row_of(*branch));
    append_lineage(*branch, lineage);
    names += branch->name();
    for (std::uint64_t i = 1; i <= branch->commits().size(); ++i) {
      const CommitEntry entry = branch->commits().at(Version{i});
      append(commits, CommitRow{raw(entry.lsn), raw(entry.position)});
    }
    header.commits += branch->commits().size();
    branch->for_each_slot([&](PageNo, PageSlot& slot) {
      slots.emplace_back(branch->id(), static_cast<const BranchSlot*>(&slot));
    });
  }
  std::ranges::sort(slots, {}, [](const auto& slot) { return slot.second->versions[0].lsn; });
  std::vector<std::byte> versions;
  std::vector<std::byte> slot_rows;
  for (const auto& [branch, slot] : slots) {
    append(slot_rows,
           SlotRow{raw(branch), raw(slot->page), slot->count, slot->chain_bytes, slot->generation, 0});
    const auto bytes = std::as_bytes(std::span(slot->versions, slot->count));
    versions.insert(versions.end(), bytes.begin(), bytes.end());
  }
  std::vector<std::byte> snapshots;
  for (const auto& [name, snapshot] : store.branches.snapshots()) {
    append(snapshots, SnapshotRow{.branch = raw(snapshot.point.branch),
                                  .page_count = snapshot.point.page_count,
                                  .version = raw(snapshot.point.version),
                                  .lsn = raw(snapshot.point.lsn),
                                  .created_us = snapshot.created_us,
                                  .name_bytes = static_cast<std::uint32_t>(name.size()),
                                  .reserved = 0});
    names += name;
    ++header.snapshots;
  }
  header.branches = branches.size();
  header.slots = slots.size();
  header.versions = versions.size() / sizeof(PageVersion);
  header.name_bytes = names.size();
  header.next_branch_id = raw(store.branches.next_id());
  append(body, header);
  names.resize((names.size() + 7) / 8 * 8);
  const Bytes name_bytes = std::as_bytes(std::span(names));
  for (const Bytes part : {Bytes(rows), Bytes(commits), Bytes(slot_rows), Bytes(versions), Bytes(snapshots),
                           name_bytes, Bytes(lineage)}) {
    body.insert(body.end(), part.begin(), part.end());
  }
}

bool names_consistent(Bytes section) {
  const auto parts = parts_of(section);
  if (!parts) return false;
  const NamesHeader& header = parts->header;
  std::set<std::uint32_t> ids{raw(kMainBranch)};
  std::uint64_t commit = 0;
  std::uint64_t name_bytes = 0;
  std::uint64_t created_lsn = 0;
  if (header.next_branch_id > BranchTable::kBranchesMax) return false;
  for (std::uint64_t i = 0; i < header.branches; ++i) {
    const BranchRow row = parts->branch(i);
    if (row.id <= *ids.rbegin() || row.id >= header.next_branch_id || !ids.contains(row.parent)) return false;
    if (row.created_lsn <= created_lsn || row.fork_lsn >= row.created_lsn) return false;
    if (row.commits > header.commits - commit || row.name_bytes == 0 || row.name_bytes > log::kNameBytesMax)
      return false;
    std::uint64_t lsn = row.created_lsn;
    for (std::uint64_t c = 0; c < row.commits; ++c, ++commit) {
      const CommitRow one = parts->commit(commit);
      if (one.lsn <= lsn || one.position % 8 != 0) return false;
      lsn = one.lsn;
    }
    ids.insert(row.id);
    created_lsn = row.created_lsn;
    name_bytes += row.name_bytes;
  }
  std::uint64_t version = 0;
  std::uint64_t lsn = 0;
  for (std::uint64_t i = 0; i < header.slots; ++i) {
    const SlotRow row = parts->slot(i);
    if (row.branch == raw(kMainBranch) || !ids.contains(row.branch) || row.page == 0) return false;
    if (row.versions == 0 || row.versions > header.versions - version) return false;
    if (!versions_consistent(*parts, version, row.versions) || parts->version(version).lsn < lsn)
      return false;
    lsn = parts->version(version).lsn;
    version += row.versions;
  }
  for (std::uint64_t i = 0; i < header.snapshots; ++i) {
    const SnapshotRow row = parts->snapshot(i);
    if (!ids.contains(row.branch) || row.name_bytes == 0 || row.name_bytes > log::kNameBytesMax) return false;
    name_bytes += row.name_bytes;
  }
  for (std::uint64_t i = 0; i < parts->lineage_rows; ++i) {
    const LineageRow row = parts->lineage_row(i);
    if (!ids.contains(row.branch) || !ids.contains(row.source_branch) || row.moved > 1) return false;
  }
  return commit == header.commits && version == header.versions && name_bytes == header.name_bytes;
}

namespace {

// Makes branches and slots again in the order in which they were made.
class NamesLoader {
 public:
  NamesLoader(StoreImpl& store, const Parts& parts) : store_(store), parts_(parts), name_(parts.names) {}

  bool load() {
    for (std::uint64_t i = 0; i < parts_.lineage_rows; ++i) {
      const LineageRow row = parts_.lineage_row(i);
      if (row.kind != kSuccessorRow) continue;
      if (!predecessors_.emplace(row.branch, row.source_branch).second) return false;
    }
    std::uint64_t slot = 0;
    for (std::uint64_t i = 0; i < parts_.header.branches; ++i) {
      const BranchRow row = parts_.branch(i);
      for (; slot < parts_.header.slots && parts_.version(version_).lsn < row.created_lsn; ++slot) {
        if (!load_slot(parts_.slot(slot))) return false;
      }
      if (!load_branch(row)) return false;
    }
    for (; slot < parts_.header.slots; ++slot) {
      if (!load_slot(parts_.slot(slot))) return false;
    }
    for (std::uint64_t i = 0; i < parts_.header.snapshots; ++i) {
      if (!load_snapshot(parts_.snapshot(i))) return false;
    }
    for (std::uint64_t i = 0; i < parts_.lineage_rows; ++i) {
      const LineageRow row = parts_.lineage_row(i);
      const bool fits =
          row.kind == kSuccessorRow || (row.kind == kBroughtRow ? load_brought(row) : load_merge(row));
      if (!fits) return false;
    }
    for (std::uint64_t i = 0; i < parts_.header.branches; ++i) {
      const BranchRow row = parts_.branch(i);
      store_.branch(BranchId{row.id}).set_generation(row.generation);
    }
    if (!store_.branches.find(kMainName)) return false;
    store_.branches.reserve_ids(BranchId{static_cast<std::uint32_t>(parts_.header.next_branch_id)});
    return true;
  }

 private:
  std::string next_name(std::uint32_t bytes) {
    std::string name(name_, bytes);
    name_ += bytes;
    return name;
  }

  bool load_branch(const BranchRow& row) {
    Branch& parent = store_.branch(BranchId{row.parent});
    const ReadPoint fork{parent.id(), Version{row.fork_version}, Lsn{row.fork_lsn}, row.fork_page_count};
    if (fork.version > parent.head().version || fork.version < parent.fork().version) return false;
    if (fork.version > parent.fork().version && parent.commit(fork.version).lsn != fork.lsn) return false;
    const bool at_head = parent.find_commit(Lsn{row.created_lsn}) == fork.version;
    auto branch = std::make_unique<Branch>(BranchId{row.id}, next_name(row.name_bytes), parent, fork,
                                           Lsn{row.created_lsn}, row.created_us, at_head);
    Lsn newest = fork.lsn;
    for (std::uint64_t i = 0; i < row.commits; ++i) {
      const CommitRow commit = parts_.commit(commit_++);
      newest = Lsn{commit.lsn};
      branch->push_commit({newest, log::Position{commit.position}});
    }
    branch->known_pages = row.known_pages;
    branch->set_head({branch->id(), Version{row.fork_version + row.commits}, newest, row.page_count});
    branch->dropped = row.dropped != 0;
    if (const auto found = predecessors_.find(row.id); found != predecessors_.end())
      return load_successor(std::move(branch), BranchId{found->second});
    if (!branch->dropped && store_.branches.find(branch->name())) return false;
    store_.branches.add(std::move(branch));
    return true;
  }

  // A name goes from one to the next, and may be dropped in the end.
  bool load_successor(std::unique_ptr<Branch> branch, BranchId predecessor_id) {
    Branch* const predecessor = store_.branches.get(predecessor_id);
    if (!predecessor || predecessor->name() != branch->name() || predecessor->successor) return false;
    const ReadPoint until = predecessor->head();
    if (branch->fork().version < until.version) return false;
    ReadPoint passed = branch->fork();
    passed.version = until.version;
    if (committed_on(store_, passed).branch != committed_on(store_, until).branch) return false;
    const Branch* const named = store_.branches.find(branch->name());
    if (!branch->dropped && named && named != predecessor) return false;
    store_.branches.fast_forward(*predecessor, std::move(branch));
    return true;
  }

  bool load_slot(const SlotRow& row) {
    Branch* const branch = store_.branches.get(BranchId{row.branch});
    if (!branch) return false;
    branch->set_generation(row.generation);
    auto& slot = static_cast<BranchSlot&>(branch->own(PageNo{row.page}));
    if (slot.count != 0) return false;
    // The array stays where it was read to; nothing writes to it but under the slot's lock.
    slot.versions = reinterpret_cast<PageVersion*>(
        const_cast<std::byte*>(parts_.versions + version_ * sizeof(PageVersion)));
    slot.count = row.versions;
    slot.chain_bytes = row.chain_bytes;
    slot.newest_step = slot.newest().step();
    version_ += row.versions;
    store_.page_versions += row.versions;
    return stands_on_older(slot);
  }

  bool load_snapshot(const SnapshotRow& row) {
    const Branch& branch = store_.branch(BranchId{row.branch});
    const ReadPoint point{branch.id(), Version{row.version}, Lsn{row.lsn}, row.page_count};
    if (point.version > branch.head().version || point.version < branch.fork().version) return false;
    std::string name = next_name(row.name_bytes);
    if (store_.branches.find_snapshot(name)) return false;
    store_.branches.add_snapshot({std::move(name), point, row.created_us});
    return true;
  }

  // Those of one branch are in the order of their commits.
  bool load_merge(const LineageRow& row) {
    Branch& branch = store_.branch(BranchId{row.branch});
    const Version version{row.version};
    if (version <= branch.fork().version || version > branch.head().version) return false;
    Version& newest = newest_merge_[branch.id()];
    if (version < newest) return false;
    newest = version;
    const log::MergeMark mark{row.kind, row.source_branch, row.source_version, row.source_lsn};
    const auto merges = merges_of(store_, std::span(&mark, 1), branch.commit(version).lsn);
    if (!merges) return false;
    branch.push_merges(version, *merges, row.moved != 0);
    return true;
  }

  // As above.
  bool load_brought(const LineageRow& row) {
    Branch& branch = store_.branch(BranchId{row.branch});
    const Version version{row.version};
    if (version <= branch.fork().version || version > branch.head().version) return false;
    Version& newest = newest_brought_[branch.id()];
    if (version <= newest) return false;
    newest = version;
    branch.push_brought(version);
    return true;
  }

  StoreImpl& store_;
  const Parts& parts_;
  const char* name_;
  std::uint64_t commit_ = 0;
  std::uint64_t version_ = 0;
  std::map<BranchId, Version> newest_merge_;
  std::map<BranchId, Version> newest_brought_;
  std::map<std::uint32_t, std::uint32_t> predecessors_;  // by the successor
};

}  // namespace

bool load_names(StoreImpl& store, Bytes section) {
  const auto parts = parts_of(section);
  return parts && NamesLoader(store, *parts).load();
}

}  // namespace dosql::version
