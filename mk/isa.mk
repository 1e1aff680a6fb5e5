# Instruction sets. A file's suffix decides the flags it is compiled with; nothing else may use them, so that the
# program starts on the oldest CPU of its architecture and picks its kernels at run time.

ARCH := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))

ifeq ($(ARCH),x86_64)
KERN_DIRS := ref x86
endif
ifeq ($(ARCH),aarch64)
KERN_DIRS := ref arm
endif
KERN_DIRS ?= ref other

ISA_avx2    := -mavx2 -mfma -mf16c
ISA_avx512  := -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512
ISA_vnni    := $(ISA_avx512) -mavx512vnni
ISA_amx     := $(ISA_vnni) -mavx512bf16 -mamx-tile -mamx-bf16 -mamx-int8
ISA_neon    := -march=armv8-a
# gcc's first scheduling orders these products for more registers than there are: their sums go through memory.
NO_SCHED    := $(if $(findstring clang,$(CC)),,-fno-schedule-insns)
ISA_dotprod := -march=armv8.2-a+dotprod $(NO_SCHED)
ISA_i8mm    := -march=armv8.2-a+dotprod+i8mm $(NO_SCHED)

# $(call isa_flags,path/to/file_avx2.c)
isa_flags = $(ISA_$(lastword $(subst _, ,$(basename $(notdir $(1))))))

# With both sanitizers, unrolled loops of intrinsics take gcc most of a minute a file for three checks of UBSan. Two of
# them find what ASan finds, too; a pointer that overflows is looked for in the plain C that these files are compared with.
SAN_ISA := $(if $(findstring address,$(SAN)),-fno-sanitize=null -fno-sanitize=object-size -fno-sanitize=pointer-overflow)
isa_san = $(if $(call isa_flags,$(1)),$(SAN_ISA))
