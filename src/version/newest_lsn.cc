#include "version/newest_lsn.h"

#include "version/store_impl.h"

namespace dosql::version {

Lsn newest_lsn(VersionStore& store) { return store.impl().log->last_lsn(); }

}  // namespace dosql::version
