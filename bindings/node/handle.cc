#include "bindings/node/handle.h"

namespace dosql::node {
namespace {

constexpr std::uint64_t kIdleBudgetUs = 100'000;

}  // namespace

void OpenConnection::interrupt() {
  std::lock_guard lock(closing_);
  if (connection_ != nullptr) connection_->interrupt();
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
