#!/bin/sh
# install-deps.sh SET... - see that what `make` needs is on this machine
#
# SET is build, demo, test, bench or worker.  What is missing is installed when we are
# root or sudo asks for no password; otherwise the one line to type is printed.
# With "build" the compiler flags of the libraries are printed as make
# variables, so that make asks pkg-config only once.

set -u
PKGS='libuv lmdb libseccomp libcrypto jansson libzstd zlib expat libssl hiredis'
HEADERS='libcurl libmicrohttpd'   # opened when first needed, not linked
missing=

# need PACKAGE COMMAND...: PACKAGE is there when COMMAND succeeds.
need()
{
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

have() { command -v "$1"; }

# A module of the system's own python3, not of another one earlier in PATH.
module() { test -e "/usr/lib/python3/dist-packages/$1/__init__.py"; }

any()
{
	for path; do
		test -e "$path" && return
	done
	return 1
}

need_build()
{
	need gcc have gcc
	need make have make
	need pkg-config have pkg-config
	# One call says whether all are there; only a no asks for each.
	pkg-config --exists $PKGS $HEADERS 2>/dev/null && return
	need libuv1-dev pkg-config --exists libuv
	need liblmdb-dev pkg-config --exists lmdb
	need libseccomp-dev pkg-config --exists libseccomp
	need libssl-dev pkg-config --exists libcrypto
	need libjansson-dev pkg-config --exists jansson
	need libzstd-dev pkg-config --exists libzstd
	need zlib1g-dev pkg-config --exists zlib
	need libexpat1-dev pkg-config --exists expat
	need libhiredis-dev pkg-config --exists hiredis
	need libcurl4-openssl-dev pkg-config --exists libcurl
	need libmicrohttpd-dev pkg-config --exists libmicrohttpd
}

need_demo()
{
	need python3 test -x /usr/bin/python3
	need python3-numpy module numpy
	need python3-sklearn module sklearn
}

need_test()
{
	need_demo
	need_trainers
	need clang have clang
	need libclang-rt-14-dev any /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a
	need cppcheck have cppcheck
	need ninja-build have ninja
	need universal-ctags have ctags
	need strace have strace
	need jq have jq
	need parallel have parallel
	need g++ have g++
	need openssl have openssl
	need zstd have zstd
	need podman have podman
	need runc have runc
	need skopeo have skopeo
	need docker-registry have docker-registry
	need apache2-utils have htpasswd
	need chromium have chromium
	need prometheus have prometheus
	need curl have curl
	need nginx-light test -x /usr/sbin/nginx
	need python3-botocore module botocore
	need libfuse3-dev pkg-config --exists fuse3
	need xfsprogs have mkfs.xfs
	need btrfs-progs have mkfs.btrfs
	need python3-fusepy test -e /usr/lib/python3/dist-packages/fusepy.py
	need_stores
	need_slurm
}

# The servers of test/servers that keep objects.
need_stores()
{
	need ceph-mon have ceph-mon
	need ceph-mgr have ceph-mgr
	need ceph-osd have ceph-osd
	need ceph-common have ceph
	need radosgw have radosgw
	need faketime have faketime
	need swift-proxy have swift-proxy-server
	need swift-account have swift-account-server
	need swift-container have swift-container-server
	need swift-object have swift-object-server
	need memcached have memcached
	need redis-server have redis-server
}

# A Slurm cluster on this host, for test/servers/slurm.sh.
need_slurm()
{
	need slurm-wlm any /usr/sbin/slurmctld
	need munge any /usr/sbin/munged
}

# What the trainers in test/trainers are written in, or are.
need_trainers()
{
	need python3-yaml module yaml
	need python3-omegaconf module omegaconf
	need python3-torch module torch
	need dataset-fashion-mnist test -d /usr/share/datasets/fashion-mnist
	need xgboost have xgboost
	need libsvm-tools have svm-train
	need liblinear-tools have liblinear-train
	need fasttext have fasttext
	need r-base-core have Rscript
	need nodejs have node
}

need_worker()
{
	need libnghttp2-dev any /usr/lib/*/libnghttp2.a
}

need_bench()
{
	need_demo
	need_stores
	need python3-pandas module pandas
	need python3-matplotlib module matplotlib
	need python3-sympy module sympy
	need python3-torch module torch
	need dataset-fashion-mnist test -d /usr/share/datasets/fashion-mnist
	need libopenblas0-pthread any /usr/lib/*/libopenblas.so.0
	need ninja-build have ninja
	need jq have jq
	need parallel have parallel
	need zstd have zstd
	need strace have strace
	need time test -x /usr/bin/time
	need_slurm
}

look()
{
	missing=
	for set; do
		"need_$set"
	done
}

install()
{
	if test "$(id -u)" = 0; then
		as=
	elif sudo -n true 2>/dev/null; then
		as='sudo -n'
	else
		return 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	$as apt-get update -q >&2 || return 1
	$as apt-get install -q -y --no-install-recommends $missing >&2
}

for set; do
	case $set in
	build|demo|test|bench|worker) ;;
	*) echo "install-deps.sh: no such set: $set" >&2; exit 2 ;;
	esac
done

look "$@"
if test -n "$missing"; then
	wanted=$missing
	install && look "$@"
	if test -n "$missing"; then
		echo "Please install what is missing, then run make again:" >&2
		echo "    apt-get install --no-install-recommends$wanted" >&2
		exit 1
	fi
fi

case " $* " in
*' build '*)
	cflags=$(pkg-config --cflags $PKGS) && libs=$(pkg-config --libs $PKGS) || exit 1
	echo "PKG_CFLAGS := $cflags"
	echo "PKG_LIBS := $libs"
	# The same as archives, for gg: users of hiredis and libssl before these.
	echo "PKG_ARCHIVES := -luv_a -llmdb -lseccomp -lhiredis -lssl -lcrypto -ljansson -lzstd -lz -lexpat"
	# Archives, for gg-worker: libcurl and what it needs for HTTP, libmicrohttpd;
	# for the rest see src/exec/static/curl_absent.c and httpd_absent.c.
	static=$(pkg-config --static --libs $PKGS | sed 's/-luv /-luv_a /; s/-luv$/-luv_a/')
	echo "WORKER_LIBS := -lcurl -lnghttp2 -lmicrohttpd -lssl $static"
	;;
esac
