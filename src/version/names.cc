#include "version/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "version/lineage.h"

namespace dosql::version {
namespace {

using log::NameChange;
using log::NameSummary;
using log::RecordType;

// The version that the record names, as its branch has it; none when there is no such version. The size of
// the database is not in the record: it is that of the commit.
Result<std::optional<ReadPoint>> named_point(const StoreImpl& store, BranchId id,
                                             const NameSummary& summary) {
  using Outcome = std::optional<ReadPoint>;
  const Branch* const branch = store.branches.get(id);
  if (!branch) return Outcome();
  ReadPoint point{id, Version{summary.point_version}, Lsn{summary.point_lsn}, 0};
  // The empty database; a first commit may have come into the log in front of this record.
  if (id == kMainBranch && point.version == Version{0} && point.lsn == Lsn{}) return Outcome(point);
  const ReadPoint head = branch->head();
  if (point.version == head.version) return head.lsn == point.lsn ? Outcome(head) : Outcome();
  if (point.version > head.version || point.version <= branch->fork().version) return Outcome();
  const CommitEntry entry = branch->commit(point.version);
  if (entry.lsn != point.lsn) return Outcome();
  DOSQL_ASSIGN_OR_RETURN(const log::RecordHeads record, store.log->read_record_heads(entry.position));
  point.page_count = record.header.page_count;
  return Outcome(point);
}

// The same version, its size included, if a branch of the walk was forked there: else the size is in the
// commit's record, which may have megabytes.
std::optional<ReadPoint> fork_at(const StoreImpl& store, const Reach& reach, const ReadPoint& base) {
  for (const auto& [id, line] : reach) {
    const ReadPoint fork = committed_on(store, store.branch(id).fork());
    if (fork.branch == base.branch && fork.version == base.version) return fork;
  }
  return {};
}

bool is_free(const StoreImpl& store, std::uint32_t id) {
  return id < BranchTable::kBranchesMax && BranchId{id} >= store.branches.next_id();
}

// Whether the line that ends with `newer` goes through `older`.
bool goes_through(const StoreImpl& store, ReadPoint newer, const ReadPoint& older) {
  if (older.version > newer.version) return false;
  newer.version = older.version;
  return committed_on(store, newer).branch == committed_on(store, older).branch;
}

bool is_ahead(const StoreImpl& store, const ReadPoint& newer, const ReadPoint& older) {
  return newer.version > older.version && goes_through(store, newer, older);
}

// The branch that a record makes.
std::unique_ptr<Branch> forked(const StoreImpl& store, const log::RecordView& record,
                               const ReadPoint& point) {
  Branch& parent = store.branch(point.branch);
  return std::make_unique<Branch>(BranchId{record.name_summary()->branch}, std::string(record.name()), parent,
                                  point, Lsn{record.header.last_lsn}, record.header.timestamp_us,
                                  point.version == parent.ordered_head().version);
}

Error already_exists(std::string_view kind, std::string_view name) {
  return Error(ErrorCode::kAlreadyExists, fmt::format("{} '{}' exists already", kind, name))
      .with_hint(fmt::format("SELECT name FROM dosql_{}; shows the names that are taken",
                             kind == "branch" ? "branches" : "snapshots"));
}

Error branch_gone(const Branch& branch) {
  return Error(ErrorCode::kBranchNotFound, fmt::format("branch '{}' does not exist", branch.name()));
}

}  // namespace

Status replay_name(StoreImpl& store, const log::RecordView& record, log::Position position) {
  const NameSummary summary = *record.name_summary();
  const std::string name(record.name());
  const auto bad = [&](std::string_view what) { return store.log->corrupt(position, what); };
  switch (static_cast<NameChange>(summary.change)) {
    case NameChange::kCreateBranch: {
      DOSQL_ASSIGN_OR_RETURN(const auto point, named_point(store, BranchId{summary.parent}, summary));
      if (!point) return bad("it creates a branch from a version that does not exist");
      if (!is_free(store, summary.branch) || store.branches.find(name))
        return bad("it creates a branch that exists");
      store.branches.add(forked(store, record, *point));
      return {};
    }
    case NameChange::kFastForward: {
      Branch* const branch = store.branches.find(name);
      DOSQL_ASSIGN_OR_RETURN(const auto point, named_point(store, BranchId{summary.parent}, summary));
      if (!branch || !point || !is_ahead(store, *point, branch->head()))
        return bad("it fast-forwards a branch to a version that does not follow");
      if (!is_free(store, summary.branch)) return bad("it gives a branch an id that was given before");
      store.branches.fast_forward(*branch, forked(store, record, *point));
      return {};
    }
    case NameChange::kDropBranch: {
      Branch* const branch = store.branches.get(BranchId{summary.branch});
      if (!branch || branch->name() == kMainName || branch->dropped)
        return bad("it drops a branch that does not exist");
      store.branches.drop(*branch);
      return {};
    }
    case NameChange::kCreateSnapshot: {
      DOSQL_ASSIGN_OR_RETURN(const auto point, named_point(store, BranchId{summary.branch}, summary));
      if (!point) return bad("it labels a version that does not exist");
      if (store.branches.find_snapshot(name)) return bad("it creates a snapshot that exists");
      store.branches.add_snapshot({name, *point, record.header.timestamp_us});
      return {};
    }
    case NameChange::kDropSnapshot:
      if (!store.branches.find_snapshot(name)) return bad("it drops a snapshot that does not exist");
      store.branches.drop_snapshot(name);
      return {};
  }
  return bad("it changes names in an unknown way");
}

ReadPoint committed_on(const StoreImpl& store, ReadPoint point) {
  point.branch = store.branch(point.branch).committer(point.version).id();
  return point;
}

BranchInfo info_of(const Branch& branch) {
  const Branch* const created = branch.origin ? branch.origin : &branch;
  const Branch* const parent = created->parent();
  return {.id = branch.id(),
          .name = branch.name(),
          .parent = parent ? parent->id() : kMainBranch,
          .parent_name = parent ? parent->name() : "",
          .fork = created->fork(),
          .head = branch.head(),
          .created_us = created->created_us()};
}

Result<log::Appended> StoreImpl::append_name(const NameSummary& summary, std::string_view name,
                                             Durability durability) {
  if (options.access == Access::kReadOnly)
    return Error(ErrorCode::kReadOnly, "the database is open for reading only");
  log::RecordBuilder record(log->database_id());
  record.start(RecordType::kName, 0, BranchId{summary.branch});
  record.set_name(summary, name);
  const bool needs_sync = durability == Durability::kFull;
  Publication publication(visible_end, nullptr, needs_sync);
  return log->append(record, needs_sync ? log::WriteStyle::kWrite : log::WriteStyle::kStore, &publication);
}

Status StoreImpl::await_durable(Lsn lsn, Durability durability) {
  if (durability != Durability::kFull) return {};
  DOSQL_RETURN_IF_ERROR(log->wait_durable(lsn));
  visible_end.tell();
  return {};
}

Result<BranchInfo> VersionStore::create_branch(const std::string& name, const ReadPoint& from,
                                               Durability durability) {
  StoreImpl& store = *impl_;
  const CheckpointGate::Pass pass(store.checkpoint_gate);
  std::lock_guard naming(store.names_mutex);
  if (store.branches.find(name)) return already_exists("branch", name);
  DOSQL_ASSIGN_OR_RETURN(auto branch, store.fork(NameChange::kCreateBranch, name, from, durability));
  BranchInfo info = info_of(*branch);
  store.branches.add(std::move(branch));
  return info;
}

Result<std::unique_ptr<Branch>> StoreImpl::fork(NameChange change, const std::string& name,
                                                const ReadPoint& from, Durability durability) {
  const ReadPoint point = committed_on(*this, from);
  Branch& parent = branch(point.branch);
  const BranchId id = branches.next_id();
  if (dosql::raw(id) >= BranchTable::kBranchesMax)
    return Error(ErrorCode::kDiskFull,
                 fmt::format("there are {} branches already", BranchTable::kBranchesMax));
  const NameSummary summary{.change = static_cast<std::uint32_t>(change),
                            .name_bytes = 0,
                            .branch = dosql::raw(id),
                            .parent = dosql::raw(parent.id()),
                            .point_version = dosql::raw(point.version),
                            .point_lsn = dosql::raw(point.lsn)};
  std::unique_ptr<Branch> forked;
  {
    std::lock_guard publishing(parent.publish_mutex());
    DOSQL_ASSIGN_OR_RETURN(const log::Appended appended, append_name(summary, name, durability));
    forked = std::make_unique<Branch>(id, name, parent, point, appended.last_lsn, appended.timestamp_us,
                                      point.version == parent.ordered_head().version);
  }
  DOSQL_RETURN_IF_ERROR(await_durable(forked->created_lsn(), durability));
  return forked;
}

namespace {

// The writer's place on a branch for as long as this lives (V2).
class WriterPlace {
 public:
  explicit WriterPlace(Branch& branch) : branch_(branch), taken_(branch.begin_write()) {}
  ~WriterPlace() {
    if (taken_) branch_.end_write();
  }
  WriterPlace(const WriterPlace&) = delete;
  WriterPlace& operator=(const WriterPlace&) = delete;
  bool taken() const { return taken_; }

 private:
  Branch& branch_;
  const bool taken_;
};

}  // namespace

Result<BranchInfo> VersionStore::fast_forward(BranchId id, const ReadPoint& to, Durability durability) {
  StoreImpl& store = *impl_;
  Branch& branch = store.branch(id);
  const CheckpointGate::Pass pass(store.checkpoint_gate);
  std::lock_guard naming(store.names_mutex);
  const WriterPlace place(branch);
  if (!place.taken()) return Error(ErrorCode::kBusy, "another connection is writing to this branch");
  if (branch.dropped) return branch_gone(branch);
  if (!is_ahead(store, to, branch.ordered_head())) {
    return Error(
        ErrorCode::kBusySnapshot,
        fmt::format("branch '{}' cannot be fast-forwarded: it has commits of its own", branch.name()));
  }
  DOSQL_ASSIGN_OR_RETURN(auto successor, store.fork(NameChange::kFastForward, branch.name(), to, durability));
  const BranchId successor_id = successor->id();
  store.branches.fast_forward(branch, std::move(successor));
  return branch_info(successor_id);
}

BranchId VersionStore::current(BranchId id) const {
  const Branch* branch = impl_->branches.get(id);
  if (!branch) return id;
  while (const Branch* next = branch->successor.load(std::memory_order_acquire)) branch = next;
  return branch->id();
}

const std::string& VersionStore::branch_name(BranchId branch) const { return impl_->branch(branch).name(); }

Status VersionStore::drop_branch(BranchId id, Durability durability) {
  StoreImpl& store = *impl_;
  Branch& branch = store.branch(id);
  if (branch.name() == kMainName)
    return Error(ErrorCode::kInvalidArgument, "branch 'main' cannot be dropped");
  const CheckpointGate::Pass pass(store.checkpoint_gate);
  std::lock_guard naming(store.names_mutex);
  if (branch.dropped) return branch_gone(branch);
  // Nobody writes to it while it is dropped, nor afterwards.
  const WriterPlace place(branch);
  if (!place.taken())
    return Error(ErrorCode::kBusy, fmt::format("a transaction is writing to branch '{}'", branch.name()));
  const NameSummary summary{.change = static_cast<std::uint32_t>(NameChange::kDropBranch),
                            .name_bytes = 0,
                            .branch = raw(id),
                            .parent = 0,
                            .point_version = 0,
                            .point_lsn = 0};
  DOSQL_ASSIGN_OR_RETURN(const log::Appended appended, store.append_name(summary, branch.name(), durability));
  DOSQL_RETURN_IF_ERROR(store.await_durable(appended.last_lsn, durability));
  store.branches.drop(branch);
  return {};
}

std::optional<BranchInfo> VersionStore::find_branch(std::string_view name) const {
  const Branch* const branch = impl_->branches.find(name);
  if (!branch) return {};
  return info_of(*branch);
}

BranchInfo VersionStore::branch_info(BranchId branch) const { return info_of(impl_->branch(branch)); }

std::vector<BranchInfo> VersionStore::branches() const {
  std::vector<BranchInfo> infos;
  for (const Branch* branch : impl_->branches.all()) infos.push_back(info_of(*branch));
  return infos;
}

std::map<BranchId, std::uint64_t> VersionStore::unmerged_commits() const {
  const std::vector<Branch*> branches = impl_->branches.all();
  std::vector<ReadPoint> heads;
  std::map<BranchId, std::uint64_t> unmerged;
  for (const Branch* branch : branches) {
    heads.push_back(branch->head());
    unmerged[branch->id()] = 0;
  }
  for (const auto& [id, line] : reach_of(*impl_, heads))
    unmerged[branches[line.head]->id()] += unshared(impl_->branch(id), line);
  return unmerged;
}

Result<LineageComparison> VersionStore::compare(const ReadPoint& a, const ReadPoint& b) const {
  const ReadPoint heads[] = {a, b};
  const Reach reach = reach_of(*impl_, heads);
  LineageComparison result;
  for (const auto& [id, line] : reach)
    (line.head == 0 ? result.ahead : result.behind) += unshared(impl_->branch(id), line);
  for (const ReadPoint& base : best_shared(*impl_, reach)) {
    if (base.version == Version{0}) {
      result.bases.push_back(base);
    } else if (const auto fork = fork_at(*impl_, reach, base)) {
      result.bases.push_back(*fork);
    } else {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, at_version(base.branch, base.version));
      result.bases.push_back(point);
    }
  }
  return result;
}

Result<std::vector<ReadPoint>> VersionStore::merge_bases(const ReadPoint& a, const ReadPoint& b) const {
  DOSQL_ASSIGN_OR_RETURN(LineageComparison comparison, compare(a, b));
  return std::move(comparison.bases);
}

bool VersionStore::goes_through(const ReadPoint& newer, const ReadPoint& older) const {
  return version::goes_through(*impl_, newer, older);
}

ReadPoint VersionStore::shared_version(BranchId a, BranchId b) const {
  // Where the two lines of ancestors meet, the older of the two points on the common branch.
  ReadPoint from_a = head(a);
  std::vector<ReadPoint> line;
  for (const Branch* branch = &impl_->branch(a);; branch = branch->parent()) {
    line.push_back(from_a);
    line.back().branch = branch->id();
    if (!branch->parent()) break;
    from_a = branch->fork();
  }
  ReadPoint from_b = head(b);
  for (const Branch* branch = &impl_->branch(b);; branch = branch->parent()) {
    for (const ReadPoint& point : line) {
      if (point.branch == branch->id()) {
        const ReadPoint& older = point.version <= from_b.version ? point : from_b;
        return committed_on(*impl_, older);
      }
    }
    CHECK(branch->parent());
    from_b = branch->fork();
  }
}

Status VersionStore::create_snapshot(const std::string& name, const ReadPoint& labelled,
                                     Durability durability) {
  StoreImpl& store = *impl_;
  const ReadPoint point = committed_on(store, labelled);
  const CheckpointGate::Pass pass(store.checkpoint_gate);
  std::lock_guard naming(store.names_mutex);
  if (store.branches.find_snapshot(name)) return already_exists("snapshot", name);
  const NameSummary summary{.change = static_cast<std::uint32_t>(NameChange::kCreateSnapshot),
                            .name_bytes = 0,
                            .branch = raw(point.branch),
                            .parent = 0,
                            .point_version = raw(point.version),
                            .point_lsn = raw(point.lsn)};
  DOSQL_ASSIGN_OR_RETURN(const log::Appended appended, store.append_name(summary, name, durability));
  DOSQL_RETURN_IF_ERROR(store.await_durable(appended.last_lsn, durability));
  store.branches.add_snapshot({name, point, appended.timestamp_us});
  return {};
}

Status VersionStore::drop_snapshot(const std::string& name, Durability durability) {
  StoreImpl& store = *impl_;
  const CheckpointGate::Pass pass(store.checkpoint_gate);
  std::lock_guard naming(store.names_mutex);
  const auto snapshot = store.branches.find_snapshot(name);
  if (!snapshot) return Error(ErrorCode::kNotFound, fmt::format("snapshot '{}' does not exist", name));
  const NameSummary summary{.change = static_cast<std::uint32_t>(NameChange::kDropSnapshot),
                            .name_bytes = 0,
                            .branch = raw(snapshot->point.branch),
                            .parent = 0,
                            .point_version = 0,
                            .point_lsn = 0};
  DOSQL_ASSIGN_OR_RETURN(const log::Appended appended, store.append_name(summary, name, durability));
  DOSQL_RETURN_IF_ERROR(store.await_durable(appended.last_lsn, durability));
  store.branches.drop_snapshot(name);
  return {};
}

std::optional<NamedSnapshot> VersionStore::find_snapshot(std::string_view name) const {
  return impl_->branches.find_snapshot(name);
}

std::vector<NamedSnapshot> VersionStore::snapshots() const {
  std::vector<NamedSnapshot> snapshots;
  for (auto& [name, snapshot] : impl_->branches.snapshots()) snapshots.push_back(snapshot);
  return snapshots;
}

std::uint64_t VersionStore::name_changes() const { return impl_->branches.changes(); }

}  // namespace dosql::version
