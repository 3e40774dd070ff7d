# Short names for what CONTRIBUTING.md describes. The tools are those on the PATH:
# pip install -c constraints.txt '.[test]' ruff mypy clang-format cmake ninja
SOURCES = $(shell git ls-files 'cpp/*.cpp' 'cpp/*.hpp' 'tests/cpp/*' 'benchmarks/cpp/*' | grep -E 'pp$$')
PYTHON = python
FILTER =

.PHONY: help lint format types quick test cpp tidy docs bench

help:
	@echo 'lint: ruff, clang-format, mypy      format: mend what they can'
	@echo 'quick: tests without torch, under a minute      test: all tests'
	@echo 'cpp: C++ tests with sanitizers (FILTER=part of a name)      tidy: clang-tidy'
	@echo 'docs: the site, to build/site      bench: wsdhq bench --quick, and the kernels'

lint: types
	ruff check .
	ruff format --check .
	clang-format --dry-run --Werror $(SOURCES)

format:
	ruff check --fix .
	ruff format .
	clang-format -i $(SOURCES)

types:
	$(PYTHON) -m mypy

quick:
	$(PYTHON) -m pytest -q -m 'not slow' tests/quant tests/evaluation tests/process/test_layers.py tests/process/test_stub.py

test:
	$(PYTHON) -m pytest -q

cpp:
	cmake -S . -B build/sanitized -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DWSDHQ_PYTHON=OFF \
		-DWSDHQ_TESTS=ON -DWSDHQ_BENCHMARKS=ON -DWSDHQ_SANITIZE=ON -DWSDHQ_WERROR=ON > /dev/null
	cmake --build build/sanitized
	build/sanitized/tests/cpp/wsdhq_tests $(FILTER)

tidy:
	cmake -S . -B build/tidy -G Ninja -DWSDHQ_PYTHON=OFF -DWSDHQ_OPENMP=OFF -DCMAKE_EXPORT_COMPILE_COMMANDS=ON > /dev/null
	clang-tidy -quiet -p build/tidy $(shell git ls-files 'cpp/src/*.cpp')

docs:
	mkdocs build --strict

bench:
	$(PYTHON) -m wsdhq bench --quick
	cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release -DWSDHQ_PYTHON=OFF -DWSDHQ_BENCHMARKS=ON > /dev/null
	cmake --build build/release
	build/release/benchmarks/cpp/wsdhq_benchmarks
