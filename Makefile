# The two commands of a newcomer: `make demo`, `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# 0: one test after the other, for a machine that is busy.
TEST_PROCESSES ?= 2
# Installed in one call: an npm install without --save removes the packages of the previous call.
NODE_TEST_PACKAGES := @grpc/grpc-js@1 @grpc/proto-loader@0.8 dynalite@4

.PHONY: demo demo-dynamodb test check protos up load bench bench-forest compare-ray test-servers dynamodb-local node-packages chart rendered dashboards k8s-tools grpc-tools grpc-go-tools grpc-java-tools clients client-go client-node client-java collector promtool fuzz fuzz-tools images image-roots sbom vulnerabilities lock clean

demo: .venv/run.stamp
	@$(BIN)/python -m examples.dragonfall.demo

# The same game with its players in DynamoDB and its models in S3, both emulated; needs the packages for developers.
demo-dynamodb: .venv/dev.stamp
	@$(BIN)/python -m examples.dragonfall.demo_dynamodb

# The tests of these folders have no real time limits, so that they run in two processes on a busy machine, too.
UNTIMED := tests/autoscaling tests/decisions tests/k8s tests/mesh/catalog tests/packaging

# Tests that load the machine by themselves come last, one at a time.
test: .venv/dev.stamp
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not whole_machine" $(UNTIMED)
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile -m "not whole_machine" $(UNTIMED:%=--ignore=%)
	@$(BIN)/python -m pytest -m whole_machine

check: .venv/dev.stamp
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m protos.generate --check
	@$(BIN)/python -m k8s.monitoring.dashboards --check
	@$(BIN)/python -m tests.plain_english

# Ports of the supervisor, of its metrics, and of the web interface of Locust.
MESH_PORT ?= 7000
METRICS_PORT ?= 9100
WEB_PORT ?= 8089
# More options of `make load`, such as LOCUST="--scenario step --users 200".
LOCUST ?=

up: .venv/run.stamp
	@$(BIN)/python -m examples.dragonfall.build
	@$(BIN)/mesh up examples/dragonfall/mesh.yaml --port $(MESH_PORT) --metrics-port $(METRICS_PORT)

bench: .venv/dev.stamp
	@$(BIN)/python -m loadtest bench

bench-forest: .venv/dev.stamp
	@$(BIN)/python -m loadtest forest

load: .venv/dev.stamp
	@$(BIN)/python -m loadtest locust --catalog examples/dragonfall/mesh.yaml \
	    --host 127.0.0.1:$(MESH_PORT) --web-port $(WEB_PORT) $(LOCUST)

# Ray Serve has its own environment: it pins other versions of the mesh's dependencies and takes 500 MB.
compare-ray: .venv/dev.stamp build/ray/stamp
	@$(BIN)/python -m loadtest compare

# Optional servers for the tests: DynamoDB Local (Maven, Java 17), dynalite (npm), and Feast, which pins other versions of the
# mesh's dependencies. A server is skipped if its tools are missing.
TEST_SERVERS := dynamodb-local node-packages build/feast/stamp

test-servers:
	@for one in $(TEST_SERVERS); do $(MAKE) -s $$one || echo "$$one could not be installed: its tests will be skipped"; done

dynamodb-local:
	@if command -v mvn >/dev/null && command -v java >/dev/null; then \
	  mvn -q -B -f emulators/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/build/dynamodb-local; \
	else echo "mvn or java is not installed: the tests against DynamoDB Local will be skipped"; fi

node-packages:
	@if command -v npm >/dev/null; then \
	  npm install --prefix build/node --no-save --no-package-lock --loglevel=error $(NODE_TEST_PACKAGES); \
	else echo "npm is not installed: the tests against dynalite and Node will be skipped"; fi

# chart: the default values and their schema, from the catalog's types. rendered: the chart's output for the example, by Helm.
chart: .venv/dev.stamp
	@$(BIN)/python -m k8s.values

rendered: chart
	@$(BIN)/python -m k8s.render

dashboards: .venv/dev.stamp
	@$(BIN)/python -m k8s.monitoring.dashboards

# Helm and kube-score, which render and check the chart, and schemas. Go builds them once, in about three minutes; without them, tests are skipped.
GO_TOOLS := build/go/bin/helm build/go/bin/kube-score build/cert-manager/crds.yaml
HELM_VERSION := v3.21.4
HELM_MODULE := helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)
# As Helm's own Makefile does: the version of Kubernetes is that of the client-go in Helm's go.mod (v0.36). Without it, Helm
# reports Kubernetes 1.20, and `helm template` refuses the chart unless --kube-version is given.
HELM_KUBERNETES_MINOR := 36
HELM_LDFLAGS := -X helm.sh/helm/v3/internal/version.version=$(HELM_VERSION) \
  $(foreach package,chartutil lint/rules,-X helm.sh/helm/v3/pkg/$(package).k8sVersionMajor=1 \
  -X helm.sh/helm/v3/pkg/$(package).k8sVersionMinor=$(HELM_KUBERNETES_MINOR))
KUBE_SCORE_MODULE := github.com/zegl/kube-score/cmd/kube-score@v1.20.0

k8s-tools:
	@if command -v go >/dev/null; then $(MAKE) -s $(GO_TOOLS) && echo "installed: $(GO_TOOLS)"; \
	else echo "go is not installed: the tests with Helm and kube-score will be skipped"; fi

build/go/bin/helm:
	@echo "building $(HELM_MODULE)"
	@CGO_ENABLED=0 GOBIN=$(CURDIR)/build/go/bin go install -ldflags '$(HELM_LDFLAGS)' $(HELM_MODULE)

# The schemas of cert-manager's objects, from its Go module, of which no code is built.
CERT_MANAGER_MODULE := github.com/cert-manager/cert-manager@v1.18.2

build/cert-manager/crds.yaml:
	@echo "downloading the schemas of $(CERT_MANAGER_MODULE)"
	@mkdir -p $(@D)
	@folder=$$(go mod download -json $(CERT_MANAGER_MODULE) | sed -n 's/^.*"Dir": "\(.*\)",$$/\1/p') && \
	  for kind in certificates issuers clusterissuers; do cat "$$folder/deploy/crds/crd-$$kind.yaml" && echo "---" || exit; done >$@.new
	@mv $@.new $@

build/go/bin/kube-score:
	@echo "building $(KUBE_SCORE_MODULE)"
	@CGO_ENABLED=0 GOBIN=$(CURDIR)/build/go/bin go install $(KUBE_SCORE_MODULE)

# Tools of game backends: grpcurl and ghz call the mesh by reflection; the others generate stubs for Go and Java.
GRPCURL_MODULE := github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
GHZ_MODULE := github.com/bojand/ghz/cmd/ghz@v0.121.0
GO_STUBS_MODULES := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.10 google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1
JAVA_STUBS_ARTIFACT := io.grpc:protoc-gen-grpc-java:1.76.0:exe:linux-x86_64
PROTOC_ARTIFACT := com.google.protobuf:protoc:4.33.5:exe:linux-x86_64

grpc-tools: grpc-go-tools grpc-java-tools

grpc-go-tools:
	@if command -v go >/dev/null; then $(MAKE) -s build/go/bin/grpcurl build/go/bin/ghz build/go/bin/protoc-gen-go; \
	else echo "go is not installed: the tests with grpcurl and ghz, and of the stubs for Go, will be skipped"; fi

grpc-java-tools:
	@if command -v mvn >/dev/null; then $(MAKE) -s build/java/protoc build/java/protoc-gen-grpc-java; \
	else echo "mvn is not installed: the tests of the stubs for Java and C# will be skipped"; fi

build/go/bin/grpcurl:
	@echo "building $(GRPCURL_MODULE)"
	@CGO_ENABLED=0 GOBIN=$(CURDIR)/build/go/bin go install $(GRPCURL_MODULE)

build/go/bin/ghz:
	@echo "building $(GHZ_MODULE)"
	@CGO_ENABLED=0 GOBIN=$(CURDIR)/build/go/bin go install $(GHZ_MODULE)

build/go/bin/protoc-gen-go:
	@echo "building $(GO_STUBS_MODULES)"
	@for module in $(GO_STUBS_MODULES); do CGO_ENABLED=0 GOBIN=$(CURDIR)/build/go/bin go install $$module || exit 1; done

build/java/protoc-gen-grpc-java:
	$(call fetch_program,$(JAVA_STUBS_ARTIFACT))

build/java/protoc:
	$(call fetch_program,$(PROTOC_ARTIFACT))

# $(1): the Maven artifact of a program, whose file name has the version and the platform.
define fetch_program
	@mvn -q -B dependency:copy -Dartifact=$(1) -DoutputDirectory=$(CURDIR)/build/java
	@mv build/java/$(@F)-[0-9]*.exe $@
	@chmod +x $@
endef

# The clients in Go, Node and Java and the drivers of the conformance suite. A language whose tools are missing is skipped.
clients:
	@for one in client-go client-node client-java; do $(MAKE) -s $$one || echo "$$one could not be built: its tests will be skipped"; done

client-go:
	@if command -v go >/dev/null; then go build -C clients/go -o ../../build/clients/go/driver ./cmd/driver; \
	else echo "go is not installed: the tests of the Go client will be skipped"; fi

client-node:
	@if command -v npm >/dev/null; then npm install --prefix clients/node --no-save --no-package-lock --loglevel=error --no-fund --no-audit; \
	else echo "npm is not installed: the tests of the Node client will be skipped"; fi

client-java:
	@if command -v mvn >/dev/null && command -v javac >/dev/null; then \
	  mvn -q -B -f clients/java package -Dtest=PreferenceTest dependency:copy-dependencies -DincludeScope=runtime; \
	else echo "mvn or javac is not installed: the tests of the Java client will be skipped"; fi

# An OpenTelemetry collector with the parts of examples/tracing/collector.yaml. Go builds it once, in about two minutes.
COLLECTOR_BUILDER_MODULE := go.opentelemetry.io/collector/cmd/builder@v0.161.0

collector:
	@if command -v go >/dev/null; then $(MAKE) -s build/collector/otel-collector && echo "installed: build/collector/otel-collector"; \
	else echo "go is not installed: the test with an OpenTelemetry collector will be skipped"; fi

build/go/bin/builder:
	@echo "building $(COLLECTOR_BUILDER_MODULE)"
	@CGO_ENABLED=0 GOBIN=$(CURDIR)/build/go/bin go install $(COLLECTOR_BUILDER_MODULE)

build/collector/otel-collector: examples/tracing/builder.yaml | build/go/bin/builder
	@echo "building an OpenTelemetry collector"
	@CGO_ENABLED=0 build/go/bin/builder --config $< >build/collector.log 2>&1 || { tail -n 5 build/collector.log; exit 1; }

# promtool checks the alerts. It is extracted from Debian's package, because installing the package would start a server.
promtool:
	@if command -v promtool >/dev/null; then :; \
	elif command -v apt-get >/dev/null; then $(MAKE) -s build/debian/usr/bin/promtool; \
	else echo "promtool and apt-get are not installed: the tests of the alerts will be skipped"; fi

build/debian/usr/bin/promtool:
	@mkdir -p build/debian
	@cd build/debian && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } 2>&1
	@dpkg -x build/debian/prometheus_*.deb build/debian

# Fuzzes the scoring engine with generated models for SECONDS; inputs that break it are kept in build/fuzz.
SECONDS ?= 60

fuzz: .venv/dev.stamp fuzz-tools
	@$(BIN)/python -m tests.model_worker.forest.fuzz $(SECONDS)

# clang with libFuzzer, extracted from Debian's packages: if installed, other builds would use it as their compiler.
CLANG_PACKAGES := clang-14 libclang-common-14-dev libclang-rt-14-dev libclang-cpp14 libllvm14 libz3-4

fuzz-tools:
	@if command -v clang >/dev/null; then :; \
	elif command -v apt-get >/dev/null; then $(MAKE) -s build/clang/stamp; \
	else echo "clang and apt-get are not installed: the engine will not be fuzzed"; fi

build/clang/stamp:
	@mkdir -p build/clang
	@cd build/clang && { apt-get download -qq $(CLANG_PACKAGES) || { apt-get update -qq && apt-get download -qq $(CLANG_PACKAGES); }; } 2>&1
	@cd build/clang && for one in *.deb; do dpkg -x $$one . && rm $$one || exit; done
	@touch $@

# The two container images, built with docker or buildah. BASE: the base image, a slim Debian with Python, by digest
# (docs/images.md). COMPILER: Debian's packages that compile the workers' engine; they are not part of an image.
IMAGES := supervisor model-worker
COMPILER ?= gcc libc6-dev
REGISTRY ?=
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' mesh/__init__.py)
REVISION = $(shell git rev-parse HEAD 2>/dev/null)$(shell git diff --quiet HEAD 2>/dev/null || echo -dirty)
ENGINE ?= $(shell docker info >/dev/null 2>&1 && echo docker || command -v buildah >/dev/null && echo buildah)
BUILD_ARGS = $(foreach one,BASE COMPILER VERSION REVISION,--build-arg $(one)="$($(one))")
BUILD_docker = docker buildx build --load --build-arg SOURCE_DATE_EPOCH=0 --provenance=false
BUILD_buildah = buildah build --layers --timestamp 0

images:
	@case "$(BASE)" in *?@sha256:*) ;; *) echo "BASE is not set or has no digest; set it to a Python base image by digest:"; \
	  echo "  make images BASE=docker.io/library/python:3.11-slim-bookworm@sha256:..."; \
	  echo "docs/images.md explains how to look up the digest"; exit 2;; esac
	@test -n "$(ENGINE)" || { echo "docker is not running and buildah is not installed: start or install one of them"; exit 2; }
	@for image in $(IMAGES); do echo "building $(REGISTRY)ensemble-mesh/$$image:$(VERSION) with $(ENGINE)"; \
	  $(BUILD_$(ENGINE)) -f k8s/images/Dockerfile --target $$image $(BUILD_ARGS) \
	    -t $(REGISTRY)ensemble-mesh/$$image:$(VERSION) . || exit; done

# The files that the images add to their base, for tests and inspection without a container engine.
image-roots: $(IMAGES:%=build/images/%.stamp)
	@for image in $(IMAGES); do \
	  $(BIN)/python k8s/images/install.py code $$image build/images/$$image; du -sh build/images/$$image; done

build/images/%.stamp: .venv/dev.stamp requirements/%.txt k8s/images/install.py
	@echo "installing the files of the image $* into build/images"
	@rm -rf build/images/$*
	@$(BIN)/python k8s/images/install.py packages $* build/images/$*
	@touch $@

# Bills of materials of the images, as CycloneDX 1.6. BASE: as for `make images`; without it, the base has no digest in them.
sbom: image-roots build/audit/stamp
	@for image in $(IMAGES); do \
	  build/audit/bin/python -m k8s.images.sbom $$image build/sbom/$$image.cdx.json --base "$(BASE)" || exit; done

# Known vulnerabilities of the locked packages; prints NOT CHECKED and fails if no database can be reached.
LOCKS := $(IMAGES:%=requirements/%.txt) requirements/run.txt

vulnerabilities: build/audit/stamp
	@build/audit/bin/python -m k8s.images.vulnerabilities $(LOCKS)

protos: .venv/dev.stamp
	@$(BIN)/python -m protos.generate

# Packages that LightGBM and scikit-learn require but a worker never imports.
NOT_IN_WORKERS := cloudpickle joblib narwhals numpy scipy threadpoolctl

lock: .venv/dev.stamp
	@for kind in run dev; do \
	  $(BIN)/uv pip compile -q pyproject.toml --extra example --extra tracing --group build $$( [ $$kind = dev ] && echo --extra loadtest --group dev ) \
	    --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	    $$( [ $$kind = dev ] && echo -c requirements/run.txt ) -o requirements/$$kind.txt; done
	@for group in audit ray feast; do \
	  $(BIN)/uv pip compile -q --group pyproject.toml:$$group --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --no-emit-index-url -o requirements/$$group.txt; done
	@for group in supervisor model-worker; do \
	  $(BIN)/uv pip compile -q --group pyproject.toml:$$group --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --no-emit-index-url -c requirements/run.txt \
	    $$( [ $$group = model-worker ] && printf ' --no-emit-package %s' $(NOT_IN_WORKERS) ) -o requirements/$$group.txt; done

clean:
	rm -rf .venv build examples/*/build clients/node/node_modules clients/python/build clients/python/*.egg-info *.egg-info $(SCORER)

.venv/pip.stamp:
	@echo "setting up .venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is required; found " + sys.version)'
	@$(PYTHON) -m venv .venv
	@touch $@

# The workers' scoring engine, which setuptools builds next to the code; changed sources rebuild it.
SCORER := model_worker/forest/_engine*.so
SCORER_SOURCES := $(wildcard model_worker/forest/engine/*.[ch])

# $(1): the lock file to install. pip checks the hashes; the project itself is linked, not copied. The old engine is removed
# first, so that it is not used if the new one cannot be built.
define install
	@echo "installing $(1) (about a minute the first time)"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $(1)
	@rm -f $(SCORER)
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@ls $(SCORER) >/dev/null 2>&1 || \
	  echo "the scoring engine could not be built (is a C compiler installed?): the workers will use LightGBM"
	@touch $@
endef

.venv/run.stamp: .venv/pip.stamp requirements/run.txt pyproject.toml $(SCORER_SOURCES)
	$(call install,requirements/run.txt)

build/ray/stamp: requirements/ray.txt
	@echo "installing $< into build/ray"
	@$(PYTHON) -m venv build/ray
	@build/ray/bin/pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

build/audit/stamp: requirements/audit.txt
	@echo "installing $< into build/audit"
	@$(PYTHON) -m venv build/audit
	@build/audit/bin/pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

build/feast/stamp: requirements/feast.txt
	@echo "installing $< into build/feast"
	@$(PYTHON) -m venv build/feast
	@build/feast/bin/pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/dev.stamp: .venv/pip.stamp requirements/dev.txt pyproject.toml $(SCORER_SOURCES)
	$(call install,requirements/dev.txt)
