// The present of one execution of a statement that reads the past: from counting its points in time to the
// moment in which SQLite locks the file, another connection may commit. So the head is held over both, and
// for a statement that writes the writer slot too, or its write would come too late.
#pragma once

#include <dosql/result.h>

namespace dosql::engine {

class ConnectionState;

class HeldHead {
 public:
  explicit HeldHead(ConnectionState& connection) : connection_(connection) {}
  // Gives back what the execution did not use.
  ~HeldHead();
  HeldHead(const HeldHead&) = delete;
  HeldHead& operator=(const HeldHead&) = delete;

  // Nothing, where a transaction or another running statement has settled the version, or a statement that
  // runs this one while it begins. May be called again to write after all: then it may be another version.
  // Errors: those of waiting for the writer slot.
  Status hold(bool to_write);
  // REQUIRES: a transaction of the user's. Makes the version that of the transaction.
  Status settle_transaction();

 private:
  ConnectionState& connection_;
  bool holds_ = false;
};

}  // namespace dosql::engine
