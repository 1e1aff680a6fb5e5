# croft doctor: text for people, JSON for programs, from the same cells.
run: croft doctor --no-measure
out~ ^Machine$
out~ ^Kernels$
out~ ^  ref +yes
out~ ^  threads +[0-9]+ +one per|quota
out! per second
run: croft doctor --no-measure --json
json: .machine.n_cpus >= 1 and .machine.n_cores >= 1
json: [.kernels[] | select(.chosen)] | length == 1
json: .memory.total_bytes > 100000000
json: (.choice | map(.setting)) | index("threads") != null and index("kernel level") != null
json: .memory.read_1_thread_bytes_per_s == null
json: .thermal_zones | type == "array"
# measured: a plausible figure, between 0.1 GB/s (under emulation, sanitizers) and 2 TB/s
run: croft doctor --json
json: .memory.read_1_thread_bytes_per_s > 1e8 and .memory.read_1_thread_bytes_per_s < 2e12
run: croft doctor --json --no-measure
env: CROFT_CPU=ref
json: .kernels[] | select(.level == "ref") | .chosen
json: .choice[] | select(.setting == "kernel level") | .why | test("CROFT_CPU")
# a wrong CROFT_CPU is what doctor is asked about: it explains
run: croft doctor --no-measure
env: CROFT_CPU=mmx
out~ CROFT_CPU names the level "mmx", which does not exist
