need: ../shared/models/stories260K.gguf
run: croft show ../shared/models/stories260K.gguf
out~ ^architecture +llama$
out~ ^parameters +292800$
out~ ^vocabulary +512$
out~ ^context \(tokens\) +128$
out~ ^F32 +48 +292800
run: croft show ../shared/models/stories260K.gguf --json
json: .n_layers == 5 and .chat_template == false and .types[0].bytes == 1171200
run: croft show ../shared/models/stories260K.gguf --tensors
out~ ^token_embd.weight +F32 +64 × 512 +128.0 KiB$
run: head -c 600000 ../shared/models/stories260K.gguf > $T/cut; croft show $T/cut
exit: 65
err~ .
