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
  constexpr std::size_t kNewest = StoreModel::kNewest;
  constexpr Durability kOff = Durability::kOff;
  constexpr Durability kNormal = Durability::kNormal;
  constexpr Durability kFull = Durability::kFull;
  on_error_ = on_error;
  work({commit(kFull, small_), create_snapshot("first", "main", kNewest, kNormal), commit(kNormal, small_),
        create_branch("side", "main", kNewest, kFull), commit(kFull, small_, "side")},
       End::kClose);
  work({create_branch("old", "main", 1, kNormal), commit(kNormal, small_, "old"), group(small_),
        create_branch("nothing", "main", 0, kOff), commit(kOff, small_, "nothing")},
       End::kClose);
  work({create_branch("deep", "side", kNewest, kNormal), commit(kFull, large_), commit(kFull, large_, "deep"),
        drop_branch("side", kFull), group(large_), commit(kNormal, large_), group(small_)},
       End::kDie);
  work({create_snapshot("second", "deep", kNewest, kFull), drop_snapshot("first", kNormal),
        commit(kNormal, small_, "deep"), commit(kFull, small_), drop_branch("old", kOff),
        commit(kOff, small_)},
       End::kMaintain);
  work({commit(kOff, large_, "deep"), create_branch("side", "deep", 2, kOff), commit(kFull, large_),
        drop_snapshot("second", kFull), commit(kNormal, small_, "side")},
       End::kClose);
  work({create_branch("next", "main", kNewest, kNormal), commit(kFull, large_, "next"),
        commit(kNormal, small_, "next"), fast_forward("main", "next", kFull), commit(kNormal, small_),
        commit(kNormal, small_, "next"), group(small_)},
       End::kDie);
  work({commit(kFull, small_), create_branch("last", "main", kNewest, kOff), commit(kOff, small_, "last"),
        fast_forward("main", "last", kNormal), drop_branch("last", kNormal), commit(kNormal, large_)},
       End::kClose);
}

ScriptedLife::Step ScriptedLife::commit(Durability durability, const WorkSize& size,
                                        const std::string& branch) {
  return [=, this](VersionStore& store) {
    return model_.random_transaction(store, random_, size, durability, branch);
  };
}

ScriptedLife::Step ScriptedLife::group(const WorkSize& size) {
  return [=, this](VersionStore& store) { return model_.random_group(store, random_, size); };
}

ScriptedLife::Step ScriptedLife::create_branch(const std::string& name, const std::string& from,
                                               std::size_t version, Durability durability) {
  return
      [=, this](VersionStore& store) { return model_.create_branch(store, name, from, version, durability); };
}

ScriptedLife::Step ScriptedLife::drop_branch(const std::string& name, Durability durability) {
  return [=, this](VersionStore& store) { return model_.drop_branch(store, name, durability); };
}

ScriptedLife::Step ScriptedLife::fast_forward(const std::string& name, const std::string& to,
                                              Durability durability) {
  return [=, this](VersionStore& store) { return model_.fast_forward(store, name, to, durability); };
}

ScriptedLife::Step ScriptedLife::create_snapshot(const std::string& name, const std::string& of,
                                                 std::size_t version, Durability durability) {
  return
      [=, this](VersionStore& store) { return model_.create_snapshot(store, name, of, version, durability); };
}

ScriptedLife::Step ScriptedLife::drop_snapshot(const std::string& name, Durability durability) {
  return [=, this](VersionStore& store) { return model_.drop_snapshot(store, name, durability); };
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

void ScriptedLife::work(const std::vector<Step>& steps, End end) {
  auto store = open_patiently();
  if (!store) return;
  EXPECT_TRUE(!model_.outcome_unknown() || model_.verify(*store, Loss::kNothing));
  // What an open found it made durable.
  model_.note_all_durable();
  for (const Step& step : steps) {
    if (!go_on(step(*store), *store)) return;
  }
  end_work(*store, end);
}

void ScriptedLife::end_work(VersionStore& store, End end) {
  if (end == End::kMaintain) {
    const auto more = store.maintain(1000);
    go_on(more ? Status() : Status(more.error()), store);
  } else if (end == End::kClose) {
    const Status closed = store.close();
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

void ScriptedLife::expect_survival(SimulatedDisk& survivor, Loss loss) {
  StoreModel model = model_;
  for (int opens = 0; opens < 2; ++opens) {
    auto store = open(survivor);
    ASSERT_TRUE(store) << "a healthy store was refused: " << store.error().message();
    ASSERT_TRUE(model.verify(**store, opens == 0 ? loss : Loss::kNothing));
  }
}

}  // namespace dosql::testing
