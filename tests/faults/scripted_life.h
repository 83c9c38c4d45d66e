// A short life of a database with everything in it: creation, commits of every kind on several branches,
// branches and snapshots made and dropped, spills, a roll, folds, checkpoints, clean closes, and owners that
// die. The same disk operations every time, up to the first failure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/environment.h"
#include "testing/simulated_disk.h"
#include "tests/faults/store_model.h"

namespace dosql::testing {

class ScriptedLife {
 public:
  explicit ScriptedLife(SimulatedDisk& disk);

  // Called for each call of the store that fails; `store` is null where only destruction is allowed: after a
  // failed open or close. The model is up to date.
  using OnError = std::function<void(const Error& error, version::VersionStore* store)>;

  // Up to the end, or to the disk's crash. A failed open is tried once more, a store that refuses writes is
  // opened again, and everything else goes on.
  void run(const OnError& on_error = {});

  // Opens `survivor`, what a fault left of the disk, and compares it with the model. Opens it a second time
  // too: the first must have spoilt nothing, also for an owner that dies at once.
  void expect_survival(SimulatedDisk& survivor, Loss loss);
  // Only opens.
  Result<std::unique_ptr<version::VersionStore>> open(SimulatedDisk& disk);

  const StoreModel& model() const { return model_; }

 private:
  enum class End { kClose, kDie, kMaintain };
  using Step = std::function<Status(version::VersionStore&)>;

  Step commit(version::Durability durability, const WorkSize& size, const std::string& branch = "main");
  Step group(const WorkSize& size);
  Step create_branch(const std::string& name, const std::string& from, std::size_t version,
                     version::Durability durability);
  Step drop_branch(const std::string& name, version::Durability durability);
  Step fast_forward(const std::string& name, const std::string& to, version::Durability durability);
  Step create_snapshot(const std::string& name, const std::string& of, std::size_t version,
                       version::Durability durability);
  Step drop_snapshot(const std::string& name, version::Durability durability);

  // Opens the store, takes the steps, and ends.
  void work(const std::vector<Step>& steps, End end);
  void end_work(version::VersionStore& store, End end);
  std::unique_ptr<version::VersionStore> open_patiently();
  // Whether the store can go on.
  bool go_on(const Status& status, version::VersionStore& store);
  void report(const Error& error, version::VersionStore* store);

  SimulatedDisk& disk_;
  Generator random_{5};
  SeededRandom entropy_{5};
  ManualClock clock_{1'700'000'000'000'000};
  version::StoreOptions options_;
  WorkSize small_;
  WorkSize large_;
  StoreModel model_;
  OnError on_error_;
};

}  // namespace dosql::testing
