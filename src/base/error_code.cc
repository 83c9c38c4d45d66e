#include <dosql/result.h>

namespace dosql {

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kSql: return "DOSQL_SQL";
    case ErrorCode::kConstraint: return "DOSQL_CONSTRAINT";
    case ErrorCode::kBusy: return "DOSQL_BUSY";
    case ErrorCode::kBusySnapshot: return "DOSQL_BUSY_SNAPSHOT";
    case ErrorCode::kLocked: return "DOSQL_LOCKED";
    case ErrorCode::kReadOnly: return "DOSQL_READ_ONLY";
    case ErrorCode::kIo: return "DOSQL_IO";
    case ErrorCode::kDiskFull: return "DOSQL_DISK_FULL";
    case ErrorCode::kOutcomeUnknown: return "DOSQL_OUTCOME_UNKNOWN";
    case ErrorCode::kPoisoned: return "DOSQL_POISONED";
    case ErrorCode::kCorrupt: return "DOSQL_CORRUPT";
    case ErrorCode::kNotADatabase: return "DOSQL_NOT_A_DATABASE";
    case ErrorCode::kFormatTooNew: return "DOSQL_FORMAT_TOO_NEW";
    case ErrorCode::kNotFound: return "DOSQL_NOT_FOUND";
    case ErrorCode::kAlreadyExists: return "DOSQL_ALREADY_EXISTS";
    case ErrorCode::kVersionNotFound: return "DOSQL_VERSION_NOT_FOUND";
    case ErrorCode::kHistoryExpired: return "DOSQL_HISTORY_EXPIRED";
    case ErrorCode::kBranchNotFound: return "DOSQL_BRANCH_NOT_FOUND";
    case ErrorCode::kBranchNotMerged: return "DOSQL_BRANCH_NOT_MERGED";
    case ErrorCode::kMergeConflict: return "DOSQL_MERGE_CONFLICT";
    case ErrorCode::kInvalidArgument: return "DOSQL_INVALID_ARGUMENT";
    case ErrorCode::kForbidden: return "DOSQL_FORBIDDEN";
    case ErrorCode::kInterrupted: return "DOSQL_INTERRUPTED";
    case ErrorCode::kOutOfMemory: return "DOSQL_OUT_OF_MEMORY";
    case ErrorCode::kInternal: return "DOSQL_INTERNAL";
  }
  return "DOSQL_INTERNAL";
}

}  // namespace dosql
