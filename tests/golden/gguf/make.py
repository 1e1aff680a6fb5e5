"""Make the small GGUF files of this folder with the independent `gguf` Python package (pip install gguf numpy).

all_types.gguf   every metadata type, arrays of each, two tensors
split-0000?-of-00002.gguf   the same tensors, one a part
Run from this folder: python3 make.py
"""
import numpy as np
import gguf

T = gguf.GGUFValueType


def metadata(w):
    w.add_uint8("test.u8", 200)
    w.add_int8("test.i8", -100)
    w.add_uint16("test.u16", 60000)
    w.add_int16("test.i16", -30000)
    w.add_uint32("test.u32", 4000000000)
    w.add_int32("test.i32", -2000000000)
    w.add_uint64("test.u64", 1 << 40)
    w.add_int64("test.i64", -(1 << 40))
    w.add_float32("test.f32", 0.5)
    w.add_float64("test.f64", -1.25e100)
    w.add_bool("test.bool", True)
    w.add_string("test.str", "grüße 世界")
    w.add_array("test.array_i32", [1, -2, 3])
    w.add_array("test.array_f32", [0.5, 1.5])
    w.add_array("test.array_str", ["a", "", "längere Zeichenkette"])
    w.add_array("test.array_bool", [True, False])


a = np.arange(96, dtype=np.float32).reshape(3, 32)
b = np.arange(64, dtype=np.float16).reshape(2, 32)

w = gguf.GGUFWriter("all_types.gguf", "test")
metadata(w)
w.add_tensor("a", a)
w.add_tensor("b", b)
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()

for no, (name, data) in enumerate([("a", a), ("b", b)]):
    w = gguf.GGUFWriter(f"split-{no + 1:05}-of-00002.gguf", "test")
    if no == 0:
        metadata(w)
    w.add_uint16("split.no", no)
    w.add_uint16("split.count", 2)
    w.add_int32("split.tensors.count", 2)
    w.add_tensor(name, data)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
