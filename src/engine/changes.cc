// The public face of change feeds.

#include <dosql/changes.h>
#include <dosql/database.h>

#include <algorithm>

#include "engine/change_feed.h"

namespace dosql {

std::string_view change_type_name(ChangeType type) {
  switch (type) {
    case ChangeType::kInsert: return "insert";
    case ChangeType::kUpdate: return "update";
    case ChangeType::kDelete: return "delete";
    case ChangeType::kBegin: return "begin";
    case ChangeType::kSchema: return "schema";
    case ChangeType::kCommit: return "commit";
  }
  return "";
}

Changes::Changes(std::shared_ptr<engine::ChangeFeed> feed) : feed_(std::move(feed)) {}
Changes::Changes(Changes&&) noexcept = default;
Changes& Changes::operator=(Changes&&) noexcept = default;
Changes::~Changes() = default;

Result<std::optional<Change>> Changes::next(std::chrono::milliseconds timeout) {
  return feed_->next(engine::deadline_in(timeout));
}

std::uint64_t Changes::given_lsn() const { return raw(feed_->given()); }

void Changes::stop() { feed_->stop(); }
bool Changes::stopped() const { return feed_->stopped(); }

Result<Changes> Database::changes(ChangesOptions options) {
  if (core_->closed()) return Error(ErrorCode::kInvalidArgument, "the database is closed");
  DOSQL_ASSIGN_OR_RETURN(auto feed, engine::ChangeFeed::open(*core_, std::move(options)));
  return Changes(std::move(feed));
}

}  // namespace dosql
