// DoSQL: a SQL database in which every committed transaction is a version.
#pragma once

#include <dosql/changes.h>
#include <dosql/connection.h>
#include <dosql/database.h>
#include <dosql/merge.h>
#include <dosql/options.h>
#include <dosql/result.h>
#include <dosql/savepoint.h>
#include <dosql/slots.h>
#include <dosql/statement.h>
#include <dosql/time_point.h>
#include <dosql/value.h>
