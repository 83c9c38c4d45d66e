// One change of a feed as one line.
#pragma once

#include <string>

#include <dosql/changes.h>

namespace dosql::shell {

// {"lsn":..,"txn":..,"timestamp":"..","type":"insert","table":"..","key":"<hex>","before":{..},"after":{..}};
// members that a change has not are not there. A BLOB is {"blob":"<hex>"}, an infinity {"real":"inf"}.
std::string change_json(const Change& change);

// For people: "12345  update  users  {...} -> {...}".
std::string change_text(const Change& change);

}  // namespace dosql::shell
