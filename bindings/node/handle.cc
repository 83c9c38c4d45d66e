#include "bindings/node/handle.h"

#include <fmt/format.h>

namespace dosql::node {
namespace {

constexpr std::uint64_t kIdleBudgetUs = 100'000;

}  // namespace

void OpenConnection::interrupt() {
  std::lock_guard lock(closing_);
  if (connection_ != nullptr) connection_->interrupt();
}

Status OpenConnection::control(Control control, int depth) {
  const bool outermost = depth == 0;
  const std::string savepoint = fmt::format("dosql_transaction_{}", depth);
  if (control == Control::kBegin) {
    DOSQL_RETURN_IF_ERROR(check_body());
    DOSQL_RETURN_IF_ERROR(connection_->exec(outermost ? "BEGIN IMMEDIATE" : "SAVEPOINT " + savepoint));
    if (outermost) hold_body(true);
    return {};
  }
  const Status whole = control == Control::kCommit ? check_body() : Status();
  if (outermost) hold_body(false);
  DOSQL_RETURN_IF_ERROR(whole);
  if (control == Control::kCommit) return connection_->exec(outermost ? "COMMIT" : "RELEASE " + savepoint);
  if (!connection_->in_transaction()) return {};
  return connection_->exec(outermost ? "ROLLBACK" : fmt::format("ROLLBACK TO {0}; RELEASE {0}", savepoint));
}

void OpenConnection::hold_body(bool holds) {
  in_body_ = holds;
  body_failure_.reset();
  connection_->hold_transaction(holds);
}

Status OpenConnection::check_body() const {
  if (!in_body_ || connection_ == nullptr || connection_->in_transaction()) return {};
  if (!body_failure_) return Error(ErrorCode::kInvalidArgument, "the transaction was rolled back");
  return Error(body_failure_->code(), "the transaction was rolled back: " + body_failure_->message());
}

void OpenConnection::note_failure(const Error& error) {
  if (in_body_ && !body_failure_ && connection_ != nullptr && !connection_->in_transaction())
    body_failure_ = error;
}

Status OpenConnection::close() {
  std::unique_ptr<Connection> connection;
  {
    std::lock_guard lock(closing_);
    connection = std::move(connection_);
  }
  connection.reset();
  return share_.close();
}

Handle::Handle(std::function<void(std::unique_ptr<Task>)> done)
    : worker_({.done = std::move(done),
               .interrupt =
                   [this] {
                     if (const auto connection = open_connection()) connection->interrupt();
                   },
               .forget_interrupt =
                   [this] {
                     const auto connection = open_connection();
                     if (connection != nullptr && !connection->closed())
                       connection->connection().forget_interrupt();
                   },
               .idle =
                   [this] {
                     const auto connection = open_connection();
                     if (connection == nullptr || connection->closed()) return;
                     connection->share()
                         .database()
                         .maintain(kIdleBudgetUs)
                         .ignore("the next idle time tries again");
                   }}) {}

std::shared_ptr<OpenConnection> Handle::open_connection() const {
  std::lock_guard lock(mutex_);
  return connection_;
}

void Handle::open(std::shared_ptr<OpenConnection> connection) {
  std::lock_guard lock(mutex_);
  connection_ = std::move(connection);
}

}  // namespace dosql::node
