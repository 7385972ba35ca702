# A phone book: what can be done here. The build itself is Meson's (meson.build); this file only calls it.
.PHONY: help deps build run test lint asan tsan static bench crash soak format clean

help:
	@echo "make build      build/hongyan, after installing what is missing from Debian's packages"
	@echo "make run        a demo domain with users, served on unprivileged ports in the foreground"
	@echo "make test       everything: lints, unit tests, corpora, transcripts, crash tests, real clients"
	@echo "make lint       the lints alone          make format   apply clang-format"
	@echo "make asan       unit tests and corpora with AddressSanitizer and UBSan"
	@echo "make tsan       unit tests, transcripts, load, broken connections with ThreadSanitizer: half an hour"
	@echo "make static     gcc -fanalyzer, clang-tidy and cppcheck over the program: 10 minutes and more"
	@echo "make fuzz-NAME  fuzz one target (SECONDS=60); make fuzz-list names them"
	@echo "make bench      the same work beside Postfix and Dovecot; ROWS=\"NAME... --quick\" measures some (bench/README.md)"
	@echo "make crash      the crash tests, long: 300 power cuts, 200 rounds of kills, every allocation fails in turn"
	@echo "make soak       an hour of mail (SOAK_SECONDS=3600) with a role killed every 20 s"

deps:
	@tools/deps build

build: deps
	@test -f build/build.ninja || meson setup build >build-setup.log 2>&1 || { cat build-setup.log; exit 1; }
	@rm -f build-setup.log
	@ninja -C build hongyan

run: build
	@tools/deps run
	@tools/run-demo

test:
	@tools/deps build test
	@tools/test $(ONLY)

lint:
	@tools/deps build test
	@tools/test lint

asan:
	@tools/deps build test
	@tools/test asan

tsan:
	@tools/deps build test
	@tools/test tsan

static: build
	@tools/deps test static
	@test -f build-clang/build.ninja || CC=clang meson setup build-clang >/dev/null
	@tools/lint-static $(FILES)

bench: build
	@tools/deps bench
	@ninja -C build bench/hongyan-load bench/store-bench bench/store-growth bench/libslow_flush.so
	@bench/compare $(ROWS)

crash: export POWER_CUTS ?= 300
crash: export ROUNDS ?= 200
crash: export FAULT_STRIDE ?= 1
crash:
	@tools/deps build test
	@tools/test build crash

soak: build
	@tools/deps test
	@tests/crash/soak.py

fuzz-list:
	@grep -ho "fuzz_targets += \[\['[a-z0-9_-]*'" -r src --include=meson.build | sed "s/.*'\(.*\)'/\1/"

SECONDS ?= 60
fuzz-%:
	@tools/deps build test
	@test -f build-fuzz/build.ninja || CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@ninja -C build-fuzz fuzz-$*
	@mkdir -p build-fuzz/corpus/$*
	build-fuzz/fuzz-$* -max_total_time=$(SECONDS) $(wildcard tests/corpus/$*.dict:%=-dict=%) build-fuzz/corpus/$* tests/corpus/$*

format:
	@git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' | xargs clang-format -i

clean:
	@rm -rf build build-*
