#include "engine/check.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace dosql::engine {
namespace {

// A row of PRAGMA integrity_check per problem.
Status add_integrity_problems(Session& session, const std::string& where, std::vector<Problem>& problems) {
  const auto add = [](void* context, int, char** values, char**) {
    auto& [found, place] = *static_cast<std::pair<std::vector<Problem>*, const std::string*>*>(context);
    if (std::string_view(values[0]) != "ok") found->push_back({*place, 0, values[0]});
    return 0;
  };
  std::pair context(&problems, &where);
  session.begin_call();
  const int rc = sqlite3_exec(session.db, "PRAGMA integrity_check", add, &context, nullptr);
  if (rc == SQLITE_OK) return {};
  Error error = connection_error(session, rc);
  const bool damaged = error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kNotADatabase;
  if (!damaged) return error;
  problems.push_back({where, 0, error.message()});
  return {};
}

Status check_newest_version(DatabaseCore& core, const version::BranchInfo& branch,
                            const std::function<bool()>& goes_on, std::vector<Problem>& problems) {
  const version::ReadPoint& head = branch.head;
  // What it has of its parent is checked there, if the parent has it still.
  const bool has_own = branch.is_main() || head.version > branch.fork.version;
  if (head.page_count == 0 || !has_own) return {};
  const std::string where = fmt::format("{}@{}", branch.name, raw(head.version));
  const std::shared_ptr<Session> session = core.new_session();
  auto file = core.vfs().open(session, head);
  if (!file) {
    if (file.error().code() != ErrorCode::kCorrupt) return std::move(file).error();
    problems.push_back({where, 0, file.error().message()});
    return {};
  }
  const auto cancelled = [](void* context) {
    return (*static_cast<const std::function<bool()>*>(context))() ? 0 : 1;
  };
  if (goes_on) {
    sqlite3_progress_handler(session->db, 100'000, cancelled, const_cast<std::function<bool()>*>(&goes_on));
  }
  Status done = add_integrity_problems(*session, where, problems);
  sqlite3_close(session->db);
  return done;
}

}  // namespace

Result<std::vector<Problem>> check(DatabaseCore& core, const Progress& progress) {
  // SQLite does not say how far it is: the second half of the work shows as all bytes done.
  std::uint64_t total_bytes = 0;
  Progress store_progress;
  std::function<bool()> goes_on;
  if (progress) {
    store_progress = [&](std::uint64_t done, std::uint64_t total) {
      return progress(done, total_bytes = total);
    };
    goes_on = [&] { return progress(total_bytes, total_bytes); };
  }
  DOSQL_ASSIGN_OR_RETURN(const std::vector<version::CheckProblem> on_disk,
                         core.store().check(store_progress));
  std::vector<Problem> problems;
  for (const version::CheckProblem& problem : on_disk) {
    problems.push_back({problem.file, problem.offset, problem.what});
  }
  for (const version::BranchInfo& branch : core.store().branches())
    DOSQL_RETURN_IF_ERROR(check_newest_version(core, branch, goes_on, problems));
  return problems;
}

}  // namespace dosql::engine
