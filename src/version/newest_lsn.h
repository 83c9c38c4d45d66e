// The end of a store's log, for who wants all of it and not what is visible.
#pragma once

#include "base/ids.h"
#include "version/version_store.h"

namespace dosql::version {

// The newest LSN that a commit or a name has in the log. VersionStore::visible_lsn() is below it while a
// commit in front waits for its sync, and may be below the heads of branches that did not wait. Any thread.
Lsn newest_lsn(VersionStore& store);

}  // namespace dosql::version
