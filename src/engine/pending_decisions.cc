#include "engine/pending_decisions.h"

#include <algorithm>

namespace dosql::engine {

Result<std::unique_ptr<MergeStaging>> PendingDecisions::waiting() {
  const version::VersionStore& store = core_.store();
  const std::string branch = store.branch_info(store.current(file_.branch())).name;
  DOSQL_ASSIGN_OR_RETURN(auto staging, MergeStaging::find_waiting(core_, branch));
  if (staging) staging->write_as(*session_);
  return staging;
}

void PendingDecisions::keep(std::size_t count) {
  all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(std::min(count, all_.size())), all_.end());
}

Status PendingDecisions::write() {
  if (all_.empty()) return {};
  DOSQL_ASSIGN_OR_RETURN(const auto staging, waiting());
  if (!staging) return Error(ErrorCode::kNotFound, "no merge is waiting for decisions");
  DOSQL_RETURN_IF_ERROR(staging->begin_decisions());
  Status done;
  for (const auto& [id, resolution] : all_) {
    if (done) done = staging->resolve(id, resolution);
  }
  const Status ended = staging->end_decisions(done.has_value());
  return done ? ended : done;
}

}  // namespace dosql::engine
