#include "tests/faults/scripted_life.h"

namespace dosql::testing {

using version::Durability;
using version::VersionStore;

ScriptedLife::ScriptedLife(SimulatedDisk& disk) : disk_(disk) {
  options_.pool_bytes = 0;
  options_.spill_bytes = 4 * kPageBytes;
  options_.close_checkpoint_bytes = 0;
  options_.maintain_checkpoint_bytes = 1;
  small_.full_page_one_in = 6;
  large_.large_one_in = 1;
  large_.large_writes = 40;
  large_.full_page_one_in = 1;
}

void ScriptedLife::run(const OnError& on_error) {
  on_error_ = on_error;
  work({Durability::kFull, Durability::kNormal, Durability::kFull}, small_, End::kClose);
  work({Durability::kNormal, Durability::kOff}, small_, End::kClose);
  work({Durability::kFull, Durability::kFull, Durability::kNormal}, large_, End::kDie);
  work({Durability::kNormal, Durability::kFull, Durability::kOff}, small_, End::kMaintain);
  work({Durability::kOff, Durability::kFull}, large_, End::kClose);
}

Result<std::unique_ptr<VersionStore>> ScriptedLife::open(SimulatedDisk& disk) {
  return VersionStore::open(disk.directory(), options_, clock_, entropy_);
}

void ScriptedLife::report(const Error& error, VersionStore* store) {
  if (on_error_ && !disk_.has_crashed()) on_error_(error, store);
}

std::unique_ptr<VersionStore> ScriptedLife::open_patiently() {
  for (int tries = 0; tries < 2 && !disk_.has_crashed(); ++tries) {
    auto store = open(disk_);
    if (store) return *std::move(store);
    report(store.error(), nullptr);
  }
  return nullptr;
}

void ScriptedLife::work(std::initializer_list<Durability> commits, const WorkSize& size, End end) {
  auto store = open_patiently();
  if (!store) return;
  EXPECT_TRUE(!model_.outcome_unknown() || model_.verify(*store, StoreModel::Loss::kNothing));
  // What an open found it made durable.
  model_.note_all_durable();
  for (const Durability durability : commits) {
    if (!go_on(model_.random_transaction(*store, random_, size, durability), *store)) return;
  }
  if (end == End::kMaintain) {
    const auto more = store->maintain(1000);
    if (!go_on(more ? Status() : Status(more.error()), *store)) return;
  }
  if (end == End::kClose) {
    const Status closed = store->close();
    if (closed) {
      model_.note_all_durable();
    } else {
      report(closed.error(), nullptr);
    }
  }
}

bool ScriptedLife::go_on(const Status& status, VersionStore& store) {
  if (disk_.has_crashed() || (!status && status.error().code() == ErrorCode::kOutcomeUnknown)) {
    model_.set_outcome_unknown();
  }
  model_.note_durable(store);
  if (status) return !disk_.has_crashed();
  report(status.error(), &store);
  return !disk_.has_crashed() && !store.status().poisoned;
}

void ScriptedLife::expect_survival(SimulatedDisk& survivor, StoreModel::Loss loss) {
  StoreModel model = model_;
  for (int opens = 0; opens < 2; ++opens) {
    auto store = open(survivor);
    ASSERT_TRUE(store) << "a healthy store was refused: " << store.error().message();
    ASSERT_TRUE(model.verify(**store, opens == 0 ? loss : StoreModel::Loss::kNothing));
  }
}

}  // namespace dosql::testing
