#include "apps/dosql/change_writer.h"

#include <fmt/format.h>

#include "apps/dosql/text.h"
#include "base/json_text.h"
#include "base/time_text.h"

namespace dosql::shell {

namespace {

std::string_view bytes_text(const Blob& blob) {
  return {reinterpret_cast<const char*>(blob.data()), blob.size()};
}

}  // namespace

std::string change_json(const Change& change) {
  std::string json =
      fmt::format(R"({{"lsn":{},"txn":{},"timestamp":"{}","type":"{}")", change.lsn, change.transaction,
                  time_text(change.timestamp.time_since_epoch().count()), change_type_name(change.type));
  if (change.snapshot) json += ",\"snapshot\":true";
  if (!change.table.empty()) json += ",\"table\":" + json_string(change.table);
  if (!change.key.empty()) json += ",\"key\":\"" + to_hex(bytes_text(change.key)) + "\"";
  if (change.before) json += ",\"before\":" + change.before->to_json();
  if (change.after) json += ",\"after\":" + change.after->to_json();
  return json + "}";
}

std::string change_text(const Change& change) {
  std::string text = fmt::format("{}  {}", change.lsn, change_type_name(change.type));
  if (!change.table.empty()) text += "  " + quote_identifier(change.table);
  if (change.before) text += "  " + change.before->to_json();
  if (change.before && change.after) text += " ->";
  if (change.after) text += (change.before ? " " : "  ") + change.after->to_json();
  return text;
}

}  // namespace dosql::shell
