# The module graph, as data. One line a module: the modules whose api/ folder it may include.
# A module's own folder and its own api/ are always visible to it. The Makefile turns these lines into -I flags,
# so a forbidden include fails with "No such file"; `make lint` checks the symbol prefixes with nm.

MODULES := plat base kern model infer task net bundle route serve econ cli

DEPS_plat   :=
DEPS_base   := plat
DEPS_kern   := plat base
DEPS_model  := plat base kern
DEPS_infer  := plat base kern model
DEPS_task   := plat base kern model infer
DEPS_net    := plat base
DEPS_bundle := plat base net
DEPS_route  := plat base net task
DEPS_serve  := plat base kern model infer task net route
DEPS_econ   := plat base task
DEPS_cli    := plat base kern model infer task net bundle route serve econ

# What the external symbols of a module start with (space separated).
PREFIX_plat   := plat_
PREFIX_base   := page_ money_ err_ mem_ arena_ buf_ str_ utf8_ log_ clock_ conf_ sha256_ metric_ metrics_
PREFIX_kern   := kern_
PREFIX_model  := model_ gguf_ tok_ tmpl_
PREFIX_infer  := infer_ croft_ gram_
PREFIX_task   := task_
PREFIX_net    := net_
PREFIX_bundle := bundle_
PREFIX_route  := route_
PREFIX_serve  := serve_
PREFIX_econ   := econ_
PREFIX_cli    := cli_ cmd_

# Libraries a module needs, as pkg-config names.
LIBS_base   := libcrypto
LIBS_model  := libutf8proc jansson
LIBS_infer  := jansson libutf8proc
LIBS_task   := libcyaml yaml-0.1 jansson
LIBS_net    := libcurl libevent libevent_openssl openssl
LIBS_bundle := jansson libcrypto
LIBS_route  := jansson libcrypto libcyaml sqlite3 libutf8proc
LIBS_serve  := jansson libcrypto libcyaml
LIBS_econ   := jansson
LIBS_cli    := jansson
