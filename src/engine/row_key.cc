#include "engine/row_key.h"

namespace dosql::engine {

Result<RowKey> key_of(const diff::RowChange& change, const std::vector<diff::KeyColumn>& order) {
  if (order.empty()) return RowKey(change.rowid);
  const Bytes record = change.kind == diff::ChangeKind::kDelete ? change.before : change.after;
  RowKey key;
  key.record.assign(record.begin(), record.end());
  DOSQL_RETURN_IF_ERROR(diff::decode_record(key.record, key.fields));
  if (key.fields.size() < order.size()) return Error(ErrorCode::kCorrupt, "a record has no room for its key");
  return key;
}

}  // namespace dosql::engine
